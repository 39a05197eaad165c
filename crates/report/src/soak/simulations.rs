//! Whole soaks of a known truth through the whole judgement: how often it cries wolf, and what it finds.
//!
//! A night of eight hours: 48 windows of 60 runs, lognormal latencies of four metrics that hang together window by
//! window as an autoregression does, one run in fifty failing, a worker whose memory wavers.

use std::f64::consts::TAU;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::criteria::SoakCriteria;
use super::nightly_comparison::NightlyComparison;
use super::nightly_run::History;
use super::nightly_run::tests::night as night_of;
use super::series::TrackedSeries;
use super::series_judgement::{SeriesFinding, SeriesJudgement, judge_series};
use super::soak_data::{EndedRun, SoakData, TimedLatency, WorkerSample};
use super::wall::WallClock;
use super::windows::SoakWindows;
use rushhour_core::event::AgentHealth;
use rushhour_core::units::{Metric, Micros, PositiveDuration, SessionTime};
use rushhour_stats::Bootstrap;

const WINDOWS: u32 = 48;
const RUNS: u32 = 60;
/// The spread of single runs: the standard deviation of the logarithm.
const SIGMA: f64 = 0.5;
/// The spread that all runs of a window share.
const SHARED: f64 = 0.04;
const HOURS: f64 = 8.0;
/// The resamples of a soak that is not simulated. With fewer, intervals of such confidence are too narrow, if
/// anything: what holds for them holds for it.
const MANY: u32 = Bootstrap::DEFAULT_RESAMPLES;
const METRICS: [Metric; 4] = [
    Metric::AgentJoin,
    Metric::TurnChatFirst,
    Metric::SubmissionResponse,
    Metric::CompletionResponse,
];

/// What is wrong with a night; `along` is how far it has gone, from 0 to 1.
struct Truth {
    /// How much of each window's deviation the next one keeps.
    carried: f64,
    /// What turns are multiplied with.
    turns: fn(f64) -> f64,
    /// The share of runs that fails.
    failing: fn(f64) -> f64,
    /// Bytes that a hundred runs leave behind.
    leak: f64,
}

const STEADY: Truth = Truth { carried: 0.3, turns: |_| 1.0, failing: |_| 0.02, leak: 0.0 };

struct Dice(ChaCha8Rng);

impl Dice {
    fn unit(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let (one, other) = (self.unit(), self.unit());
        (-2.0 * one.ln()).sqrt() * (TAU * other).cos()
    }

    /// Deviations of windows, of which each keeps `carried` of the one before; a standard deviation of 1.
    fn windows(&mut self, carried: f64) -> Vec<f64> {
        let mut value = self.normal();
        let fresh = (1.0 - carried * carried).sqrt();
        (0..WINDOWS)
            .map(|_| {
                let now = value;
                value = carried * value + fresh * self.normal();
                now
            })
            .collect()
    }
}

fn night(truth: &Truth, seed: u64) -> SoakData {
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed));
    let deviations: Vec<Vec<f64>> = METRICS.iter().map(|_| dice.windows(truth.carried)).collect();
    let memory = dice.windows(truth.carried);
    let mut gathered = SoakData::default();
    for run in 0..WINDOWS * RUNS {
        let along = f64::from(run) / f64::from(WINDOWS * RUNS - 1);
        let window = usize::try_from(run / RUNS).unwrap();
        let at = SessionTime::START + Micros::from_secs_f64(along * HOURS * 3_600.0);
        let failed = dice.unit() < (truth.failing)(along);
        gathered.ended.push(EndedRun { at, failed });
        for (metric, shared) in METRICS.iter().zip(&deviations) {
            let grown = if *metric == Metric::TurnChatFirst { (truth.turns)(along) } else { 1.0 };
            let seconds = 0.4 * grown * (SIGMA * dice.normal() + SHARED * shared[window]).exp();
            let timed = TimedLatency { at, took: Micros::from_secs_f64(seconds) };
            gathered.latencies.entry(*metric).or_default().push(timed);
        }
        if run % 10 == 0 {
            let wavers = 1.0 + 0.01 * memory[window] + 0.002 * dice.normal();
            let bytes = 3e8 * wavers + truth.leak * f64::from(run) / 100.0;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some 3e8")]
            let memory = Some(bytes as u64);
            let said = AgentHealth { memory, ..AgentHealth::default() };
            gathered.looks.push(WorkerSample { at, started: u64::from(run), in_flight: 1, said });
        }
    }
    gathered
}

fn judged(truth: &Truth, seed: u64, resamples: u32) -> Vec<SeriesJudgement> {
    let mut question = SoakCriteria { seed, resamples, ..SoakCriteria::of(None) };
    // Windows twice as wide are judged four times as fast.
    question.settings.window = (resamples < 1_000).then_some(PositiveDuration::secs(20 * 60));
    let cut = SoakWindows::cut(&night(truth, seed), question.settings.window);
    let judged = judge_series(&cut, &question, &WallClock::of("2026-11-22T22:00:00Z")).0;
    let all = judged.iter().all(|one| one.finding != SeriesFinding::TooFew);
    assert!(all && judged.len() == 2 * METRICS.len() + 2, "every series is judged");
    judged
}

/// How many of so many nights are called drifting in any series, or shown to drift in any, either way.
fn share(
    truth: &Truth,
    nights: u64,
    resamples: u32,
    found: impl Fn(&SeriesJudgement) -> bool,
) -> f64 {
    let of = (0..nights).filter(|seed| judged(truth, *seed, resamples).iter().any(&found));
    of.count() as f64 / nights as f64
}

fn drifts(one: &SeriesJudgement) -> bool {
    one.finding.is_change()
}

/// Any drift shown, also one that does not matter: what the intervals promise alone.
fn shows(one: &SeriesJudgement) -> bool {
    drifts(one) || one.finding == SeriesFinding::Immaterial
}

fn turns_rise(one: &SeriesJudgement) -> bool {
    one.followed == Some(TrackedSeries::Median(Metric::TurnChatFirst)) && one.finding.is_worse()
}

/// Every figure that the shorter tests watch, over nights enough to print them with a digit or two.
#[test]
#[ignore = "takes minutes; prints the figures of many nights"]
#[expect(clippy::print_stdout, reason = "it is there to print")]
fn figures_of_many_nights() {
    // A fifth of the usual resamples is enough for shares of so many nights.
    let (nights, resamples) = (60, MANY / 5);
    let [called, found, crept] = nights_in_a_row(20 * nights);
    println!(
        "nights: steady called worse {called:.4}, +20 % found {found:.3}, creeping {crept:.3}"
    );
    for carried in [0.0, 0.3, 0.6] {
        let steady = Truth { carried, ..STEADY };
        let all: Vec<Vec<SeriesJudgement>> =
            (0..nights).map(|seed| judged(&steady, seed, resamples)).collect();
        let of = |found: &dyn Fn(&SeriesJudgement) -> bool| {
            all.iter().filter(|one| one.iter().any(found)).count() as f64 / nights as f64
        };
        println!("phi {carried}: called drifting {:.3}, shown {:.3}", of(&drifts), of(&shows));
    }
    for carried in [0.0, 0.3, 0.6] {
        for (name, turns) in [
            ("+10 %", (|along| 1.0 + 0.1 * along) as fn(f64) -> f64),
            ("+20 %", |along| 1.0 + 0.2 * along),
            ("+50 %", |along| 1.0 + 0.5 * along),
        ] {
            let truth = Truth { carried, turns, ..STEADY };
            println!(
                "phi {carried}: {name} found {:.3}",
                share(&truth, nights, resamples, turns_rise)
            );
        }
    }
}

/// What many nights in a row come to, whose levels of nine series vary by 3 % from night to night: the shares of
/// steady nights that are called worse, of nights a fifth above the others that are, and of histories creeping by
/// 2 % a night in which it is found within three weeks.
fn nights_in_a_row(histories: u64) -> [f64; 3] {
    const SERIES: usize = 9;
    const SPREAD: f64 = 0.03;
    let (mut called, mut steady, mut found, mut crept) = (0_u32, 0_u32, 0_u32, 0_u32);
    for seed in 0..histories {
        let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed));
        let names: Vec<String> = (0..SERIES).map(|number| format!("series {number}")).collect();
        let mut one = |number: usize, first: f64| {
            let levels: Vec<(&str, f64)> = names
                .iter()
                .enumerate()
                .map(|(place, name)| {
                    let factor = if place == 0 { first } else { 1.0 };
                    (name.as_str(), 300e3 * factor * (1.0 + SPREAD * dice.normal()))
                })
                .collect();
            night_of(number, &levels)
        };
        let mut history = History::default();
        for number in 0..14 {
            let night = one(number, 1.0);
            let judged = NightlyComparison::judge(&night, &history);
            steady += u32::from(!judged.series.is_empty());
            called += u32::from(judged.is_worse());
            history.nights.push(night);
        }
        let week = History { nights: history.nights[..7].to_vec(), unreadable: 0 };
        found += u32::from(NightlyComparison::judge(&one(20, 1.2), &week).is_worse());
        let mut creeping = week;
        let creeps = (0..21).any(|step| {
            let night = one(7 + step, 1.0 + 0.02 * (step + 1) as f64);
            let judged = NightlyComparison::judge(&night, &creeping);
            creeping.nights.push(night);
            judged.series.iter().any(|one| one.series == "series 0" && one.finding.is_worse())
        });
        crept += u32::from(creeps);
    }
    let of = |count: u32, all: f64| f64::from(count) / all;
    let histories = histories as f64;
    [of(called, f64::from(steady)), of(found, histories), of(crept, histories)]
}

#[test]
fn nights_like_the_others_are_seldom_called_worse_and_worse_ones_are() {
    let [called, found, crept] = nights_in_a_row(60);
    assert!(called <= 0.05, "steady nights called worse: {called}");
    assert!(found >= 0.8, "nights a fifth above the others: {found}");
    assert!(crept >= 0.9, "creeping found within three weeks: {crept}");
}

#[test]
fn steady_nights_are_seldom_called_drifting() {
    for carried in [0.0, 0.6] {
        let steady = Truth { carried, ..STEADY };
        let called = share(&steady, 20, 600, drifts);
        assert!(called <= 0.05, "carried {carried}: {called}");
    }
}

#[test]
fn what_grows_by_half_is_found_and_what_grows_by_a_little_is_not() {
    let half = Truth { turns: |along| 1.0 + 0.5 * along, ..STEADY };
    assert!(share(&half, 8, 600, turns_rise) >= 0.75);
    let little = Truth { turns: |along| 1.0 + 0.03 * along, ..STEADY };
    assert!(share(&little, 8, 600, drifts) <= 0.0);
}

#[test]
fn a_step_is_found_where_it_was_and_told_from_a_slope() {
    let step = Truth { turns: |along| if along < 0.6 { 1.0 } else { 1.4 }, ..STEADY };
    let when = HOURS * 3.6e9 * 0.6;
    for seed in 0..3 {
        let judged = judged(&step, seed, 1_999);
        let turns = judged.iter().find(|one| turns_rise(one)).expect("it is found");
        assert_eq!(turns.finding, SeriesFinding::StepsUp, "{}", turns.words);
        let found = turns.step.as_ref().expect("it is one");
        let windows = (found.at_us as f64 - when).abs() / (10.0 * 60e6);
        assert!(windows <= 2.0, "{windows} windows off: {}", turns.words);
        assert!(turns.words.starts_with("since 0"), "{}", turns.words);
    }
    let slope = Truth { turns: |along| 1.0 + 0.5 * along, ..STEADY };
    for seed in 0..2 {
        let judged = judged(&slope, seed, 1_999);
        let turns = judged.iter().find(|one| turns_rise(one)).expect("it is found");
        assert_eq!(turns.finding, SeriesFinding::Rises, "no moment is made up: {}", turns.words);
    }
}

#[test]
fn a_leak_is_found_in_bytes_per_hundred_runs() {
    let leak = Truth { leak: 4e6, ..STEADY };
    for seed in 0..5 {
        let judged = judged(&leak, seed, 600);
        let memory = judged.iter().find(|one| one.followed == Some(TrackedSeries::Memory)).unwrap();
        assert_eq!(memory.finding, SeriesFinding::Rises, "{}", memory.words);
        let slope = memory.slope.unwrap().per_hundred_runs.unwrap();
        assert!((3.2e6..4.8e6).contains(&slope), "{}", memory.words);
    }
}

#[test]
fn more_failures_are_found_and_one_burst_is_not() {
    let worse = Truth { failing: |along| 0.01 + 0.09 * along, ..STEADY };
    let failed = |one: &SeriesJudgement| one.followed == Some(TrackedSeries::Failed) && drifts(one);
    assert!(share(&worse, 8, 600, failed) >= 0.75);
    let burst = Truth {
        failing: |along| if (0.90..0.915).contains(&along) { 0.9 } else { 0.02 },
        ..STEADY
    };
    assert!(share(&burst, 8, 600, failed) <= 0.0);
}
