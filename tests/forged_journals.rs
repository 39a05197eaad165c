//! Any journal whatever: the commands that read one write only inside its folder, contact only hosts that the user named,
//! show and send nothing of other files, and end. Journals are forged from real ones, with checksums that match.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rushhour_core::evaluator::{EvaluatorCapabilities, UpdateMode};
use rushhour_core::event::EventKind;
use rushhour_core::plan::{Forecast, Plan, draw_selection};
use rushhour_core::profile::{ProfileInput, explain, load};
use rushhour_core::units::{Micros, SessionTime};
use rushhour_driver::{
    DriverSettings, EvaluatorLifetime, ReplayedSession, Resumption, RoomNaming, Session,
};
use rushhour_report::compare::{Arm, ArmBuilder, ComparisonCriteria, SessionComparison};
use rushhour_report::fold::{Candidates, EndedRuns, Fold, FoldedSession, MAX_RUNS, StageNames};
use rushhour_report::journal::JournalReader;
use rushhour_report::render::{
    RunsCsv, Style, TurnsCsv, comparison_markdown, funnel_csv, histogram_csv, hlog, junit,
    pairs_csv, percentiles_csv, session_json, session_markdown, session_page, session_text,
    timeseries_csv,
};
use rushhour_report::session::{Criterion, SessionVerdict, Summary};

use crate::support::{Forger, HostileServer, Rushhour, TestDir};

const KEY: &str = "key-of-the-tests-4711";
const SECRET: &str = "secret-of-the-tests-with-more-than-32-characters";
const CEKURA_KEY: &str = "cekura-key-of-the-tests-0815";
/// What stands in a file that no journal may lead to.
const PRECIOUS: &str = "precious words that nobody may see";

/// Real journals of several kinds, each the beginning and the end of one.
fn real_journals() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let journals = [
        "tests/fixtures/journals/native-paired",
        "tests/fixtures/journals/quickstart",
        "tests/fixtures/journals/soak",
        "reports/sample",
    ];
    journals.iter().map(|folder| root.join(folder).join("journal.jsonl")).collect()
}

/// Counts bytes, and ends what would write more than any report has.
#[derive(Default)]
struct BoundedSink(u64);

/// Each run that did not start has a line, and a journal may say that there were [`MAX_RUNS`].
const LARGEST_REPORT: u64 = 200 * MAX_RUNS;

impl Write for BoundedSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        assert!(self.0 < LARGEST_REPORT, "a report without an end");
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What was read of a journal.
#[derive(Debug, Default)]
struct Figures {
    journals: usize,
    /// Those that could be folded, and all of whose reports were written.
    reported: usize,
    compared: usize,
    resumed: usize,
    judged: usize,
}

/// Reads a journal as `report`, `compare`, `judge` and `resume` do.
fn read_in_process(journal: &[u8], baseline: &Arm, figures: &mut Figures) {
    figures.journals += 1;
    resume_in_process(journal, figures);
    let mut reader = JournalReader::new(journal);
    let (mut fold, mut arm) = (Fold::default(), ArmBuilder::default());
    let (mut candidates, mut names) = (Candidates::default(), None);
    let mut rows = None;
    while let Ok(Some(event)) = reader.next_event() {
        let Ok(ended) = fold.add(&event) else { return };
        if let EventKind::Opened(header) = &event.kind {
            arm.begin(header);
            names = Some(StageNames::of(header));
            let sink = BoundedSink::default;
            rows = RunsCsv::new(header, sink()).ok().zip(TurnsCsv::new(header, sink()).ok());
        }
        arm.add(&ended);
        if let Some((runs, turns)) = &mut rows {
            runs.write(&ended).expect("a sink takes everything");
            if let EndedRuns::Run(record) = &ended {
                turns.write(record).expect("a sink takes everything");
            }
        }
        if let (EndedRuns::Run(record), Some(names)) = (&ended, &names) {
            candidates.add(record, names);
        }
    }
    let Ok(folded) = fold.finish() else { return };
    if let Some(settings) = &folded.opening.profile.judging {
        let (session, seed) = (folded.opening.session.clone(), folded.opening.profile.seed);
        let selection =
            draw_selection(session, seed, settings, &candidates.runs, candidates.not_judgeable);
        let _ = folded.opening.profile.judging_profile(&selection);
        figures.judged += 1;
    }
    report_in_process(&folded);
    figures.reported += 1;
    let criteria = ComparisonCriteria { resamples: 50, ..ComparisonCriteria::default() };
    if let Ok(comparison) = SessionComparison::of(baseline, &arm.finish(folded), &criteria) {
        let _ = comparison_markdown(&comparison);
        figures.compared += 1;
    }
}

fn report_in_process(folded: &FoldedSession) {
    let verdict = SessionVerdict::of(folded, Criterion::Interval);
    let mut sink = BoundedSink::default();
    let _ = percentiles_csv(folded, &mut sink);
    let _ = histogram_csv(folded, &mut sink);
    let _ = funnel_csv(folded, &mut sink);
    let _ = pairs_csv(folded, &mut sink);
    let _ = timeseries_csv(folded, &mut sink);
    let _ = hlog(folded, &mut sink);
    let _ = junit(folded, &verdict, &mut sink);
    let _ = serde_json::to_writer(&mut sink, &Summary::new(folded, &verdict));
    let _ = serde_json::to_writer(&mut sink, &session_json(folded));
    let page = session_page(folded, &verdict, Criterion::Interval);
    assert!(!page.contains("<script>alert"), "words of a journal are no markup");
    let _ = session_markdown(folded, &verdict, Criterion::Interval);
    let _ = session_text(folded, &verdict, Criterion::Interval, Style::Plain);
    let _ = sink.write(page.as_bytes());
}

/// Continues the session of a journal without starting more, until it waits for answers.
fn resume_in_process(journal: &[u8], figures: &mut Figures) {
    let mut reader = JournalReader::new(journal);
    let mut replayed = ReplayedSession::default();
    while let Ok(Some(event)) = reader.next_event() {
        replayed.add(&event);
    }
    let Ok(header) = replayed.header() else { return };
    let profile = header.profile.clone();
    if Forecast::new(&Plan::new(profile.clone())).runs > MAX_RUNS {
        return;
    }
    let evaluator = EvaluatorCapabilities {
        entries_per_request: 1,
        fill_within: Micros::ZERO,
        poll_every: Micros::from_secs(1),
        runs_per_poll: 100,
        updates: UpdateMode::Poll,
    };
    let settings = DriverSettings::new(&profile, evaluator);
    let resumption = Resumption {
        wall_clock: "2026-01-01T00:00:00Z".to_owned(),
        truncated_bytes: 0,
        evaluator: EvaluatorLifetime::Independent,
        held: std::collections::BTreeSet::new(),
        finish_only: true,
    };
    let now = replayed.last_event_time();
    let resumed = Session::resume(settings, RoomNaming::new("r"), replayed, resumption, now);
    let Ok(mut session) = resumed else { return };
    for _ in 0..20 {
        let effects = session.take_effects();
        let deadline = session.next_deadline();
        if session.is_finished() || (effects.is_empty() && deadline == SessionTime::NEVER) {
            break;
        }
        session.tick(deadline);
    }
    figures.resumed += 1;
}

fn baseline() -> Arm {
    let journal = fs::read(&real_journals()[1]).expect("it is committed");
    let (mut reader, mut fold) = (JournalReader::new(&journal[..]), Fold::default());
    let mut arm = ArmBuilder::default();
    while let Some(event) = reader.next_event().expect("it is intact") {
        let ended = fold.add(&event).expect("it is intact");
        if let EventKind::Opened(header) = &event.kind {
            arm.begin(header);
        }
        arm.add(&ended);
    }
    arm.finish(fold.finish().expect("it is intact"))
}

#[expect(clippy::print_stdout, reason = "figures for the reader of the test")]
fn read_many_in_process(seed: u64, count: usize) {
    let baits = ["ws://127.0.0.1:1", "../../outside", "http://127.0.0.1:1/worker"];
    let mut forger = Forger::new(seed, &real_journals(), &baits.map(str::to_owned));
    let baseline = baseline();
    let mut figures = Figures::default();
    let mut longest = Duration::ZERO;
    for number in 0..count {
        let journal = forger.forge();
        let start = Instant::now();
        let read = std::panic::AssertUnwindSafe(|| {
            read_in_process(&journal, &baseline, &mut figures);
        });
        if std::panic::catch_unwind(read).is_err() {
            let kept = std::env::temp_dir().join(format!("forged-{seed}-{number}.jsonl"));
            fs::write(&kept, &journal).expect("a file can be written");
            panic!("a forged journal made its reader panic: {}", kept.display());
        }
        longest = longest.max(start.elapsed());
    }
    println!("in process: {figures:?}, the longest took {longest:?}");
    assert!(figures.reported > count / 20, "many are close enough to real ones: {figures:?}");
    assert!(figures.resumed > count / 20, "{figures:?}");
}

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

/// A server that the user named, LiveKit and Cekura in one: it has no rooms, and says of every call that it has ended.
fn named_server() -> HostileServer {
    HostileServer::start(|request| {
        let ids = request.split_once("run_ids=").map(|(_, rest)| rest.split([' ', '&']).next());
        let body = match ids.flatten() {
            // An empty message of Protobuf.
            None if request.contains("/twirp/") => String::new(),
            None => r#"{"id":7,"runs":[{"id":3,"scenario":30}]}"#.to_owned(),
            Some(ids) => {
                let ids = ids.replace("%2C", ",");
                let run = |id| format!(r#"{{"id":"{id}","status":"completed","success":true}}"#);
                format!("[{}]", ids.split(',').map(run).collect::<Vec<_>>().join(","))
            }
        };
        (200, body.into_bytes())
    })
}

/// How a profile has its runs judged by this service.
fn judging(cekura: &str) -> serde_json::Value {
    let text = format!(
        "name = \"x\"\nmode = \"chat\"\n[livekit]\nurl = \"ws://127.0.0.1:7880\"\nagent = \"a\"\n[evaluator]\nkind = \"native\"\n[[scenario]]\nid = 1\nscript = \"s.toml\"\ncekura = 30\ncopies = 1\n[[stage]]\nburst = 1\n[judging]\nby = \"cekura\"\nurl = \"{cekura}\"\nsample = \"100%\"\nrun_timeout = \"2s\"\n"
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

#[expect(clippy::print_stdout, reason = "figures for the reader of the test")]
fn run_many_commands(seed: u64, count: usize) {
    let (unnamed, named) = (UnnamedHost::start(), named_server());
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
    let mut baits = unnamed.addresses(&named.address());
    baits.extend([
        outside.join("precious").display().to_string(),
        outside.join("planted").display().to_string(),
        "../outside/precious".to_owned(),
        "../../outside/planted".to_owned(),
        format!("ws://{}", named.address()),
        format!("http://{}", named.address()),
    ]);
    // Real hosts of the journals would be refused all the same; here some are named ones, so that more is done.
    let mut forger = Forger::new(seed, &real_journals(), &baits);
    let (livekit, cekura) =
        (format!("ws://{}", named.address()), format!("http://{}", named.address()));
    forger.name_hosts(&livekit, &cekura, &judging(&cekura));
    let commands: [&[&str]; 8] = [
        &["report", "forged"],
        &["report", "forged", "--format", "html"],
        &["compare", "forged", "real"],
        &["compare", "real", "forged", "--format", "json"],
        &["sweep", "forged"],
        &["sweep", "forged", "--yes"],
        &["judge", "forged", "--yes", "--quiet"],
        &["resume", "forged", "--finish-only", "--yes", "--quiet"],
    ];
    let forged = work.join("forged");
    let (mut exits, mut interrupted) = (BTreeMap::<String, usize>::new(), 0);
    let mut before = BTreeMap::new();
    tree(root, &forged, &mut before);
    for number in 0..count {
        fs::create_dir(&forged).expect("it was removed");
        let journal = forger.forge();
        fs::write(forged.join("journal.jsonl"), &journal).expect("a file can be written");
        for command in commands {
            let rushhour = Rushhour::new(&work, command)
                .env("LIVEKIT_API_KEY", KEY)
                .env("LIVEKIT_API_SECRET", SECRET)
                .env("CEKURA_API_KEY", CEKURA_KEY)
                .env("LIVEKIT_URL", &format!("ws://{}", named.address()))
                .env("CEKURA_API_URL", &format!("http://{}", named.address()))
                .env("HOME", &root.join("home").display().to_string())
                .env("TMPDIR", &root.join("tmp").display().to_string());
            let mut running = rushhour.start();
            if !running.ends_within(BY_ITSELF) {
                interrupted += 1;
                running.signal("INT");
                if !running.ends_within(Duration::from_secs(1)) {
                    running.signal("INT");
                }
                assert!(running.ends_within(BY_ITSELF), "{command:?} of {seed}/{number} ends");
            }
            // Also searches what was printed for panics, keys and tokens.
            let output = running.finish();
            *exits.entry(format!("{} {:?}", command[0], output.code)).or_default() += 1;
            for text in [&output.stdout, &output.stderr] {
                assert!(!text.contains(PRECIOUS), "{command:?} of {seed}/{number}: {text}");
                assert!(!text.contains('\u{1b}'), "{command:?} of {seed}/{number}: {text}");
            }
        }
        let mut after = BTreeMap::new();
        tree(root, &forged, &mut after);
        assert_eq!(before, after, "only the folder itself was written to, by {seed}/{number}");
        assert_eq!(unnamed.contacts(), 0, "only named hosts are contacted, by {seed}/{number}");
        let mut written = BTreeMap::new();
        tree(&forged, Path::new(""), &mut written);
        let bytes: u64 = written.values().map(|(_, size, ..)| size).sum();
        assert!(bytes < MOST_WRITTEN, "{seed}/{number} wrote {bytes} bytes");
        fs::remove_dir_all(&forged).expect("it can be removed");
    }
    let received = named.received();
    assert!(received.iter().all(|request| !request.contains(PRECIOUS)));
    println!(
        "{count} journals, {} commands, {interrupted} of them interrupted: 0 of {} files and folders outside \
         touched, {} contacts of hosts that were not named, {} requests to those that were; exits: {exits:?}",
        count * commands.len(),
        before.len(),
        unnamed.contacts(),
        received.len(),
    );
    assert!(!received.is_empty(), "some journals name a host that the user named too");
}

#[test]
fn no_journal_makes_its_readers_panic_or_go_on_without_end() {
    read_many_in_process(1, 120);
}

#[test]
fn no_journal_leads_a_command_to_other_files_or_hosts() {
    run_many_commands(1, 12);
}

#[test]
#[ignore = "takes minutes: a thousand journals"]
fn no_journal_of_a_thousand_leads_anywhere() {
    let seed = std::env::var("FORGED_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(2);
    let count = |name| std::env::var(name).ok().and_then(|count| count.parse().ok());
    read_many_in_process(seed, count("FORGED_IN_PROCESS").unwrap_or(1_000));
    run_many_commands(seed, count("FORGED_COMMANDS").unwrap_or(60));
}
