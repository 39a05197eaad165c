//! How long planning a million runs takes, and its peak memory: `cargo bench -- plan`.

use std::fs;

const PROFILE: &str = r#"
mode = "chat"
[livekit]
url = "sandbox"
agent = "a"
[[scenario]]
id = 1
copies = 600000
[[scenario]]
id = 2
copies = 400000
[[stage]]
rate = { from = "10/s", to = "90/s" }
arrivals = "poisson"
lasts = "3h"
[[stage]]
rate = "50/s"
arrivals = "poisson"
"#;

pub(crate) fn figures() {
    let folder = tempfile::tempdir().expect("a temporary folder can be created");
    let profile = folder.path().join("million.toml");
    fs::write(&profile, PROFILE).expect("a file can be written");
    let (best, memory) = super::support::best_time_and_peak_memory(5, || {
        let mut plan = super::support::rushhour();
        plan.arg("plan").arg(&profile);
        plan
    });
    super::support::figure(
        "plan of 1,000,000 runs, best of 5",
        &format!("{best:.3} s"),
        "< 1 s",
        best < 1.0,
    );
    super::support::figure(
        "  most memory",
        &super::support::megabytes(memory),
        "< 50 MB",
        memory < 50_000_000,
    );
}
