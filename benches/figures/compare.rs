//! The comparison of two sessions of 100,000 runs: `cargo bench -- compare`.

use std::process::Stdio;
use std::time::Instant;

pub(crate) fn figures() {
    let folder = tempfile::tempdir().expect("a temporary folder can be created");
    let sessions = ["baseline", "candidate"].map(|name| folder.path().join(name));
    super::journal::write_session(&sessions[0], super::journal::RUNS, 1.0);
    super::journal::write_session(&sessions[1], super::journal::RUNS, 1.02);
    let mut best = f64::MAX;
    let mut memory = 0;
    for _ in 0..3 {
        let start = Instant::now();
        let mut child = super::support::rushhour()
            .arg("compare")
            .args(&sessions)
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary was built");
        memory = memory.max(super::support::wait_for_peak_memory(&mut child));
        best = best.min(start.elapsed().as_secs_f64());
    }
    super::support::figure(
        "compare of two sessions of 100,000 runs, best of 3",
        &format!("{best:.2} s"),
        "< 5 s",
        best < 5.0,
    );
    super::support::figure(
        "  most memory",
        &super::support::megabytes(memory),
        "< 500 MB",
        memory < 500_000_000,
    );
}
