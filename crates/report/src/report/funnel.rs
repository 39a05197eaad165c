//! The funnel: how many runs came how far, what it took them, and why the others went no further.

use std::fmt::Write as _;
use std::io::Write;

use super::figures::{PercentileFigure, figure};
use crate::fold::{FoldedSession, FunnelStep, Scope};
use rushhour_core::units::{Mode, Percentile};

/// One step of the funnel, ready to be shown.
struct Row {
    step: FunnelStep,
    runs: u64,
    lost: u64,
    why: String,
    /// n, and the listed percentiles where there are enough samples for them.
    times: Option<(u64, Vec<Option<u64>>)>,
}

/// The mode of all runs. A step counts the runs of both modes of a paired session, whose times would be
/// two; these are among the latencies.
fn only_mode(folded: &FoldedSession) -> Option<Mode> {
    match folded.opening.profile.mode.modes() {
        [mode] => Some(*mode),
        _ => None,
    }
}

fn rows(folded: &FoldedSession) -> Vec<Row> {
    let mode = only_mode(folded);
    let funnel = &folded.funnel;
    funnel
        .steps()
        .iter()
        .map(|step| {
            let mut lost: Vec<(&str, u64)> = funnel
                .stopped_at(*step)
                .map(|(class, count)| (class.map_or("under way", |class| class.name()), count))
                .collect();
            lost.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            let mut why = String::new();
            for (class, count) in &lost {
                let gap = if why.is_empty() { "" } else { ", " };
                let _ = write!(why, "{gap}{class} {count}");
            }
            let latencies = mode
                .and_then(|mode| folded.latencies.get(step.metric(mode)?, mode, Scope::Measured));
            let times = latencies.map(|latencies| {
                let value = |percentile: &Percentile| match figure(latencies, *percentile) {
                    PercentileFigure::Known { value, .. } => Some(value.0),
                    PercentileFigure::TooFew { .. } => None,
                };
                (latencies.count(), Percentile::LISTED.iter().map(value).collect())
            });
            let runs = funnel.reached(*step);
            Row { step: *step, runs, lost: lost.iter().map(|(_, count)| count).sum(), why, times }
        })
        .collect()
}

/// `funnel.csv`: a row for each step. Counts are of all runs; times are of measured stages, empty where there
/// are too few samples for an interval. All turns share the times of one latency.
///
/// # Errors
/// Where the writer refuses.
pub fn funnel_csv(folded: &FoldedSession, to: impl Write) -> csv::Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    let percentiles = Percentile::LISTED.iter().map(|percentile| format!("{percentile}_us"));
    let head = ["step", "dispatch_method", "runs", "went_no_further", "why", "latency", "n"];
    csv.write_record(head.into_iter().map(str::to_owned).chain(percentiles))?;
    let mode = only_mode(folded);
    let method = folded.opening.profile.livekit.dispatch.method().word();
    for row in rows(folded) {
        let (n, times) = row.times.unwrap_or_else(|| (0, vec![None; Percentile::LISTED.len()]));
        let metric = mode.and_then(|mode| row.step.metric(mode));
        let metric = metric.map_or("", |metric| metric.name());
        let fields = [
            row.step.name().into_owned(),
            method.to_owned(),
            row.runs.to_string(),
            row.lost.to_string(),
            row.why,
            metric.to_owned(),
            n.to_string(),
        ];
        let times = times.into_iter().map(|time| time.map_or(String::new(), |us| us.to_string()));
        csv.write_record(fields.into_iter().chain(times))?;
    }
    csv.flush()?;
    Ok(())
}

/// Turns that the screen has room for.
const MOST_TURNS: u32 = 8;

/// The funnel in words, a line for each step; nothing where an evaluator elsewhere held the conversations.
pub(super) fn funnel_lines(folded: &FoldedSession) -> Vec<String> {
    if folded.opening.profile.evaluator.cekura().is_some() || folded.tally.started == 0 {
        return Vec::new();
    }
    let mut lines = vec![format!("{:<22}{:>7}  {}", "funnel", "runs", "went no further")];
    for row in rows(folded) {
        if matches!(row.step, FunnelStep::Turn(number) if number > MOST_TURNS) && row.lost == 0 {
            continue;
        }
        let nothing_judged = folded.tally.judged_failed + folded.tally.judged_passed == 0;
        if row.step == FunnelStep::Passed && nothing_judged {
            continue;
        }
        let line = format!("{:<22}{:>7}  {}", row.step.name(), row.runs, row.why);
        lines.push(line.trim_end().to_owned());
    }
    lines.push(String::new());
    lines
}
