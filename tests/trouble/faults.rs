//! Every fault of the stand-ins alone, and every two together.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rushhour_core::rng::SeededRng;
use rushhour_sandbox::Fault;

use crate::support::{Row, Workplace};

/// Runs of each session.
const RUNS: u64 = 100;
/// What each limit of the profile below may be overrun by, on a machine that does other things too.
const SLACK: Duration = Duration::from_secs(6);
const LIVEKIT: Duration = Duration::from_secs(2);
const SUBMISSION: Duration = Duration::from_secs(2);
const AGENT: Duration = Duration::from_secs(2);
const CONVERSATION: Duration = Duration::from_secs(4);
/// Longer than a slow submission is slow: the evaluator comes while somebody looks.
const WATCH: Duration = Duration::from_secs(5);
/// How long a session may take in all: the longest way through every limit.
const SESSION: Duration = Duration::from_secs(90);
/// The same where the service throttles: three attempts of each run, and a second for a handful of requests.
const THROTTLED_SESSION: Duration = Duration::from_mins(5);
/// Sessions under way at once; they mostly wait.
const AT_ONCE: usize = 20;

/// Faults that strike the same session.
#[derive(Debug, Clone)]
struct Case(Vec<Fault>);

impl Case {
    /// Every fault alone, then every two.
    fn all() -> Vec<Self> {
        let alone = Fault::ALL.iter().map(|fault| Self(vec![*fault]));
        let pairs = Fault::ALL
            .iter()
            .enumerate()
            .flat_map(|(n, one)| Fault::ALL[n + 1..].iter().map(|other| Self(vec![*one, *other])));
        alone.chain(pairs).collect()
    }

    /// Alone it strikes whatever it can; of two, each so often that all four combinations come about.
    fn profile(&self) -> String {
        let share = if self.0.len() == 1 { "100%" } else { "40%" };
        let faults: Vec<String> =
            self.0.iter().map(|fault| format!("{fault} = \"{share}\"")).collect();
        format!(
            r#"
name = "trouble"
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
rate = "25/s"
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

    /// What waiting for a service that throttles may add: it speaks for all requests, one after the other.
    fn throttled(&self) -> Duration {
        let throttles = self.0.iter().any(|fault| fault.name().starts_with("submit_429"));
        if throttles { THROTTLED_SESSION } else { Duration::ZERO }
    }

    /// How late a run may be on top of its limits: answers of 50 MB are work for this machine too.
    fn slack(&self) -> Duration {
        if self.0.contains(&Fault::SubmitHuge) { SLACK * 3 } else { SLACK }
    }

    /// Runs it and holds it to the truth; gives the faults that struck.
    fn run(&self) -> HashSet<String> {
        let workplace = Workplace::new();
        let begun = Instant::now();
        let ran = workplace.run_profile(&self.profile());
        let took = begun.elapsed();
        assert!(took < SESSION + self.throttled(), "it took {took:?}");
        assert!(!ran.err.contains("panicked"), "{}", ran.err);
        assert!([0, 99, 111, 112].contains(&ran.code.unwrap_or(-1)), "{:?}\n{}", ran.code, ran.err);
        let session = workplace.session();
        session.check(RUNS);
        let truth = session.truth();
        let struck = truth.faults();
        // Polls are few, since one asks after all runs: one of two faults may find none to strike.
        assert!(self.0.iter().any(|fault| struck.contains(fault.name())), "no fault struck");
        for run in &session.runs {
            ended_in_time(run, self.throttled(), self.slack());
            assert!(!run.text("detail").contains("panicked"), "{run:?}");
        }
        let names: HashSet<&str> = session.runs.iter().map(|run| run.text("outcome")).collect();
        assert!(names.iter().all(|name| ["completed", "failed"].contains(name)), "{names:?}");
        struck
    }
}

/// Each run ends within the limits that it went through.
fn ended_in_time(run: &Row, throttled: Duration, slack: Duration) {
    let at = |column| run.number(column).map(Duration::from_micros);
    let started = at("started_us").expect("every run was started");
    let ended = at("ended_us").expect("every run ended");
    let (from, longest) = match (at("submitted_us"), at("submission.service_us")) {
        (Some(sent), Some(service)) => (sent + service, CONVERSATION),
        // What nobody knows was sent at the latest when it was ready for the last time.
        _ if run.text("failure_class") == "submit_unknown" => {
            let from = at("submitted_us").or(at("ready_us")).unwrap_or(started);
            (from, throttled + SUBMISSION + WATCH)
        }
        _ => (started, LIVEKIT * 3 + AGENT + throttled + SUBMISSION),
    };
    let took = ended.saturating_sub(from);
    assert!(took <= longest + slack, "{took:?} where {longest:?} are allowed: {run:?}");
}

/// Runs these cases, several at once, and tells all that do not hold; gives how often each fault struck a session.
fn run_all(cases: &[Case]) -> HashMap<String, usize> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut results = Vec::new();
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            results.push((case, std::panic::catch_unwind(|| case.run())));
        }
        results
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("it catches panics")).collect()
    });
    let mut sessions: HashMap<String, usize> = HashMap::new();
    let mut failed = Vec::new();
    for (case, result) in results {
        match result {
            Ok(struck) => {
                for fault in struck {
                    *sessions.entry(fault).or_default() += 1;
                }
            }
            Err(panic) => {
                let words = panic.downcast_ref::<String>().map(String::as_str);
                let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
                failed.push(format!("{case:?}: {}", words.unwrap_or("it panicked")));
            }
        }
    }
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), cases.len(), failed.join("\n"));
    sessions
}

/// So many of these cases, drawn from a seed.
fn sample(mut cases: Vec<Case>, count: usize, seed: u64) -> Vec<Case> {
    let mut random = SeededRng::new(seed);
    let mut drawn = Vec::new();
    while drawn.len() < count && !cases.is_empty() {
        let at = random.below(cases.len() as u64);
        drawn.push(cases.swap_remove(usize::try_from(at).expect("it is below their number")));
    }
    drawn
}

#[test]
fn two_faults_at_once_leave_every_run_one_outcome() {
    let pairs = Case::all().into_iter().filter(|case| case.0.len() == 2).collect();
    run_all(&sample(pairs, 24, 7));
}

#[test]
#[ignore = "35 faults and 595 pairs take a quarter of an hour: cargo test --test integration every_fault_alone -- --ignored"]
fn every_fault_alone_and_every_two_leave_every_run_one_outcome() {
    let cases = Case::all();
    assert_eq!(cases.len(), 35 + 595);
    let sessions = run_all(&cases);
    for fault in Fault::ALL {
        let struck = sessions.get(fault.name()).copied().unwrap_or(0);
        assert!(struck >= 30, "{fault} struck {struck} sessions of the 35 that it was asked of");
    }
}
