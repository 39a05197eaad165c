//! A comparison as CSV: one figure a line.

use std::io::Write;

use super::comparison::SessionComparison;
use super::cost::CostComparison;

/// Writes one line for each percentile, for each share and for the cost of a run; what there is none of is empty.
///
/// # Errors
/// Where the writer refuses.
pub fn comparison_csv(comparison: &SessionComparison, to: impl Write) -> csv::Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    csv.write_record([
        "measure",
        "percentile",
        "baseline_n",
        "candidate_n",
        "baseline_unfinished",
        "candidate_unfinished",
        "baseline_us",
        "candidate_us",
        "ratio",
        "ratio_low",
        "ratio_high",
        "baseline_share",
        "candidate_share",
        "difference",
        "difference_low",
        "difference_high",
        "p_value",
        "p_adjusted",
        "smallest_seen",
        "finding",
        "regression",
        "note",
        "baseline_usd",
        "candidate_usd",
    ])?;
    let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    for latency in &comparison.latencies {
        for one in &latency.percentiles {
            csv.write_record([
                latency.metric.clone(),
                one.percentile.clone(),
                latency.baseline_n.to_string(),
                latency.candidate_n.to_string(),
                latency.baseline_unfinished.to_string(),
                latency.candidate_unfinished.to_string(),
                number(one.baseline_us),
                number(one.candidate_us),
                number(one.ratio),
                number(one.ratio_low),
                number(one.ratio_high),
                String::new(),
                String::new(),
                String::new(),
                String::new(),
                String::new(),
                number(one.p_value),
                number(one.p_adjusted),
                number(one.smallest_ratio_seen),
                one.finding.words().to_owned(),
                one.regression.to_string(),
                one.note.clone().unwrap_or_default(),
                String::new(),
                String::new(),
            ])?;
        }
    }
    for rate in &comparison.rates {
        let share = |count: u64, of: u64| number((of > 0).then(|| count as f64 / of as f64));
        csv.write_record([
            rate.measure.clone(),
            String::new(),
            rate.baseline_n.to_string(),
            rate.candidate_n.to_string(),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            share(rate.baseline_count, rate.baseline_n),
            share(rate.candidate_count, rate.candidate_n),
            number(rate.difference),
            number(rate.difference_low),
            number(rate.difference_high),
            number(rate.p_value),
            number(rate.p_adjusted),
            number(rate.smallest_difference_seen),
            rate.finding.words().to_owned(),
            rate.regression.to_string(),
            rate.note.clone().unwrap_or_default(),
            String::new(),
            String::new(),
        ])?;
    }
    if let Some(cost) = &comparison.cost {
        csv.write_record(cost_row(cost))?;
    }
    csv.flush()?;
    Ok(())
}

fn cost_row(cost: &CostComparison) -> Vec<String> {
    let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let mut row = vec!["cost".to_owned(), String::new()];
    row.extend([cost.baseline_n.to_string(), cost.candidate_n.to_string()]);
    row.extend(vec![String::new(); 4]);
    row.extend([cost.ratio, cost.ratio_low, cost.ratio_high].map(number));
    row.extend(vec![String::new(); 8]);
    row.extend([cost.finding.words().to_owned(), false.to_string()]);
    row.push(cost.note.clone().unwrap_or_default());
    row.extend([cost.baseline_usd, cost.candidate_usd].map(|usd| usd.to_string()));
    row
}
