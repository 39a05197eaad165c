//! The commands themselves, on a machine that sees what they touch and whom they contact.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use livekit_protocol as proto;
use prost::Message;
use rushhour_core::profile::{ProfileInput, explain, load};
use rushhour_report::fold::Fold;
use rushhour_report::journal::JournalReader;

use super::{judgeable_journals, real_journals};
use crate::support::{CommandOutput, Forger, HostileServer, Rushhour, TestDir};

const KEY: &str = "key-of-the-tests-4711";
const SECRET: &str = "secret-of-the-tests-with-more-than-32-characters";
const CEKURA_KEY: &str = "cekura-key-of-the-tests-0815";
/// What stands in a file that no journal may lead to.
const PRECIOUS: &str = "precious words that nobody may see";

/// A host that nobody named: it counts who connects.
struct UnnamedHost {
    port: u16,
    contacts: Arc<AtomicUsize>,
}

impl UnnamedHost {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let contacts = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&contacts);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                counted.fetch_add(1, Relaxed);
                drop(stream);
            }
        });
        Self { port, contacts }
    }

    fn contacts(&self) -> usize {
        self.contacts.load(Relaxed)
    }

    /// Its addresses, as they may be written, and such as only look like those of `named`.
    fn addresses(&self, named: &str) -> Vec<String> {
        let port = self.port;
        let hosts = [
            format!("127.0.0.1:{port}"),
            format!("localhost:{port}"),
            format!("127.1:{port}"),
            format!("0x7f000001:{port}"),
            format!("[::ffff:127.0.0.1]:{port}"),
            format!("{named}@127.0.0.1:{port}"),
            format!("127.0.0.1:{port}#{named}"),
        ];
        let urls =
            hosts.iter().flat_map(|host| ["ws", "http"].map(|scheme| format!("{scheme}://{host}")));
        let paths = [
            format!("@127.0.0.1:{port}/"),
            format!("//127.0.0.1:{port}/"),
            format!("/../../@127.0.0.1:{port}"),
            format!("http://127.0.0.1:{port}/worker"),
        ];
        urls.chain(paths).collect()
    }
}

/// A server that the user named, LiveKit and Cekura in one: there is an agent in every room, and every call has ended.
fn named_server() -> HostileServer {
    let agent = proto::ParticipantInfo {
        identity: "agent-1".to_owned(),
        kind: proto::participant_info::Kind::Agent.into(),
        attributes: HashMap::from([("lk.agent.state".to_owned(), "listening".to_owned())]),
        ..proto::ParticipantInfo::default()
    };
    let participants =
        proto::ListParticipantsResponse { participants: vec![agent] }.encode_to_vec();
    let submitted = AtomicUsize::new(0);
    HostileServer::start(move |request| {
        let ids = request.split_once("run_ids=").map(|(_, rest)| rest.split([' ', '&']).next());
        let body = match ids.flatten() {
            None if request.contains("ListParticipants") => participants.clone(),
            // An empty message of Protobuf.
            None if request.contains("/twirp/") => Vec::new(),
            None => {
                let id = submitted.fetch_add(1, Relaxed);
                format!(r#"{{"id":{id},"runs":[{{"id":{id},"scenario":30}}]}}"#).into_bytes()
            }
            Some(ids) => {
                let ids = ids.replace("%2C", ",");
                let run = |id| format!(r#"{{"id":"{id}","status":"completed","success":true}}"#);
                let runs: Vec<String> = ids.split(',').map(run).collect();
                format!("[{}]", runs.join(",")).into_bytes()
            }
        };
        (200, body)
    })
}

/// How a profile has its runs judged by this service.
pub(super) fn judging(cekura: &str) -> serde_json::Value {
    let text = format!(
        "name = \"x\"\nmode = \"chat\"\n[livekit]\nurl = \"ws://127.0.0.1:7880\"\nagent = \"a\"\n[evaluator]\nkind = \"native\"\n[[scenario]]\nid = 1\nscript = \"s.toml\"\ncekura = 30\ncopies = 1\n[[stage]]\nburst = 1\n[judging]\nby = \"cekura\"\nurl = \"{cekura}\"\nsample = \"100%\"\nrequests = \"50/s\"\nrun_timeout = \"2s\"\n"
    );
    let script = |_: &str| Ok(b"[[turn]]\nsay = \"Good morning.\"\n".to_vec());
    let input = ProfileInput {
        file: "judged",
        bytes: text.as_bytes(),
        environment: &[],
        flags: &[],
        read_file: &script,
    };
    let loaded = load(input).unwrap_or_else(|refused| panic!("{}", explain(&refused, false)));
    serde_json::to_value(&loaded.profile.judging).expect("a profile is JSON")
}

/// What is at each path below a folder, but not below `except`: mode, size and time of the last change.
fn tree(folder: &Path, except: &Path, found: &mut BTreeMap<PathBuf, (u32, u64, i64, i64)>) {
    for entry in fs::read_dir(folder).expect("it exists").flatten() {
        let path = entry.path();
        if path == except {
            continue;
        }
        let metadata = fs::symlink_metadata(&path).expect("it exists");
        if metadata.is_dir() {
            // Its time changes with the forged folder; what is in it is listed.
            found.insert(path.clone(), (metadata.mode(), 0, 0, 0));
            tree(&path, except, found);
        } else {
            let changed = (metadata.mtime(), metadata.mtime_nsec());
            found.insert(path, (metadata.mode(), metadata.len(), changed.0, changed.1));
        }
    }
}

/// How long a command may take by itself; then it is interrupted twice.
const BY_ITSELF: Duration = Duration::from_secs(10);
/// The most that one journal's reports may take on the disk, where its plan has few runs.
const MOST_WRITTEN: u64 = 3_000_000_000;

/// A machine with a folder to work in, files outside of it, and two hosts, one of which the user named.
struct Machine {
    dir: TestDir,
    named: HostileServer,
    unnamed: UnnamedHost,
    commands: usize,
    /// Commands that did not end by themselves, with the number of the journal.
    interrupted: Vec<String>,
    exits: BTreeMap<String, usize>,
    /// Why `judge` did nothing, by the beginning of its message.
    not_judged: BTreeMap<String, usize>,
    /// Everything that is outside of the forged session's folder.
    before: BTreeMap<PathBuf, (u32, u64, i64, i64)>,
}

impl Machine {
    fn new() -> Self {
        let dir = TestDir::new();
        let root = dir.path();
        let (outside, work) = (root.join("outside"), root.join("work"));
        for folder in [&outside, &work, &work.join("real"), &root.join("home"), &root.join("tmp")] {
            fs::create_dir(folder).expect("a folder can be created");
        }
        fs::write(outside.join("precious"), PRECIOUS).expect("a file can be written");
        fs::write(outside.join("script.toml"), format!("say = \"{PRECIOUS}\""))
            .expect("a file can be written");
        fs::copy(&real_journals()[1], work.join("real/journal.jsonl")).expect("it is committed");
        let mut before = BTreeMap::new();
        tree(root, &work.join("forged"), &mut before);
        Self {
            dir,
            named: named_server(),
            unnamed: UnnamedHost::start(),
            commands: 0,
            interrupted: Vec::new(),
            exits: BTreeMap::new(),
            not_judged: BTreeMap::new(),
            before,
        }
    }

    fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    fn forged(&self) -> PathBuf {
        self.work().join("forged")
    }

    /// What a journal's author would like to see used.
    fn baits(&self) -> Vec<String> {
        let outside = self.dir.path().join("outside");
        let mut baits = self.unnamed.addresses(&self.named.address());
        baits.extend([
            outside.join("precious").display().to_string(),
            outside.join("planted").display().to_string(),
            "../outside/precious".to_owned(),
            "../../outside/planted".to_owned(),
            format!("ws://{}", self.named.address()),
            format!("http://{}", self.named.address()),
        ]);
        baits
    }

    /// The addresses of the host that the user named too: others are refused, so that less is done.
    fn named_addresses(&self) -> (String, String) {
        let address = self.named.address();
        (format!("ws://{address}"), format!("http://{address}"))
    }

    /// Runs a command on the forged session.
    fn run(&mut self, command: &[&str], journal: &str) -> CommandOutput {
        let root = self.dir.path();
        let rushhour = Rushhour::new(&self.work(), command)
            .env("LIVEKIT_API_KEY", KEY)
            .env("LIVEKIT_API_SECRET", SECRET)
            .env("CEKURA_API_KEY", CEKURA_KEY)
            .env("LIVEKIT_URL", &format!("ws://{}", self.named.address()))
            .env("CEKURA_API_URL", &format!("http://{}", self.named.address()))
            .env("HOME", &root.join("home").display().to_string())
            .env("TMPDIR", &root.join("tmp").display().to_string());
        let mut running = rushhour.start();
        if !running.ends_within(BY_ITSELF) {
            self.interrupted.push(format!("{} of {journal}", command.join(" ")));
            running.signal("INT");
            if !running.ends_within(Duration::from_secs(1)) {
                running.signal("INT");
            }
            assert!(running.ends_within(BY_ITSELF), "{command:?} of {journal} ends");
        }
        // Also searches what was printed for panics, keys and tokens.
        let output = running.finish();
        self.commands += 1;
        *self.exits.entry(format!("{} {:?}", command[0], output.code)).or_default() += 1;
        if command[0] == "judge" && output.code == Some(2) {
            let reason = output.stderr.lines().next().unwrap_or_default();
            *self.not_judged.entry(reason.chars().take(70).collect()).or_default() += 1;
        }
        for text in [&output.stdout, &output.stderr] {
            assert!(!text.contains(PRECIOUS), "{command:?} of {journal}: {text}");
            assert!(!text.contains('\u{1b}'), "{command:?} of {journal}: {text}");
        }
        output
    }

    /// Checks that nothing outside of the forged session's folder was touched or contacted, and removes the folder.
    fn check_and_remove(&self, journal: &str) {
        let mut after = BTreeMap::new();
        tree(self.dir.path(), &self.forged(), &mut after);
        assert_eq!(self.before, after, "only the folder itself was written to, by {journal}");
        assert_eq!(self.unnamed.contacts(), 0, "only named hosts are contacted, by {journal}");
        let mut written = BTreeMap::new();
        tree(&self.forged(), Path::new(""), &mut written);
        let bytes: u64 = written.values().map(|(_, size, ..)| size).sum();
        assert!(bytes < MOST_WRITTEN, "{journal} wrote {bytes} bytes");
        fs::remove_dir_all(self.forged()).expect("it can be removed");
    }

    #[expect(clippy::print_stdout, reason = "figures for the reader of the test")]
    fn report(&self, journals: usize) {
        let received = self.named.received();
        assert!(received.iter().all(|request| !request.contains(PRECIOUS)));
        println!(
            "{journals} journals, {} commands: 0 of {} files and folders outside touched, {} contacts of hosts that \
             were not named, {} requests to those that were; interrupted: {:?}; exits: {:?}; not judged: {:?}",
            self.commands,
            self.before.len(),
            self.unnamed.contacts(),
            received.len(),
            self.interrupted,
            self.exits,
            self.not_judged,
        );
        assert!(!received.is_empty(), "some journals name a host that the user named too");
    }
}

/// Whether the whole journal can be read, and tells of a session: `None` if not, else whether it has ended.
fn has_ended(journal: &[u8]) -> Option<bool> {
    let mut fold = Fold::default();
    let (events, None) = JournalReader::new(journal).read_all().ok()? else { return None };
    for event in &events {
        fold.add(event).ok()?;
    }
    fold.finish().ok().map(|folded| folded.closed)
}

/// The next journal for which `is_wanted` holds.
fn forge_until(forger: &mut Forger, is_wanted: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let journals = std::iter::repeat_with(|| forger.forge()).take(100);
    let mut wanted = journals.filter(|journal| is_wanted(journal));
    wanted.next().expect("one in some is so")
}

/// Runs every command that reads a journal on so many.
pub(super) fn run_many_commands(seed: u64, count: usize) {
    const COMMANDS: [&[&str]; 8] = [
        &["report", "forged"],
        &["report", "forged", "--format", "html"],
        &["compare", "forged", "real"],
        &["compare", "real", "forged", "--format", "json"],
        &["sweep", "forged"],
        &["sweep", "forged", "--yes"],
        &["judge", "forged", "--yes", "--quiet"],
        &["resume", "forged", "--finish-only", "--yes", "--quiet"],
    ];
    let mut machine = Machine::new();
    let mut forger = Forger::new(seed, &real_journals(), &machine.baits());
    let (livekit, cekura) = machine.named_addresses();
    forger.name_hosts(&livekit, &cekura, &judging(&cekura));
    for number in 0..count {
        let name = format!("{seed}/{number}");
        fs::create_dir(machine.forged()).expect("it was removed");
        // One in three may be damaged, which is refused at once.
        let journal =
            forge_until(&mut forger, |journal| number % 3 == 0 || has_ended(journal).is_some());
        fs::write(machine.forged().join("journal.jsonl"), journal).expect("a file can be written");
        for command in COMMANDS {
            machine.run(command, &name);
        }
        machine.check_and_remove(&name);
    }
    machine.report(count);
}

/// Has forged sessions of our own callers judged, and reads their judging sessions, whose journals are forged in turn.
#[expect(clippy::print_stdout, reason = "figures for the reader of the test")]
pub(super) fn judge_many(seed: u64, count: usize) {
    let mut machine = Machine::new();
    let mut forger = Forger::of_ended_sessions(seed, &judgeable_journals(), &machine.baits());
    let (livekit, cekura) = machine.named_addresses();
    forger.name_all_hosts(&livekit, &cekura, &judging(&cekura));
    let (mut judged, mut forged_again) = (0, 0);
    for number in 0..count {
        let name = format!("{seed}/judged {number}");
        fs::create_dir(machine.forged()).expect("it was removed");
        // What cannot be read is refused at once, and the other test has such.
        let journal = forge_until(&mut forger, |journal| has_ended(journal) == Some(true));
        fs::write(machine.forged().join("journal.jsonl"), journal).expect("a file can be written");
        machine.run(&["judge", "forged", "--yes", "--quiet"], &name);
        machine.run(&["judge", "forged", "--yes", "--quiet"], &name);
        let judging = machine.forged().join("judged/journal.jsonl");
        if judging.is_file() {
            judged += 1;
            machine.run(&["report", "forged"], &name);
            if let Some(journal) = forger.forge_again(&judging) {
                fs::write(&judging, journal).expect("a file can be written");
                forged_again += 1;
            }
            for command in [
                &["report", "forged"][..],
                &["report", "forged/judged"],
                &["resume", "forged/judged", "--finish-only", "--yes", "--quiet"],
                &["sweep", "forged/judged", "--yes"],
            ] {
                machine.run(command, &name);
            }
        }
        machine.check_and_remove(&name);
    }
    machine.report(count);
    println!(
        "{judged} of {count} sessions were judged; {forged_again} journals of judging were forged"
    );
    assert!(judged > count / 2, "many are close enough to real ones: {judged} of {count}");
}
