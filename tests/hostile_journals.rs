//! Session folders from elsewhere: whoever wrote the journal chooses no host for our keys, no file of ours, no room of
//! anybody's, and no size of our disk.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use rushhour_core::event::{EventKind, Outcome};
use rushhour_core::profile::{AgentDispatch, EvaluatorSettings, LiveKitTarget, Profile};
use rushhour_core::units::{AgentName, Micros, RoomName, RunIndex, Secret, SessionId, SessionTime};
use rushhour_livekit::{ControlPlane, CreateRoomRequest, LiveKitClient, RoomAgents, room_metadata};
use rushhour_sandbox::{Sandbox, SandboxConfig};

use crate::support::{ForgedJournal, HostileServer, Rushhour, TestDir, rows};

const KEY: &str = "key-of-the-tests-4711";
const SECRET: &str = "secret-of-the-tests-with-more-than-32-characters";
const CEKURA_KEY: &str = "cekura-key-of-the-tests-0815";

/// A profile of one chat, at these addresses.
fn profile(livekit: &str, cekura: &str) -> String {
    format!(
        "name = \"forged\"\nmode = \"chat\"\n[livekit]\nurl = \"{livekit}\"\nagent = \"a\"\n[evaluator]\nkind = \"cekura\"\nurl = \"{cekura}\"\n[[scenario]]\nid = 30\ncopies = 1\n[[stage]]\nburst = 1\n"
    )
}

fn forged(server: &HostileServer) -> ForgedJournal {
    let address = server.address();
    ForgedJournal::new(&profile(&format!("ws://{address}"), &format!("http://{address}")))
        .with_run(0, "rushhour-1-0")
        .with_accepted(0, "7")
}

fn with_keys(rushhour: Rushhour) -> Rushhour {
    rushhour
        .env("LIVEKIT_API_KEY", KEY)
        .env("LIVEKIT_API_SECRET", SECRET)
        .env("CEKURA_API_KEY", CEKURA_KEY)
}

/// The commands that read a session folder and contact its hosts.
const COMMANDS: [&[&str]; 4] = [
    &["sweep", "forged"],
    &["sweep", "forged", "--yes"],
    &["resume", "forged", "--finish-only", "--yes"],
    &["resume", "forged", "--yes"],
];

#[test]
fn keys_go_to_no_host_that_only_a_journal_names() {
    let server = HostileServer::start(|_| (200, b"{}".to_vec()));
    let dir = TestDir::new();
    forged(&server).write(dir.path(), "forged");
    for command in COMMANDS {
        let refused = with_keys(dir.rushhour(command)).run().expect_exit(2);
        refused.expect_stderr("hosts that you did not name").expect_stderr(&server.address());
        // Another host that the user did name is shown beside it.
        let elsewhere = with_keys(dir.rushhour(command)).env("LIVEKIT_URL", "wss://ours.example");
        elsewhere.run().expect_exit(2).expect_stderr("LIVEKIT_URL names wss://ours.example");
    }
    assert_eq!(server.received(), [] as [String; 0], "{COMMANDS:?}");

    // What the user named or trusts is asked.
    let both = format!("ws://{}", server.address());
    let cekura = format!("http://{}", server.address());
    let named = with_keys(dir.rushhour(&["sweep", "forged"]));
    let _ = named.env("LIVEKIT_URL", &both).env("CEKURA_API_URL", &cekura).run();
    let named = server.received().len();
    assert!(named > 0);
    let _ = with_keys(dir.rushhour(&["sweep", "forged", "--trust-hosts"])).run();
    assert!(server.received().len() > named);
}

#[test]
fn the_hosts_of_a_journal_pass_the_checks_of_a_profile() {
    let dir = TestDir::new();
    let good = ForgedJournal::new(&profile("wss://ours.example", "https://api.cekura.ai"));
    let forged = |url: &'static str| {
        let livekit = LiveKitTarget::Url(url.to_owned());
        ForgedJournal::new(&profile("wss://ours.example", "https://api.cekura.ai"))
            .with_profile(|profile| profile.livekit.target = livekit)
    };
    let path = good.with_accepted(0, "7").with_profile(|profile| {
        let EvaluatorSettings::Cekura(cekura) = &mut profile.evaluator else { panic!("Cekura") };
        "@evil.example/{id}".clone_into(&mut cekura.runs_path);
    });
    path.write(dir.path(), "path");
    // In clear, to a service that takes only encrypted connections.
    forged("ws://evil.livekit.cloud").write(dir.path(), "plain");
    forged("wss://me:hunter2@evil.example").write(dir.path(), "password");
    for folder in ["path", "plain", "password"] {
        for command in [["sweep", folder, "--trust-hosts"], ["resume", folder, "--trust-hosts"]] {
            let refused = with_keys(dir.rushhour(&command)).run().expect_exit(2);
            assert!(!refused.stderr.contains("hunter2"), "{}", refused.stderr);
            refused.expect_stderr("an address that no profile may have");
        }
    }
}

#[test]
fn a_key_file_that_a_journal_names_is_not_read() {
    let server = HostileServer::start(|_| (200, b"{}".to_vec()));
    let dir = TestDir::new();
    let planted = dir.write("planted", CEKURA_KEY).display().to_string();
    let key_file = planted.clone();
    forged(&server)
        .with_profile(|profile| {
            profile.livekit.key_file = Some(planted.clone());
            profile.livekit.secret_file = Some(planted);
        })
        .write(dir.path(), "forged");
    let command = ["sweep", "forged", "--trust-hosts"];
    dir.rushhour(&command).run().expect_exit(2).expect_stderr("a journal names it");
    // Below a folder that the user names, it is.
    fs::create_dir(dir.path().join("other")).expect("a folder can be created");
    let elsewhere = dir.rushhour(&[&command[..], &["--files", "other"]].concat());
    elsewhere.run().expect_exit(2).expect_stderr("outside the profile's folder");
    assert_eq!(server.received(), [] as [String; 0], "{key_file}");
    let _ = dir.rushhour(&[&command[..], &["--files", "."]].concat()).run();
    assert!(!server.received().is_empty());
}

/// A room on the sandbox, with this metadata.
fn create_room(client: &LiveKitClient, room: &str, metadata: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let request = CreateRoomRequest {
        room: RoomName::new(room),
        empty_timeout: Micros::from_secs(600),
        metadata: metadata.to_owned(),
        agents: RoomAgents::Absent,
    };
    let created = runtime.expect("a runtime can be built").block_on(client.create_room(request));
    created.expect("a room can be created");
}

#[test]
fn a_room_without_the_sessions_mark_stays_whatever_a_journal_says() {
    let sandbox = Sandbox::start(SandboxConfig::default(), 0).expect("a port is free");
    let key = Secret::new(SandboxConfig::API_KEY);
    let secret = Secret::new(SandboxConfig::API_SECRET);
    let url = sandbox.livekit_url();
    let client = LiveKitClient::new(&url, &key, &secret, Duration::from_secs(5)).expect("a client");
    let other = SessionId::new("20260101T000000Z-other");
    let own = SessionId::new("20260101T000000Z-forged");
    create_room(&client, "meeting-000000", "");
    create_room(&client, "meeting-000001", &room_metadata(&other, RunIndex(1)));
    create_room(&client, "meeting-000002", &room_metadata(&own, RunIndex(2)));
    let rooms = || -> BTreeSet<String> {
        sandbox.truth().rooms_open.iter().map(|room| room.as_str().to_owned()).collect()
    };
    let dir = TestDir::new();
    let text = profile(&url, &sandbox.url()).replace("copies = 1", "copies = 2");
    let text = text.replace("burst = 1", "burst = 2");
    let forged =
        || ForgedJournal::new(&text).with_run(0, "meeting-000000").with_run(1, "meeting-000001");
    let by_token = |profile: &mut Profile| {
        profile.livekit.dispatch = AgentDispatch::Token { agent: AgentName::new("a") };
    };
    forged().with_profile(by_token).write(dir.path(), "swept");
    forged().write(dir.path(), "resumed");
    let keys = |rushhour: Rushhour| {
        rushhour
            .env("LIVEKIT_API_KEY", SandboxConfig::API_KEY)
            .env("LIVEKIT_API_SECRET", SandboxConfig::API_SECRET)
            .env("CEKURA_API_KEY", SandboxConfig::CEKURA_KEY)
            .env("LIVEKIT_URL", &url)
            .env("CEKURA_API_URL", &sandbox.url())
    };
    let before = rooms();
    assert_eq!(before.len(), 3);
    let swept = keys(dir.rushhour(&["sweep", "swept", "--yes"])).run().expect_exit(0);
    assert!(swept.stdout.contains("left alone: meeting-000000"), "{}", swept.stdout);
    assert_eq!(rooms(), before);
    let resumed = keys(dir.rushhour(&["resume", "resumed", "--finish-only", "--quiet"])).run();
    assert_eq!(rooms(), before, "{}", resumed.stderr);
    let left = fs::read_to_string(dir.path().join("resumed/journal.jsonl")).expect("it exists");
    assert!(left.contains("does not carry the mark"), "{}\n{left}", resumed.stderr);
}

#[test]
fn a_journal_fills_no_disk_and_no_memory() {
    let dir = TestDir::new();
    let sandbox = "name = \"x\"\nmode = \"chat\"\n[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[[scenario]]\nid = 30\ncopies = 4\n[[stage]]\nrate = \"2/s\"\n";
    let endless = EventKind::RestNotStarted { from: RunIndex(0), count: 1_000_000_000_000 };
    let forged = ForgedJournal::new(sandbox).with_header(|header| header.planned = None);
    forged.with(endless).with(EventKind::Closed).write(dir.path(), "endless");
    let overflowing = EventKind::RestNotStarted { from: RunIndex(u64::MAX), count: 2 };
    ForgedJournal::new(sandbox).with(overflowing).write(dir.path(), "overflowing");
    for folder in ["endless", "overflowing"] {
        let refused = dir.rushhour(&["report", folder]).run().expect_exit(2);
        refused.expect_stderr("which no session plans");
    }
    // Twenty gigabytes of nothing.
    fs::create_dir(dir.path().join("sparse")).expect("a folder can be created");
    let sparse = dir.path().join("sparse/journal.jsonl");
    let file = fs::File::create(&sparse).expect("a file can be created");
    file.set_len(20_000_000_000).expect("the file system has sparse files");
    for command in ["report", "resume", "sweep", "judge", "soak"] {
        dir.rushhour(&[command, "sparse"]).run().expect_exit(2);
    }
    fs::remove_file(sparse).expect("it is removed before the folder is searched");
}

#[test]
fn a_session_folder_from_elsewhere_leads_to_no_file_of_ours() {
    let dir = TestDir::new();
    let sandbox = "name = \"x\"\nmode = \"chat\"\n[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[[scenario]]\nid = 30\ncopies = 1\n[[stage]]\nburst = 1\n";
    let folder = ForgedJournal::new(sandbox)
        .with_run(0, "r")
        .with(EventKind::Closed)
        .write(dir.path(), "forged");
    dir.write("precious", "precious");
    let precious = || fs::read_to_string(dir.path().join("precious")).expect("it exists");
    for name in ["runs.csv", "runs.csv.unfinished", "summary.json.unfinished", "report.html"] {
        std::os::unix::fs::symlink("../precious", folder.join(name)).expect("a link can be made");
    }
    let _ = dir.rushhour(&["report", "forged"]).run();
    assert_eq!(precious(), "precious");
    assert!(fs::symlink_metadata(folder.join("runs.csv")).expect("it was written").is_file());

    // A journal that is a link to another one is not continued.
    let other = ForgedJournal::new(sandbox).write(dir.path(), "other").join("journal.jsonl");
    let before = fs::read(&other).expect("it exists");
    fs::create_dir(dir.path().join("linked")).expect("a folder can be created");
    std::os::unix::fs::symlink(&other, dir.path().join("linked/journal.jsonl")).expect("a link");
    dir.rushhour(&["resume", "linked"]).run().expect_exit(2).expect_stderr("not a regular file");
    assert_eq!(fs::read(&other).expect("it exists"), before);
}

#[test]
fn a_cell_from_outside_is_no_formula() {
    let dir = TestDir::new();
    let sandbox = "name = \"x\"\nmode = \"chat\"\n[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[[scenario]]\nid = 30\ncopies = 1\n[[stage]]\nburst = 1\n";
    let at = SessionTime(3_000_000);
    let folder = ForgedJournal::new(sandbox)
        .with_profile(|profile| {
            "=HYPERLINK(\"http://evil\")".clone_into(&mut profile.stages[0].name);
        })
        .with_run(0, "+1+1")
        .with_accepted(0, "=cmd|' /C calc'!A0")
        .with(EventKind::Ended {
            run: RunIndex(0),
            outcome: Outcome::failed(
                rushhour_core::event::FailureClass::EvaluatorFailed,
                "@SUM(A1)\u{1b}[2J\u{202e}\u{e0041}",
            ),
            after: at,
            seen: at,
            conversation_duration: None,
        })
        .with(EventKind::Closed)
        .write(dir.path(), "forged");
    let report = dir.rushhour(&["report", "forged"]).run();
    assert!(!report.stdout.contains('\u{1b}'), "{}", report.stdout);
    let runs = rows(&folder.join("runs.csv"));
    assert_eq!(runs[0].text("evaluator_run"), "'=cmd|' /C calc'!A0");
    assert_eq!(runs[0].text("stage"), "'=HYPERLINK(\"http://evil\")");
    assert_eq!(runs[0].text("room"), "'+1+1");
    assert_eq!(runs[0].text("detail"), "'@SUM(A1)\u{fffd}[2J\u{fffd}\u{fffd}");
    assert_eq!(runs[0].number("intended_us"), Some(1_000_000));
    assert!(every_file_is_ours(&folder));
}

/// Whether every file in a folder is a regular one that only its owner can read.
fn every_file_is_ours(folder: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::read_dir(folder).expect("it exists").flatten().all(|entry| {
        let found = fs::symlink_metadata(entry.path()).expect("it exists");
        found.is_file() && found.permissions().mode() & 0o777 == 0o600
    })
}
