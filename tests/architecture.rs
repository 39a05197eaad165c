//! Purity: code that decides reads no clock, file, socket or unseeded random source (DESIGN invariant 1).
//!
//! Cargo enforces which crate may use which; this test guards what Cargo cannot see.

use std::fs;
use std::path::{Path, PathBuf};

/// Files and folders that must stay pure.
const PURE: &[&str] = &[
    "crates/stats/src/",
    "crates/core/src/",
    "crates/callers/src/audio/",
    "crates/callers/src/caller/",
    "crates/callers/src/data/",
    "crates/callers/src/network/",
    "crates/callers/src/participant/reconnection.rs",
    "crates/callers/src/recording_store.rs",
    "crates/driver/src/run/",
    "crates/driver/src/session/",
    "crates/driver/src/agent_poll_times.rs",
    "crates/driver/src/agent_worker/metrics.rs",
    "crates/driver/src/agent_worker/prometheus.rs",
    "crates/driver/src/agent_worker/worker_status.rs",
    "crates/driver/src/cekura/accepted_runs.rs",
    "crates/driver/src/cekura/error_message.rs",
    "crates/driver/src/cekura/run_status.rs",
    "crates/driver/src/livekit_throttle.rs",
    "crates/driver/src/poll_queue.rs",
    "crates/driver/src/rate_limiter.rs",
    "crates/driver/src/replay.rs",
    "crates/driver/src/room_naming.rs",
    "crates/driver/src/session_effect.rs",
    "crates/driver/src/session_input.rs",
    "crates/driver/src/submission_queue.rs",
    "crates/fleet/src/blobs.rs",
    "crates/fleet/src/coordinator/conversion.rs",
    "crates/fleet/src/coordinator/member.rs",
    "crates/fleet/src/coordinator/state.rs",
    "crates/fleet/src/measure/conclusion.rs",
    "crates/fleet/src/protocol/envelope.rs",
    "crates/fleet/src/protocol/messages.rs",
    "crates/fleet/src/protocol/setup.rs",
    "crates/fleet/src/protocol/subjects.rs",
    "crates/fleet/src/worker/watermark.rs",
    "crates/fleet/src/worker/held_session",
    "crates/fleet/src/worker/hosts.rs",
    "crates/fleet/src/worker/lease.rs",
    "crates/fleet/src/worker/outbox.rs",
    "crates/fleet/src/clock",
    "crates/fleet/src/placement",
    "crates/report/src/fold/",
    "crates/report/src/session/",
    "crates/report/src/compare/",
    "crates/report/src/paired/",
    "crates/report/src/judged/",
    "crates/report/src/soak/",
    "crates/report/src/capacity/",
    "crates/report/src/render/",
    "crates/agent/src/behaviour/",
    "crates/agent/src/worker/protocol",
    "crates/agent/src/session/",
    "src/commands/sweep/decision.rs",
    "src/commands/doctor/agent_texts.rs",
    "src/commands/doctor/finding.rs",
    "src/commands/doctor/rules.rs",
    "src/commands/doctor/traits.rs",
];

/// What a pure file must not name.
const IMPURE: &[&str] = &[
    "std::time::Instant",
    "SystemTime::now",
    "Timestamp::now",
    "Instant::now",
    "std::fs",
    "TcpStream",
    "UdpSocket",
    "ToSocketAddrs",
    "std::env",
    "tokio::",
    "reqwest::",
    "RandomState",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder exists") {
        let path = entry.expect("its entries are readable").path();
        if path.is_dir() {
            sources_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The code of a source file without its comments, tests included.
fn code(text: &str) -> String {
    let without_comment = |line: &str| match line.find("//") {
        Some(start) if !line[..start].contains('"') => line[..start].to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(without_comment).collect::<Vec<_>>().join("\n")
}

fn impurities(text: &str) -> Vec<&'static str> {
    let code = code(text);
    IMPURE.iter().copied().filter(|name| code.contains(name)).collect()
}

#[test]
fn code_that_decides_reads_no_clock_file_socket_or_randomness() {
    let mut found = Vec::new();
    for pure in PURE {
        let mut sources = Vec::new();
        let start = root().join(pure);
        if pure.ends_with('/') {
            sources_below(&start, &mut sources);
        } else if start.is_dir() || start.with_extension("rs").is_file() {
            // A module's file and the folder of the same name.
            sources.push(start.with_extension("rs"));
            if start.is_dir() {
                sources_below(&start, &mut sources);
            }
        }
        assert!(!sources.is_empty(), "{pure} is listed as pure and does not exist");
        for source in sources {
            let text = fs::read_to_string(&source).expect("a source is text");
            for name in impurities(&text) {
                let shown = source.strip_prefix(root()).unwrap_or(&source).display();
                found.push(format!("{shown} must stay pure but names `{name}`"));
            }
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn impurities_are_found_in_tests_too_but_not_in_comments() {
    assert_eq!(impurities("fn f() { std::fs::read(\"x\"); }"), ["std::fs"]);
    assert_eq!(impurities("#[cfg(test)]\nmod t { use tokio::net; }"), ["tokio::"]);
    assert!(impurities("// std::fs is read elsewhere").is_empty());
}
