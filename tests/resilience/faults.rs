//! Every fault of the sandbox alone, and every two together.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use rushhour_core::rng::SeededRng;
use rushhour_sandbox::Fault;

use crate::support::{Row, TestDir, side_by_side};

/// Runs of each session, which start in four seconds: two faults strike some ten of them together.
const RUNS: u64 = 60;
/// By how much each limit of the profile may be exceeded, on a machine that does other things too.
const SLACK: Duration = Duration::from_secs(6);
const LIVEKIT: Duration = Duration::from_secs(2);
const SUBMISSION: Duration = Duration::from_secs(2);
const AGENT: Duration = Duration::from_secs(2);
const CONVERSATION: Duration = Duration::from_secs(4);
/// Longer than the longest delay of a slow submission, so that its evaluator joins while the room is still polled.
const WATCH: Duration = Duration::from_secs(5);
/// How long a session may take in all.
const SESSION: Duration = Duration::from_secs(90);
/// How much longer it may take where the service throttles: three attempts for each run, and a second for a handful of
/// requests.
const THROTTLED_SESSION: Duration = Duration::from_mins(5);
/// Sessions at the same time; they mostly wait. Fewer beside other tests.
const AT_ONCE: usize = 40;
const BESIDE_OTHERS: usize = 12;

/// The faults of one session.
#[derive(Debug, Clone)]
struct Case(Vec<Fault>);

impl Case {
    /// Every fault alone, then every two.
    fn all() -> Vec<Self> {
        // All requests wait for LiveKit's refusals, for minutes at this share: they have tests of their own.
        let throttles = [Fault::LivekitTooMany, Fault::LivekitExhausted];
        let faults: Vec<Fault> =
            Fault::ALL.iter().copied().filter(|fault| !throttles.contains(fault)).collect();
        let alone = faults.iter().map(|fault| Self(vec![*fault]));
        let pairs = faults
            .iter()
            .enumerate()
            .flat_map(|(n, one)| faults[n + 1..].iter().map(|other| Self(vec![*one, *other])));
        alone.chain(pairs).collect()
    }

    /// A fault alone always strikes; of two, each strikes often enough for all four combinations to occur.
    fn profile(&self) -> String {
        let share = if self.0.len() == 1 { "100%" } else { "40%" };
        let faults: Vec<String> =
            self.0.iter().map(|fault| format!("{fault} = \"{share}\"")).collect();
        format!(
            r#"
name = "faults"
mode = "chat"
[livekit]
url = "sandbox"
agent = "front-desk"
agent_within = "1s"
give_up_after = "2s"
[evaluator]
poll_every = "500ms"
[[scenario]]
id = 30
copies = {RUNS}
lasts = "300ms"
[[stage]]
rate = "15/s"
[limits]
requests = "100/s"
polls = "20/s"
looks = "400/s"
in_flight = 200
submit_timeout = "2s"
livekit_timeout = "2s"
poll_timeout = "1s"
run_timeout = "4s"
watch_unknown = "5s"
attempts = 3
[sandbox]
late_by = "2s"
agent_join = {{ median = "100ms" }}
submission = {{ median = "30ms" }}
queue = {{ median = "100ms" }}
conversation = {{ median = "300ms" }}
judging = {{ median = "100ms" }}
[sandbox.faults]
{}
"#,
            faults.join("\n")
        )
    }

    /// How much longer a run may take because a throttling service makes all requests wait for each other.
    fn throttled(&self) -> Duration {
        let throttles = self
            .0
            .iter()
            .any(|fault| fault.name().contains("429") || *fault == Fault::LivekitExhausted);
        if throttles { THROTTLED_SESSION } else { Duration::ZERO }
    }

    /// Whether the evaluator rejects submissions in a way that stops the session.
    fn rejects(&self) -> bool {
        let rejections = [Fault::SubmitInvalid, Fault::SubmitNoBalance, Fault::SubmitNotFound];
        self.0.iter().any(|fault| rejections.contains(fault))
    }

    /// The exit codes that the session may have.
    fn codes(&self) -> &'static [i32] {
        if self.rejects() { &[0, 2, 99, 111, 112] } else { &[0, 99, 111, 112] }
    }

    /// How much later than its limits a run may end: answers of 50 MB are work for this machine too.
    fn slack(&self) -> Duration {
        if self.0.contains(&Fault::SubmitHuge) { SLACK * 3 } else { SLACK }
    }

    /// Runs the session and compares it with the truth; returns the faults that struck.
    fn run(&self) -> HashSet<String> {
        let dir = TestDir::new();
        let start = Instant::now();
        let ran = dir.run_profile(&self.profile());
        let took = start.elapsed();
        assert!(took < SESSION + self.throttled(), "it took {took:?}");
        assert!(self.codes().contains(&ran.code.unwrap_or(-1)), "{:?}\n{}", ran.code, ran.stderr);
        let session = dir.session();
        session.check(RUNS);
        let truth = session.truth();
        let struck = truth.faults();
        // There are few polls, because one is about all runs: one of two faults may find none to strike.
        assert!(self.0.iter().any(|fault| struck.contains(fault.name())), "no fault struck");
        let started = session.runs.iter().filter(|run| run.text("outcome") != "not_started");
        for run in started {
            assert_ended_in_time(run, self.throttled(), self.slack());
            assert!(!run.text("detail").contains("panicked"), "{run:?}");
        }
        let names: HashSet<&str> = session.runs.iter().map(|run| run.text("outcome")).collect();
        // An evaluator that rejects everything stops the session.
        let all_start = !self.rejects();
        let fits = |name: &&str| {
            ["completed", "failed"].contains(name) || (*name == "not_started" && !all_start)
        };
        assert!(names.iter().all(fits), "{names:?}");
        struck
    }
}

/// Asserts that a run ended within the limits of the steps that it took.
fn assert_ended_in_time(run: &Row, throttled: Duration, slack: Duration) {
    let at = |column| run.number(column).map(Duration::from_micros);
    let started = at("started_us").expect("every run was started");
    let ended = at("ended_us").expect("every run ended");
    let (from, longest) = match (at("submitted_us"), at("submission.service_us")) {
        (Some(sent), Some(service)) => (sent + service, CONVERSATION),
        // An unknown submission was sent at the latest when the run was last ready.
        _ if run.text("failure_class") == "submit_unknown" => {
            let from = at("submitted_us").or(at("ready_us")).unwrap_or(started);
            (from, throttled + SUBMISSION + WATCH)
        }
        _ => (started, LIVEKIT * 3 + AGENT + throttled + SUBMISSION),
    };
    let took = ended.saturating_sub(from);
    assert!(took <= longest + slack, "{took:?} where {longest:?} are allowed: {run:?}");
}

/// Runs these cases, so many at once, and reports all that fail; returns how many sessions each fault struck.
fn run_all(cases: &[Case], at_once: usize) -> HashMap<String, usize> {
    let results = side_by_side(cases, at_once, |case| std::panic::catch_unwind(|| case.run()));
    let mut sessions: HashMap<String, usize> = HashMap::new();
    let mut failed = Vec::new();
    for (case, result) in cases.iter().zip(results) {
        match result {
            Ok(struck) => {
                for fault in struck {
                    *sessions.entry(fault).or_default() += 1;
                }
            }
            Err(panic) => {
                let message = panic.downcast_ref::<String>().map(String::as_str);
                let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
                failed.push(format!("{case:?}: {}", message.unwrap_or("it panicked")));
            }
        }
    }
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), cases.len(), failed.join("\n"));
    sessions
}

/// Draws `count` of these cases without replacement.
fn sample(mut cases: Vec<Case>, count: usize, seed: u64) -> Vec<Case> {
    let mut rng = SeededRng::new(seed);
    let mut drawn = Vec::new();
    while drawn.len() < count && !cases.is_empty() {
        let at = rng.below(cases.len() as u64);
        drawn.push(cases.swap_remove(usize::try_from(at).expect("it is below their number")));
    }
    drawn
}

#[test]
fn with_two_faults_at_once_every_run_has_one_outcome() {
    let pairs = Case::all().into_iter().filter(|case| case.0.len() == 2).collect();
    run_all(&sample(pairs, 24, 7), BESIDE_OTHERS);
}

#[test]
#[ignore = "42 faults and 861 pairs take six minutes: cargo test --test integration every_pair -- --ignored"]
fn with_every_fault_and_every_pair_of_faults_every_run_has_one_outcome() {
    let cases = Case::all();
    assert_eq!(cases.len(), 42 + 861);
    let sessions = run_all(&cases, AT_ONCE);
    let alone = cases.iter().filter_map(|case| case.0.first().filter(|_| case.0.len() == 1));
    for fault in alone {
        let struck = sessions.get(fault.name()).copied().unwrap_or(0);
        assert!(struck >= 30, "{fault} struck {struck} of its 42 sessions");
    }
}
