//! The metrics of sessions of every kind in a real Prometheus, which answers the dashboard for Grafana.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::fleet::Machines;
use crate::live::{LivePage, profile};
use crate::native_callers;
use crate::support::{HostileServer, Prometheus, TestDir, wait_for_events, wait_until};

const METRICS: [&str; 2] = ["--metrics", "127.0.0.1:0"];

/// The dashboard's expressions, with that of its annotation.
fn expressions() -> Vec<String> {
    let dashboard = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/grafana/rushhour.json");
    let dashboard = fs::read(dashboard).expect("it is there");
    let dashboard: Value = serde_json::from_slice(&dashboard).expect("it is JSON");
    let panels = dashboard["panels"].as_array().expect("it has panels").iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array()).flatten();
    let annotations = dashboard["annotations"]["list"].as_array().expect("it has some").iter();
    let all = targets.chain(annotations).filter_map(|one| one["expr"].as_str());
    all.map(str::to_owned).collect()
}

/// How many series answer an expression with a number, for the sessions that match; `None` where none does.
fn answers(prometheus: &Prometheus, expression: &str, sessions: &str) -> Option<f64> {
    let asked = expression
        .replace("$__rate_interval", "25s")
        .replace("$__interval", "10m")
        .replace("$session", sessions);
    prometheus.value(&format!("count(({asked}) > -Inf)"))
}

/// The families of metrics, each by a series that Prometheus has of it.
fn families(metrics: &str) -> BTreeSet<String> {
    let types = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let series = types.map(|line| match line.split_once(' ') {
        Some((name, "histogram")) => format!("{name}_bucket"),
        Some((name, _)) => name.to_owned(),
        None => panic!("a family has a type: {line}"),
    });
    series.collect()
}

#[test]
fn prometheus_has_every_series_and_answers_the_dashboard() {
    // Three sessions: of a stand-in, of our own callers here, whose services are charged for, and of those on a worker.
    let dir = TestDir::new();
    let status = br#"{"active_jobs":2,"worker_load":0.25,"memory_bytes":50000000}"#;
    let workers = HostileServer::start(|_| (200, status.to_vec())).address();
    let health = format!(
        "[agent_health]\nurl = \"http://{workers}/worker\"\nothers = [\"http://{workers}/other\"]\nsettle = \"1s\"\n"
    );
    let watched = LivePage::start(&dir, &profile(20, 600, &health), &METRICS);
    let folder = dir.wait_for_session();

    let machines = Machines::start(1, &[]);
    let run = |dir: &TestDir, profile: &str| {
        let command = dir.rushhour(&[&["run", profile][..], &METRICS].concat());
        LivePage::of(machines.server.with_keys(command).start())
    };
    machines.write(&native_callers::profile(&machines.server, "chat", 300, "1/s"), "15s");
    let distributed = run(&machines.dir, "profile.toml");
    let native_dir = native_callers::test_dir();
    let priced = "budget = \"50 USD\"\n[bill]\nwith = [\"agent_session\", \"participant\"]\n";
    let paired = native_callers::profile(&machines.server, "paired", 300, "1/s") + priced;
    native_dir.write("native.toml", &paired);
    let native = run(&native_dir, "native.toml");

    let sessions = [&watched, &distributed, &native];
    let addresses = sessions.map(|session| session.address.as_str());
    let prometheus = Prometheus::start(dir.path(), &addresses);
    wait_for_events(&folder, "ended", 100);
    wait_until("Prometheus has scraped runs that ended", || {
        prometheus.value("sum(rushhour_runs_ended_total)").is_some_and(|runs| runs >= 100.0)
    });
    dir.rushhour(&["mark", &dir.session_argument(), "deployed v2"]).run().expect_exit(0);
    let id = folder.file_name().expect("a session's folder has a name").to_str().expect("text");
    for expression in expressions() {
        let answered = || answers(&prometheus, &expression, ".*").is_some();
        wait_until(&format!("an answer to {expression}"), answered);
        let nothing = answers(&prometheus, &expression, "no such session");
        assert_eq!(nothing, None, "{expression}");
    }
    let failed = "rushhour_runs_ended_total{outcome=\"failed\"} and on(instance, job) rushhour_info{session=~\"$session\"}";
    let (one, all) = (answers(&prometheus, failed, id), answers(&prometheus, failed, ".*"));
    assert!(one > Some(10.0), "classes that did not occur are there too: {one:?}");
    assert_eq!(one.map(|classes| classes * 3.0), all, "each session has all of them");
    check_families(&prometheus, &sessions);
    for (series, sum) in
        [("workers", 2.0), ("jobs", 4.0), ("load_ratio", 0.25), ("memory_bytes", 1e8)]
    {
        assert_eq!(prometheus.value(&format!("rushhour_agent_{series}")), Some(sum), "{series}");
    }
    check_workers_that_prometheus_knows(&prometheus);
    for session in [&watched, &distributed, &native] {
        session.running.signal("INT");
    }
    watched.running.finish().expect_exit(105);
    distributed.running.finish();
    native.running.finish();
}

/// Every family that a session serves is in Prometheus, and what only some of them have is served.
fn check_families(prometheus: &Prometheus, sessions: &[&LivePage]) {
    let mut all = BTreeSet::new();
    for session in sessions {
        let metrics = session.ask("/metrics").body;
        assert_eq!(Prometheus::lint(&metrics), "", "promtool finds nothing");
        all.append(&mut families(&metrics));
    }
    for name in &all {
        let has_it = || prometheus.value(&format!("count({name})")).is_some();
        wait_until(&format!("Prometheus has {name}"), has_it);
    }
    for name in [
        "turn_voice_seconds_bucket",
        "turn_chat_done_seconds_bucket",
        "spend_usd_total",
        "budget_usd",
        "caller_late_ticks_total",
        "worker_callers",
        "worker_late_ticks_total",
        "worker_clock_width_seconds",
        "events_missing",
    ] {
        assert!(all.contains(&format!("rushhour_{name}")), "{name} in {all:?}");
    }
}

/// Runs a session that asks Prometheus for the health of the agent's workers. Outcomes stand in for workers.
fn check_workers_that_prometheus_knows(prometheus: &Prometheus) {
    let dir = TestDir::new();
    let health = format!(
        "[agent_health]\nevery = \"1s\"\nsettle = \"1s\"\n[agent_health.prometheus]\nurl = \"http://{}\"\n\
         jobs = \"sum by (outcome) (rushhour_runs_ended_total)\"\n\
         memory = \"sum(rushhour_generator_memory_bytes)\"\nload = \"max(nothing\"\n",
        prometheus.address()
    );
    dir.write("profile.toml", &profile(20, 1, &health));
    dir.rushhour(&["run", "profile.toml"]).run().expect_exit_unless_busy(0);
    let journal = dir.wait_for_session().join("journal.jsonl");
    let journal = fs::read_to_string(journal).expect("it is there");
    for found in [
        r#""name":"completed","jobs":"#,
        r#""name":"failed","jobs":"#,
        r#""name":"query of load","trouble":"Prometheus refused the query: "#,
        r#""memory":"#,
    ] {
        assert!(journal.contains(found), "{found} in {journal}");
    }
}

#[test]
fn metrics_stay_after_the_end_until_they_are_scraped() {
    let dir = TestDir::new();
    let lingering = [&METRICS[..], &["--metrics-linger", "600"]].concat();
    let session = LivePage::start(&dir, &profile(10, 2, ""), &lingering);
    session.running.wait_for_stderr("Metrics stay until they are scraped once more");
    let metrics = session.ask("/metrics").body;
    let values = |family: &str| {
        let lines = metrics.lines().filter(|line| line.starts_with(family));
        lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum::<f64>()
    };
    let ended = (values("rushhour_runs_planned"), values("rushhour_runs_ended_total"));
    assert_eq!(ended, (20.0, 20.0), "{metrics}");
    session.running.finish().expect_exit_unless_busy(0);
    let refused = dir.rushhour(&["run", "profile.toml", "--metrics-linger", "5"]).run();
    refused.expect_exit(2).expect_stderr("--metrics-linger needs --metrics or --live");
}
