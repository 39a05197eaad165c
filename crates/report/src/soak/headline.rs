//! The answer in one sentence.

use super::idle_periods::{LeakCheck, LeakFinding};
use super::series::{TrackedSeries, percent};
use super::series_judgement::{SeriesFinding, SeriesJudgement};
use super::soak::{Soak, SoakVerdict};
use rushhour_core::units::Micros;

/// What a soak comes to, in one sentence without its full stop.
pub(super) fn answer(soak: &Soak) -> String {
    match soak.verdict {
        SoakVerdict::Invalid => {
            "nothing is said of the agent, because the generator did not deliver the load as asked"
                .to_owned()
        }
        SoakVerdict::Drifts => drifts(soak),
        SoakVerdict::Steady => steady(soak),
        SoakVerdict::NotEnoughData => format!(
            "{} measured runs over {} are too few to say whether anything drifts",
            soak.runs,
            Micros(soak.span_us)
        ),
    }
}

fn drifts(soak: &Soak) -> String {
    let mut parts: Vec<String> =
        told_once(&soak.series).into_iter().map(|one| one.words.clone()).collect();
    let grows = !parts.is_empty();
    parts.extend(leaked(soak).map(|leak| leak.words.clone()));
    let worse = soak.nights.series.iter().filter(|one| one.finding.is_worse());
    parts.extend(worse.map(|one| one.words.clone()));
    if grows {
        parts.extend(the_last_nights(soak));
    }
    parts.join("; ")
}

/// Whether anything grew in the last nights; nothing where there were none.
fn the_last_nights(soak: &Soak) -> Option<String> {
    let (last, drifted) = (soak.nights.last, soak.nights.last_drifted);
    Some(match (last, drifted) {
        (0, _) => return None,
        (1, 0) => "the night before nothing grew".to_owned(),
        (1, _) => "the night before something grew too".to_owned(),
        (_, 0) => format!("in the last {last} nights nothing grew"),
        _ => format!("in {drifted} of the last {last} nights something grew too"),
    })
}

fn steady(soak: &Soak) -> String {
    let judged = soak.judged().count();
    let (of, grows) = match judged {
        1 => ("the one series".to_owned(), "does not grow"),
        more => (format!("none of {more} series"), "grows"),
    };
    let mut parts = vec![format!(
        "over {} in {} windows {of} {grows} by more than {}",
        Micros(soak.span_us),
        soak.windows,
        percent(soak.material)
    )];
    let too_few = soak.series.len() - judged;
    if too_few > 0 {
        parts.push(format!("{too_few} more had too few runs a window to say"));
    }
    let shrinks = soak.series.iter().filter(|one| one.finding.is_change());
    parts.extend(shrinks.map(|one| one.words.clone()));
    let left = if looked_at(soak) { "nothing was left behind" } else { "leaks were not looked at" };
    parts.push(left.to_owned());
    if !soak.nights.series.is_empty() {
        parts.push(format!("it is as the last {} nights", soak.nights.last));
    }
    parts.join("; ")
}

fn looked_at(soak: &Soak) -> bool {
    soak.leaks.iter().any(|leak| leak.finding == LeakFinding::Released)
}

fn leaked(soak: &Soak) -> impl Iterator<Item = &LeakCheck> {
    soak.leaks.iter().filter(|leak| leak.finding == LeakFinding::Leaked)
}

/// What grows; of a latency whose median and 95th percentile both do, the median alone.
fn told_once(series: &[SeriesJudgement]) -> Vec<&SeriesJudgement> {
    let worse = |one: &&SeriesJudgement| one.finding.is_worse();
    let median_told = |one: &SeriesJudgement| match one.tracked {
        Some(TrackedSeries::P95(metric)) => series.iter().any(|other| {
            other.tracked == Some(TrackedSeries::Median(metric)) && other.finding.is_worse()
        }),
        _ => false,
    };
    let mut told: Vec<&SeriesJudgement> =
        series.iter().filter(worse).filter(|one| !median_told(one)).collect();
    // What began at a known moment says most.
    told.sort_by_key(|one| one.finding != SeriesFinding::StepsUp);
    told
}
