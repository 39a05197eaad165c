//! The ways of our callers' media and data to the real livekit-server: UDP of both families, TCP, and its own TURN
//! server over UDP and TLS.

use std::net::Ipv4Addr;

use crate::native_callers::{journal_values, profile, start_agent, test_dir};
use crate::support::{
    Authority, CommandOutput, LiveKitServer, ServerMedia, ServerTurn, Session, TestDir,
};

/// Two calls of two turns on a server that takes media as `media` says, with these lines in `[livekit]`.
fn call(dir: &TestDir, media: &ServerMedia, mode: &str, lines: &str) -> (Session, CommandOutput) {
    let server = LiveKitServer::start_with(dir.path(), media);
    let agent = start_agent(dir, &server, &[]);
    let text = profile(&server, mode, 2, "2/s");
    dir.write("profile.toml", &text.replace("[livekit]", &format!("[livekit]\n{lines}")));
    let output = server.with_keys(dir.rushhour(&["run", "profile.toml"])).run();
    agent.signal("INT");
    agent.finish().expect_exit(0);
    (dir.session(), output)
}

/// Expects that all turns were answered, and that media went this way.
#[track_caller]
fn expect_path(session: &Session, output: &CommandOutput, path: &str, shown: &str) {
    assert_eq!(session.tally("outcome")["completed"], 2, "{}", output.stdout);
    let turns = journal_values(session, "turn");
    let answered = turns.iter().filter(|turn| turn["turn"]["first"].is_u64()).count();
    assert_eq!(answered, 4, "{turns:?}");
    let paths: Vec<_> =
        journal_values(session, "media_path").iter().map(|event| event["path"].clone()).collect();
    assert_eq!(paths, [path, path]);
    let told = format!("Media and data of 2 callers went over {shown}.");
    assert!(output.stdout.contains(&told), "{}", output.stdout);
}

#[test]
fn calls_go_over_udp_where_it_connects() {
    for mode in ["chat", "voice"] {
        let dir = test_dir();
        let media =
            ServerMedia { tcp: true, turn: Some(ServerTurn::Udp), ..ServerMedia::default() };
        let (session, output) = call(&dir, &media, mode, "");
        expect_path(&session, &output, "udp", "UDP");
    }
}

#[test]
fn media_may_be_of_another_address_family_than_signalling() {
    let dir = test_dir();
    let (session, output) = call(&dir, &ServerMedia::ipv6(), "chat", "");
    expect_path(&session, &output, "udp", "UDP");
}

#[test]
fn calls_go_over_tcp() {
    let dir = test_dir();
    let server =
        LiveKitServer::start_with(dir.path(), &ServerMedia { tcp: true, ..ServerMedia::default() });
    let lines = "[livekit]\ntransport = \"tcp\"";
    dir.write("profile.toml", &profile(&server, "chat", 2, "2/s").replace("[livekit]", lines));
    let doctor = ["doctor", "profile.toml", "--no-dispatch"];
    let output = server.with_keys(dir.rushhour(&doctor)).run();
    let found = "media and data are connected over TCP";
    assert!(output.stdout.contains(found), "{}", output.stdout);
    for mode in ["chat", "voice"] {
        let dir = test_dir();
        let media = ServerMedia { tcp: true, ..ServerMedia::default() };
        let (session, output) = call(&dir, &media, mode, "transport = \"tcp\"");
        expect_path(&session, &output, "tcp", "TCP");
    }
}

#[test]
fn calls_go_over_the_servers_turn_server_by_udp() {
    for mode in ["chat", "voice"] {
        let dir = test_dir();
        let media = ServerMedia { turn: Some(ServerTurn::Udp), ..ServerMedia::default() };
        let (session, output) = call(&dir, &media, mode, "transport = \"relay\"");
        expect_path(&session, &output, "turn_udp", "TURN over UDP");
    }
}

#[test]
fn calls_go_over_the_servers_turn_server_by_tls_with_a_private_authority() {
    for (mode, address) in [("chat", [127, 77, 7, 1]), ("voice", [127, 77, 7, 2])] {
        let dir = test_dir();
        let authority = Authority::new();
        dir.write("authority.pem", &authority.pem());
        let address = Ipv4Addr::from(address);
        let turn = ServerTurn::Tls(address, authority.certify(&address.to_string()));
        let media = ServerMedia { turn: Some(turn), ..ServerMedia::default() };
        let lines = "transport = \"relay\"\nca_file = \"authority.pem\"";
        let (session, output) = call(&dir, &media, mode, lines);
        expect_path(&session, &output, "turn_tls", "TURN over TLS");
    }
}

#[test]
fn a_call_that_finds_no_way_says_which_were_tried_and_what_answered() {
    for (lines, told) in [
        ("transport = \"tcp\"", "the server offers no ICE over TCP"),
        ("transport = \"relay\"", "the server names no TURN server"),
    ] {
        let dir = test_dir();
        let media = ServerMedia::default();
        let server = LiveKitServer::start_with(dir.path(), &media);
        let text =
            profile(&server, "chat", 1, "2/s").replace("[livekit]", &format!("[livekit]\n{lines}"));
        let text = text.replace("kind = \"native\"", "kind = \"native\"\njoin_within = \"3s\"");
        dir.write("profile.toml", &text);
        let doctor = ["doctor", "profile.toml", "--no-dispatch"];
        let output = server.with_keys(dir.rushhour(&doctor)).run().expect_exit(2);
        let found = format!("a caller could not connect media and data: {told}");
        assert!(output.stdout.contains(&found), "{}", output.stdout);
        let output = server.with_keys(dir.rushhour(&["run", "profile.toml"])).run();
        let session = dir.session();
        assert_eq!(session.tally("failure_class")["room_failed"], 1, "{}", output.stdout);
        let ends = format!("{:?}", journal_values(&session, "ended"));
        assert!(ends.contains(told), "{ends}");
    }
}
