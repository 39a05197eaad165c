//! How late runs start, and how much memory runs in flight take, with the sandbox in a process of its own:
//! `cargo bench -- schedule`.

use std::fs;
use std::process::Stdio;

use serde_json::Value;

use super::support::SandboxProcess;

pub(crate) fn figures() {
    lag();
    in_flight();
}

pub(crate) fn profile(sandbox: &SandboxProcess, rate: &str, copies: u32, in_flight: u32) -> String {
    format!(
        r#"
name = "bench"
mode = "chat"
[livekit]
url = "{}"
agent = "front-desk"
[evaluator]
url = "{}"
poll_every = "5s"
[[scenario]]
id = 30
copies = {copies}
lasts = "15s"
[[stage]]
rate = "{rate}"
[limits]
requests = "1000/s"
polls = "50/s"
looks = "1000/s"
in_flight = {in_flight}
run_timeout = "3m"
"#,
        sandbox.value("LIVEKIT_URL"),
        sandbox.value("CEKURA_API_URL"),
    )
}

/// Runs a session against the sandbox; returns its summary and the peak memory in bytes.
fn run(rate: &str, copies: u32, in_flight: u32, sandbox_options: &[&str]) -> (Value, u64) {
    let sandbox = SandboxProcess::start(sandbox_options);
    let folder = tempfile::tempdir().expect("a temporary folder can be created");
    let path = folder.path().join("bench.toml");
    fs::write(&path, profile(&sandbox, rate, copies, in_flight)).expect("a file can be written");
    let reports = folder.path().join("reports");
    let mut child = super::support::rushhour()
        .arg("run")
        .arg(&path)
        .args(["--quiet", "--yes", "--out"])
        .arg(&reports)
        .envs(sandbox.environment.clone())
        .stdout(Stdio::null())
        .spawn()
        .expect("the binary was built");
    let memory = super::support::wait_for_peak_memory(&mut child);
    let session = super::support::only_session(&reports);
    let summary = fs::read(session.join("summary.json")).expect("there is a summary");
    (serde_json::from_slice(&summary).expect("it is JSON"), memory)
}

/// A percentile of a metric over the whole session, in milliseconds.
pub(crate) fn percentile_ms(summary: &Value, metric: &str, percentile: &str) -> f64 {
    let latencies = summary["latencies"].as_array().expect("there are latencies");
    let latency = latencies
        .iter()
        .find(|latency| latency["metric"] == metric && latency["scope"] == "session")
        .expect("it was measured");
    let percentiles = latency["percentiles"].as_array().expect("there are percentiles");
    let found = percentiles.iter().find(|p| p["percentile"] == percentile);
    found.and_then(|p| p["value_us"].as_f64()).expect("there are enough samples") / 1e3
}

/// 50 starts a second for 30 seconds, each in flight for about 20.
fn lag() {
    let (summary, memory) = run("50/s", 1_500, 1_500, &["--conversation", "18s"]);
    let p50 = percentile_ms(&summary, "schedule_lag", "p50");
    let p99 = percentile_ms(&summary, "schedule_lag", "p99");
    let peak = &summary["generator"]["in_flight_peak"];
    super::support::figure(
        &format!("schedule lag p99, 50 starts/s for 30 s, {peak} in flight"),
        &format!("{p99:.2} ms"),
        "< 2 ms",
        p99 < 2.0,
    );
    super::support::figure("  p50", &format!("{p50:.2} ms"), "-", true);
    super::support::figure("  most memory", &super::support::megabytes(memory), "-", true);
}

fn in_flight() {
    let (few, base) = run("100/s", 100, 12_000, &["--conversation", "5s"]);
    let (many, memory) = run("200/s", 10_000, 12_000, &["--conversation", "60s"]);
    let peak = many["generator"]["in_flight_peak"].as_u64().expect("it is counted");
    let peak_of_few = few["generator"]["in_flight_peak"].as_u64().expect("it is counted");
    let each = memory.saturating_sub(base) / (peak - peak_of_few).max(1);
    super::support::figure(
        &format!("most memory with {peak} runs in flight"),
        &super::support::megabytes(memory),
        "< 100 MB (10,000)",
        memory < 100_000_000,
    );
    super::support::figure("  a run's share", &format!("{each} B"), "< 5,000 B", each < 5_000);
}
