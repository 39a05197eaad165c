//! The rights that coordinators and workers have on a server of NATS, on a real one.

use std::process::Command;

use crate::native_callers::{profile, start_agent, test_dir};
use crate::support::{LiveKitServer, NatsRefusal, NatsServer, Rushhour, TestDir};

const COORDINATOR: (&str, &str) = ("coordinator", "password-of-the-coordinator");
const WORKER: (&str, &str) = ("worker", "password-of-the-workers");
const PASSWORDS: [(&str, &str); 2] =
    [("COORDINATOR_PASSWORD", COORDINATOR.1), ("WORKER_PASSWORD", WORKER.1)];

/// Starts a server with the rights that we ship.
pub(crate) fn start_with_rights(dir: &TestDir) -> NatsServer {
    NatsServer::start_with(dir.path(), &server_configuration(), &PASSWORDS)
}

/// Adds the login of a coordinator to a command line.
pub(crate) fn as_coordinator(rushhour: Rushhour) -> Rushhour {
    rushhour.env("NATS_USER", COORDINATOR.0).env("NATS_PASSWORD", COORDINATOR.1)
}

/// Adds the login of workers to a command line.
pub(crate) fn as_worker(rushhour: Rushhour) -> Rushhour {
    rushhour.env("NATS_USER", WORKER.0).env("NATS_PASSWORD", WORKER.1)
}

/// The configuration for a server that is started by hand or by compose.
fn server_configuration() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/nats/nats-server.conf");
    std::fs::read_to_string(path).expect("it is there")
}

/// What the chart makes of our values: its configuration is JSON, without the quotes of what is between `<<` and `>>`.
fn configuration_of_the_chart() -> String {
    let values = &super::packaging::yaml_values("deploy/kubernetes/nats-values.yaml")[0];
    let config = serde_json::to_string(&values["config"]["merge"]).expect("it is JSON");
    config.replace("\"<< ", "").replace(" >>\"", "")
}

fn permissions_violation(refused: &NatsRefusal) -> bool {
    refused.0.contains("Permissions Violation")
}

fn check_rights(config: &str) {
    let dir = TestDir::new();
    let server = NatsServer::start_with(dir.path(), config, &PASSWORDS);
    let mut coordinator = server.client(Some(COORDINATOR));
    let mut worker = server.client(Some(WORKER));

    // What each of them needs.
    coordinator.subscribe("rh.rushhour.up.>").expect("it is allowed");
    worker.subscribe("rh.rushhour.w.0a1b2c3d.>").expect("it is allowed");
    worker.subscribe("rh.rushhour.all.*").expect("it is allowed");
    let replies = "rh.rushhour.up.77777777.inbox.1";
    coordinator
        .publish("rh.rushhour.w.0a1b2c3d.command", Some(replies), "submit")
        .expect("it is allowed");
    let command = worker.next();
    assert_eq!((&*command.payload, command.reply.as_deref()), ("submit", Some(replies)));
    worker.publish(replies, None, "done").expect("it is allowed");
    assert_eq!(coordinator.next().payload, "done");
    coordinator
        .publish("rh.rushhour.all.roll", Some(replies), "who is there?")
        .expect("it is allowed");
    assert_eq!(worker.next().subject, "rh.rushhour.all.roll");
    worker.publish("rh.rushhour.up.beat.0a1b2c3d", None, "I am").expect("it is allowed");
    assert_eq!(coordinator.next().payload, "I am");

    // What neither of them may.
    let refused_to_worker = |subject: &str| {
        let refused = server.client(Some(WORKER)).subscribe(subject).expect_err("it is refused");
        assert!(permissions_violation(&refused), "{subject}: {refused:?}");
    };
    for subject in [
        ">",
        "rh.>",
        "rh.rushhour.>",
        "rh.rushhour.*.*.*",
        "rh.rushhour.up.>",
        "rh.rushhour.up.77777777.updates",
        replies,
        "rh.other.w.>",
        "rh.other.all.*",
        "_INBOX.>",
        "$SYS.>",
        "$JS.API.>",
    ] {
        refused_to_worker(subject);
    }
    for subject in [
        "rh.rushhour.w.99999999.command",
        "rh.rushhour.all.roll",
        "rh.rushhour.all.lease",
        "rh.other.up.beat.0a1b2c3d",
        "$JS.API.STREAM.NAMES",
        "anything",
    ] {
        let refused =
            server.client(Some(WORKER)).publish(subject, None, "x").expect_err("it is refused");
        assert!(permissions_violation(&refused), "{subject}: {refused:?}");
    }
    for subject in [">", "rh.rushhour.w.>", "rh.rushhour.all.*", "rh.other.up.>", "$SYS.>"] {
        let refused =
            server.client(Some(COORDINATOR)).subscribe(subject).expect_err("it is refused");
        assert!(permissions_violation(&refused), "{subject}: {refused:?}");
    }
    let other = server.client(Some(COORDINATOR)).publish("rh.other.all.roll", None, "x");
    assert!(permissions_violation(&other.expect_err("it is refused")));

    for stranger in [None, Some((WORKER.0, COORDINATOR.1)), Some(("admin", WORKER.1))] {
        let refused = server.client(stranger).flush().expect_err("it is refused");
        assert!(refused.0.contains("Authorization Violation"), "{refused:?}");
    }
}

#[test]
fn each_role_has_the_rights_that_it_needs_and_no_others() {
    check_rights(&server_configuration());
}

#[test]
fn the_values_for_the_chart_give_the_same_rights() {
    check_rights(&configuration_of_the_chart());
}

#[test]
fn a_session_over_workers_needs_no_more_rights() {
    let dir = test_dir();
    serve_a_session(&dir, &start_with_rights(&dir));
}

#[test]
#[ignore = "needs Debian's nats-server, which OLDER_SERVERS=all ./tests/all installs"]
fn a_server_of_some_years_ago_serves_a_session() {
    let dir = test_dir();
    let nats = NatsServer::start_older(dir.path(), &server_configuration(), &PASSWORDS);
    serve_a_session(&dir, &nats);
}

fn serve_a_session(dir: &TestDir, nats: &NatsServer) {
    let server = LiveKitServer::start(dir.path());
    let agent = start_agent(dir, &server, &["--turn-delay", "50ms"]);
    let url = nats.url();
    let (worker, _) = as_worker(dir.rushhour(&["worker", &url, "--once"])).start_until("Worker ");
    let listed = as_coordinator(dir.rushhour(&["workers", &url])).run().expect_exit(0);
    assert!(listed.stdout.contains("idle"), "{}", listed.stdout);
    dir.write("profile.toml", &profile(&server, "chat", 4, "2/s"));
    let run = dir.rushhour(&["run", "profile.toml", "--workers", &url]);
    server.with_keys(as_coordinator(run)).run();
    // It ends with the session, since it was to hold callers for one.
    let worker = worker.finish().expect_exit(0);
    assert!(worker.stdout.contains("The session is over."), "{}", worker.stdout);
    agent.signal("INT");
    agent.finish().expect_exit(0);
    let session = dir.session();
    assert_eq!(session.tally("outcome")["completed"], 4, "{:?}", session.runs);
}

#[test]
fn a_server_that_is_started_again_has_the_same_address() {
    let dir = TestDir::new();
    let mut server = NatsServer::start(dir.path());
    let url = server.url();
    server.client(None).subscribe(">").unwrap();
    server.restart();
    assert_eq!(server.url(), url);
    server.client(None).flush().unwrap();
}

#[test]
fn the_version_of_the_server_is_the_pinned_one() {
    let pinned = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/all"));
    let pinned = pinned.expect("it is there");
    let pinned = pinned.lines().find_map(|line| line.strip_prefix("NATS_SERVER="));
    let binary = concat!(env!("CARGO_MANIFEST_DIR"), "/target/peers/bin/nats-server");
    let version = Command::new(binary).arg("--version").output().expect("./tests/all installs it");
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    assert_eq!(Some(&*version.replace("nats-server: ", "")), pinned);
    let compose = &super::packaging::yaml("deploy/compose/compose.yaml")[0];
    let image = compose["services"]["nats"]["image"].as_str();
    assert_eq!(
        image,
        Some(&*format!("nats:{}", pinned.unwrap_or_default().trim_start_matches('v')))
    );
}
