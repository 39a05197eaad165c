//! The comparison of two sessions of 100,000 runs: `cargo bench -- compare`.

pub(crate) fn figures() {
    let folder = tempfile::tempdir().expect("a temporary folder can be created");
    let sessions = ["baseline", "candidate"].map(|name| folder.path().join(name));
    super::journal::write_session(&sessions[0], super::journal::RUNS, 1.0);
    super::journal::write_session(&sessions[1], super::journal::RUNS, 1.02);
    let (best, memory) = super::support::best_time_and_peak_memory(3, || {
        let mut compare = super::support::rushhour();
        compare.arg("compare").args(&sessions);
        compare
    });
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
