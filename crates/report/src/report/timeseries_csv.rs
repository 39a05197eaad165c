//! `timeseries.csv`: the session over time, each figure of its window alone and of everything up to its end, named so.

use std::collections::BTreeMap;
use std::io::Write;

use hdrhistogram::Histogram;

use super::figures::quantile_of;
use crate::fold::{FoldedSession, TIMELINE_METRICS, TimelineWindow};
use rushhour_core::units::{Metric, Percentile};
use rushhour_stats::Quantile;

/// The percentiles shown over time, by their place among the listed ones.
const SHOWN: [Percentile; 2] = [Percentile::LISTED[0], Percentile::LISTED[3]];

/// Writes one line for each window. Latencies belong to the window in which their run was meant to
/// start, are given to two significant digits, and are missing where the window has none.
///
/// # Errors
/// Where the writer refuses.
pub fn timeseries_csv(folded: &FoldedSession, to: impl Write) -> csv::Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    let shown: Vec<Metric> = TIMELINE_METRICS
        .into_iter()
        .filter(|metric| {
            folded.timeline.windows().iter().any(|window| window.latencies(*metric).is_some())
        })
        .collect();
    csv.write_record(header(&shown))?;
    let width = folded.timeline.width();
    let mut so_far: BTreeMap<Metric, Histogram<u32>> = BTreeMap::new();
    let mut totals = [0_u64; 5];
    for (index, window) in folded.timeline.windows().iter().enumerate() {
        let start = index as u64 * width.0;
        let counts =
            [window.intended, window.started, window.skipped, window.completed, window.failed];
        for (total, count) in totals.iter_mut().zip(counts) {
            *total += count;
        }
        let in_flight = totals[1].saturating_sub(totals[3] + totals[4]);
        let seconds = width.as_secs_f64();
        let mut line = vec![start.to_string(), width.0.to_string()];
        line.extend(counts.iter().map(ToString::to_string));
        line.push(in_flight.to_string());
        line.push(format!("{:.3}", window.intended as f64 / seconds));
        line.push(format!("{:.3}", window.started as f64 / seconds));
        for metric in &shown {
            line.extend(latency_cells(window, *metric, &mut so_far));
        }
        csv.write_record(line)?;
    }
    csv.flush()?;
    Ok(())
}

fn header(shown: &[Metric]) -> Vec<String> {
    let mut header: Vec<String> = [
        "window_start_us",
        "window_us",
        "intended",
        "started",
        "skipped",
        "completed",
        "failed",
        "in_flight_at_end",
        "asked_per_s",
        "delivered_per_s",
    ]
    .map(str::to_owned)
    .into();
    for metric in shown {
        for (which, prefix) in [("window", "window"), ("cumulative", "cumulative")] {
            header.push(format!("{metric}_{which}_n"));
            for percentile in SHOWN {
                header.push(format!("{metric}_{prefix}_{percentile}_us"));
            }
        }
    }
    header
}

fn latency_cells(
    window: &TimelineWindow,
    metric: Metric,
    so_far: &mut BTreeMap<Metric, Histogram<u32>>,
) -> Vec<String> {
    let mut cells = Vec::with_capacity(6);
    let own = window.latencies(metric);
    cells.push(own.map_or(0, Histogram::len).to_string());
    for percentile in SHOWN {
        cells.push(own.map_or(String::new(), |h| at(h, quantile_of(percentile)).to_string()));
    }
    if let Some(own) = own {
        let sum = so_far.entry(metric).or_insert_with(|| {
            let mut sum = Histogram::new_with_bounds(1, 2, own.sigfig())
                .expect("the digits are those of a histogram that exists");
            sum.auto(true);
            sum
        });
        sum.add(own).expect("it grows as it must");
    }
    let sum = so_far.get(&metric);
    cells.push(sum.map_or(0, Histogram::len).to_string());
    for percentile in SHOWN {
        cells.push(sum.map_or(String::new(), |h| at(h, quantile_of(percentile)).to_string()));
    }
    cells
}

fn at<T: hdrhistogram::Counter>(histogram: &Histogram<T>, quantile: Quantile) -> u64 {
    histogram.value_at_quantile(quantile.fraction()).min(histogram.max())
}
