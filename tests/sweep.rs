//! `rushhour sweep`: rooms and calls of dead sessions are deleted; those of running sessions and of others stay.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rushhour_core::units::{Micros, RoomName, Secret};
use rushhour_livekit::{ControlPlane, CreateRoomRequest, LiveKitClient as Client, RoomAgents};
use rushhour_sandbox::{DelayDistribution, Sandbox, SandboxConfig};

use crate::support::{
    ForgedJournal, LiveKitServer, RunningCommand, Rushhour, TestDir, wait_for_events, wait_until,
};

const STRANGER: &str = "rushhour-stranger";
const ELSEWHERE: &str = "rushhour-elsewhere";
const OTHER_NAME: &str = "somebody-else";

/// A profile of four conversations that take minutes.
fn long_profile(name: &str, livekit: &str, evaluator: &str, more: &str) -> String {
    format!(
        r#"
name = "{name}"
mode = "chat"
[livekit]
url = "{livekit}"
agent = "nobody"
{more}
[evaluator]
{evaluator}
[[scenario]]
id = 30
copies = 4
lasts = "2m"
[[stage]]
burst = 4
"#
    )
}

/// Creates rooms that no sweep on this machine may delete: one without a mark, one with the mark of a session that
/// may be running elsewhere, and one with such a mark and another name.
async fn create_rooms_of_others(client: &Client) {
    let mark = "{\"rushhour\":{\"session\":\"20260101T000000Z-elsewhere\",\"run\":1}}";
    for (room, metadata) in [(STRANGER, ""), (ELSEWHERE, mark), (OTHER_NAME, mark)] {
        let request = CreateRoomRequest {
            room: RoomName::new(room),
            empty_timeout: Micros::from_secs(600),
            metadata: metadata.to_owned(),
            agents: RoomAgents::Absent,
        };
        client.create_room(request).await.expect("a room can be created");
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be built").block_on(future)
}

/// Two sessions on one server: one that was killed, one that is running.
struct TwoSessions<'a> {
    dir: &'a TestDir,
    keys: &'a dyn Fn(Rushhour) -> Rushhour,
    rooms: &'a dyn Fn() -> BTreeSet<String>,
}

impl TwoSessions<'_> {
    fn start(&self, profile: &str) -> RunningCommand {
        self.dir.write("profile.toml", profile);
        (self.keys)(self.dir.rushhour(&["run", "profile.toml", "--quiet"])).start()
    }

    fn sweep(&self, arguments: &[&str]) -> Rushhour {
        (self.keys)(self.dir.rushhour(&[&["sweep", "--trust-hosts"], arguments].concat()))
    }

    /// Ends the living session without waiting for its conversations.
    fn end_now(&self, living: RunningCommand) {
        living.signal("INT");
        wait_for_events(&self.session("living"), "stopping", 1);
        living.signal("INT");
        living.finish();
    }

    /// The folder of the session whose profile has this name.
    fn session(&self, name: &str) -> PathBuf {
        let end = format!("-{name}");
        let mut sessions = self.dir.sessions().into_iter();
        let found = sessions.find(|path| path.display().to_string().ends_with(&end));
        found.expect("the session has a folder")
    }
}

#[test]
fn a_dead_sessions_rooms_and_calls_are_deleted_and_all_others_stay() {
    let mut config = SandboxConfig::default();
    config.times.cekura.chat = DelayDistribution::fixed(300_000);
    let sandbox = Sandbox::start(config, 0).expect("a port is free");
    let dir = TestDir::new();
    let keys = |rushhour: Rushhour| {
        rushhour
            .env("LIVEKIT_API_KEY", SandboxConfig::API_KEY)
            .env("LIVEKIT_API_SECRET", SandboxConfig::API_SECRET)
            .env("CEKURA_API_KEY", SandboxConfig::CEKURA_KEY)
    };
    let rooms = || sandbox.truth().rooms_open.iter().map(|room| room.as_str().to_owned()).collect();
    let two = TwoSessions { dir: &dir, keys: &keys, rooms: &rooms };
    let evaluator = format!("url = \"{}\"", sandbox.url());
    let livekit = sandbox.livekit_url();
    let dead = two.start(&long_profile("dead", &livekit, &evaluator, ""));
    wait_until("four calls are running", || sandbox.truth().runs_open == 4);
    wait_for_events(&two.session("dead"), "submitted", 4);
    dead.signal("KILL");
    dead.finish();
    let of_the_dead = rooms();
    let living = two.start(&long_profile("living", &livekit, &evaluator, ""));
    wait_until("eight calls are running", || sandbox.truth().runs_open == 8);
    let (key, secret) =
        (Secret::new(SandboxConfig::API_KEY), Secret::new(SandboxConfig::API_SECRET));
    let client = Client::new(&livekit, &key, &secret, Duration::from_secs(5)).expect("a client");
    block_on(create_rooms_of_others(&client));
    let before = rooms();
    assert_eq!(before.len(), 11);

    let shown = two.sweep(&["profile.toml"]).run().expect_exit(0);
    for text in [
        "4 rooms would be deleted",
        "its journal is here, and no process holds it",
        "its session is running on this machine",
        "its session may be running elsewhere",
        "note: 1 room names no session in the metadata",
        "nobody (1 jobs)",
    ] {
        assert!(shown.stdout.contains(text), "not printed: {text}\n{}", shown.stdout);
    }
    assert!(!shown.stdout.contains(OTHER_NAME), "{}", shown.stdout);
    assert_eq!(rooms(), before, "nothing is deleted without --yes");

    let busy = two.session("living").display().to_string();
    two.sweep(&[&busy, "--yes"]).run().expect_exit(2).expect_stderr("its session is running");
    // Without the journal at hand, a new room may belong to a running session.
    let blind = two.sweep(&["profile.toml", "--yes", "--reports", "elsewhere"]).run();
    assert!(blind.expect_exit(0).stdout.contains("There is nothing to sweep."));
    assert_eq!(rooms(), before);

    let folder = two.session("dead").display().to_string();
    let swept = two.sweep(&[&folder, "--yes"]).run().expect_exit(0);
    assert!(swept.stdout.contains("4 rooms deleted, 4 calls ended"), "{}", swept.stdout);
    let left: BTreeSet<String> = before.difference(&of_the_dead).cloned().collect();
    assert_eq!(rooms(), left);
    assert_eq!(sandbox.truth().runs_open, 4, "the calls of the living session go on");
    let again = two.sweep(&[&folder, "--yes"]).run().expect_exit(0);
    assert!(again.stdout.contains("There is nothing to sweep."), "{}", again.stdout);

    // A journal that somebody wrote may name anybody's calls.
    let profile = long_profile("forged", &livekit, &evaluator, "");
    let forged = ForgedJournal::new(&profile).with_run(0, OTHER_NAME);
    forged.with_accepted(0, &call_of(&two.session("living"))).write(dir.path(), "forged");
    let claimed = two.sweep(&["forged", "--yes"]).run().expect_exit(0);
    let note = "only the journal says that 1 call is of its session";
    assert!(claimed.stdout.contains(note), "{}", claimed.stdout);
    assert_eq!(sandbox.truth().runs_open, 4, "it is somebody else's");
    let confirmed = two.sweep(&["forged", "--yes", "--end-calls"]).run().expect_exit(0);
    assert!(confirmed.stdout.contains("0 rooms deleted, 1 call ended"), "{}", confirmed.stdout);
    assert_eq!(sandbox.truth().runs_open, 3);

    two.end_now(living);
    assert_eq!(rooms(), [STRANGER, ELSEWHERE, OTHER_NAME].map(str::to_owned).into());
}

/// The evaluator's id of a call of a session.
fn call_of(session: &Path) -> String {
    let journal = fs::read_to_string(session.join("journal.jsonl")).expect("it exists");
    let (_, rest) = journal.split_once("\"evaluator_run\":\"").expect("a call was accepted");
    rest.split('"').next().expect("it ends").to_owned()
}

#[test]
fn a_killed_sessions_rooms_on_a_real_server_are_deleted_and_no_others() {
    let dir = TestDir::new();
    let server = LiveKitServer::start(dir.path());
    let keys = |rushhour: Rushhour| server.with_keys(rushhour).env("LIVEKIT_URL", &server.url());
    let rooms = || server.rooms().into_iter().collect();
    let two = TwoSessions { dir: &dir, keys: &keys, rooms: &rooms };
    let waiting = "agent_within = \"100s\"\ngive_up_after = \"200s\"";
    let profile = |name| long_profile(name, &server.url(), "kind = \"sandbox\"", waiting);
    let dead = two.start(&profile("dead"));
    wait_until("four rooms exist", || server.rooms().len() == 4);
    dead.signal("KILL");
    dead.finish();
    let of_the_dead: BTreeSet<String> = rooms();
    let living = two.start(&profile("living"));
    wait_until("eight rooms exist", || server.rooms().len() == 8);
    let (key, secret) = (server.key(), server.secret());
    let client =
        Client::new(&server.url(), &key, &secret, Duration::from_secs(5)).expect("a client");
    block_on(create_rooms_of_others(&client));
    let before = (two.rooms)();
    let swept = two.sweep(&["--yes"]).run().expect_exit(0);
    assert!(swept.stdout.contains("4 rooms deleted, 0 calls ended"), "{}", swept.stdout);
    let left: BTreeSet<String> = before.difference(&of_the_dead).cloned().collect();
    assert_eq!((two.rooms)(), left);
    two.end_now(living);
    assert_eq!((two.rooms)(), [STRANGER, ELSEWHERE, OTHER_NAME].map(str::to_owned).into());
}
