//! Callers whose own connection is away for a while.

use super::scene::{Scene, at, participant, script, writes};
use crate::engine::LeaveReason;
use crate::participant::{DepartureReason, DisconnectError, ParticipantEvent, RemoteParticipant};
use rushhour_core::evaluator::UpdateKind;
use rushhour_core::event::{FailureClass, Reconnect, ReconnectCause, ReconnectMethod};
use rushhour_core::units::Mode;

impl Scene {
    pub(super) fn loses_connection(&mut self, millis: u64) {
        self.event(millis, ParticipantEvent::ConnectionLost(ReconnectCause::SignalLost));
    }

    pub(super) fn is_back(&mut self, lost: u64, millis: u64, method: ReconnectMethod) {
        let reconnect = Reconnect {
            cause: ReconnectCause::SignalLost,
            method,
            lost: at(lost),
            back: at(millis),
            attempts: 1,
        };
        self.event(millis, ParticipantEvent::Reconnected(reconnect));
    }
}

#[test]
fn a_turn_during_which_the_connection_was_away_is_marked_and_the_next_is_not() {
    let mut scene = Scene::chat(vec![writes("One."), writes("Two.")]);
    scene.until(1_120);
    scene.loses_connection(1_150);
    scene.answers(1_200, "SG_1", "First answer.");
    scene.is_back(1_150, 1_400, ReconnectMethod::Resume);
    scene.until(2_000);
    scene.answers(2_100, "SG_2", "Second answer.");
    scene.until(4_000);
    let updates = scene.updates();
    let turns: Vec<_> = updates
        .iter()
        .filter_map(|(_, kind)| match kind {
            UpdateKind::Turn(turn) => Some((turn.number, turn.first.is_some(), turn.away)),
            _ => None,
        })
        .collect();
    assert_eq!(turns, [(1, true, true), (2, true, false)]);
    let reconnects =
        updates.iter().filter(|(_, kind)| matches!(kind, UpdateKind::Reconnected(_))).count();
    assert_eq!(reconnects, 1);
}

#[test]
fn nothing_times_out_while_the_connection_is_away_and_later_by_as_long() {
    let mut scene = Scene::chat(vec![writes("One.")]);
    scene.until(1_120);
    scene.loses_connection(1_200);
    scene.until(9_000);
    assert_eq!(scene.turns(), []);
    scene.is_back(1_200, 9_200, ReconnectMethod::Resume);
    scene.until(10_000);
    scene.answers(12_000, "SG_1", "At last.");
    scene.until(14_000);
    let (turns, outcome, _) = scene.end();
    assert!(turns[0].away && outcome.class().is_none(), "{turns:?} {outcome:?}");
}

#[test]
fn what_fails_after_an_outage_is_not_blamed_on_the_agent() {
    let mut scene = Scene::chat(vec![writes("One.")]);
    scene.until(1_120);
    scene.loses_connection(1_200);
    scene.is_back(1_200, 1_400, ReconnectMethod::Resume);
    scene.until(20_000);
    let (turns, class, detail) = scene.failure();
    assert_eq!(class, FailureClass::ConnectionLost, "{detail}");
    assert!(turns[0].away && detail.contains("connection had been lost"), "{detail}");
}

/// The server closes what the caller has of a deleted room one after the other.
#[test]
fn the_end_of_a_deleted_room_is_no_outage() {
    let mut scene = Scene::chat(vec![writes("One."), writes("Two.")]);
    scene.until(1_120);
    scene.answers(1_200, "SG_1", "First answer.");
    scene.until(2_600);
    scene.agent_goes(2_700, DepartureReason::Left);
    scene.loses_connection(2_750);
    scene.left(2_760, LeaveReason::Disconnected(DisconnectError::RoomDeleted));
    let (turns, class, detail) = scene.failure();
    assert_eq!(class, FailureClass::AgentLeft, "{detail}");
    assert!(!detail.contains("connection") && turns.iter().all(|turn| !turn.away), "{turns:?}");
}

#[test]
fn an_agent_that_is_gone_when_the_caller_has_joined_again_is_not_blamed() {
    let mut scene = Scene::chat(vec![writes("One.")]);
    scene.until(1_120);
    scene.loses_connection(1_200);
    let guest = participant("guest", None);
    scene.event(3_000, ParticipantEvent::Rejoined { others: vec![guest] });
    scene.is_back(1_200, 3_100, ReconnectMethod::Rejoin);
    scene.until(20_000);
    let (_, class, detail) = scene.failure();
    assert_eq!(class, FailureClass::ConnectionLost, "{detail}");
}

#[test]
fn an_agent_that_comes_back_too_goes_on_with_the_conversation() {
    let mut scene = Scene::chat(vec![writes("One."), writes("Two.")]);
    scene.until(1_120);
    scene.answers(1_200, "SG_1", "First answer.");
    scene.loses_connection(1_320);
    scene.event(3_000, ParticipantEvent::Rejoined { others: Vec::new() });
    scene.is_back(1_320, 3_100, ReconnectMethod::Rejoin);
    scene.agent(4_000, Some("listening"));
    scene.until(5_000);
    scene.answers(5_100, "SG_2", "Second answer.");
    scene.until(8_000);
    let (turns, outcome, _) = scene.end();
    assert_eq!((turns.len(), outcome.class()), (2, None), "{turns:?} {outcome:?}");
    assert_eq!((turns[0].away, turns[1].away), (false, false), "{turns:?}");
}

/// A server that has no port left lets agents in, and connects nothing.
#[test]
fn an_agent_whose_media_was_never_connected_is_not_blamed() {
    let gone = |agent: RemoteParticipant| RemoteParticipant {
        connected: false,
        departure: DepartureReason::Lost,
        ..agent
    };
    for (had_media, expected) in
        [(false, FailureClass::ConnectionLost), (true, FailureClass::AgentLeft)]
    {
        let mut scene = Scene::alone(Mode::Chat, script(vec![writes("hello")]));
        let agent =
            RemoteParticipant { has_media: false, ..participant("agent-1", Some("initializing")) };
        scene.updates_participant(500, agent.clone());
        scene.updates_participant(600, RemoteParticipant { has_media: had_media, ..agent.clone() });
        scene.updates_participant(900, gone(agent));
        scene.until(30_000);
        let (_, class, detail) = scene.failure();
        assert_eq!(class, expected, "{detail}");
        assert_eq!(detail.contains("never connected its media"), !had_media, "{detail}");
    }
}
