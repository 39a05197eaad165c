//! A table of figures beside their truths, with the error of each and the bound that docs/statistics.md states for it.

use super::native_rig::{errors, percentile};

/// Events that were injected, and what was made of them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Matched {
    pub(super) found: u64,
    pub(super) missed: u64,
    /// Found where there was none.
    pub(super) false_ones: u64,
}

impl Matched {
    /// Adds a turn or a run with so many events in truth, of which so many were found.
    pub(super) fn add(&mut self, truth: u64, found: u64) {
        let both = truth.min(found);
        self.found += both;
        self.missed += truth - both;
        self.false_ones += found - both;
    }
}

struct Row {
    case: &'static str,
    metric: String,
    truth: String,
    found: String,
    error: f64,
    unit: &'static str,
    bound: f64,
}

impl Row {
    /// An error that is not known is outside of any bound.
    fn holds(&self) -> bool {
        self.error <= self.bound
    }
}

/// The rows of one session after the other.
#[derive(Default)]
pub(super) struct Table {
    case: &'static str,
    rows: Vec<Row>,
}

impl Table {
    pub(super) const fn begin(&mut self, case: &'static str) {
        self.case = case;
    }

    fn add(&mut self, metric: &str, values: [String; 2], error: (f64, &'static str), bound: f64) {
        let ([truth, found], (error, unit)) = (values, error);
        let metric = metric.to_owned();
        self.rows.push(Row { case: self.case, metric, truth, found, error, unit, bound });
    }

    /// A count that is off by so many at most.
    pub(super) fn count(&mut self, metric: &str, truth: u64, found: u64, bound: u64) {
        let values = [truth.to_string(), found.to_string()];
        self.add(metric, values, (truth.abs_diff(found) as f64, ""), bound as f64);
    }

    /// Events of which at most this share in percent is missed, and so many false ones for each hundred that there were.
    pub(super) fn events(&mut self, metric: &str, matched: Matched, bounds: (f64, f64)) {
        let truth = matched.found + matched.missed;
        let share = |count: u64| count as f64 / truth as f64 * 100.0;
        let values = [truth.to_string(), matched.found.to_string()];
        let missed = (share(matched.missed), " % missed");
        self.add(metric, values, missed, bounds.0);
        let values = ["0".to_owned(), matched.false_ones.to_string()];
        let false_ones = (share(matched.false_ones), " % of the true ones");
        self.add(&format!("{metric}, where there was none"), values, false_ones, bounds.1);
    }

    /// An amount that is off by so many percent of itself at most.
    pub(super) fn amount(&mut self, metric: &str, unit: &str, values: (f64, f64), bound: f64) {
        let (truth, found) = values;
        let error = (found - truth).abs() / truth * 100.0;
        let shown = [truth, found].map(|value| format!("{value:.2}{unit}"));
        self.add(metric, shown, (error, " %"), bound);
    }

    /// Times in microseconds, as (found, truth), 95 % of which are off by so many milliseconds at most.
    pub(super) fn times(&mut self, metric: &str, pairs: &[(u64, u64)], bound: f64) {
        let shown = |of: fn(&(u64, u64)) -> u64| {
            let mut sorted: Vec<f64> = pairs.iter().map(|pair| of(pair) as f64 / 1e3).collect();
            sorted.sort_by(f64::total_cmp);
            let [middle, last] = [0.5, 1.0].map(|share| percentile(&sorted, share));
            format!("p50 {middle:.0} ms, max {last:.0} ms")
        };
        let values = [shown(|pair| pair.1), shown(|pair| pair.0)];
        let errors = errors(pairs.iter().copied());
        let metric = format!("{metric}, {} times", pairs.len());
        self.add(&metric, values, (percentile(&errors, 0.95), " ms at p95"), bound);
    }

    /// Prints it. Returns whether each row is within its bound.
    pub(super) fn print(&self) -> bool {
        println!("| session | metric | truth | found | error | stated bound | verdict |");
        println!("| --- | --- | --- | --- | --- | --- | --- |");
        for row in &self.rows {
            let Row { case, metric, truth, found, error, unit, bound } = row;
            let verdict = if row.holds() { "within" } else { "OUTSIDE" };
            println!(
                "| {case} | {metric} | {truth} | {found} | {error:.1}{unit} | {bound:.1} | {verdict} |"
            );
        }
        let outside = self.rows.iter().filter(|row| !row.holds()).count();
        println!("{outside} of {} rows are outside their stated bounds", self.rows.len());
        outside == 0
    }
}
