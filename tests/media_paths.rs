//! The ways of our callers' media and data to the real livekit-server: UDP of both families, TCP, and its own TURN
//! server over UDP and TLS.

use serde_json::Value;

use crate::native_callers::{journal_values, profile, start_agent, test_dir};
use crate::support::{
    Authority, CommandOutput, LiveKitServer, ServerMedia, ServerTurn, ServerVersion, Session,
    TestDir,
};

/// A way of media and data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Udp,
    Tcp,
    TurnUdp,
    TurnTls,
}

impl Way {
    const ALL: [Self; 4] = [Self::Udp, Self::Tcp, Self::TurnUdp, Self::TurnTls];

    /// As the journal and the report name it.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Udp => ("udp", "UDP"),
            Self::Tcp => ("tcp", "TCP"),
            Self::TurnUdp => ("turn_udp", "TURN over UDP"),
            Self::TurnTls => ("turn_tls", "TURN over TLS"),
        }
    }

    /// What a server offers that can be reached this way; `authority` is that of its certificate.
    fn media(self, authority: Authority) -> ServerMedia {
        let turn = match self {
            Self::Udp | Self::Tcp => None,
            Self::TurnUdp => Some(ServerTurn::Udp),
            Self::TurnTls => Some(ServerTurn::Tls(Box::new(authority))),
        };
        ServerMedia { tcp: self == Self::Tcp, turn, ..ServerMedia::default() }
    }

    /// What a profile says in `[livekit]` to take it.
    const fn lines(self) -> &'static str {
        match self {
            Self::Udp => "transport = \"udp\"",
            Self::Tcp => "transport = \"tcp\"",
            Self::TurnUdp => "transport = \"relay\"",
            Self::TurnTls => "transport = \"relay\"\nca_file = \"authority.pem\"",
        }
    }
}

/// Calls of two turns each.
const CALLS: u32 = 2;

/// Calls that were had.
struct Calls {
    session: Session,
    output: CommandOutput,
    /// Its files are read.
    _dir: TestDir,
}

/// Has calls on a server of this version that takes media as `media` says, with these lines in `[livekit]`, and an agent
/// that answers after 400 ms.
fn call(version: ServerVersion, media: &ServerMedia, mode: &str, lines: &str) -> Calls {
    let dir = test_dir();
    if let Some(ServerTurn::Tls(authority)) = &media.turn {
        dir.write("authority.pem", &authority.pem());
    }
    let server = LiveKitServer::start_version(dir.path(), version, media);
    let agent = start_agent(&dir, &server, &["--turn-delay", "400ms"]);
    let text = profile(&server, mode, CALLS, "2/s");
    dir.write("profile.toml", &text.replace("[livekit]", &format!("[livekit]\n{lines}")));
    let output = server.with_keys(dir.rushhour(&["run", "profile.toml"])).run();
    agent.signal("INT");
    agent.finish().expect_exit(0);
    Calls { session: dir.session(), output, _dir: dir }
}

/// Has calls over one way alone, and expects that all turns were answered, and that media went this way.
#[track_caller]
fn call_over(way: Way, version: ServerVersion, mode: &str) -> Calls {
    let calls = call(version, &way.media(Authority::new()), mode, way.lines());
    expect_way(&calls, way);
    calls
}

#[track_caller]
fn expect_way(Calls { session, output, .. }: &Calls, way: Way) {
    assert_eq!(session.tally("outcome")["completed"], u64::from(CALLS), "{}", output.stdout);
    let turns = journal_values(session, "turn");
    let answered = turns.iter().filter(|turn| turn["turn"]["first"].is_u64()).count();
    assert_eq!(answered, 2 * CALLS as usize, "{turns:?}");
    let (path, shown) = way.names();
    let paths: Vec<_> =
        journal_values(session, "media_path").iter().map(|event| event["path"].clone()).collect();
    assert_eq!(paths, [path, path]);
    let told = format!("Media and data of {CALLS} callers went over {shown}.");
    assert!(output.stdout.contains(&told), "{}", output.stdout);
}

#[test]
fn calls_go_over_udp_where_it_connects() {
    for mode in ["chat", "voice"] {
        let media =
            ServerMedia { tcp: true, turn: Some(ServerTurn::Udp), ..ServerMedia::default() };
        expect_way(&call(ServerVersion::Newest, &media, mode, ""), Way::Udp);
    }
}

/// For signalling and media.
#[test]
fn calls_go_over_ipv6() {
    expect_way(&call(ServerVersion::Newest, &ServerMedia::ipv6(), "chat", ""), Way::Udp);
}

#[test]
fn calls_go_over_tcp() {
    let dir = test_dir();
    let media = Way::Tcp.media(Authority::new());
    let server = LiveKitServer::start_with(dir.path(), &media);
    let lines = format!("[livekit]\n{}", Way::Tcp.lines());
    dir.write("profile.toml", &profile(&server, "chat", 2, "2/s").replace("[livekit]", &lines));
    let doctor = ["doctor", "profile.toml", "--no-dispatch"];
    let output = server.with_keys(dir.rushhour(&doctor)).run();
    let found = "media and data are connected over TCP";
    assert!(output.stdout.contains(found), "{}", output.stdout);
    for mode in ["chat", "voice"] {
        call_over(Way::Tcp, ServerVersion::Newest, mode);
    }
}

#[test]
fn calls_go_over_the_servers_turn_server_by_udp() {
    for mode in ["chat", "voice"] {
        call_over(Way::TurnUdp, ServerVersion::Newest, mode);
    }
}

#[test]
fn calls_go_over_the_servers_turn_server_by_tls_with_a_private_authority() {
    for mode in ["chat", "voice"] {
        call_over(Way::TurnTls, ServerVersion::Newest, mode);
    }
}

/// With two peer connections, each of which has ways of its own.
#[test]
fn calls_go_to_an_older_server_over_tcp_and_over_its_turn_server() {
    for (way, mode) in [(Way::Tcp, "voice"), (Way::TurnUdp, "chat"), (Way::TurnTls, "voice")] {
        call_over(way, ServerVersion::V1_8_4, mode);
    }
}

#[test]
#[ignore = "two minutes, and needs OLDER_SERVERS=all: cargo test --test integration every_way -- --ignored --nocapture"]
#[expect(clippy::print_stdout, reason = "what happened depends on the machine, and is only shown")]
fn every_way_leads_to_every_server() {
    for version in [ServerVersion::V1_8_4, ServerVersion::V1_9_11, ServerVersion::Newest] {
        for mode in ["chat", "voice"] {
            for way in Way::ALL {
                let session = call_over(way, version, mode).session;
                let answers = latency(
                    &session,
                    if mode == "chat" { "turn.chat.first" } else { "turn.voice" },
                );
                let (n, mean) =
                    (&answers["n"], answers["mean_us"].as_f64().unwrap_or(f64::NAN) / 1e3);
                println!("{version:?} {mode} {way:?}: {n} turns answered, mean {mean:.1} ms");
            }
        }
    }
}

fn latency<'a>(session: &'a Session, metric: &str) -> &'a Value {
    let all = session.summary["latencies"].as_array().expect("some were measured");
    all.iter().find(|one| one["metric"] == metric).expect("it was measured")
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
