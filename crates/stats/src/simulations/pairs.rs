//! Pairs with a known truth: how often their intervals hold it, and what an order in time does to it.

use super::super::bootstrap::{Bootstrap, PairedRuns};
use super::super::confidence::Confidence;
use super::super::convert::real;
use super::super::proportion::PairedVotes;
use super::super::rng::StatsRng;
use super::trials::{expect_share, shares};

const USUAL: Confidence = Confidence::PERCENT_95;

/// A plan with a seed of its own: trials that share resamples would err together.
fn plan(rng: &mut StatsRng) -> Bootstrap {
    Bootstrap::new(rng.index(1 << 40) as u64, 399, USUAL).unwrap()
}

/// A paired session: scenarios of different lengths, each with its own ratio of voice to chat; effects of a pair, of a
/// block of time on its voice runs, and of each run.
struct Session {
    pairs: Vec<(usize, usize, f64, f64)>,
    /// The true difference, given the scenarios and how often each was run.
    difference: f64,
    /// The true ratio, likewise.
    ratio: f64,
}

const COMMON: f64 = 0.3;
const OWN: f64 = 0.3;

fn session(
    rng: &mut StatsRng,
    pairs: usize,
    scenarios: usize,
    premium: Option<f64>,
    mood: f64,
) -> Session {
    let lengths: Vec<f64> = (0..scenarios).map(|_| (0.4 * rng.normal()).exp()).collect();
    let ratios: Vec<f64> = (0..scenarios)
        .map(|_| premium.map_or(1.0, |premium| premium * (0.2 * rng.normal()).exp()))
        .collect();
    let moods: Vec<f64> = (0..=pairs / 2).map(|_| mood * rng.normal()).collect();
    // The mean of a lognormal lies above its median.
    let mean = |mood: f64| ((COMMON * COMMON + OWN * OWN + mood * mood) / 2.0).exp();
    let (mut all, mut chat_sum, mut voice_sum) = (Vec::new(), 0.0, 0.0);
    for pair in 0..pairs {
        let scenario = rng.index(scenarios);
        let block = pair / 2;
        let common = COMMON * rng.normal();
        let mut run = |level: f64| level * (common + OWN * rng.normal()).exp();
        let chat = run(lengths[scenario]);
        let voice = run(lengths[scenario] * ratios[scenario]) * moods[block].exp();
        all.push((scenario, block, chat, voice));
        chat_sum += lengths[scenario] * mean(0.0);
        voice_sum += lengths[scenario] * ratios[scenario] * mean(mood);
    }
    let n = real(pairs as u64);
    Session { pairs: all, difference: (voice_sum - chat_sum) / n, ratio: voice_sum / chat_sum }
}

#[test]
fn intervals_of_pairs_have_their_coverage() {
    for (size, scenarios, mood) in [(60, 1, 0.0), (60, 4, 0.0), (120, 6, 0.3)] {
        let [difference, ratio] = shares(600, 31, |rng| {
            let made = session(rng, size, scenarios, Some(2.5), mood);
            let runs = PairedRuns::new(made.pairs).unwrap();
            let plan = plan(rng);
            [
                runs.mean_difference(&plan).unwrap().interval.contains(made.difference),
                runs.mean_ratio(&plan).unwrap().interval.contains(made.ratio),
            ]
        });
        let what = format!("{size} pairs of {scenarios} scenarios, mood {mood}");
        expect_share(&format!("difference held, {what}"), difference, 0.93..=0.97);
        expect_share(&format!("ratio held, {what}"), ratio, 0.93..=0.97);
    }
}

#[test]
fn equal_pairs_rarely_raise_an_alarm() {
    for (size, scenarios) in [(20, 1), (60, 6)] {
        let [difference, ratio] = shares(600, 32, |rng| {
            let made = session(rng, size, scenarios, None, 0.0);
            let runs = PairedRuns::new(made.pairs).unwrap();
            let plan = plan(rng);
            [
                !runs.mean_difference(&plan).unwrap().interval.contains(0.0),
                !runs.mean_ratio(&plan).unwrap().interval.contains(1.0),
            ]
        });
        let what = format!("{size} pairs of {scenarios} scenarios");
        expect_share(&format!("false alarms, difference, {what}"), difference, 0.0..=0.06);
        expect_share(&format!("false alarms, ratio, {what}"), ratio, 0.0..=0.06);
    }
}

/// The positions in time of the voice run and of the chat run of each pair.
fn in_turns(pairs: usize) -> Vec<(usize, usize)> {
    let voice_first = |pair: usize| pair.is_multiple_of(2);
    (0..pairs)
        .map(
            |pair| {
                if voice_first(pair) { (2 * pair, 2 * pair + 1) } else { (2 * pair + 1, 2 * pair) }
            },
        )
        .collect()
}

fn one_after_the_other(pairs: usize) -> Vec<(usize, usize)> {
    (0..pairs).map(|pair| (pair, pairs + pair)).collect()
}

#[test]
fn a_steady_drift_affects_both_modes_alike_only_where_they_alternate() {
    const PAIRS: usize = 60;
    // Runs become 30 % slower from the first to the last; voice takes 20 % longer in truth.
    let slower = |at: usize| 1.0 + 0.3 * real(at as u64) / real(2 * PAIRS as u64 - 1);
    let biases = |order: Vec<(usize, usize)>| {
        let (mut sum, mut covered) = (0.0, 0_u32);
        for trial in 0..400 {
            let mut rng = StatsRng::new(33, trial);
            let made: Vec<(usize, usize, f64, f64)> = order
                .iter()
                .enumerate()
                .map(|(pair, (voice, chat))| {
                    let common = COMMON * rng.normal();
                    let mut run = |level: f64| level * (common + OWN * rng.normal()).exp();
                    (0, pair, run(slower(*chat)), run(1.2 * slower(*voice)))
                })
                .collect();
            let runs = PairedRuns::new(made).unwrap();
            let found = runs.mean_ratio(&plan(&mut rng)).unwrap();
            sum += found.point / 1.2 - 1.0;
            covered += u32::from(found.interval.contains(1.2));
        }
        (sum / 400.0, f64::from(covered) / 400.0)
    };
    let (bias, held) = biases(in_turns(PAIRS));
    expect_share("bias of the ratio, in turns", bias, -0.01..=0.01);
    expect_share("ratio held, in turns", held, 0.93..=0.97);
    let (bias, held) = biases(one_after_the_other(PAIRS));
    expect_share("bias of the ratio, one after the other", bias, -0.16..=-0.10);
    expect_share("ratio held, one after the other", held, 0.0..=0.6);
}

#[test]
fn share_differences_of_pairs_have_their_coverage() {
    // A task that is hard in one mode is hard in the other: their failures are correlated.
    let [held, false_alarms] = shares(3_000, 34, |rng| {
        let votes = |rng: &mut StatsRng, chat: f64, voice: f64| {
            let mut votes = PairedVotes::default();
            for _ in 0..60 {
                let hard = 0.8 * rng.normal();
                let mut passes = |level: f64| level + rng.normal() > hard;
                votes.add(passes(chat), passes(voice));
            }
            votes.difference(USUAL).unwrap()
        };
        // Of a normal with variance 1.64: shares of 0.783 and 0.649.
        let (chat, voice, spread) = (1.0, 0.49, 1.64_f64.sqrt());
        let truth = super::super::normal::cumulative(voice / spread)
            - super::super::normal::cumulative(chat / spread);
        [
            votes(rng, chat, voice).interval.contains(truth),
            !votes(rng, 1.0, 1.0).interval.contains(0.0),
        ]
    });
    expect_share("share difference of pairs held", held, 0.93..=0.975);
    expect_share("false alarms, share difference of pairs", false_alarms, 0.0..=0.055);
}
