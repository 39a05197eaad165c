//! Percentiles of measurements with their 95 % confidence intervals, computed by `rushhour-stats` alone.
//!
//! ```text
//! $ seq 1 400 | cargo run --example estimate_interval
//! 400 samples, 95 % confidence
//! percentile         value                  interval    samples needed
//! p50                  200                [180, 221]                 6
//! ```
//!
//! Numbers are arguments, or whitespace-separated on standard input. No distribution is assumed. An interval needs a
//! number of samples that grows with the percentile; with fewer, there is none.

#![expect(clippy::print_stdout, reason = "an example prints its result")]

use std::error::Error;
use std::io::Read;

use rushhour_stats::{Confidence, Quantile, Sample, min_sample_size};

fn main() -> Result<(), Box<dyn Error>> {
    let sample = Sample::new(read_numbers()?)?;
    println!("{} samples, 95 % confidence", sample.size());
    println!("{:<10} {:>13} {:>25} {:>17}", "percentile", "value", "interval", "samples needed");
    for quantile in [Quantile::P50, Quantile::P95, Quantile::P99] {
        let interval = match sample.quantile_interval(quantile, Confidence::PERCENT_95) {
            Ok(interval) => format!("[{}, {}]", interval.low(), interval.high()),
            Err(_) => "too few samples".to_owned(),
        };
        let value = sample.quantile(quantile);
        let needed = min_sample_size(quantile, Confidence::PERCENT_95);
        println!("{:<10} {value:>13} {interval:>25} {needed:>17}", quantile.to_string());
    }
    Ok(())
}

fn read_numbers() -> Result<Vec<f64>, Box<dyn Error>> {
    let mut text: String = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        std::io::stdin().read_to_string(&mut text)?;
    }
    let parse = |word: &str| word.parse().map_err(|error| format!("`{word}`: {error}").into());
    text.split_whitespace().map(parse).collect()
}
