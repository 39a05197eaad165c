//! Real peers: livekit-server 1.13.5, a livekit-agents 1.8.9 worker, Cekura's SDK 1.6.7, and readers of our files.
//!
//! `./tests/all` installs them under `target/peers`; without them these tests fail and say so.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use livekit_api::access_token::{AccessToken, VideoGrants};
use livekit_protocol as proto;
use prost::Message;
use rushhour_livekit::{LiveKitError, LiveKitErrorKind};
use serde_json::Value;

use crate::support::{LiveKitServer, Peers, TestDir, python_facts};

/// Five runs on the real server, with the sandbox's Cekura.
fn five_runs(server: &LiveKitServer, mode: &str) -> String {
    format!(
        r#"
name = "five-{mode}"
mode = "{mode}"
[livekit]
url = "{}"
agent = "echo"
metadata = {{ tenant = "acme" }}
[evaluator]
kind = "sandbox"
poll_every = "500ms"
[[scenario]]
id = 30
copies = 5
lasts = "1s"
[[stage]]
rate = "1/s"
[limits]
polls = "10/s"
run_timeout = "30s"
[sandbox]
conversation = {{ median = "1s" }}
"#,
        server.url()
    )
}

#[test]
fn a_real_worker_receives_our_metadata_on_a_real_server_and_no_room_is_left() {
    let dir = TestDir::new();
    let server = LiveKitServer::start(dir.path());
    let worker = server.echo_worker(dir.path());
    for mode in ["chat", "voice"] {
        let out = format!("reports-{mode}");
        dir.write("profile.toml", &five_runs(&server, mode));
        server
            .with_keys(dir.rushhour(&["run", "profile.toml", "--out", &out]))
            .run()
            .expect_exit(0);
        let session = dir.session_in(&out);
        assert_eq!(session.tally("outcome")["completed"], 5, "{mode}");
        assert_eq!(session.runs.len(), 5);
        for run in &session.runs {
            let join = run.number("agent_join_us").expect("an agent was seen");
            let server_join = run.number("agent_join.server_us").expect("the server reports it");
            // The server reports milliseconds of the wall clock.
            assert!(server_join <= join + 5_000, "{run:?}: the server knows first");
        }
        let jobs: Vec<Value> = worker
            .jobs()
            .into_iter()
            .filter(|job| session.runs.iter().any(|run| job["room"] == run.text("room")))
            .collect();
        assert_eq!(jobs.len(), 5, "{mode}: every run had its job, and only one");
        for job in jobs {
            assert_eq!(job["metadata"]["tenant"], "acme");
            assert_eq!(job["metadata"]["scenario_id"], 30);
            assert_eq!(job["text_mode_type"], "bool");
            let text_mode = job["metadata"].get("text_mode");
            assert_eq!(text_mode, (mode == "chat").then_some(&Value::Bool(true)), "{job}");
        }
    }
    assert_eq!(server.rooms(), [] as [String; 0], "every room is deleted");
}

#[test]
fn an_agent_without_a_worker_is_distinguished_from_a_slow_one_on_a_real_server() {
    let dir = TestDir::new();
    let server = LiveKitServer::start(dir.path());
    let profile = five_runs(&server, "chat")
        .replace("copies = 5", "copies = 2")
        .replace("\"echo\"", "\"nobody\"\nagent_within = \"1s\"\ngive_up_after = \"2s\"");
    dir.write("profile.toml", &profile);
    server.with_keys(dir.rushhour(&["run", "profile.toml"])).run();
    assert_eq!(dir.session().tally("failure_class")["dispatch_unassigned"], 2);
    assert_eq!(server.rooms(), [] as [String; 0]);
}

#[test]
fn a_token_is_accepted_by_the_real_server_and_a_damaged_one_is_not() {
    let dir = TestDir::new();
    let server = LiveKitServer::start(dir.path());
    let signer = rushhour_livekit::TokenSigner::new(server.key(), server.secret());
    let token = signer
        .sign(rushhour_livekit::TokenRequest {
            identity: rushhour_core::units::Identity::new("caller-1"),
            room: rushhour_core::units::RoomName::new("rushhour-1"),
            lifetime: rushhour_core::units::Micros::from_secs(60),
            agent: None,
            participant: rushhour_livekit::ParticipantClaims::default(),
        })
        .expect("a token can be signed");
    // The server's own check of a join: https://docs.livekit.io, `/rtc/validate`.
    let validate = |token: &str| {
        let url = format!("{}/rtc/validate?access_token={token}", server.http());
        send(|client| client.get(url)).0
    };
    assert_eq!(validate(token.expose()), 200);
    let shortened = &token.expose()[..token.expose().len() - 4];
    assert_eq!(validate(shortened), 401);
}

/// A correct token that expired seven hours ago (RFC 7519, HS256).
fn expired(key: &str, secret: &str) -> String {
    let now = jiff::Timestamp::now().as_second();
    let claims = serde_json::json!({
        "iss": key, "nbf": now - 8 * 3600, "exp": now - 7 * 3600, "video": { "roomList": true },
    });
    let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let header = part(serde_json::json!({ "alg": "HS256", "typ": "JWT" }));
    let signed = format!("{header}.{}", part(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Sends a request; returns status and body.
fn send(request: impl FnOnce(&reqwest::Client) -> reqwest::RequestBuilder) -> (u16, Vec<u8>) {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let request = request(&reqwest::Client::new());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be built");
    runtime.block_on(async {
        let response = request.send().await.expect("the server answers");
        let status = response.status().as_u16();
        (status, response.bytes().await.expect("the answer is complete").to_vec())
    })
}

#[test]
fn refusals_of_the_real_server_are_classified() {
    let dir = TestDir::new();
    let server = LiveKitServer::start(dir.path());
    let refusal_of = |token: &str| {
        let request = proto::ListRoomsRequest { names: vec!["none".to_owned()] };
        let (status, body) = send(|client| {
            client
                .post(format!("{}/twirp/livekit.RoomService/ListRooms", server.http()))
                .bearer_auth(token)
                .header("content-type", "application/protobuf")
                .body(request.encode_to_vec())
        });
        (status, LiveKitError::from_response(status, &body))
    };
    let refusal = |token: AccessToken| refusal_of(&token.to_jwt().expect("a token can be signed"));
    let list = VideoGrants { room_list: true, ..VideoGrants::default() };
    let signed = |secret: &str| {
        AccessToken::with_api_key(server.key().expose(), secret).with_grants(list.clone())
    };
    let secret = server.secret();
    assert_eq!(refusal(signed(secret.expose())).0, 200);
    let (_, error) = refusal(signed("another-secret-of-more-than-thirty-two-characters"));
    assert_eq!(error.kind, LiveKitErrorKind::Unauthenticated, "{error}");
    assert!(!error.message.contains("eyJ"), "the server repeats the token, we do not: {error}");
    let (_, error) = refusal_of(&expired(server.key().expose(), secret.expose()));
    assert_eq!(error.kind, LiveKitErrorKind::Unauthenticated, "{error}");
    let (_, error) = refusal(
        AccessToken::with_api_key(server.key().expose(), secret.expose())
            .with_grants(VideoGrants::default()),
    );
    assert_eq!(error.kind, LiveKitErrorKind::Forbidden, "{error}");
    let (_, error) = refusal(
        AccessToken::with_api_key("another-key", secret.expose()).with_grants(list.clone()),
    );
    assert_eq!(error.kind, LiveKitErrorKind::Unauthenticated, "{error}");
}

#[test]
fn a_wrong_secret_stops_the_session_before_a_room_is_created() {
    let dir = TestDir::new();
    let server = LiveKitServer::start(dir.path());
    dir.write("profile.toml", &five_runs(&server, "chat"));
    server
        .with_keys(dir.rushhour(&["run", "profile.toml"]))
        .env("LIVEKIT_API_SECRET", "secret-of-the-tests-with-more-than-32-characters")
        .run()
        .expect_exit(2)
        .expect_stderr("check LIVEKIT_API_KEY and LIVEKIT_API_SECRET");
    assert!(dir.sessions().is_empty());
    assert_eq!(server.rooms(), [] as [String; 0]);
}

#[test]
fn cekuras_own_sdk_starts_a_run_on_the_sandbox_and_reads_it_back() {
    let dir = TestDir::new();
    let (sandbox, printed) =
        dir.rushhour(&["sandbox", "--port", "0"]).start_until("CEKURA_API_KEY=");
    let mut sdk = Peers::find().python("cekura_sdk.py");
    sdk.envs(printed.lines().filter_map(|line| line.split_once('=')));
    let ran = sdk.output().expect("Python is installed");
    sandbox.signal("INT");
    sandbox.finish_with_secrets();
    assert_eq!(python_facts(&ran)["broken"], serde_json::json!([]));
}

#[test]
fn other_readers_compute_the_same_percentiles_from_our_files() {
    let dir = TestDir::new();
    let profile = r#"
name = "readers"
mode = "chat"
[livekit]
url = "sandbox"
agent = "front-desk"
agent_within = "2s"
give_up_after = "3s"
[evaluator]
poll_every = "500ms"
[[scenario]]
id = 30
copies = 200
lasts = "500ms"
[[stage]]
name = "warm-up"
measured = false
rate = "20/s"
lasts = "1s"
[[stage]]
name = "first"
rate = "40/s"
lasts = "2s"
[[stage]]
name = "second"
rate = "50/s"
[limits]
requests = "200/s"
polls = "50/s"
looks = "400/s"
in_flight = 300
[sandbox]
conversation = { median = "500ms" }
[sandbox.faults]
dispatch_lost = "2%"
"#;
    dir.write("profile.toml", profile);
    dir.rushhour(&["run", "profile.toml", "--quiet"]).run();
    let folder = dir.sessions().remove(0);
    let ran =
        Peers::find().python("read_reports.py").arg(&folder).output().expect("Python is installed");
    let facts = python_facts(&ran);
    for file in ["compared_with_hlog", "compared_with_runs"] {
        assert!(facts[file].as_u64().expect("checks are counted") > 40, "{facts}");
    }
}
