//! How long planning a million runs takes, and its peak memory: `cargo bench -- plan`.

use std::fs;
use std::process::Stdio;
use std::time::Instant;

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
    let mut best = f64::MAX;
    let mut memory = 0;
    for _ in 0..5 {
        let start = Instant::now();
        let mut child = super::support::rushhour()
            .arg("plan")
            .arg(&profile)
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary was built");
        memory = memory.max(super::support::wait_for_peak_memory(&mut child));
        best = best.min(start.elapsed().as_secs_f64());
    }
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
