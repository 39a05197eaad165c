//! The answer of a soak in one sentence.

use super::amounts::percent;
use super::leak_text::leak_sentence;
use super::nightly_text::nightly_sentence;
use super::series_text::series_sentence;
use crate::soak::{
    LeakFinding, SeriesFinding, SeriesJudgement, SoakAnalysis, SoakVerdict, TrackedSeries,
};

impl SoakVerdict {
    /// The verdict as reports show it.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Steady => "Steady",
            Self::Drifts => "Not steady",
            Self::NotEnoughData => "Not enough data",
            Self::Invalid => "Invalid",
        }
    }
}

/// The reasons for the verdict, in one sentence without its full stop.
pub(crate) fn soak_headline(soak: &SoakAnalysis) -> String {
    match soak.verdict {
        SoakVerdict::Invalid => {
            "the generator did not deliver the requested load, so this says nothing about the agent"
                .to_owned()
        }
        SoakVerdict::Drifts => drifts(soak),
        SoakVerdict::Steady => steady(soak),
        SoakVerdict::NotEnoughData => format!(
            "{} measured runs over {} are too few to tell whether anything drifts",
            soak.runs,
            soak.windows.span()
        ),
    }
}

fn drifts(soak: &SoakAnalysis) -> String {
    let mut parts: Vec<String> =
        grown(&soak.series).into_iter().map(|one| series_sentence(soak, one)).collect();
    let any_grew = !parts.is_empty();
    let leaks = soak.leaks.iter().filter(|leak| leak.finding == LeakFinding::Leaked);
    parts.extend(leaks.map(leak_sentence));
    let worse = soak.nightly.series.iter().filter(|one| one.finding.is_worse());
    parts.extend(worse.map(|one| nightly_sentence(&soak.nightly, one)));
    if any_grew {
        parts.extend(recent_nightly_runs(soak));
    }
    parts.join("; ")
}

/// Whether any series grew in recent nightly runs; none where there are none.
fn recent_nightly_runs(soak: &SoakAnalysis) -> Option<String> {
    Some(match (soak.nightly.last, soak.nightly.last_drifted) {
        (0, _) => return None,
        (1, 0) => "nothing grew in the previous nightly run".to_owned(),
        (1, _) => "something grew in the previous nightly run too".to_owned(),
        (last, 0) => format!("nothing grew in the last {last} nightly runs"),
        (last, drifted) => {
            format!("something grew in {drifted} of the last {last} nightly runs too")
        }
    })
}

fn steady(soak: &SoakAnalysis) -> String {
    let judged = soak.judged_series();
    let (of, grows) = match judged {
        1 => ("the one series".to_owned(), "does not grow"),
        more => (format!("none of {more} series"), "grows"),
    };
    let mut parts = vec![format!(
        "over {} in {} windows, {of} {grows} by more than {}",
        soak.windows.span(),
        soak.windows.windows.len(),
        percent(soak.criteria.settings.material.fraction())
    )];
    let too_few = soak.series.len() - judged;
    if too_few > 0 {
        parts.push(format!("{too_few} more have too few runs per window to tell"));
    }
    let shrinks = soak.series.iter().filter(|one| one.finding.is_change());
    parts.extend(shrinks.map(|one| series_sentence(soak, one)));
    let leaks_checked = soak.leaks.iter().any(|leak| leak.finding == LeakFinding::Released);
    let leaks = if leaks_checked { "nothing leaked" } else { "leaks were not checked" };
    parts.push(leaks.to_owned());
    if !soak.nightly.series.is_empty() {
        parts.push(format!("no worse than the last {} nightly runs", soak.nightly.last));
    }
    parts.join("; ")
}

/// The series that grew, steps first. Of a latency whose median and 95th percentile both grew, the median alone.
fn grown(series: &[SeriesJudgement]) -> Vec<&SeriesJudgement> {
    let median_grew = |one: &SeriesJudgement| match one.series {
        TrackedSeries::P95(metric) => series
            .iter()
            .any(|other| other.series == TrackedSeries::Median(metric) && other.finding.is_worse()),
        _ => false,
    };
    let mut grown: Vec<&SeriesJudgement> =
        series.iter().filter(|one| one.finding.is_worse() && !median_grew(one)).collect();
    // A change with a known time says most.
    grown.sort_by_key(|one| one.finding != SeriesFinding::StepsUp);
    grown
}
