//! Services that lie: what they answer shows no key, controls no terminal, and takes no memory.

use std::fs;

use rushhour_sandbox::{Sandbox, SandboxConfig};

use crate::support::{CommandOutput, HostileServer, Rushhour, TestDir};

const CEKURA_KEY: &str = "cekura-key-of-the-tests-0815";

/// One chat on the sandbox's LiveKit, with this server as Cekura.
fn profile(livekit: &str, cekura: &str) -> String {
    format!(
        "name = \"lied-to\"\nmode = \"chat\"\n[livekit]\nurl = \"{livekit}\"\nagent = \"a\"\nwait_for_agent = false\n[evaluator]\nkind = \"cekura\"\nurl = \"{cekura}\"\npoll_every = \"200ms\"\n[limits]\nrun_timeout = \"2s\"\npoll_timeout = \"1s\"\nwatch_unknown = \"1s\"\n[[scenario]]\nid = 30\ncopies = 1\n[[stage]]\nburst = 1\n"
    )
}

fn with_keys(rushhour: Rushhour) -> Rushhour {
    rushhour
        .env("LIVEKIT_API_KEY", SandboxConfig::API_KEY)
        .env("LIVEKIT_API_SECRET", SandboxConfig::API_SECRET)
        .env("CEKURA_API_KEY", CEKURA_KEY)
}

/// Runs one chat with this server as Cekura. The harness searches everything that is printed and written for secrets.
fn run(dir: &TestDir, cekura: &HostileServer) -> CommandOutput {
    let sandbox = Sandbox::start(SandboxConfig::default(), 0).expect("a port is free");
    let cekura = format!("http://{}", cekura.address());
    dir.write("profile.toml", &profile(&sandbox.livekit_url(), &cekura));
    with_keys(dir.rushhour(&["run", "profile.toml", "--quiet", "--yes"])).run()
}

/// The token in a submission.
fn token_in(request: &str) -> String {
    let (_, rest) = request.split_once("\"access_token\":\"").unwrap_or_default();
    rest.split('"').next().unwrap_or_default().to_owned()
}

#[test]
fn a_key_or_token_that_a_failed_run_repeats_is_written_nowhere() {
    let token = std::sync::Mutex::new(String::new());
    let server = HostileServer::start(move |request| {
        let mut token = token.lock().expect("no answer panics");
        if request.starts_with("POST") {
            *token = token_in(request);
            return (
                200,
                br#"{"id":7,"runs":[{"id":184467440737095516150,"scenario":30}]}"#.to_vec(),
            );
        }
        let words = format!(
            "{}{CEKURA_KEY} {token} \\u001b]0;title\\u0007\\u202e\\u2028",
            // So that a cut would leave a part of the key.
            "x".repeat(280)
        );
        let body = format!(
            r#"{{"runs":[{{"id":184467440737095516150,"status":"failed","error_message":"{words}","metadata":{{"ended_reason":"{CEKURA_KEY}"}}}}]}}"#
        );
        (200, body.into_bytes())
    });
    let dir = TestDir::new();
    let ran = run(&dir, &server);
    let session = dir.sessions().remove(0);
    let journal = fs::read_to_string(session.join("journal.jsonl")).expect("it exists");
    assert!(journal.contains("[redacted]"), "{}\n{journal}", ran.stderr);
    for word in ["\\u001b", "\u{202e}", "\u{2028}", "cekura-key"] {
        assert!(!journal.contains(word), "{word:?}: {journal}");
    }
    // An id that no number can hold is asked for as it was written.
    let asked = server.received().iter().any(|request| request.contains("184467440737095516150"));
    assert!(asked, "{:?}", server.received());
    assert!(!ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'));
}

#[test]
fn an_answer_of_any_size_or_shape_costs_little_memory_and_the_session_ends() {
    let bodies: [(u16, Vec<u8>); 4] = [
        (200, [b"[".to_vec(), b"{\"a\":0},".repeat(2_000_000), b"0]".to_vec()].concat()),
        (500, [b"{\"detail\":\"".to_vec(), vec![b'x'; 10_000_000], b"\"}".to_vec()].concat()),
        (200, format!("not json {CEKURA_KEY} \u{1b}[2J").into_bytes()),
        (200, vec![b'['; 60_000]),
    ];
    for (number, (status, body)) in bodies.into_iter().enumerate() {
        let server = HostileServer::start(move |request| {
            if request.starts_with("POST") && number != 1 {
                return (200, br#"{"id":7,"runs":[{"id":3,"scenario":30}]}"#.to_vec());
            }
            (status, body.clone())
        });
        let dir = TestDir::new();
        let ran = run(&dir, &server);
        assert!(ran.code.is_some(), "it ends");
        let session = dir.sessions().remove(0);
        let journal = fs::read(session.join("journal.jsonl")).expect("it exists");
        assert!(journal.len() < 50_000, "{number}: {} bytes", journal.len());
    }
}

#[test]
fn an_error_of_ten_megabytes_takes_little_of_the_journal() {
    let server = HostileServer::start(|request| {
        if request.contains("ListRooms") {
            return (200, Vec::new());
        }
        let words = "x".repeat(10_000_000);
        (500, format!(r#"{{"code":"internal","msg":"{words}","detail":"{words}"}}"#).into_bytes())
    });
    let dir = TestDir::new();
    let address = server.address();
    let profile = profile(&format!("ws://{address}"), &format!("http://{address}"));
    // It is read whole, however slow the machine is.
    let profile = profile.replace("[limits]\n", "[limits]\nlivekit_timeout = \"60s\"\n");
    dir.write("profile.toml", &profile.replace("run_timeout = \"2s\"", "run_timeout = \"60s\""));
    let ran = with_keys(dir.rushhour(&["run", "profile.toml", "--quiet", "--yes"])).run();
    let journal = fs::read(dir.sessions().remove(0).join("journal.jsonl")).expect("it exists");
    assert!(journal.len() < 50_000, "{} bytes: {}", journal.len(), ran.stderr);
}

#[test]
fn what_answers_doctor_and_sweep_with_something_else_than_json_is_not_repeated_whole() {
    let server = HostileServer::start(|request| {
        (200, format!("echo {request} \u{1b}]0;x\u{7} {}", "y".repeat(100_000)).into_bytes())
    });
    let sandbox = Sandbox::start(SandboxConfig::default(), 0).expect("a port is free");
    let dir = TestDir::new();
    let cekura = format!("http://{}", server.address());
    dir.write("profile.toml", &profile(&sandbox.livekit_url(), &cekura));
    // The harness fails where a key is printed.
    let doctor = with_keys(dir.rushhour(&["doctor", "profile.toml"])).run();
    assert!(!doctor.stdout.contains('\u{1b}') && doctor.stdout.len() < 20_000, "{}", doctor.stdout);
}

#[test]
fn the_words_of_a_twirp_error_are_redacted_too() {
    let server = HostileServer::start(|request| {
        let token = request.lines().find_map(|line| line.strip_prefix("authorization: Bearer "));
        let token = token.unwrap_or_default();
        (500, format!(r#"{{"code":"{token}","msg":"{token}\u001b[2J"}}"#).into_bytes())
    });
    let dir = TestDir::new();
    let url = format!("ws://{}", server.address());
    let swept = with_keys(dir.rushhour(&["sweep"])).env("LIVEKIT_URL", &url).run().expect_exit(2);
    assert!(!swept.stderr.contains("eyJ") && !swept.stderr.contains('\u{1b}'), "{}", swept.stderr);
    assert!(swept.stderr.contains("[redacted]"), "{}", swept.stderr);
}
