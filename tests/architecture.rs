//! The house's rules, held: which room may use which, who may touch a clock, how long a file may be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each room and the rooms it may use. The README's module map says the same.
const ROOMS: &[(&str, &[&str])] = &[
    ("units", &[]),
    ("profile", &["units"]),
    ("plan", &["units", "profile"]),
    ("event", &["units", "profile"]),
    ("http", &["units"]),
    ("livekit", &["units", "profile", "http"]),
    ("evaluator", &["units", "profile", "event", "http", "livekit"]),
    ("bill", &["units", "profile", "plan", "event"]),
    ("driver", &["units", "profile", "plan", "event", "livekit", "evaluator", "bill"]),
    ("record", &["units", "profile", "event", "bill"]),
    ("chance", &["units"]),
    ("stats", &[]),
    ("soak", &["units", "profile", "event", "record", "stats"]),
    ("worker", &["units", "profile", "event", "http"]),
    ("report", &["units", "profile", "event", "record", "stats", "bill", "soak"]),
    ("capacity", &["units", "profile", "plan", "event", "record", "stats", "report"]),
    ("sandbox", &["units", "chance"]),
    ("agent", &["units", "chance", "event", "livekit", "evaluator"]),
    (
        "cli",
        &[
            "units",
            "profile",
            "plan",
            "event",
            "http",
            "livekit",
            "evaluator",
            "bill",
            "driver",
            "record",
            "stats",
            "report",
            "capacity",
            "sandbox",
            "agent",
            "chance",
            "soak",
            "worker",
        ],
    ),
];

/// Files that decide, and therefore read no clock, no file, no socket and no unseeded randomness.
const PURE: &[&str] = &[
    "units/",
    "profile/",
    "plan/",
    "event/",
    "bill/",
    "driver/run/",
    "evaluator/native/audio/",
    "driver/session/",
    "driver/outgoing.rs",
    "driver/carried.rs",
    "driver/due_queue.rs",
    "record/candidates.rs",
    "record/fold.rs",
    "record/run_record.rs",
    "record/latencies.rs",
    "record/merge.rs",
    "record/tally.rs",
    "record/timeline.rs",
    "stats/",
    "soak/",
    "worker/status.rs",
    "worker/exposition.rs",
    "report/",
    "capacity/",
    "chance/",
    "agent/behaviour/",
    "agent/worker/protocol",
    "agent/session/",
    "cli/sweep/decision.rs",
    "cli/doctor/finding.rs",
    "cli/doctor/judgement.rs",
];

/// What no deciding file may name.
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

const LONGEST_FILE: usize = 600;

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("the sources are here") {
            let path = entry.expect("a folder's entry can be read").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a source is text");
            let inside = path.strip_prefix(&root).expect("it was found there").to_owned();
            (inside, text)
        })
        .collect()
}

fn room_of(path: &Path) -> Option<String> {
    let mut parts = path.components();
    let first = parts.next()?.as_os_str().to_str()?;
    parts.next().map(|_| first.to_owned())
}

/// The code of a source without its comments.
fn code(text: &str) -> String {
    text.lines()
        .map(|line| match line.find("//") {
            Some(start) if !line[..start].contains('"') => &line[..start],
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// The rooms that a source names by `crate::`, singly or in a group, or by `super::` from a room's own root.
fn rooms_used(path: &Path, text: &str) -> BTreeSet<String> {
    let code = code(text);
    let mut used = BTreeSet::new();
    let at_root = path.components().count() == 2 && path.ends_with("mod.rs");
    let prefixes: &[&str] = if at_root { &["crate::", "super::"] } else { &["crate::"] };
    for prefix in prefixes {
        for (start, _) in code.match_indices(prefix) {
            let rest = &code[start + prefix.len()..];
            if let Some(group) = rest.strip_prefix('{') {
                let mut depth = 1;
                let mut name = String::new();
                let mut at_name = true;
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' if depth == 1 => at_name = true,
                        ':' | ' ' | '\n' if !name.is_empty() => {
                            used.insert(std::mem::take(&mut name));
                            at_name = false;
                        }
                        c if at_name && depth == 1 && (c.is_alphanumeric() || c == '_') => {
                            name.push(c);
                        }
                        _ => {}
                    }
                    if depth == 0 {
                        break;
                    }
                }
                used.insert(name);
            } else {
                used.insert(
                    rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect(),
                );
            }
        }
    }
    used
}

fn violations(sources: &[(PathBuf, String)]) -> Vec<String> {
    let rooms: BTreeMap<&str, &[&str]> = ROOMS.iter().copied().collect();
    let mut found = Vec::new();
    for (path, text) in sources {
        let shown = path.display();
        let Some(room) = room_of(path) else { continue };
        let Some(may_use) = rooms.get(room.as_str()) else {
            found.push(format!("src/{shown}: `{room}` is no room"));
            continue;
        };
        for used in rooms_used(path, text) {
            let is_room = rooms.contains_key(used.as_str());
            if is_room && used != room && !may_use.contains(&used.as_str()) {
                found.push(format!("src/{shown}: `{room}` must not use `{used}`"));
            }
        }
        let slashed = path.to_string_lossy().replace('\\', "/");
        if PURE.iter().any(|pure| slashed.starts_with(pure)) {
            let code = code(text);
            // Tests beside the code may use what they like.
            let code = code.split("#[cfg(test)]").next().unwrap_or_default();
            for name in IMPURE.iter().filter(|name| code.contains(**name)) {
                found.push(format!("src/{shown}: decides, and yet names `{name}`"));
            }
        }
        let lines = text.lines().count();
        if lines > LONGEST_FILE {
            found.push(format!("src/{shown}: {lines} lines hold more than one idea"));
        }
    }
    found
}

#[test]
fn every_room_uses_only_what_it_may() {
    let found = violations(&sources());
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn planted_violations_are_caught() {
    let planted = |path: &str, text: &str| violations(&[(PathBuf::from(path), text.to_owned())]);
    for (path, text) in [
        ("plan/walk.rs", "use crate::driver::Session;"),
        ("plan/walk.rs", "use crate::{units::Rate, livekit::{self}};"),
        ("stats/rank.rs", "fn f() -> crate::units::Rate {}"),
        ("report/mod.rs", "use super::driver;"),
        ("plan/curve.rs", "fn f() { std::fs::read(\"x\"); }"),
        ("report/hlog.rs", "let now = SystemTime::now();"),
        ("attic/mod.rs", ""),
    ] {
        assert_eq!(planted(path, text).len(), 1, "{path}: {text}");
    }
    assert_eq!(planted("units/rate.rs", &"\n".repeat(601)).len(), 1);
    for (path, text) in [
        ("plan/walk.rs", "use crate::{profile::{Load, Profile}, units::Rate};"),
        ("plan/walk.rs", "// crate::driver is another matter"),
        ("driver/run/mod.rs", "use super::super::x;"),
    ] {
        assert!(planted(path, text).is_empty(), "{path}: {text}");
    }
}

#[test]
fn the_readmes_module_map_says_the_same() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"))
        .expect("there is a README");
    let mut mapped = BTreeMap::new();
    for line in readme.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        if let [name, _, uses] = cells[..] {
            let name = name.trim_matches(['`', '/']).to_owned();
            let uses: BTreeSet<String> = uses
                .split(',')
                .map(|used| used.trim().to_owned())
                .filter(|used| used != "-")
                .collect();
            mapped.insert(name, uses);
        }
    }
    for (room, uses) in ROOMS {
        let told = mapped.get(*room).unwrap_or_else(|| panic!("the map lacks `{room}`"));
        let all = told.len() == 1 && told.contains("all");
        let uses: BTreeSet<String> = uses.iter().map(|used| (*used).to_owned()).collect();
        assert!(all || *told == uses, "the map says of `{room}`: {told:?}");
    }
}
