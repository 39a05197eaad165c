//! `timeseries.csv`: the session over time. Each latency appears twice: of the window, and cumulative.

use std::collections::BTreeMap;
use std::io::Write;

use crate::render::csv::write_record;
use hdrhistogram::Histogram;

use crate::fold::{FoldedSession, TIMELINE_METRICS, TimelineWindow};
use crate::session::quantile_of;
use rushhour_core::units::{Metric, Percentile};
use rushhour_stats::Quantile;

/// p50 and p95.
const SHOWN: [Percentile; 2] = [Percentile::LISTED[0], Percentile::LISTED[3]];

/// Writes one line per window. A latency belongs to the window of its run's intended start, has two significant digits,
/// and is empty if the window has none.
///
/// # Errors
/// If writing fails.
pub fn timeseries_csv(folded: &FoldedSession, to: impl Write) -> csv::Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    let shown: Vec<Metric> = TIMELINE_METRICS
        .into_iter()
        .filter(|metric| {
            folded.timeline.windows().iter().any(|window| window.latencies(*metric).is_some())
        })
        .collect();
    write_record(&mut csv, header(&shown))?;
    let width = folded.timeline.width();
    let mut cumulative: BTreeMap<Metric, Histogram<u32>> = BTreeMap::new();
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
            line.extend(latency_cells(window, *metric, &mut cumulative));
        }
        write_record(&mut csv, line)?;
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
        for span in ["window", "cumulative"] {
            header.push(format!("{metric}_{span}_n"));
            for percentile in SHOWN {
                header.push(format!("{metric}_{span}_{percentile}_us"));
            }
        }
    }
    header
}

fn latency_cells(
    window: &TimelineWindow,
    metric: Metric,
    cumulative: &mut BTreeMap<Metric, Histogram<u32>>,
) -> Vec<String> {
    let mut cells = Vec::with_capacity(6);
    let own = window.latencies(metric);
    cells.push(own.map_or(0, Histogram::len).to_string());
    for percentile in SHOWN {
        cells.push(own.map_or(String::new(), |h| at(h, quantile_of(percentile)).to_string()));
    }
    if let Some(own) = own {
        let sum = cumulative.entry(metric).or_insert_with(|| {
            let mut sum = Histogram::new_with_bounds(1, 2, own.sigfig())
                .expect("the digits are those of an existing histogram");
            sum.auto(true);
            sum
        });
        sum.add(own).expect("the histogram resizes itself");
    }
    let sum = cumulative.get(&metric);
    cells.push(sum.map_or(0, Histogram::len).to_string());
    for percentile in SHOWN {
        cells.push(sum.map_or(String::new(), |h| at(h, quantile_of(percentile)).to_string()));
    }
    cells
}

fn at<T: hdrhistogram::Counter>(histogram: &Histogram<T>, quantile: Quantile) -> u64 {
    histogram.value_at_quantile(quantile.fraction()).min(histogram.max())
}
