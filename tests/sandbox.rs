//! The sandbox on real sockets: LiveKit's own client, faults below HTTP, and the truth log.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use livekit_api::access_token::{AccessToken, VideoGrants};
use livekit_api::services::agent_dispatch::AgentDispatchClient;
use livekit_api::services::room::{CreateRoomOptions, RoomClient};
use livekit_protocol as proto;
use rushhour_core::units::Percent;
use rushhour_sandbox::{
    DelayDistribution, Fault, Faults, LivekitTimes, Sandbox, SandboxConfig, SandboxError,
    SandboxTimes, TruthLog, TruthWriter,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::PATIENCE;

const SUBMIT: &str = "/test_framework/v1/scenarios-external/run_scenarios_livekit/";

/// A configuration with short delays and these faults.
fn quick_config(faults: Faults) -> SandboxConfig {
    let mut times = SandboxTimes::default();
    times.cekura.submit = DelayDistribution::fixed(20);
    times.cekura.submit_slow = DelayDistribution::fixed(300);
    times.cekura.poll = DelayDistribution::fixed(5);
    SandboxConfig { faults, times, ..SandboxConfig::default() }
}

fn start(faults: Faults) -> Sandbox {
    Sandbox::start(quick_config(faults), 0).expect("a port is free")
}

/// The HTTP response on one connection.
struct Response {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Response {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the answer is JSON")
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Sends one request over its own connection and reads until the sandbox closes it.
fn send(sandbox: &Sandbox, method: &str, path: &str, body: &str) -> io::Result<Response> {
    let mut bytes = Vec::new();
    send_request(sandbox, method, path, body)?.read_to_end(&mut bytes)?;
    let end =
        bytes.windows(4).position(|four| four == b"\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    Ok(Response { status, head, body: bytes.split_off(end + 4) })
}

/// Sends one request over a new connection; the response is still to be read.
fn send_request(sandbox: &Sandbox, method: &str, path: &str, body: &str) -> io::Result<TcpStream> {
    send_request_to(sandbox, &address(sandbox), method, path, body)
}

/// The sandbox's address with its port.
fn address(sandbox: &Sandbox) -> String {
    sandbox.url().strip_prefix("http://").expect("the sandbox speaks plain HTTP").to_owned()
}

/// Sends a request under this name of the sandbox.
fn send_request_to(
    sandbox: &Sandbox,
    host: &str,
    method: &str,
    path: &str,
    body: &str,
) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address(sandbox))?;
    let key = SandboxConfig::CEKURA_KEY;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nX-CEKURA-API-KEY: {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )?;
    Ok(stream)
}

#[test]
fn a_web_page_whose_name_leads_to_this_machine_does_not_reach_the_sandbox() {
    let sandbox = start(Faults::NONE);
    for host in ["evil.example", "127.0.0.1.evil.example:7880"] {
        let mut answer = String::new();
        let body = submission(&sandbox, "room-1");
        let mut stream = send_request_to(&sandbox, host, "POST", SUBMIT, &body).unwrap();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 421 "), "{host}: {answer}");
        assert!(answer.ends_with("\r\n\r\nnot this host\n"), "{host}: {answer}");
    }
    assert_eq!(submit(&sandbox, "room-1").unwrap().status, 200);
    assert_eq!(sandbox.stop().counts.entries, 1, "only the request of this machine is handled");
}

fn submission(sandbox: &Sandbox, room: &str) -> String {
    let grants = VideoGrants { room_join: true, room: room.to_owned(), ..VideoGrants::default() };
    let token = AccessToken::with_api_key(SandboxConfig::API_KEY, SandboxConfig::API_SECRET)
        .with_identity("evaluator")
        .with_ttl(Duration::from_mins(1))
        .with_grants(grants);
    let entry = json!({
        "scenario": 30,
        "livekit_room_url": sandbox.livekit_url(),
        "access_token": token.to_jwt().expect("key, identity and room are given"),
    });
    json!({ "scenarios": [entry] }).to_string()
}

fn submit(sandbox: &Sandbox, room: &str) -> io::Result<Response> {
    send(sandbox, "POST", SUBMIT, &submission(sandbox, room))
}

/// Submits one entry under this fault; returns what the client sees, and how many runs the sandbox created.
fn submit_with(fault: Fault) -> (io::Result<Response>, u64) {
    let sandbox = start(Faults::always(fault));
    let response = submit(&sandbox, "room-1");
    (response, sandbox.stop().counts.entries)
}

#[test]
fn the_official_client_creates_rooms_and_finds_agents_in_them() {
    let mut config = quick_config(Faults::NONE);
    config.times.livekit = LivekitTimes {
        assignment: DelayDistribution::fixed(50),
        join: DelayDistribution::fixed(20),
        listening: DelayDistribution::fixed(20),
        ..LivekitTimes::default()
    };
    let sandbox = Sandbox::start(config, 0).unwrap();
    let (key, secret) = (SandboxConfig::API_KEY, SandboxConfig::API_SECRET);
    let rooms = RoomClient::with_api_key(&sandbox.livekit_url(), key, secret);
    let agents = AgentDispatchClient::with_api_key(&sandbox.livekit_url(), key, secret);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let options = CreateRoomOptions { metadata: "ours".to_owned(), ..Default::default() };
        let room = rooms.create_room("room-1", options).await.unwrap();
        assert_eq!((room.metadata.as_str(), room.empty_timeout), ("ours", 300));
        let request = proto::CreateAgentDispatchRequest {
            room: "room-1".to_owned(),
            agent_name: "front-desk".to_owned(),
            ..Default::default()
        };
        let dispatch = agents.create_dispatch(request).await.unwrap();
        let listening = async {
            loop {
                let people = rooms.list_participants("room-1").await.unwrap();
                if let [agent] = people.as_slice()
                    && agent.attributes["lk.agent.state"] == "listening"
                {
                    return agent.clone();
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let agent = tokio::time::timeout(PATIENCE, listening).await.unwrap();
        assert_eq!(agent.kind(), proto::participant_info::Kind::Agent);
        let found = agents.get_dispatch(&dispatch.id, "room-1").await.unwrap().unwrap();
        let job = &found.state.unwrap().jobs[0];
        assert_eq!(job.state.as_ref().unwrap().participant_identity, agent.identity);
        rooms.delete_room("room-1").await.unwrap();
        assert!(rooms.list_rooms(Vec::new()).await.unwrap().is_empty());

        let stranger = RoomClient::with_api_key(&sandbox.livekit_url(), key, "another secret");
        assert!(stranger.list_rooms(Vec::new()).await.is_err());
    });
    let counts = sandbox.stop().counts;
    assert_eq!((counts.rooms_created, counts.rooms_deleted, counts.agents_joined), (1, 1, 1));
}

#[test]
fn resets_are_real_resets_with_and_without_a_run() {
    for (fault, runs) in [(Fault::SubmitResetBefore, 0), (Fault::SubmitResetAfter, 1)] {
        let (response, created) = submit_with(fault);
        let error = response.map(|response| response.status).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{fault}");
        assert_eq!(created, runs, "{fault}");
    }
    let sandbox = start(Faults::always(Fault::PollReset));
    let poll = send(&sandbox, "GET", "/test_framework/v2/runs/bulk/?run_ids=1", "");
    assert_eq!(
        poll.map(|response| response.status).unwrap_err().kind(),
        io::ErrorKind::ConnectionReset
    );
}

#[test]
fn a_truncated_response_announces_more_than_arrives() {
    let (response, created) = submit_with(Fault::SubmitTruncated);
    let response = response.unwrap();
    let announced: usize = response.header("content-length").unwrap().parse().unwrap();
    assert_eq!((response.status, response.body.len(), created), (200, announced / 2, 1));
    assert!(serde_json::from_slice::<Value>(&response.body).is_err());
}

#[test]
fn a_huge_response_is_fifty_megabytes_of_valid_json() {
    let (response, created) = submit_with(Fault::SubmitHuge);
    let response = response.unwrap();
    assert!(response.body.len() > 50 * 1_024 * 1_024, "{}", response.body.len());
    assert_eq!((response.json()["runs"].as_array().unwrap().len(), created), (1, 1));
}

#[test]
fn a_silent_sandbox_keeps_the_connection_open_and_sends_nothing() {
    let sandbox = start(Faults::always(Fault::SubmitSilent));
    let mut stream =
        send_request(&sandbox, "POST", SUBMIT, &submission(&sandbox, "room-1")).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let error = stream.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    assert_eq!(sandbox.truth().counts.entries, 1);
    sandbox.stop();
    stream.set_read_timeout(None).unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap_or_default(), 0, "stopping ends the silence");
}

#[test]
fn refusals_have_their_headers_and_empty_responses_no_body() {
    let retry_after = |fault: Fault| {
        let (response, created) = submit_with(fault);
        let response = response.unwrap();
        assert_eq!((response.status, created), (429, 0), "{fault}");
        response.header("retry-after").map(str::to_owned)
    };
    assert_eq!(retry_after(Fault::SubmitTooManySeconds).as_deref(), Some("1"));
    assert!(retry_after(Fault::SubmitTooManyDate).unwrap().ends_with(" GMT"));
    assert_eq!(retry_after(Fault::SubmitTooManyBare), None);
    let (response, created) = submit_with(Fault::SubmitEmpty);
    let response = response.unwrap();
    assert_eq!((response.status, response.body.len(), created), (200, 0, 1));
    let (response, created) = submit_with(Fault::SubmitHtml);
    let response = response.unwrap();
    assert_eq!(
        (response.status, response.header("content-type"), created),
        (502, Some("text/html"), 0)
    );
}

#[test]
fn a_slow_response_takes_as_long_as_the_log_says() {
    let written = Arc::new(Mutex::new(Vec::new()));
    let truth_log = TruthLog::Writer(TruthWriter::new(written.clone()));
    let config = SandboxConfig { truth_log, ..quick_config(Faults::always(Fault::SubmitSlow)) };
    let sandbox = Sandbox::start(config, 0).unwrap();
    let start = Instant::now();
    assert_eq!(submit(&sandbox, "room-1").unwrap().status, 200);
    let took = start.elapsed();
    sandbox.stop();
    let log = String::from_utf8(written.lock().unwrap().clone()).unwrap();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let answered = lines.into_iter().find(|line| line["fact"] == "submission_answered").unwrap();
    let micros = |name: &str| answered[name].as_u64().unwrap();
    let really = Duration::from_micros(micros("answered_us") - micros("received_us"));
    assert!(really >= Duration::from_millis(320), "{really:?}");
    assert!(really <= took, "the sandbox cannot have taken {really:?} of the client's {took:?}");
}

#[test]
fn under_every_fault_at_once_log_and_counts_agree() {
    let folder = std::env::temp_dir().join(format!("rushhour-sandbox-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("truth.jsonl");
    let share = Percent::from_fraction(0.03).unwrap();
    // Responses that never come would block this test's threads.
    let faults = Faults::each(share).with(Fault::SubmitSilent, Percent::ZERO);
    let config = SandboxConfig { truth_log: TruthLog::File(path.clone()), ..quick_config(faults) };
    let sandbox = Arc::new(Sandbox::start(config, 0).unwrap());
    let clients: Vec<_> = (0..8)
        .map(|client| {
            let sandbox = Arc::clone(&sandbox);
            thread::spawn(move || {
                for n in 0..25 {
                    // Whatever the client sees, the sandbox knows what it did.
                    let _ = submit(&sandbox, &format!("room-{client}-{n}"));
                }
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    let truth = Arc::into_inner(sandbox).unwrap().stop();
    let log = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let count = |fact: &str| lines.iter().filter(|line| line["fact"] == fact).count() as u64;
    assert_eq!(lines[0]["fact"], "anchor");
    assert_eq!(truth.log_failure, None);
    assert_eq!(count("entry_accepted"), truth.counts.entries);
    assert_eq!(count("submission_answered"), truth.counts.submissions);
    assert_eq!(count("fault_struck"), truth.counts.faults.values().sum::<u64>());
    assert_eq!(truth.entries.len() as u64, truth.counts.entries);
    assert_eq!((truth.counts.duplicates, truth.counts.wide_tokens), (0, 0));
    let outcomes = |outcome: &str| lines.iter().filter(|line| line["outcome"] == outcome).count();
    assert_eq!(outcomes("reset") as u64, truth.injected(Fault::SubmitResetAfter));
    assert_eq!(outcomes("abandoned"), 0);
    let requests: u64 = truth.counts.requests["run_scenarios_livekit"].values().sum();
    assert_eq!(requests, 200);
    assert!(truth.counts.faults.len() > 10, "{:?}", truth.counts.faults);
    let times: Vec<u64> = lines.iter().map(|line| line["at_us"].as_u64().unwrap()).collect();
    assert!(times.is_sorted(), "facts are written in the order of their times");
}

#[test]
fn a_sandbox_that_cannot_start_says_why_with_a_hint() {
    let sandbox = start(Faults::NONE);
    let port = sandbox.url().rsplit_once(':').unwrap().1.parse().unwrap();
    let error = Sandbox::start(SandboxConfig::default(), port).err().unwrap();
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
    assert!(error.to_string().ends_with("0 for any free one"), "{error}");
    // The port is free as soon as the sandbox has stopped.
    sandbox.stop();
    Sandbox::start(SandboxConfig::default(), port).unwrap();

    let truth_log = TruthLog::File("/nowhere/truth.jsonl".into());
    let config = SandboxConfig { truth_log, ..SandboxConfig::default() };
    let error = Sandbox::start(config, 0).err().unwrap();
    assert!(matches!(&error, SandboxError::TruthLog { path, .. } if path.ends_with("truth.jsonl")));
    let faults = Faults::each(Percent::from_fraction(0.5).unwrap());
    let error = Sandbox::start(quick_config(faults), 0).err().unwrap();
    assert!(matches!(error, SandboxError::Faults(_)), "{error}");
}
