//! `timeseries.csv`: the session over time. Each latency appears twice: of the window, and cumulative.

use std::collections::BTreeMap;
use std::io::Write;

use crate::render::csv::write_record;
use hdrhistogram::Histogram;

use crate::fold::{FoldedSession, QualityOfRun, TIMELINE_METRICS, TimelineWindow};
use crate::session::quantile_of;
use rushhour_core::units::{Metric, Percentile};
use rushhour_stats::Quantile;

/// p50 and p95.
const SHOWN: [Percentile; 2] = [Percentile::LISTED[0], Percentile::LISTED[3]];

/// Of voice conversations with our own callers; a turn belongs to the window in which it was said.
const TURN_COLUMNS: [&str; 11] = [
    "speech_us",
    "speech.gaps",
    "speech.concealed_us",
    "speech.longest_gap_us",
    "turns_taken",
    "turns_talked_over",
    "caller_speech_us",
    "overlap_us",
    "dead_air_longest_us",
    "heard.words_said",
    "heard.word_errors",
];

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
    let has_turns = folded.timeline.windows().iter().any(knows_of_turns);
    let mut names = header(&shown);
    names.extend(TURN_COLUMNS.iter().filter(|_| has_turns).map(ToString::to_string));
    write_record(&mut csv, names)?;
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
        if has_turns {
            line.extend(turn_cells(window));
        }
        write_record(&mut csv, line)?;
    }
    csv.flush()?;
    Ok(())
}

fn knows_of_turns(window: &TimelineWindow) -> bool {
    window.quality != QualityOfRun::default() || window.words.said() > 0
}

/// Empty where the window has no turn.
fn turn_cells(window: &TimelineWindow) -> Vec<String> {
    if !knows_of_turns(window) {
        return vec![String::new(); TURN_COLUMNS.len()];
    }
    let (quality, words) = (&window.quality, &window.words);
    let sound = &quality.sound;
    let cells: [u64; TURN_COLUMNS.len() - 3] = [
        sound.speech.0,
        sound.gaps(),
        sound.unheard().0,
        sound.longest_gap.0,
        quality.turns,
        quality.talked_over,
        quality.caller_speech.0,
        quality.overlap.0,
    ];
    let mut cells: Vec<String> = cells.iter().map(ToString::to_string).collect();
    cells.push(quality.dead_air.map_or(String::new(), |longest| longest.0.to_string()));
    cells.extend([words.said(), words.errors()].map(|count| count.to_string()));
    cells
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_sessions::{ordinary, taken};

    fn lines_of(folded: &FoldedSession) -> Vec<Vec<String>> {
        let mut bytes = Vec::new();
        timeseries_csv(folded, &mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
    }

    #[test]
    fn turns_are_the_last_columns_of_voice_and_absent_without_it() {
        let lines = lines_of_voice();
        let (header, rows) = lines.split_first().unwrap();
        assert_eq!(header[header.len() - TURN_COLUMNS.len()..], TURN_COLUMNS);
        let sum = |name: &str| -> u64 {
            let column = header.iter().position(|heading| heading == name).unwrap();
            rows.iter().filter_map(|row| row[column].parse::<u64>().ok()).sum()
        };
        assert_eq!((sum("turns_taken"), sum("turns_talked_over")), (72, 30));
        assert_eq!((sum("heard.words_said"), sum("heard.word_errors")), (720, 30));
        assert_eq!(sum("overlap_us") * 4, sum("turns_talked_over") * 2_000_000);
        assert!(header.iter().any(|heading| heading == "dead_air_window_p50_us"));
        assert!(
            rows.iter().any(|row| row.last().is_some_and(String::is_empty)),
            "no turn, no figure"
        );
        let chat = &lines_of(&ordinary(100, "").0)[0];
        assert!(!chat.iter().any(|heading| TURN_COLUMNS.contains(&heading.as_str())));
    }

    fn lines_of_voice() -> Vec<Vec<String>> {
        lines_of(&taken(&[(2, 120, 0), (10, 120, 2)]).closed().0)
    }
}
