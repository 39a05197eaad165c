//! Networks and servers that let a connection come about and then fail it, or have too little for all callers: what is
//! recovered, and what is not has its class and words.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::Value;

use crate::connections::{classes, profile, reconnects, turns};
use crate::native_callers::{self, journal_values, start_agent, test_dir};
use crate::support::{
    Authority, CommandOutput, CuttingProxy, LiveKitServer, ServerMedia, ServerTurn, ServerUdp,
    Session, TestDir, UdpProxy, wait_for_events,
};

/// A conversation of some twelve seconds, and longer while the connection is away.
const SCRIPT: &str = r#"
[[turn]]
say = "One."
within = "40s"
[[turn]]
say = "Two."
pause = "3s"
within = "40s"
[[turn]]
say = "Three."
pause = "3s"
within = "40s"
[[turn]]
say = "Four."
pause = "3s"
within = "40s"
"#;
const TURNS: usize = 4;
const CALLERS: u32 = 2;

/// Has calls whose media loses its way after the first turn, by what `disturb` does.
fn call_disturbed(
    media: &ServerMedia,
    lines: &str,
    disturb: impl FnOnce(&LiveKitServer),
) -> (TestDir, CommandOutput) {
    let dir = TestDir::new();
    if let Some(ServerTurn::Tls(authority)) = &media.turn {
        dir.write("authority.pem", &authority.pem());
    }
    let server = LiveKitServer::start_with(dir.path(), media);
    dir.write("script.toml", SCRIPT);
    let text = profile(&server.url(), CALLERS, "");
    dir.write("profile.toml", &text.replace("[livekit]", &format!("[livekit]\n{lines}")));
    let agent = start_agent(&dir, &server, &["--turn-delay", "300ms"]);
    let running = server.with_keys(dir.rushhour(&["run", "profile.toml"])).start();
    wait_for_events(&dir.wait_for_session(), "turn", CALLERS as usize);
    disturb(&server);
    let output = running.finish();
    agent.signal("INT");
    agent.finish();
    (dir, output)
}

/// Expects that all callers went on after one reconnect of media each, with the same participant. Whoever notices the loss
/// first, the server or the caller, is the cause.
#[track_caller]
fn expect_recovered(dir: &TestDir, output: &CommandOutput) {
    let session = &dir.session();
    assert_eq!(classes(session), std::collections::BTreeMap::new(), "{:?}", session.runs);
    assert_eq!(session.tally("outcome")["completed"], u64::from(CALLERS), "{}", output.stdout);
    let turns = turns(session);
    assert_eq!(turns.len(), TURNS * CALLERS as usize);
    assert!(turns.iter().all(|turn| turn["ending"] == "answered"), "{turns:?}");
    let reconnects = reconnects(session);
    assert_eq!(reconnects.len(), CALLERS as usize, "{reconnects:?}\n{turns:?}");
    for reconnect in reconnects {
        assert!(["media_lost", "server_request"].iter().any(|cause| reconnect["cause"] == *cause));
        assert_eq!(reconnect["method"], "resume", "{reconnect}");
    }
}

/// The reconnects of a session in which every turn was answered and every reconnect resumed.
#[track_caller]
fn resumed(session: &Session, output: &CommandOutput) -> Vec<Value> {
    assert_eq!(session.tally("outcome")["completed"], u64::from(CALLERS), "{}", output.stdout);
    let turns = turns(session);
    assert!(turns.iter().all(|turn| turn["ending"] == "answered"), "{turns:?}");
    let reconnects = reconnects(session);
    assert!(reconnects.iter().all(|one| one["method"] == "resume"), "{reconnects:?}");
    reconnects
}

/// The ways of each caller, in order.
fn paths(session: &Session) -> Vec<Value> {
    let mut paths: Vec<Value> =
        journal_values(session, "media_path").iter().map(|event| event["path"].clone()).collect();
    paths.sort_by_key(ToString::to_string);
    paths
}

#[test]
fn udp_that_the_network_forgets_is_found_again_by_a_restart_of_ice() {
    let proxy = UdpProxy::start();
    let (address, port) = proxy.address();
    let media = ServerMedia { udp: ServerUdp::Behind(address, port), ..ServerMedia::default() };
    let (dir, output) = call_disturbed(&media, "", |_| assert!(proxy.forget() > 0));
    expect_recovered(&dir, &output);
    assert_eq!(paths(&dir.session()), ["udp", "udp"]);
}

#[test]
fn udp_that_does_not_come_back_is_replaced_by_a_relay() {
    let proxy = UdpProxy::start();
    let (address, port) = proxy.address();
    let (udp, turn) = (ServerUdp::Behind(address, port), Some(ServerTurn::Udp));
    let media = ServerMedia { udp, turn, ..ServerMedia::default() };
    let (dir, output) = call_disturbed(&media, "", |_| assert!(proxy.bar() > 0));
    expect_recovered(&dir, &output);
    assert_eq!(paths(&dir.session()), ["turn_udp", "turn_udp", "udp", "udp"]);
}

/// The credentials of the join have expired by then: the server sends others when a caller comes back.
#[test]
fn a_relay_whose_connection_breaks_is_replaced_with_new_credentials() {
    let turn = Some(ServerTurn::Tls(Box::new(Authority::new())));
    let media = ServerMedia { turn, turn_ttl: Some(3), ..ServerMedia::default() };
    let lines = "transport = \"relay\"\nca_file = \"authority.pem\"";
    let (dir, output) = call_disturbed(&media, lines, |server| {
        std::thread::sleep(Duration::from_secs(4));
        server.turn_entrance().expect("it has a TURN server over TLS").cut();
    });
    expect_recovered(&dir, &output);
    assert_eq!(paths(&dir.session()), ["turn_tls", "turn_tls"]);
}

#[test]
fn credentials_for_turn_that_have_expired_are_named() {
    let dir = test_dir();
    // Nothing answers over UDP, and only then the TURN server is asked.
    let udp = ServerUdp::Behind([127, 77, 9, 1].into(), 9);
    let turn = Some(ServerTurn::Udp);
    let media = ServerMedia { udp, turn, turn_ttl: Some(1), ..ServerMedia::default() };
    let server = LiveKitServer::start_with(dir.path(), &media);
    let text = native_callers::profile(&server, "chat", 1, "2/s")
        .replace("kind = \"native\"", "kind = \"native\"\njoin_within = \"4s\"");
    dir.write("profile.toml", &text);
    let doctor = server.with_keys(dir.rushhour(&["doctor", "profile.toml", "--no-dispatch"])).run();
    server.with_keys(dir.rushhour(&["run", "profile.toml"])).run();
    let ends = format!("{:?}", journal_values(&dir.session(), "ended"));
    for told in [doctor.stdout, ends] {
        let refused = told.contains("refused with 40") && told.contains("may have expired");
        assert!(refused, "{told}");
    }
    assert_eq!(classes(&dir.session())["room_failed"], 1);
}

#[test]
fn a_server_that_closes_each_signal_connection_after_five_seconds_is_resumed_each_time() {
    let dir = TestDir::new();
    let server = LiveKitServer::start(dir.path());
    let proxy = CuttingProxy::start(&server.url());
    let turn = "[[turn]]\nsay = \"Go on.\"\npause = \"3s\"\n";
    dir.write("script.toml", &turn.repeat(4));
    dir.write("profile.toml", &profile(&proxy.url(), CALLERS, ""));
    let agent = start_agent(&dir, &server, &["--turn-delay", "300ms"]);
    proxy.close_each_after(Duration::from_secs(5));
    let output = server.with_keys(dir.rushhour(&["run", "profile.toml"])).run();
    agent.signal("INT");
    agent.finish();
    let reconnects = resumed(&dir.session(), &output);
    assert!(reconnects.len() >= 2 * CALLERS as usize, "{reconnects:?}");
}

/// The hosts file of a mount namespace of its own stands for DNS: every look-up reads it anew.
#[test]
fn callers_follow_a_name_that_gets_another_address() {
    let dir = TestDir::new();
    let server = LiveKitServer::start(dir.path());
    let port = server.url().rsplit(':').next().and_then(|port| port.parse().ok());
    let port: u16 = port.expect("its URL has a port");
    let first = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let shared = first.local_addr().expect("it is bound").port();
    let second = TcpListener::bind(("127.0.0.2", shared)).expect("the other address is unused");
    let (first, second) = (CuttingProxy::before(first, port), CuttingProxy::before(second, port));
    dir.write("hosts", "127.0.0.1 agents.internal\n");
    dir.write("script.toml", SCRIPT);
    dir.write("profile.toml", &profile(&format!("ws://agents.internal:{shared}"), CALLERS, ""));
    let agent = start_agent(&dir, &server, &["--turn-delay", "300ms"]);
    let rushhour = server.with_keys(dir.rushhour(&["run", "profile.toml"]));
    let own_hosts = "exec unshare --map-root-user --mount -- bash -c \
                     'mount --bind hosts /etc/hosts && exec \"$0\" \"$@\"' \"$0\" \"$@\"";
    let running =
        rushhour.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").after_shell(own_hosts).start();
    wait_for_events(&dir.wait_for_session(), "turn", CALLERS as usize);
    dir.write("hosts", "127.0.0.2 agents.internal\n");
    first.cut();
    let output = running.finish();
    agent.signal("INT");
    agent.finish();
    let reconnects = resumed(&dir.session(), &output);
    assert_eq!(reconnects.len(), CALLERS as usize, "{reconnects:?}");
    assert!(second.connected() >= CALLERS as usize, "they came by the new address");
    assert_eq!(server.rooms(), [] as [String; 0], "every room is deleted");
}

/// A server with one port for each connection, and ten ports: whoever gets none is told so, and no agent is blamed.
#[test]
#[ignore = "takes half a minute: cargo test --test integration ten_ports -- --ignored --nocapture"]
#[expect(clippy::print_stdout, reason = "which callers get a port depends on the machine")]
fn sixty_rooms_on_a_server_with_ten_ports() {
    let dir = test_dir();
    let media = ServerMedia { udp: ServerUdp::Ports(10), ..ServerMedia::default() };
    let server = LiveKitServer::start_with(dir.path(), &media);
    let text = native_callers::profile(&server, "chat", 60, "20/s")
        .replace("kind = \"native\"", "kind = \"native\"\njoin_within = \"5s\"");
    dir.write("profile.toml", &text);
    let agent = start_agent(&dir, &server, &[]);
    let output = server.with_keys(dir.rushhour(&["run", "profile.toml"])).run();
    agent.signal("INT");
    agent.finish();
    let session = dir.session();
    println!("{}", output.stdout);
    let ends = Value::from(journal_values(&session, "ended")).to_string();
    let classes = classes(&session);
    assert!(classes["room_failed"] > 20, "{classes:?}");
    assert!(ends.contains("the server named no address for media"), "{ends}");
    // Callers that got a port, and whose agents did not.
    let is_environment = |class: &String| ["room_failed", "connection_lost"].contains(&&**class);
    assert!(classes.keys().all(is_environment), "{classes:?}: {ends}");
}
