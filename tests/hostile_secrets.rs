//! Keys that come back: services repeat them, whole and cut at every length, in bodies, errors and headers. The harness
//! fails each of these tests where a part of eight characters or more is printed or written.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rushhour_sandbox::{Sandbox, SandboxConfig};

use crate::support::{
    CommandOutput, HostileServer, PLANTED_API_SECRET, PLANTED_CEKURA_KEY, PLANTED_PASSWORD, TestDir,
};

/// The parts of a secret that a service may show: its beginning and its end, of every length.
fn cuts(secret: &str) -> Vec<&str> {
    (1..=secret.len()).flat_map(|cut| [&secret[..cut], &secret[secret.len() - cut..]]).collect()
}

fn profile(livekit: &str, cekura: &str, copies: usize) -> String {
    format!(
        "name = \"cut\"\nmode = \"chat\"\n[livekit]\nurl = \"{livekit}\"\nagent = \"a\"\nwait_for_agent = false\n[evaluator]\nkind = \"cekura\"\nurl = \"{cekura}\"\nkey_file = \"cekura.key\"\npoll_every = \"200ms\"\n[limits]\nrequests = \"1000/s\"\npolls = \"20/s\"\nrun_timeout = \"5s\"\npoll_timeout = \"1s\"\nwatch_unknown = \"1s\"\nattempts = 1\n[[scenario]]\nid = 30\ncopies = {copies}\n[[stage]]\nburst = {copies}\n"
    )
}

/// Runs a session whose key of Cekura comes from a file, with a log of everything.
fn run(dir: &TestDir, profile: &str) -> CommandOutput {
    dir.write("cekura.key", PLANTED_CEKURA_KEY);
    dir.write("profile.toml", profile);
    dir.rushhour(&["run", "profile.toml", "--quiet", "--yes", "-vv", "--log", "log.txt"])
        .env("LIVEKIT_API_KEY", SandboxConfig::API_KEY)
        .env("LIVEKIT_API_SECRET", SandboxConfig::API_SECRET)
        .run()
}

#[test]
fn no_part_of_a_key_that_failed_runs_repeat_is_written() {
    let parts = cuts(PLANTED_CEKURA_KEY);
    let submitted = AtomicUsize::new(0);
    let server = HostileServer::start(move |request| {
        if request.starts_with("POST") {
            let id = submitted.fetch_add(1, Relaxed);
            let body = format!(r#"{{"id":{id},"runs":[{{"id":{id},"scenario":30}}]}}"#);
            return (200, body.into_bytes());
        }
        let (_, ids) = request.split_once("run_ids=").unwrap_or_default();
        let ids = ids.split([' ', '&']).next().unwrap_or_default().replace("%2C", ",");
        let runs: Vec<String> = ids
            .split(',')
            .filter_map(|id| id.parse::<usize>().ok())
            .map(|id| {
                let part = parts[id % parts.len()];
                // In the middle, at the end, and where our own shortening would cut it.
                let words = match id % 3 {
                    0 => format!("the key '{part}' is not valid"),
                    1 => format!("bad key {part}"),
                    _ => format!("{} {part} {}", "x".repeat(980 - id % 64), "y".repeat(200)),
                };
                format!(r#"{{"id":{id},"status":"failed","error_message":"{words}","metadata":{{"ended_reason":"{part}"}}}}"#)
            })
            .collect();
        (200, format!(r#"{{"runs":[{}]}}"#, runs.join(",")).into_bytes())
    });
    let sandbox = Sandbox::start(SandboxConfig::default(), 0).expect("a port is free");
    let dir = TestDir::new();
    let address = format!("http://{}", server.address());
    let copies = cuts(PLANTED_CEKURA_KEY).len();
    let ran = run(&dir, &profile(&sandbox.livekit_url(), &address, copies));
    let session = dir.sessions().remove(0);
    let journal = fs::read_to_string(session.join("journal.jsonl")).expect("it exists");
    assert!(journal.matches("[redacted]").count() > copies / 2, "{}\n{journal}", ran.stderr);
}

#[test]
fn no_part_of_a_key_that_errors_and_headers_repeat_is_written() {
    let answered = AtomicUsize::new(0);
    let (of_cekura, of_livekit) = (cuts(PLANTED_CEKURA_KEY), cuts(PLANTED_API_SECRET));
    let server = HostileServer::start_with_headers(move |request| {
        // Each process knows the keys that it was given.
        let parts = if request.contains("/twirp/") { &of_livekit } else { &of_cekura };
        let number = answered.fetch_add(1, Relaxed);
        let part = parts[number % parts.len()];
        let headers = format!(
            "Retry-After: {part}\r\nLocation: http://127.0.0.1/?api_key={part}\r\nServer: {part}\r\nX-Api-Key: {part}\r\n"
        );
        let status = [500, 400, 302, 404, 422][number % 5];
        let body = match number % 3 {
            0 => format!(r#"{{"code":"{part}","msg":"bad {part}"}}"#),
            1 => format!("<html><title>{part}</title>{part}</html>"),
            _ => format!("not json {part}"),
        };
        (status, headers, body.into_bytes())
    });
    let dir = TestDir::new();
    let livekit = format!("ws://{}", server.address());
    let with_secret = |command: &[&str]| {
        dir.rushhour(command)
            .env("LIVEKIT_API_KEY", "an-api-key")
            .env("LIVEKIT_API_SECRET", PLANTED_API_SECRET)
            .env("CEKURA_API_KEY", PLANTED_CEKURA_KEY)
            .env("LIVEKIT_URL", &livekit)
            .run()
    };
    let mut redacted = 0;
    for _ in 0..cuts(PLANTED_CEKURA_KEY).len() {
        let swept = with_secret(&["sweep", "-vv"]);
        redacted += swept.stderr.matches("[redacted]").count();
    }
    assert!(redacted > 10, "{redacted}");
    let sandbox = Sandbox::start(SandboxConfig::default(), 0).expect("a port is free");
    let address = format!("http://{}", server.address());
    let ran = run(&dir, &profile(&sandbox.livekit_url(), &address, 30));
    assert!(!dir.sessions().is_empty(), "{}", ran.stderr);
    with_secret(&["doctor", "profile.toml", "-vv"]);
}

#[test]
fn the_password_of_an_address_in_the_environment_is_not_shown() {
    let dir = TestDir::new();
    let server = HostileServer::start(|request| (502, request.as_bytes().to_vec()));
    let proxy = format!("http://me:{PLANTED_PASSWORD}@{}", server.address());
    for command in [&["sweep", "-vv"][..], &["doctor", "-vv"]] {
        for (livekit, variable, value) in [
            (format!("ws://me:{PLANTED_PASSWORD}@127.0.0.1:9"), "NONE", String::new()),
            (format!("ws://127.0.0.1:9/?access_token={PLANTED_PASSWORD}"), "NONE", String::new()),
            // Nobody but the proxy is asked for this name.
            ("ws://livekit.example:7880".to_owned(), "HTTP_PROXY", proxy.clone()),
            ("ws://livekit.example:7880".to_owned(), "http_proxy", proxy.clone()),
            ("ws://127.0.0.1:9".to_owned(), "ALL_PROXY", format!("no address {PLANTED_PASSWORD}@")),
        ] {
            let command = dir
                .rushhour(command)
                .env("LIVEKIT_URL", &livekit)
                .env("LIVEKIT_API_KEY", "an-api-key")
                .env("LIVEKIT_API_SECRET", PLANTED_API_SECRET)
                .env("CEKURA_API_KEY", PLANTED_CEKURA_KEY)
                .env(variable, &value);
            command.run();
        }
    }
}
