//! Any journal whatever: the commands that read one write only inside its folder, contact only hosts that the user named,
//! show and send nothing of other files, and end. Journals are forged from real ones, with checksums that match.

mod commands;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rushhour_core::event::EventKind;
use rushhour_core::plan::draw_selection;
use rushhour_report::compare::{Arm, ArmBuilder, ComparisonCriteria, SessionComparison};
use rushhour_report::fold::{Candidates, EndedRuns, Fold, FoldedSession, MAX_RUNS, StageNames};
use rushhour_report::journal::JournalReader;
use rushhour_report::render::{
    RunsCsv, Style, TurnsCsv, comparison_markdown, funnel_csv, histogram_csv, hlog, junit,
    pairs_csv, percentiles_csv, session_json, session_markdown, session_page, session_text,
    timeseries_csv,
};
use rushhour_report::session::{Criterion, SessionVerdict, Summary};

use self::commands::{judge_many, judging, run_many_commands};
use crate::parsers::resume_until_it_waits;
use crate::support::Forger;

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

/// Real journals of our own callers, whose runs can be judged.
fn judgeable_journals() -> [PathBuf; 2] {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let journals = ["tests/fixtures/journals/native-paired", "reports/sample-soak"];
    journals.map(|folder| root.join(folder).join("journal.jsonl"))
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
    let _ = junit(folded, &verdict, None, &mut sink);
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
    let mut events = Vec::new();
    while let Ok(Some(event)) = reader.next_event() {
        events.push(event);
    }
    figures.resumed += usize::from(resume_until_it_waits(&events));
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
    let baits = baits.map(str::to_owned);
    let mut forger = Forger::new(seed, &real_journals(), &baits);
    let mut of_judgeable = Forger::of_ended_sessions(seed, &judgeable_journals(), &baits);
    let (livekit, cekura) = (&baits[0], "http://127.0.0.1:1");
    of_judgeable.name_all_hosts(livekit, cekura, &judging(cekura));
    let baseline = baseline();
    let mut figures = Figures::default();
    let mut longest = Duration::ZERO;
    for number in 0..count {
        let forger = if number % 4 == 0 { &mut of_judgeable } else { &mut forger };
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
    assert!(figures.judged > count / 20, "{figures:?}");
}

#[test]
fn no_journal_makes_its_readers_panic_or_go_on_without_end() {
    read_many_in_process(1, 120);
}

#[test]
fn no_journal_leads_a_command_to_other_files_or_hosts() {
    run_many_commands(1, 10);
}

#[test]
fn no_journal_leads_its_judging_to_other_files_or_hosts() {
    judge_many(1, 6);
}

#[test]
#[ignore = "takes minutes: a thousand journals"]
fn no_journal_of_a_thousand_leads_anywhere() {
    let seed = std::env::var("FORGED_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(2);
    let count = |name| std::env::var(name).ok().and_then(|count| count.parse().ok());
    read_many_in_process(seed, count("FORGED_IN_PROCESS").unwrap_or(1_000));
    run_many_commands(seed, count("FORGED_COMMANDS").unwrap_or(60));
    judge_many(seed, count("FORGED_JUDGED").unwrap_or(40));
}
