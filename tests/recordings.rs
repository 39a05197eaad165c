//! Conversations that are kept: their sound against the truth log of the calibration agent, on the real livekit-server,
//! and the page that plays them, in Chromium.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rushhour_callers::audio::{Clip, FRAME_DURATION};
use serde_json::Value;

use crate::native_callers::{profile, start_agent, test_dir};
use crate::support::{LiveKitServer, Peers, Session, TestDir, python_facts};

/// How far apart what happened and what is heard may be: a caller hears in frames of 20 ms, and on a machine that does
/// much else, packets are under way for longer.
const TOLERANCE_US: u64 = 150_000;

fn read_json(path: &Path) -> Value {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).expect("it is JSON")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder exists");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("an entry can be read").file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

/// When the sound of a recording begins and ends, in microseconds.
fn heard(path: &Path) -> (u64, u64) {
    let clip = Clip::from_bytes(&fs::read(path).expect("it was kept")).expect("it is Ogg Opus");
    let at = |frame: usize| frame as u64 * FRAME_DURATION.0;
    (at(clip.first_audible()), at(clip.last_audible() + 1))
}

/// When the agent did something in a room for the first and for the last time, on the clock of 1970.
fn done_in(dir: &TestDir, room: &str, fact: &str) -> (u64, u64) {
    let text = fs::read_to_string(dir.path().join("truth.jsonl")).expect("the agent wrote it");
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
    let start = lines[0]["wall_unix_us"].as_u64().expect("the log says when it began");
    let times: Vec<u64> = lines
        .iter()
        .filter(|line| line["fact"] == fact && line["room"] == room)
        .map(|line| start + line["at_us"].as_u64().expect("a fact has a time"))
        .collect();
    (*times.first().expect("it happened"), *times.last().expect("it happened"))
}

fn assert_near(found: u64, expected: u64, what: &str) {
    assert!(found.abs_diff(expected) < TOLERANCE_US, "{what}: {found}, expected {expected}");
}

/// A session of three conversations that are kept.
fn recorded_session(dir: &TestDir, server: &LiveKitServer) -> Session {
    let agent = start_agent(dir, server, &["--turn-delay", "500ms", "--speech", "1s"]);
    let recording = "[recording]\nkeep = \"all\"\n";
    dir.write("profile.toml", &(profile(server, "voice", 3, "2/s") + recording));
    let ran = server.with_keys(dir.rushhour(&["run", "profile.toml"])).run();
    assert!(ran.stderr.contains("Recordings of 3 runs ("), "{}", ran.stderr);
    agent.signal("INT");
    agent.finish().expect_exit(0);
    dir.session()
}

#[test]
fn recordings_have_the_timing_of_the_truth_and_play_in_a_browser() {
    let dir = test_dir();
    let server = LiveKitServer::start(dir.path());
    let session = recorded_session(&dir, &server);
    let folder = session.folder.join("recordings");
    let files =
        |run| ["-agent.opus", "-caller.opus", ".json", ".txt"].map(|end| format!("run-{run}{end}"));
    let expected: Vec<String> = (0..3).flat_map(files).collect();
    assert_eq!(names(&folder), expected, "and nothing that is unfinished");
    for name in &expected {
        let mode = fs::metadata(folder.join(name)).expect("it exists").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    for (run, row) in (0..).zip(&session.runs) {
        let record = read_json(&folder.join(format!("run-{run}.json")));
        let began = session.start_unix_us() + record["began"].as_u64().expect("it has a beginning");
        let sound = |side: &str| heard(&folder.join(format!("run-{run}-{side}.opus")));
        let room = row.text("room");
        let (agent, caller) = (sound("agent"), sound("caller"));
        assert_near(began + agent.0, done_in(&dir, room, "first_audible").0, "the first answer");
        assert_near(began + agent.1, done_in(&dir, room, "spoken").1, "the end of the last one");
        assert_near(began + caller.1, done_in(&dir, room, "heard_speech").1, "the last turn");
        let turn = |number: usize, key: &str| record["turns"][number][key].as_u64();
        assert_near(agent.0, turn(0, "first").expect("it was answered"), "as the caller saw it");
        assert_near(caller.1, turn(1, "said").expect("it was said"), "as the caller said it");
        let text = fs::read_to_string(folder.join(format!("run-{run}.txt"))).expect("it was kept");
        assert!(text.contains("s  caller: Good evening.\n"), "{text}");
        assert!(text.contains("s  agent: "), "{text}");
    }
    assert_plays(&session.folder.join("report.html"), &folder);
    assert_readable(&dir, &session.folder.join("report.html"));
    assert_left_out(&dir, &session);
}

/// The page's recordings are as long in a browser as they were, and play to their end.
fn assert_plays(page: &PathBuf, folder: &Path) {
    let ran = Peers::find().python("play_recordings.py").arg(page).output();
    let facts = python_facts(&ran.expect("Python is installed"));
    assert_eq!(facts["requested"], Value::Array(Vec::new()), "nothing is loaded before: {facts}");
    assert_eq!(facts["console"], Value::Array(Vec::new()), "{facts}");
    assert!(facts["links"].as_array().is_some_and(|links| !links.is_empty()), "{facts}");
    let tracks = facts["tracks"].as_array().expect("there are some");
    assert_eq!(tracks.len(), 6, "{facts}");
    for track in tracks {
        let source = track["source"].as_str().expect("it has a source");
        let run = source.trim_start_matches("recordings/run-").split('-').next().expect("a run");
        let record = read_json(&folder.join(format!("run-{run}.json")));
        let expected = record["duration"].as_u64().expect("it has a duration") as f64 / 1e6;
        let duration = track["duration"].as_f64().expect("a browser knows it");
        assert!((duration - expected).abs() < 0.01, "{source}: {duration} {expected}");
        let end = track["end"].as_f64().expect("it was played");
        assert!((end - duration).abs() < 0.05, "{source}: {facts}");
    }
}

/// The page is one that everybody can read, at every width.
fn assert_readable(dir: &TestDir, page: &Path) {
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures");
    fs::create_dir_all(&pictures).expect("a folder can be created");
    let ran = Peers::find()
        .python("read_page.py")
        .env("HOME", dir.path())
        .arg(pictures)
        .arg(page)
        .output();
    let facts = python_facts(&ran.expect("Python is installed"));
    assert_eq!(facts["pages"], 4, "{facts}");
}

/// `--without-recordings` writes a page that does not need them; they stay where they are.
fn assert_left_out(dir: &TestDir, session: &Session) {
    let folder = session.folder.to_str().expect("it is text");
    let page = || fs::read_to_string(session.folder.join("report.html")).expect("it was written");
    let with = page();
    dir.rushhour(&["report", folder, "--without-recordings"]).run();
    let without = page();
    for never in ["recordings/run-", "#recording-", "media-src", "<audio"] {
        assert!(with.contains(never) && !without.contains(never), "{never}");
    }
    assert_eq!(names(&session.folder.join("recordings")).len(), 12);
    dir.rushhour(&["report", folder]).run();
    assert_eq!(page(), with, "the same files, the same page");
}
