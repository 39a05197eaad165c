//! How long the binary takes to print its help: `cargo bench -- startup`.

use std::process::Stdio;
use std::time::Instant;

pub(crate) fn figures() {
    let mut times: Vec<f64> = (0..100)
        .map(|_| {
            let start = Instant::now();
            let status = super::support::rushhour().arg("--help").stdout(Stdio::null()).status();
            assert!(status.expect("the binary was built").success());
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let (p50, p95) = (times[50], times[95]);
    super::support::figure("--help, median of 100", &format!("{p50:.2} ms"), "< 10 ms", p50 < 10.0);
    super::support::figure("--help, 95th of 100", &format!("{p95:.2} ms"), "< 10 ms", p95 < 10.0);
}
