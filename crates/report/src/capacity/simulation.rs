//! Searches of simulated agents with a known limit: does the range contain it?

use super::finding::{TrialFinding, TrialThreshold};
use super::level::SearchSpend;
use super::level_quality::LevelQuality;
use super::log::{LOG_VERSION, LogOpening};
use super::rules::SearchRules;
use super::search::{CapacitySearch, SearchEnd, SearchStep};
use super::trial::{LevelVerdict, Purpose, Trial, TrialResult};
use crate::session::{Estimated, Verdict};
use rushhour_core::event::FailureClass;
use rushhour_core::profile::Profile;
use rushhour_core::profile::testing::profile_of;
use rushhour_core::units::Micros;
use rushhour_stats::{Confidence, Proportion, Quantile, rank_interval};

/// The threshold on the share of failed runs.
const FAILED_BELOW: f64 = 0.05;
/// The threshold on the 95th percentile of turns, in seconds.
const TURN_P95_BELOW: f64 = 1.0;
/// The share of runs that fail at any load.
const ALWAYS_FAIL: f64 = 0.005;
/// The duration of a conversation, in seconds.
const CONVERSATION: f64 = 10.0;
/// Turns of a conversation.
const TURNS: u64 = 2;
/// The standard deviation of the logarithm of turns.
const SPREAD: f64 = 0.4;
/// The median turn below the limit, in seconds.
const MEDIAN_TURN: f64 = 0.4;

/// The rules of a profile with this `[capacity]`.
pub(super) fn rules(capacity: &str) -> SearchRules {
    SearchRules::of(&profile(capacity))
}

/// A profile with this `[capacity]`.
pub(super) fn profile(capacity: &str) -> Profile {
    let text = format!(
        "[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[evaluator]\nkind = \"sandbox\"\n[[scenario]]\nid = 1\nlasts = \"10s\"\n[[stage]]\nhold = 2\nlasts = \"1m\"\n[thresholds]\nfailed = \"< 5%\"\n[limits]\nin_flight = 1000\n[capacity]\n{capacity}\n"
    );
    profile_of(&text)
}

/// The finding of a session of 200 runs, some of which failed with a class.
pub(crate) fn finding(
    number: u32,
    purpose: Purpose,
    in_flight: u32,
    verdict: LevelVerdict,
    failed: u64,
    class: FailureClass,
) -> TrialFinding {
    let runs = 200;
    let share = Proportion::new(failed, runs).expect("there are runs");
    let interval = share.wilson_interval(Confidence::default());
    let estimated = Estimated { value: share.share(), low: interval.low(), high: interval.high() };
    let threshold = profile("").thresholds[0];
    let of_threshold = match verdict {
        LevelVerdict::Failed => Verdict::Failed,
        LevelVerdict::Undecided => Verdict::Undecided { needs: None },
        _ => Verdict::Passed,
    };
    let minute = |minutes: u32| Micros::from_secs(u64::from(minutes) * 60);
    TrialFinding {
        number,
        result: TrialResult {
            trial: Trial { purpose, in_flight, duration: Micros::from_secs(120) },
            verdict,
            extension: None,
            stalled: false,
            start: minute(number - 1),
            end: minute(number),
        },
        folder: format!("levels/{number}"),
        runs,
        failed,
        peak_in_flight: u64::from(in_flight),
        thresholds: vec![TrialThreshold {
            threshold,
            verdict: of_threshold,
            n: runs,
            estimated: Some(estimated),
            found: format!("{failed} of {runs}"),
        }],
        quality: LevelQuality::default(),
        failures: if failed > 0 { vec![(class, failed)] } else { Vec::new() },
        generator_faults: match verdict {
            LevelVerdict::Generator => vec!["processor: all of it was used".to_owned()],
            _ => Vec::new(),
        },
        stopped: None,
        stalled: None,
        spent: SearchSpend::default(),
    }
}

/// A search with these findings.
pub(crate) fn search_with(
    capacity: &str,
    findings: &[TrialFinding],
) -> (LogOpening, CapacitySearch) {
    let profile = profile(capacity);
    let mut search = CapacitySearch::new(SearchRules::of(&profile));
    for finding in findings {
        search.add(finding.result);
    }
    let opening = LogOpening {
        format: LOG_VERSION,
        rushhour: "0.0.0".to_owned(),
        search: "20260101T000000Z-desk-capacity".to_owned(),
        began: "2026-01-01T00:00:00Z".to_owned(),
        profile,
    };
    (opening, search)
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Rng(u64);

impl Rng {
    /// From 0 to below 1.
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    fn successes(&mut self, share: f64, trials: u64) -> u64 {
        (0..trials).filter(|_| self.unit() < share).count() as u64
    }
}

/// What happens above the limit.
#[derive(Debug, Clone, Copy)]
enum Overload {
    /// Runs above the limit are rejected, which takes so many seconds.
    Rejects { after: f64 },
    /// Turns slow down in proportion.
    Slows,
}

/// An agent with a known limit.
#[derive(Debug, Clone, Copy)]
struct Agent {
    limit: f64,
    overload: Overload,
    /// The standard deviation of the logarithm of a factor that all turns of a session share.
    session_spread: f64,
}

impl Agent {
    /// The share of runs that fail at a level: slots above the limit are taken by runs that are rejected one after the
    /// other.
    fn failing(&self, in_flight: u32) -> f64 {
        let Overload::Rejects { after } = self.overload else { return ALWAYS_FAIL };
        let slots = f64::from(in_flight);
        let good = slots.min(self.limit) / CONVERSATION;
        let rejected = (slots - self.limit).max(0.0) / after;
        ALWAYS_FAIL + (1.0 - ALWAYS_FAIL) * rejected / (good + rejected)
    }

    fn median_turn(&self, in_flight: u32) -> f64 {
        match self.overload {
            Overload::Rejects { .. } => MEDIAN_TURN,
            Overload::Slows => MEDIAN_TURN * (f64::from(in_flight) / self.limit).max(1.0),
        }
    }

    /// The highest level whose true figures are within both thresholds.
    fn truth(&self) -> u32 {
        // The standard normal distribution's 95th percentile.
        let p95 = |level| self.median_turn(level) * (1.644_853_6 * SPREAD).exp();
        let within =
            |level: &u32| self.failing(*level) <= FAILED_BELOW && p95(*level) <= TURN_P95_BELOW;
        (1..1_000).take_while(within).last().unwrap_or(0)
    }

    /// The verdict of a session with random samples, and the extension that would decide it.
    fn verdict(&self, trial: &Trial, rng: &mut Rng) -> (LevelVerdict, Option<f64>) {
        let level = trial.in_flight;
        let rounds = trial.duration.as_secs_f64() / CONVERSATION;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "is positive")]
        let runs =
            ((f64::from(level) * rounds * (1.0 + 0.05 * rng.normal())).round() as u64).max(1);
        let failed = rng.successes(self.failing(level), runs);
        let factor = (self.session_spread * rng.normal()).exp();
        let mut turns: Vec<f64> = (0..(runs - failed) * TURNS)
            .map(|_| self.median_turn(level) * factor * (SPREAD * rng.normal()).exp())
            .collect();
        turns.sort_by(f64::total_cmp);
        let share = Proportion::new(failed, runs).expect("there is a run");
        let of_failed = share.wilson_interval(Confidence::default());
        let n = turns.len() as u64;
        let Ok(ranks) = rank_interval(Quantile::P95, n, Confidence::default()) else {
            return (LevelVerdict::Undecided, None);
        };
        let at = |rank: u64| turns[usize::try_from(rank - 1).expect("there are as many")];
        let (low, high) = (at(ranks.low), at(ranks.high));
        if of_failed.low() > FAILED_BELOW || low > TURN_P95_BELOW {
            return (LevelVerdict::Failed, None);
        }
        if of_failed.high() <= FAILED_BELOW && high <= TURN_P95_BELOW {
            return (LevelVerdict::Passed, None);
        }
        let needs = share.trials_to_exclude(FAILED_BELOW, Confidence::default());
        let open = of_failed.high() > FAILED_BELOW;
        (LevelVerdict::Undecided, needs.filter(|_| open).map(|needs| needs as f64 / runs as f64))
    }
}

/// Searches for an agent's limit: the last level that passed, the first that failed, and the number of sessions.
fn search(agent: &Agent, seed: u64) -> (Option<u32>, Option<u32>, usize) {
    let settings = format!("start = {}\nmost = 900", [5, 10, 20, 60][(seed % 4) as usize]);
    let mut search = CapacitySearch::new(rules(&settings));
    let mut rng = Rng(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let mut now = Micros::ZERO;
    loop {
        let trial = match search.next() {
            SearchStep::Try(trial) => trial,
            SearchStep::End(ending) => {
                assert!(matches!(ending, SearchEnd::Complete | SearchEnd::Time), "{ending:?}");
                let levels = search.level_verdicts();
                return (levels.passed(), levels.failed(), search.results().len());
            }
        };
        let (verdict, longer) = agent.verdict(&trial, &mut rng);
        let begins = now;
        now = now + trial.duration + Micros::from_secs(30);
        search.add(TrialResult {
            trial,
            verdict,
            extension: longer,
            stalled: false,
            start: begins,
            end: now,
        });
    }
}

/// An agent with a limit from 5 to 300 and either kind of overload.
fn agent(seed: u64, session_spread: f64) -> Agent {
    let mut rng = Rng(seed + 1_000_003);
    let limit = (5.0 * 60_f64.powf(rng.unit())).round();
    let overload = if seed.is_multiple_of(2) {
        Overload::Rejects { after: [4.0, 10.0, 15.0][(seed / 2 % 3) as usize] }
    } else {
        Overload::Slows
    };
    Agent { limit, overload, session_spread }
}

/// How many ranges contain the true limit, their mean width relative to it, and the mean number of sessions.
fn coverage(seeds: std::ops::Range<u64>, session_spread: f64) -> (usize, f64, f64) {
    let (mut covered, mut widths, mut sessions) = (0, 0.0, 0.0);
    let count = (seeds.end - seeds.start) as f64;
    for seed in seeds {
        let agent = agent(seed, session_spread);
        let truth = agent.truth();
        let (passed, failed, tried) = search(&agent, seed);
        let (low, high) = (passed.unwrap_or(0), failed.unwrap_or(u32::MAX));
        if low <= truth && truth < high {
            covered += 1;
        }
        widths += f64::from(high - low) / f64::from(truth) / count;
        sessions += tried as f64 / count;
    }
    (covered, widths, sessions)
}

#[test]
fn the_true_limit_follows_from_the_model() {
    let rejects =
        Agent { limit: 100.0, overload: Overload::Rejects { after: 10.0 }, session_spread: 0.0 };
    // 0.5 % and 4 of 104, 5 of 105 would be 5.2 %.
    assert_eq!(rejects.truth(), 104);
    let slows = Agent { limit: 100.0, overload: Overload::Slows, session_spread: 0.0 };
    // A p95 of 0.772 s reaches 1 s at 1.295 times the limit.
    assert_eq!(slows.truth(), 129);
}

#[test]
fn nineteen_of_twenty_ranges_contain_the_limit() {
    let (covered, width, sessions) = coverage(0..20, 0.0);
    assert!(covered >= 19, "{covered} of 20");
    assert!(width < 0.5 && sessions < 30.0, "{width} {sessions}");
}

#[test]
#[expect(clippy::print_stdout, reason = "it prints the coverage")]
fn nineteen_of_twenty_ranges_of_two_hundred_contain_the_limit() {
    for session_spread in [0.0, 0.02] {
        let (covered, width, sessions) = coverage(0..200, session_spread);
        println!(
            "session spread {session_spread}: {covered} of 200 contain the limit, {:.0} % wide, {sessions:.1} sessions",
            width * 100.0
        );
        assert!(covered >= 190, "session spread {session_spread}: {covered} of 200");
    }
}
