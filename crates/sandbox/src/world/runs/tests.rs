use serde_json::{Value, json};

use crate::test_sandbox::{AGENT, TestSandbox, admin_grant, config, config_with, create_grant};
use crate::tokens::{TokenClaims, VideoGrant, sign};
use crate::truth::SandboxFact;
use crate::{CekuraPlan, Fault, Faults, RoomOwnership, SandboxConfig};
use rushhour_core::units::{Micros, Mode};

const TEXT: &str = r#"{"text_mode":true,"scenario_id":30}"#;

/// A run in a room with an agent, half a second before it starts.
fn submitted(config: SandboxConfig, mode: Mode, metadata: &str) -> (TestSandbox, u64) {
    let mut sandbox = TestSandbox::new(config);
    sandbox.create_room_with_agent("room-1", metadata);
    let run = sandbox.submit(mode, "room-1");
    (sandbox, run)
}

/// Dispatches one more agent.
fn dispatch(sandbox: &mut TestSandbox) {
    let request = livekit_protocol::CreateAgentDispatchRequest {
        room: "room-1".to_owned(),
        agent_name: AGENT.to_owned(),
        ..Default::default()
    };
    let method = "AgentDispatchService/CreateDispatch";
    sandbox
        .twirp::<livekit_protocol::AgentDispatch>(method, admin_grant("room-1"), &request)
        .unwrap();
}

/// The status of a run and its `ended_reason`.
fn status_and_reason(sandbox: &mut TestSandbox, run: u64) -> (String, String) {
    let view = sandbox.run(run);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&view["status"]), text(&view["metadata"]["ended_reason"]))
}

#[test]
fn a_run_passes_through_its_statuses_in_time() {
    let (mut sandbox, run) = submitted(config(), Mode::Voice, "{}");
    let mut seen = Vec::new();
    for _ in 0..60 {
        let status = sandbox.status(run);
        if seen.last().is_none_or(|(_, last)| *last != status) {
            seen.push((sandbox.world.now().0 / 1_000, status));
        }
        sandbox.advance(100);
    }
    let seen: Vec<(u64, &str)> = seen.iter().map(|(at, status)| (*at, status.as_str())).collect();
    assert_eq!(
        seen,
        [(0, "pending"), (500, "in_progress"), (4_500, "evaluating"), (5_500, "completed")]
    );
    let view = sandbox.run(run);
    assert_eq!((&view["success"], &view["duration"]), (&json!(true), &json!("00:04")));
    assert_eq!(view["run_as_text"], json!(false));
    assert_eq!(view["executed_at"], json!("2026-07-14T03:33:20.5Z"));
    assert_eq!(sandbox.truth().counts.runs_over, [("completed", 1)].into());
}

#[test]
fn facts_have_the_times_of_their_events_not_of_the_poll() {
    let (mut sandbox, run) = submitted(config(), Mode::Chat, TEXT);
    sandbox.advance(60_000);
    assert_eq!(sandbox.status(run), "completed");
    let statuses: Vec<(u64, &str)> = sandbox
        .facts()
        .iter()
        .filter_map(|(at, fact)| match fact {
            SandboxFact::RunStatus { status, .. } => Some((at.0, *status)),
            _ => None,
        })
        .collect();
    assert_eq!(
        statuses,
        [(500_000, "in_progress"), (2_500_000, "evaluating"), (3_500_000, "completed")]
    );
}

#[test]
fn chat_needs_an_agent_with_text_mode_and_voice_one_without() {
    for (mode, metadata, end) in [
        (Mode::Chat, TEXT, "completed"),
        (Mode::Chat, "{}", "failed"),
        (Mode::Chat, r#"{"text_mode":"true"}"#, "failed"),
        (Mode::Voice, "{}", "completed"),
        (Mode::Voice, TEXT, "failed"),
    ] {
        let (mut sandbox, run) = submitted(config(), mode, metadata);
        sandbox.advance(10_000);
        let (status, reason) = status_and_reason(&mut sandbox, run);
        assert_eq!(status, end, "{mode} with {metadata}");
        assert_eq!(reason == "Main agent-silence-timed-out", end == "failed");
    }
    let config = SandboxConfig { text_mode: false, ..config() };
    let (mut sandbox, run) = submitted(config, Mode::Chat, "{}");
    sandbox.advance(10_000);
    assert_eq!(sandbox.status(run), "completed");
}

#[test]
fn a_run_without_an_agent_fails_after_the_agent_timeout() {
    let mut sandbox = TestSandbox::default();
    let run = sandbox.submit(Mode::Voice, "bare");
    sandbox.advance(5_400);
    assert_eq!(sandbox.status(run), "in_progress");
    sandbox.advance(200);
    let (status, reason) = status_and_reason(&mut sandbox, run);
    assert_eq!((status.as_str(), reason.as_str()), ("failed", "Main agent-did-not-answer"));
}

#[test]
fn the_conversation_starts_when_an_agent_joins_the_waiting_evaluator() {
    let mut sandbox = TestSandbox::default();
    let run = sandbox.submit(Mode::Voice, "room-1");
    sandbox.advance(3_000);
    dispatch(&mut sandbox);
    sandbox.advance(4_200);
    assert_eq!(sandbox.status(run), "in_progress");
    sandbox.advance(200);
    assert_eq!(sandbox.status(run), "evaluating");
}

#[test]
fn a_run_with_a_wrong_url_or_token_fails_with_the_reason() {
    let error_after = |change: &dyn Fn(&TestSandbox, &mut Value)| {
        let mut sandbox = TestSandbox::default();
        sandbox.create_room_with_agent("room-1", "{}");
        let mut entry = sandbox.entry("room-1");
        change(&sandbox, &mut entry);
        let response = sandbox.submit_entries(Mode::Voice, &[entry]);
        assert_eq!(response.status, 200);
        sandbox.advance(600);
        let run = sandbox.get("v2/runs/", "")["results"][0].clone();
        assert_eq!(run["metadata"]["ended_reason"], "Testing agent-did-not-connect");
        run["error_message"].as_str().unwrap().to_owned()
    };
    let with_claims = |change: fn(&mut TokenClaims), secret: &str| {
        let secret = secret.to_owned();
        error_after(&move |sandbox, entry| {
            let video =
                VideoGrant { room_join: true, room: "room-1".to_owned(), ..Default::default() };
            let mut claims = sandbox.claims(video);
            claims.sub = "evaluator".to_owned();
            change(&mut claims);
            entry["access_token"] = sign(&claims, &secret).into();
        })
    };
    let secret = SandboxConfig::API_SECRET;
    assert!(with_claims(|_| {}, "another").contains("signature is invalid"));
    assert!(with_claims(|claims| claims.exp = claims.nbf - 61, secret).contains("is expired"));
    assert!(with_claims(|claims| claims.nbf += 120, secret).contains("not valid yet"));
    assert!(with_claims(|claims| claims.iss = "other".into(), secret).contains("API key: other"));
    assert!(with_claims(|claims| claims.sub.clear(), secret).contains("no identity"));
    assert!(with_claims(|claims| claims.video.room_join = false, secret).contains("to join"));
    let url =
        |url: &'static str| error_after(&move |_, entry| entry["livekit_room_url"] = url.into());
    assert!(url("ws://127.0.0.1:9").contains("cannot be reached"));
    assert!(url("wss://127.0.0.1:7881").contains("no TLS"));
    assert!(url("127.0.0.1:7881").contains("not a URL"));
    assert!(
        error_after(&|_, entry| entry["access_token"] = "junk".into())
            .contains("authorization token")
    );
}

#[test]
fn a_token_is_checked_when_the_run_connects() {
    let plan = CekuraPlan { voice_runs: 1, ..CekuraPlan::default() };
    let mut sandbox = TestSandbox::new(SandboxConfig { plan, ..config() });
    sandbox.world.config.times.cekura.voice = crate::DelayDistribution::fixed(400_000);
    sandbox.create_room_with_agent("room-1", "{}");
    sandbox.create_room_with_agent("room-2", "{}");
    sandbox.submit(Mode::Voice, "room-1");
    let second = sandbox.submit(Mode::Voice, "room-2");
    sandbox.advance(399_000);
    assert_eq!(sandbox.status(second), "in_queue");
    sandbox.advance(2_000);
    let view = sandbox.run(second);
    assert_eq!(view["status"], "failed");
    assert!(view["error_message"].as_str().unwrap().contains("token is expired"));
}

#[test]
fn runs_above_the_plans_limit_wait_in_the_queue_of_their_mode() {
    let plan = CekuraPlan { voice_runs: 1, chat_runs: 1, ..CekuraPlan::default() };
    let mut sandbox = TestSandbox::new(SandboxConfig { plan, ..config() });
    for room in ["v1", "v2", "v3"] {
        sandbox.create_room_with_agent(room, "{}");
    }
    sandbox.create_room_with_agent("c1", TEXT);
    let voice: Vec<u64> =
        ["v1", "v2", "v3"].into_iter().map(|room| sandbox.submit(Mode::Voice, room)).collect();
    let chat = sandbox.submit(Mode::Chat, "c1");
    sandbox.advance(1_000);
    assert_eq!(sandbox.status(voice[0]), "in_progress");
    assert_eq!(sandbox.status(voice[1]), "in_queue");
    assert_eq!(sandbox.status(chat), "in_progress");
    // A run that is cancelled while it waits loses its turn.
    sandbox.cekura("POST", &format!("v1/runs/{}/end_call/", voice[1]), "", &Value::Null);
    assert_eq!(
        status_and_reason(&mut sandbox, voice[1]),
        ("cancelled".into(), "run-cancelled-by-user".into())
    );
    sandbox.advance(3_600);
    assert_eq!(sandbox.status(voice[0]), "evaluating");
    assert_eq!(sandbox.status(voice[2]), "in_progress");
}

#[test]
fn thousands_of_runs_that_fail_in_the_queue_do_not_overflow_the_stack() {
    let plan = CekuraPlan { voice_runs: 1, ..CekuraPlan::default() };
    let mut sandbox = TestSandbox::new(SandboxConfig { plan, ..config() });
    sandbox.create_room_with_agent("first", "{}");
    sandbox.submit(Mode::Voice, "first");
    sandbox.advance(1_000);
    let mut entry = sandbox.entry("room");
    entry["access_token"] = "expired".into();
    sandbox.submit_entries(Mode::Voice, &vec![entry; 20_000]);
    sandbox.advance(10_000);
    assert_eq!(sandbox.truth().counts.runs_over, [("completed", 1), ("failed", 20_000)].into());
    assert_eq!(sandbox.truth().runs_open, 0);
}

#[test]
fn a_deleted_room_ends_the_conversation_but_not_the_judging() {
    let (mut sandbox, run) = submitted(config(), Mode::Voice, "{}");
    sandbox.advance(2_000);
    sandbox.delete("room-1").unwrap();
    assert_eq!(
        status_and_reason(&mut sandbox, run),
        ("failed".into(), "participant_disconnected".into())
    );

    let (mut sandbox, run) = submitted(config(), Mode::Voice, "{}");
    sandbox.advance(4_600);
    sandbox.delete("room-1").unwrap();
    sandbox.advance(1_000);
    assert_eq!(sandbox.status(run), "completed");
}

#[test]
fn a_second_agent_does_not_restart_the_conversation() {
    let (mut sandbox, run) = submitted(config(), Mode::Voice, "{}");
    sandbox.advance(3_000);
    dispatch(&mut sandbox);
    sandbox.advance(1_600);
    assert_eq!(sandbox.status(run), "evaluating");
    assert_eq!(sandbox.truth().counts.agents_joined, 2);
}

#[test]
fn a_run_that_cannot_join_leaves_the_agent_in_the_room() {
    let mut sandbox = TestSandbox::default();
    sandbox.create_room_with_agent("room-1", "{}");
    let mut entry = sandbox.entry("room-1");
    entry["livekit_room_url"] = "ws://127.0.0.1:9".into();
    sandbox.submit_entries(Mode::Voice, &[entry]);
    sandbox.advance(1_000);
    assert_eq!(sandbox.truth().counts.runs_over, [("failed", 1)].into());
    assert_eq!(sandbox.agents_in("room-1").len(), 1);
}

#[test]
fn a_second_participant_with_the_same_identity_displaces_the_first() {
    let (mut sandbox, first) = submitted(config(), Mode::Voice, "{}");
    let second = sandbox.submit(Mode::Voice, "room-1");
    sandbox.advance(1_000);
    assert_eq!(status_and_reason(&mut sandbox, first).1, "participant_disconnected");
    assert_eq!(sandbox.status(second), "in_progress");
    let truth = sandbox.truth();
    assert_eq!((truth.counts.entries, truth.counts.duplicates), (2, 1));
    assert_eq!(truth.entries[0].accepted, 2);
}

#[test]
fn run_faults_decide_how_a_run_ends() {
    for (fault, status, reason, at) in [
        (Fault::RunFails, "failed", "Testing agent-pipeline-error", 2_500),
        (Fault::RunTimesOut, "timeout", "exceeded-max-duration", 4_500),
        (Fault::JudgedFailure, "completed", "Main agent-ended-call", 5_500),
    ] {
        let faults = Faults::always(fault);
        let (mut sandbox, run) = submitted(config_with(faults), Mode::Voice, "{}");
        sandbox.advance(at - 1);
        assert_eq!(sandbox.run(run)["metadata"]["ended_reason"], Value::Null, "{fault}");
        sandbox.advance(1);
        assert_eq!(status_and_reason(&mut sandbox, run), (status.to_owned(), reason.to_owned()));
        assert_eq!(sandbox.run(run)["success"], json!(false));
        assert_eq!(sandbox.truth().injected(fault), 1);
    }
}

#[test]
fn a_run_that_never_ends_releases_its_slot_and_can_be_cancelled() {
    let plan = CekuraPlan { voice_runs: 1, ..CekuraPlan::default() };
    let faults = Faults::always(Fault::RunNeverEnds);
    let config = SandboxConfig { plan, ..config_with(faults) };
    let (mut sandbox, run) = submitted(config, Mode::Voice, "{}");
    sandbox.create_room_with_agent("room-2", "{}");
    let next = sandbox.submit(Mode::Voice, "room-2");
    sandbox.advance(5_000);
    assert_eq!(sandbox.status(next), "in_progress");
    sandbox.delete("room-1").unwrap();
    sandbox.advance(3_600_000);
    assert_eq!(sandbox.status(run), "in_progress");
    sandbox.cekura("POST", &format!("v2/runs/{run}/end_call/"), "", &Value::Null);
    assert_eq!(sandbox.status(run), "cancelled");
}

#[test]
fn an_undocumented_status_is_temporary() {
    let faults = Faults::always(Fault::RunUnknownStatus);
    let (mut sandbox, run) = submitted(config_with(faults), Mode::Voice, "{}");
    sandbox.advance(600);
    assert_eq!(sandbox.status(run), "warming_up");
    sandbox.advance(700);
    assert_eq!(sandbox.status(run), "in_progress");
    sandbox.advance(5_000);
    assert_eq!(sandbox.status(run), "completed");
}

#[test]
fn rooms_of_another_server_are_not_checked_but_tokens_are() {
    let config = SandboxConfig { rooms: RoomOwnership::Elsewhere, ..config() };
    let mut sandbox = TestSandbox::new(config);
    let mut entry = sandbox.entry("room-1");
    entry["livekit_room_url"] = "wss://example.livekit.cloud".into();
    let mut forged = entry.clone();
    forged["access_token"] = sign(&sandbox.claims(admin_grant("room-1")), "another").into();
    sandbox.submit_entries(Mode::Chat, &[entry, forged]);
    sandbox.advance(10_000);
    let truth = sandbox.truth();
    assert_eq!(truth.counts.runs_over, [("completed", 1), ("failed", 1)].into());
    assert_eq!(truth.counts.rooms_created, 0);
}

#[test]
fn ended_runs_and_closed_rooms_are_forgotten_but_still_counted() {
    let retention = Micros::from_secs(60);
    let mut sandbox = TestSandbox::new(SandboxConfig { retention, ..config() });
    let long_lived = livekit_protocol::CreateRoomRequest {
        name: "room-0".to_owned(),
        departure_timeout: 120,
        ..Default::default()
    };
    sandbox
        .twirp::<livekit_protocol::Room>("RoomService/CreateRoom", create_grant(), &long_lived)
        .unwrap();
    for n in 0..50 {
        let room = format!("room-{n}");
        sandbox.create_room_with_agent(&room, "{}");
        sandbox.submit(Mode::Voice, &room);
    }
    sandbox.advance(10_000);
    for n in 1..50 {
        sandbox.delete(&format!("room-{n}")).unwrap();
    }
    sandbox.advance(80_000);
    // The room that is still open keeps its run: a client may still poll it.
    assert_eq!(sandbox.world.all_runs().count(), 1);
    sandbox.advance(200_000);
    assert_eq!(sandbox.world.all_runs().count(), 0);
    assert_eq!(sandbox.world.all_results().count(), 0);
    assert_eq!(sandbox.world.timers(), 0);
    let truth = sandbox.truth();
    assert_eq!((truth.counts.entries, truth.entries.len()), (50, 0));
    assert_eq!(truth.counts.runs_over, [("completed", 49), ("failed", 1)].into());
}
