mod cost;
mod marks;
mod parts;

use super::*;
use crate::fold::Fold;
use crate::render::{Style, comparison_csv, comparison_markdown, comparison_text};
use rushhour_core::event::{
    AcceptedRun, Event, EventKind, FORMAT_VERSION, FailureClass, GeneratorHealth, Outcome,
    RunMapping, SessionHeader, TranscriptionErrors, Turn, TurnEnding,
};
use rushhour_core::profile::SessionMode;
use rushhour_core::profile::testing::profile_of;
use rushhour_core::units::{
    EvaluatorRunId, Metric, Micros, Mode, Percent, Percentile, RoomName, RunIndex, SessionId,
    SessionTime,
};

/// Random numbers, the same on every platform.
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let n = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((n ^ (n >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Lognormal around 1.
    fn factor(&mut self, sigma: f64) -> f64 {
        let sum: f64 = (0..12).map(|_| self.uniform()).sum();
        (sigma * (sum - 6.0)).exp()
    }
}

/// One run of a session.
#[derive(Clone)]
struct TestRun {
    stage: u32,
    scenario: u32,
    mode: Mode,
    network: Option<u32>,
    seconds: f64,
    outcome: Option<Outcome>,
    /// Of twelve words that the caller said, so many were misheard.
    misheard: Option<u64>,
}

fn completed(seconds: f64) -> TestRun {
    let outcome = Some(Outcome::Completed { judged: Some(true) });
    TestRun {
        stage: 0,
        scenario: 0,
        mode: Mode::Chat,
        network: None,
        seconds,
        outcome,
        misheard: None,
    }
}

fn failed(class: FailureClass, seconds: f64) -> TestRun {
    TestRun { outcome: Some(Outcome::failed(class, "")), ..completed(seconds) }
}

fn profile(mode: &str, seed: u64, scenarios: u32) -> rushhour_core::profile::Profile {
    let scenario = |id| format!("[[scenario]]\nid = {id}\ncopies = 1\n");
    let scenarios: String = (0..scenarios).map(|n| scenario(30 + n)).collect();
    let text = format!(
        "mode = \"{mode}\"\nseed = {seed}\n[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n{scenarios}[[stage]]\nrate = \"1/s\"\n"
    );
    profile_of(&text)
}

/// A turn of twelve words.
fn turn(said: SessionTime, wrong: u64) -> Turn {
    let heard =
        TranscriptionErrors { hits: 12 - wrong, substitutions: wrong, ..Default::default() };
    Turn { first: Some(said), heard: Some(heard), ..Turn::new(1, said, TurnEnding::Answered) }
}

/// A session in which one run starts per second.
fn session(name: &str, profile: rushhour_core::profile::Profile, runs: &[TestRun]) -> Arm {
    session_with(name, profile, runs, &[])
}

fn session_with(
    name: &str,
    profile: rushhour_core::profile::Profile,
    runs: &[TestRun],
    more: &[Event],
) -> Arm {
    let opening = SessionHeader {
        format: FORMAT_VERSION,
        rushhour: "test".into(),
        session: SessionId::new(name),
        anchor: "2026-01-01T00:00:00Z".into(),
        profile_hash: String::new(),
        settings: Vec::new(),
        livekit_url: String::new(),
        evaluator_url: String::new(),
        planned: None,
        cores: 2,
        profile,
    };
    let mut events =
        vec![Event { at: SessionTime::START, kind: EventKind::Opened(Box::new(opening)) }];
    for (n, test_run) in (0..).zip(runs) {
        let (run, start) = (RunIndex(n), SessionTime(n * 1_000_000));
        let end = start + Micros::from_secs_f64(test_run.seconds);
        let room = RoomName::new(format!("{name}-{n}"));
        let mut event = |at, kind| events.push(Event { at, kind });
        let TestRun { stage, scenario, mode, .. } = *test_run;
        let (copy, pair) = (0, None);
        let (intended, free) = (start, start);
        event(
            start,
            EventKind::RunStarted {
                run,
                stage,
                scenario,
                copy,
                mode,
                pair,
                network: test_run.network,
                redial_of: None,
                intended,
                free,
                room,
            },
        );
        let evaluator_run = EvaluatorRunId::new(n.to_string());
        let accepted = vec![AcceptedRun { run, evaluator_run, ready: start, worker: None }];
        let (request, mapping, result) = (n, RunMapping::Proven, None);
        let (admitted, sent, answered) = (start, start, start);
        event(start, EventKind::SubmitIntent { request, runs: vec![run] });
        event(
            start,
            EventKind::Submitted { request, admitted, sent, answered, result, accepted, mapping },
        );
        if let Some(wrong) = test_run.misheard {
            event(start, EventKind::Turn { run, turn: Box::new(turn(start, wrong)) });
        }
        if let Some(outcome) = test_run.outcome.clone() {
            let (after, seen, conversation_duration) = (end, end, None);
            event(end, EventKind::Ended { run, outcome, after, seen, conversation_duration });
        }
    }
    events.extend_from_slice(more);
    events.sort_by_key(|event| event.at);
    if runs.iter().all(|run| run.outcome.is_some()) {
        let at = events.last().unwrap().at;
        events.push(Event { at, kind: EventKind::Closed });
    }
    let (mut fold, mut builder) = (Fold::default(), ArmBuilder::default());
    for event in events {
        if let EventKind::Opened(opening) = &event.kind {
            builder.begin(opening);
        }
        builder.add(&fold.add(&event).unwrap());
    }
    builder.finish(fold.finish().unwrap())
}

fn chat(name: &str, runs: &[TestRun]) -> Arm {
    session(name, profile("chat", 1, 1), runs)
}

/// Only completion is judged in these tests, because everything else takes no time.
fn criteria() -> ComparisonCriteria {
    let metrics = vec![Metric::CompletionResponse];
    ComparisonCriteria { metrics, resamples: 2_000, ..ComparisonCriteria::default() }
}

fn compared(baseline: &Arm, candidate: &Arm) -> SessionComparison {
    let comparison = SessionComparison::of(baseline, candidate, &criteria()).unwrap();
    check_every_format(&comparison);
    comparison
}

/// No format has an overlong line or a number that is none.
fn check_every_format(comparison: &SessionComparison) {
    let text = comparison_text(comparison, Style::Plain);
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    let json = serde_json::to_string(comparison).unwrap();
    let mut csv = Vec::new();
    comparison_csv(comparison, &mut csv).unwrap();
    let csv = String::from_utf8(csv).unwrap();
    for output in [text, json, comparison_markdown(comparison), csv] {
        assert!(
            !output.contains("NaN") && !output.contains("inf,") && !output.contains("inf "),
            "{output}"
        );
    }
}

fn percentile<'a>(comparison: &'a SessionComparison, name: &str) -> &'a QuantileComparison {
    let all = &comparison.latencies[0].percentiles;
    all.iter().find(|one| one.percentile == name).unwrap()
}

fn noisy(seed: u64, n: usize, median: f64) -> Vec<TestRun> {
    let mut noise = Noise(seed);
    (0..n).map(|_| completed(median * noise.factor(0.5))).collect()
}

#[test]
fn a_factor_of_one_and_a_half_is_found_and_a_session_does_not_differ_from_itself() {
    let (fast, slow) = (chat("a", &noisy(1, 400, 10.0)), chat("b", &noisy(2, 400, 15.0)));
    let slower = compared(&fast, &slow);
    let p50 = percentile(&slower, "p50");
    assert_eq!((p50.finding, p50.regression), (ComparisonFinding::Slower, true), "{p50:?}");
    assert!((p50.ratio.unwrap() - 1.5).abs() < 0.2);
    assert_eq!(slower.conclusion, Conclusion::Regression);
    assert_eq!(percentile(&compared(&slow, &fast), "p50").finding, ComparisonFinding::Faster);
    let same = compared(&fast, &fast);
    assert_eq!(same.conclusion, Conclusion::NoRegressionShown);
    assert!((percentile(&same, "p95").ratio.unwrap() - 1.0).abs() < 1e-12);
    assert!(same.notes.contains(&ComparisonNote::SameSession));
    assert_eq!(compared(&fast, &slow), slower, "the same seed gives the same comparison");
}

#[test]
fn a_tenth_more_in_the_tail_of_a_hundred_runs_is_no_regression() {
    let runs = noisy(1, 100, 10.0);
    let mut longer: Vec<TestRun> = runs.clone();
    longer.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
    let cut = longer[97].seconds;
    let tail = runs.iter().map(|run| {
        let longer = if run.seconds >= cut { 1.1 } else { 1.0 };
        TestRun { seconds: run.seconds * longer, ..run.clone() }
    });
    let found = compared(&chat("a", &runs), &chat("b", &tail.collect::<Vec<_>>()));
    assert_eq!(percentile(&found, "p99").finding, ComparisonFinding::NotEnoughData);
    assert!(percentile(&found, "p99").note.unwrap().to_string().contains("needs 368"));
    assert_eq!(found.conclusion, Conclusion::NoRegressionShown);
}

/// Forty comparisons of sessions that do not differ, but whose minutes differ.
#[test]
fn equal_sessions_are_rarely_called_slower_even_if_their_minutes_differ() {
    let session = |seed: u64| {
        let mut noise = Noise(seed);
        let mut minute = 1.0;
        let runs: Vec<TestRun> = (0..1_800)
            .map(|n| {
                if n % 60 == 0 {
                    minute = noise.factor(0.2);
                }
                completed(10.0 * minute * noise.factor(0.4))
            })
            .collect();
        chat("a", &runs)
    };
    let mut alarms = 0;
    let criteria = ComparisonCriteria { resamples: 1_000, ..criteria() };
    for pair in 0..40 {
        let (a, b) = (session(2 * pair + 1_000), session(2 * pair + 1_001));
        let found = SessionComparison::of(&a, &b, &criteria).unwrap();
        let percentiles = &found.latencies[0].percentiles;
        let false_alarm = |one: &QuantileComparison| {
            matches!(one.finding, ComparisonFinding::Slower | ComparisonFinding::Faster)
        };
        alarms += u32::from(percentiles.iter().any(false_alarm));
    }
    assert_eq!(criteria.bootstrap(1_800).resamples(), 1_000);
    // 2 are expected; more than 7 have a probability of one in a thousand.
    assert!(alarms <= 7, "{alarms} of 40");
}

#[test]
fn unfinished_runs_count_as_longer_and_hide_no_regression() {
    // Runs that take longer than 14 seconds time out.
    let timed_out = |runs: Vec<TestRun>| -> Vec<TestRun> {
        let cut = |run: TestRun| match run.seconds {
            seconds if seconds > 14.0 => failed(FailureClass::EvaluatorTimeout, 14.0),
            _ => run,
        };
        runs.into_iter().map(cut).collect()
    };
    let fast = chat("a", &noisy(1, 400, 8.0));
    let slow = chat("b", &timed_out(noisy(2, 400, 12.0)));
    let found = compared(&fast, &slow);
    let latency = &found.latencies[0];
    assert!(latency.candidate_unfinished > 100, "{latency:?}");
    assert_eq!(latency.candidate_n, 400);
    let p50 = percentile(&found, "p50");
    assert!((p50.ratio.unwrap() - 1.5).abs() < 0.25, "{p50:?}");
    let p95 = percentile(&found, "p95");
    assert_eq!(p95.finding, ComparisonFinding::NotEnoughData);
    assert!(p95.note.unwrap().to_string().contains("had not ended"), "{p95:?}");
    assert_eq!(found.rates[0].finding, ComparisonFinding::More);
}

#[test]
fn more_failures_are_a_regression_and_a_burst_of_them_is_not() {
    let runs = |fails: &dyn Fn(usize) -> bool| -> Vec<TestRun> {
        noisy(1, 1_200, 1.0)
            .into_iter()
            .enumerate()
            .map(|(n, run)| if fails(n) { failed(FailureClass::AgentLeft, 1.0) } else { run })
            .collect()
    };
    let few = chat("a", &runs(&|n| n % 100 == 7));
    let many = chat("b", &runs(&|n| n % 17 == 3));
    let burst = chat("c", &runs(&|n| n % 100 == 7 || (300..340).contains(&n)));
    let found = compared(&few, &many);
    assert_eq!(
        (found.rates[0].finding, found.rates[0].regression),
        (ComparisonFinding::More, true)
    );
    assert_eq!(found.conclusion, Conclusion::Regression);
    assert_eq!(compared(&many, &few).rates[0].finding, ComparisonFinding::Fewer);
    let found = compared(&few, &burst);
    assert!(found.rates[0].p_adjusted.unwrap() < 0.01, "{:?}", found.rates[0]);
    assert_eq!(found.rates[0].finding, ComparisonFinding::NoDifference);
    let tolerant = ComparisonCriteria { failure_tolerance: "20%".parse().unwrap(), ..criteria() };
    let found = SessionComparison::of(&few, &many, &tolerant).unwrap();
    assert_eq!(found.rates[0].finding, ComparisonFinding::More);
    assert_eq!(found.conclusion, Conclusion::NoRegressionShown);
}

#[test]
fn slower_within_the_tolerance_is_no_regression_and_may_be_settled() {
    let runs = noisy(1, 3_000, 10.0);
    let longer: Vec<TestRun> =
        runs.iter().map(|run| TestRun { seconds: run.seconds * 1.15, ..run.clone() }).collect();
    let (a, b) = (chat("a", &runs), chat("b", &longer));
    let tolerating = |tolerance: f64| ComparisonCriteria {
        tolerance: Percent::from_fraction(tolerance).unwrap(),
        percentiles: vec![Percentile::LISTED[0]],
        ..criteria()
    };
    let found = |tolerance| SessionComparison::of(&a, &b, &tolerating(tolerance)).unwrap();
    assert_eq!(found(0.05).conclusion, Conclusion::Regression);
    assert_eq!(found(0.16).conclusion, Conclusion::NoRegressionShown);
    assert_eq!(found(0.16).latencies[0].percentiles[0].finding, ComparisonFinding::Slower);
    assert_eq!(found(0.5).conclusion, Conclusion::NoRegression);
}

#[test]
fn an_agent_that_hears_worse_is_a_regression_and_one_that_hears_equally_well_is_not() {
    let hearing = |name: &str, seed: u64, rate: f64| {
        let mut noise = Noise(seed);
        let hear = |run: TestRun| {
            let wrong = (0..12).filter(|_| noise.uniform() < rate).count() as u64;
            TestRun { misheard: Some(wrong), ..run }
        };
        chat(name, &noisy(1, 300, 1.0).into_iter().map(hear).collect::<Vec<_>>())
    };
    let (well, too, worse) = (hearing("a", 5, 0.05), hearing("b", 6, 0.05), hearing("c", 7, 0.12));
    let rate = |found: &SessionComparison| {
        let rate = found.rates.iter().find(|rate| rate.measure == "heard.wer");
        let rate = rate.unwrap_or_else(|| panic!("{:?}", found.rates));
        (rate.finding, rate.regression)
    };
    let found = compared(&well, &worse);
    assert_eq!(rate(&found), (ComparisonFinding::More, true), "{:?}", found.rates);
    let why = found.regressions.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(why, ["more of what callers said was misheard (heard.wer)"]);
    assert_eq!(rate(&compared(&well, &too)), (ComparisonFinding::NoDifference, false));
    assert_eq!(rate(&compared(&worse, &well)), (ComparisonFinding::Fewer, false));
    let silent = chat("d", &noisy(1, 300, 1.0));
    assert_eq!(rate(&compared(&well, &silent)).0, ComparisonFinding::NotEnoughData);
}

#[test]
fn sessions_with_almost_no_data_are_not_judged() {
    let some = chat("some", &noisy(1, 100, 10.0));
    let only_failures: Vec<TestRun> =
        (0..50).map(|_| failed(FailureClass::AgentMute, 0.0)).collect();
    for runs in [vec![], vec![completed(3.0)], only_failures] {
        let little = chat("little", &runs);
        for (a, b) in [(&some, &little), (&little, &some), (&little, &little)] {
            let found = compared(a, b);
            let why = format!("{} runs: {found:?}", runs.len());
            let fails_more = found.rates.iter().any(|rate| rate.finding == ComparisonFinding::More);
            if fails_more {
                assert_eq!(found.conclusion, Conclusion::Regression, "{why}");
            } else {
                assert_eq!(found.conclusion, Conclusion::NotEnoughData, "{why}");
            }
        }
    }
    let instant = chat("instant", &vec![completed(0.0); 100]);
    assert_eq!(percentile(&compared(&some, &instant), "p50").finding, ComparisonFinding::Faster);
    let found = compared(&instant, &some);
    assert!(percentile(&found, "p50").note.unwrap().to_string().contains("the baseline is zero"));
    assert_eq!(found.conclusion, Conclusion::NotEnoughData);
    let constant = chat("constant", &vec![completed(4.0); 100]);
    let found = compared(&constant, &constant);
    let p95 = percentile(&found, "p95");
    assert_eq!((p95.ratio_low, p95.ratio_high), (Some(1.0), Some(1.0)));
    assert_eq!(p95.finding, ComparisonFinding::NoDifference);
    assert_eq!(found.conclusion, Conclusion::NoRegression);
}

#[test]
fn a_killed_session_is_noted_and_its_open_runs_count_as_longer() {
    let mut runs = noisy(1, 200, 10.0);
    let whole = chat("a", &runs);
    for run in &mut runs[150..] {
        run.outcome = None;
    }
    let found = compared(&whole, &chat("b", &runs));
    assert!(!found.candidate.closed);
    assert_eq!((found.candidate.open, found.latencies[0].candidate_unfinished), (50, 50));
    assert_eq!(found.notes[0], ComparisonNote::NotFinished { arm: "B", open: 50 });
}

#[test]
fn nothing_is_compared_if_a_generator_did_not_deliver_its_load() {
    let runs = noisy(1, 100, 10.0);
    let health = GeneratorHealth {
        interval: Micros::from_secs(10),
        cpu: Micros::from_secs(20),
        ..GeneratorHealth::default()
    };
    let health = Event { at: SessionTime(1), kind: EventKind::Health(health) };
    let busy = session_with("busy", profile("chat", 1, 1), &runs, &[health]);
    let found = compared(&chat("a", &runs), &busy);
    assert_eq!(found.conclusion, Conclusion::Invalid);
    assert!(found.latencies.is_empty() && found.rates.is_empty());
    assert_eq!(found.candidate.broken[0].figure.name(), "processor");
}

#[test]
fn modes_are_compared_only_on_request_and_profile_differences_are_listed() {
    let runs = noisy(1, 100, 10.0);
    let chat = session("a", profile("chat", 1, 1), &runs);
    let voice = session("b", profile("voice", 2, 1), &runs);
    let refused = SessionComparison::of(&chat, &voice, &criteria()).unwrap_err();
    assert_eq!(
        refused,
        Incomparable::Modes { baseline: SessionMode::Chat, candidate: SessionMode::Voice }
    );
    assert!(refused.to_string().contains("--across-modes"));
    let across = ComparisonCriteria { across_modes: true, ..criteria() };
    let found = SessionComparison::of(&chat, &voice, &across).unwrap();
    check_every_format(&found);
    assert_eq!(found.latencies.len(), 1);
    let differences: Vec<String> =
        found.profile_differences.iter().map(ToString::to_string).collect();
    assert!(differences.contains(&"mode: chat, then voice".to_owned()));
    assert!(differences.contains(&"seed: 1, then 2".to_owned()));
}

#[test]
fn only_shared_scenarios_are_compared() {
    let of = |scenario, seconds, n| vec![TestRun { scenario, ..completed(seconds) }; n];
    let three = || profile("chat", 1, 3);
    let a = session("a", three(), &[of(0, 1.0, 100), of(1, 9.0, 100)].concat());
    let b = session("b", three(), &[of(0, 1.0, 50), of(2, 20.0, 100)].concat());
    let found = compared(&a, &b);
    assert_eq!((found.latencies[0].baseline_n, found.latencies[0].candidate_n), (100, 50));
    let unshared = ComparisonNote::UnsharedScenarios { arm: "A", scenarios: 1, runs: 100 };
    assert!(found.notes.contains(&unshared), "{found:?}");
    let c = session("c", three(), &of(2, 20.0, 100));
    let refused = SessionComparison::of(&a, &c, &criteria()).unwrap_err();
    assert!(matches!(refused, Incomparable::Scenarios { .. }), "{refused}");
}
