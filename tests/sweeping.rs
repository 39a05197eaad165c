//! `rushhour sweep`: rooms and calls of dead sessions go; those of living sessions and of strangers stay.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rushhour_core::units::{Micros, RoomName, Secret};
use rushhour_livekit::{ControlPlane, CreateRoomRequest, LiveKitClient as Client, RoomAgents};
use rushhour_sandbox::{DelayDistribution, Sandbox, SandboxConfig};

use crate::support::{LiveKitServer, Running, Rushhour, Workplace};

const STRANGER: &str = "rushhour-stranger";
const ELSEWHERE: &str = "rushhour-elsewhere";
const OTHER_NAME: &str = "somebody-else";

/// A session whose four conversations take minutes.
fn long(name: &str, livekit: &str, evaluator: &str, more: &str) -> String {
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

/// Rooms that no sweep on this machine may touch: without a mark, with the mark of a session that may be
/// running elsewhere, and one that is marked and called otherwise.
async fn others(client: &Client) {
    let mark = "{\"rushhour\":{\"session\":\"20260101T000000Z-elsewhere\",\"run\":1}}";
    for (room, metadata) in [(STRANGER, ""), (ELSEWHERE, mark), (OTHER_NAME, mark)] {
        let request = CreateRoomRequest {
            room: RoomName::new(room),
            empty_timeout: Micros::from_secs(600),
            metadata: metadata.to_owned(),
            agents: RoomAgents::Absent,
        };
        client.create_room(request).await.expect("a room can be made");
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be had").block_on(future)
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "not within 20 s: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A place with two sessions on one server: one that was killed, one that is running.
struct Scene<'a> {
    workplace: &'a Workplace,
    keys: &'a dyn Fn(Rushhour) -> Rushhour,
    rooms: &'a dyn Fn() -> BTreeSet<String>,
}

impl Scene<'_> {
    fn start(&self, profile: &str) -> Running {
        self.workplace.write("profile.toml", profile);
        (self.keys)(self.workplace.rushhour(&["run", "profile.toml", "--quiet"])).start()
    }

    fn sweep(&self, words: &[&str]) -> Rushhour {
        let mut all = vec!["sweep"];
        all.extend(words);
        (self.keys)(self.workplace.rushhour(&all))
    }

    fn session_called(&self, name: &str) -> PathBuf {
        let sessions = self.workplace.sessions();
        let found = sessions.into_iter().find(|path| path.display().to_string().ends_with(name));
        found.expect("the session has a folder")
    }
}

#[test]
fn a_dead_sessions_rooms_and_calls_go_and_everybody_elses_stay() {
    let mut config = SandboxConfig::default();
    config.times.cekura.chat = DelayDistribution::fixed(300_000);
    let sandbox = Sandbox::start(config, 0).expect("a free port is always to be had");
    let workplace = Workplace::new();
    let keys = |rushhour: Rushhour| {
        rushhour
            .with("LIVEKIT_API_KEY", SandboxConfig::API_KEY)
            .with("LIVEKIT_API_SECRET", SandboxConfig::API_SECRET)
            .with("CEKURA_API_KEY", SandboxConfig::CEKURA_KEY)
    };
    let rooms = || sandbox.truth().rooms_open.iter().map(|room| room.as_str().to_owned()).collect();
    let scene = Scene { workplace: &workplace, keys: &keys, rooms: &rooms };
    let evaluator = format!("url = \"{}\"", sandbox.url());
    let livekit = sandbox.livekit_url();
    let dead = scene.start(&long("dead", &livekit, &evaluator, ""));
    until("four calls are held", || sandbox.truth().runs_open == 4);
    // The journal says so before the process is gone.
    std::thread::sleep(Duration::from_secs(1));
    dead.signal("KILL");
    dead.finish();
    let theirs = rooms();
    let living = scene.start(&long("living", &livekit, &evaluator, ""));
    until("eight calls are held", || sandbox.truth().runs_open == 8);
    let (key, secret) =
        (Secret::new(SandboxConfig::API_KEY), Secret::new(SandboxConfig::API_SECRET));
    let client = Client::new(&livekit, &key, &secret, Duration::from_secs(5)).expect("a client");
    block_on(others(&client));
    let before = rooms();
    assert_eq!(before.len(), 11);

    let shown = scene.sweep(&["profile.toml"]).run().ended_with(0);
    for words in [
        "4 rooms would be deleted",
        "its journal is here, and no process holds it",
        "its session is running on this machine",
        "its session may be running elsewhere",
        "note: 1 rooms have names that begin with rushhour- but name no session",
        "nobody (1 jobs)",
    ] {
        assert!(shown.out.contains(words), "not said: {words}\n{}", shown.out);
    }
    assert!(!shown.out.contains(OTHER_NAME), "{}", shown.out);
    assert_eq!(rooms(), before, "nothing goes without --yes");

    let busy = scene.session_called("-living").display().to_string();
    scene.sweep(&[&busy, "--yes"]).run().ended_with(2).complaining("its session is running");
    // Without its journal beside it, a young room may be a living session's.
    let blind = scene.sweep(&["profile.toml", "--yes", "--reports", "elsewhere"]).run();
    assert!(blind.ended_with(0).out.contains("There is nothing to sweep."));
    assert_eq!(rooms(), before);

    let folder = scene.session_called("-dead").display().to_string();
    let swept = scene.sweep(&[&folder, "--yes"]).run().ended_with(0);
    assert!(swept.out.contains("4 rooms deleted, 4 calls ended"), "{}", swept.out);
    let left: BTreeSet<String> = before.difference(&theirs).cloned().collect();
    assert_eq!(rooms(), left);
    assert_eq!(sandbox.truth().runs_open, 4, "the living session's calls are held on");
    let again = scene.sweep(&[&folder, "--yes"]).run().ended_with(0);
    assert!(again.out.contains("There is nothing to sweep."), "{}", again.out);

    living.signal("INT");
    living.signal("INT");
    living.finish();
    assert_eq!(rooms(), [STRANGER, ELSEWHERE, OTHER_NAME].map(str::to_owned).into());
}

#[test]
fn a_real_servers_rooms_of_a_killed_session_go_and_no_others() {
    let workplace = Workplace::new();
    let server = LiveKitServer::start(workplace.path());
    let keys = |rushhour: Rushhour| server.keyed(rushhour).with("LIVEKIT_URL", &server.url());
    let rooms = || server.rooms().into_iter().collect();
    let scene = Scene { workplace: &workplace, keys: &keys, rooms: &rooms };
    let waiting = "agent_within = \"100s\"\ngive_up_after = \"200s\"";
    let profile = |name| long(name, &server.url(), "kind = \"sandbox\"", waiting);
    let dead = scene.start(&profile("dead"));
    until("four rooms are there", || server.rooms().len() == 4);
    dead.signal("KILL");
    dead.finish();
    let theirs: BTreeSet<String> = rooms();
    let living = scene.start(&profile("living"));
    until("eight rooms are there", || server.rooms().len() == 8);
    let (key, secret) = (server.key(), server.secret());
    let client =
        Client::new(&server.url(), &key, &secret, Duration::from_secs(5)).expect("a client");
    block_on(others(&client));
    let before = (scene.rooms)();
    let swept = scene.sweep(&["--yes"]).run().ended_with(0);
    assert!(swept.out.contains("4 rooms deleted, 0 calls ended"), "{}", swept.out);
    let left: BTreeSet<String> = before.difference(&theirs).cloned().collect();
    assert_eq!((scene.rooms)(), left);
    living.signal("INT");
    living.signal("INT");
    living.finish();
    assert_eq!((scene.rooms)(), [STRANGER, ELSEWHERE, OTHER_NAME].map(str::to_owned).into());
}
