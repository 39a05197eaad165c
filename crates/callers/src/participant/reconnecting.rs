//! A participant whose connection is lost: what it asks of the server to get it back.

use livekit_protocol as proto;
use proto::leave_request::Action;
use proto::signal_request::Message as Request;
use tracing::info;

use super::error::DisconnectError;
use super::participant::{JoinConfig, Participant, ParticipantEvent, ParticipantOutput, offer};
use super::reconnection::{Loss, ReconnectStep};
use super::signal::resume_path;
use rushhour_core::event::{ReconnectCause, ReconnectMethod};
use rushhour_core::units::{ForeignText, Micros, SessionTime};

/// How long a server that closed the signal connection or a peer connection may take to say why, or to close the other
/// too: it often closes both because the room is gone.
const CLOSING_GRACE: Micros = Micros::from_millis(500);

/// A signal connection that a participant asks for.
#[derive(Debug, Clone)]
pub struct SignalAttempt {
    /// Its number: what comes from an earlier one does not count any more.
    pub number: u64,
    /// What it asks of the server.
    pub target: SignalTarget,
}

/// What a signal connection is to lead to.
#[derive(Debug, Clone)]
pub enum SignalTarget {
    /// The same participant, at this path.
    Resumed {
        /// The path, with its query.
        path: String,
    },
    /// A new participant, whose connections this one takes over.
    Rejoined {
        /// How it joins.
        config: Box<JoinConfig>,
    },
}

/// Why a signal connection ended or did not come about.
#[derive(Debug)]
pub enum SignalLoss {
    /// It broke.
    Broken(ForeignText),
    /// The server closed it in due form.
    Closed(ForeignText),
    /// Nothing came any more for this long.
    Silent(Micros),
    /// It could not be opened.
    NotOpened(ForeignText),
    /// It could not be opened, because nothing listens at the server's address.
    NobodyListens(ForeignText),
    /// The server refuses the participant, and would again.
    Refused(ForeignText),
}

/// What the server has closed in due form. Both at once mean that the room is gone, or the participant removed: servers
/// before 1.13.6 may lose the message that says so (livekit/livekit#4776), and whoever resumes then makes the room anew.
#[derive(Debug, Default)]
pub(super) struct ClosedByServer {
    signal: bool,
    peer_connection: bool,
}

impl ClosedByServer {
    /// The signal connection is closed. Returns whether both are.
    const fn signal(&mut self) -> bool {
        self.signal = true;
        self.peer_connection
    }

    /// A peer connection is closed. Returns whether both are.
    const fn peer_connection(&mut self) -> bool {
        self.peer_connection = true;
        self.signal
    }
}

impl Participant {
    /// The number of the signal connection in use, or on its way.
    pub(crate) const fn signal_number(&self) -> u64 {
        self.signal_number
    }

    /// Handles the end of the signal connection, or of an attempt to open one.
    pub fn handle_signal_lost(
        &mut self,
        loss: SignalLoss,
        now: SessionTime,
        out: &mut impl ParticipantOutput,
    ) {
        let (cause, grace, error) = match loss {
            SignalLoss::Broken(error) => (ReconnectCause::SignalLost, Micros::ZERO, error),
            SignalLoss::Closed(error) => (ReconnectCause::SignalLost, CLOSING_GRACE, error),
            SignalLoss::Silent(since) => {
                let error = format!("nothing came for {since}").into();
                (ReconnectCause::SignalSilent, Micros::ZERO, error)
            }
            SignalLoss::NotOpened(error) => {
                self.reconnection.attempt_failed(error, now);
                return self.continue_reconnecting(now, out);
            }
            SignalLoss::NobodyListens(error) => {
                self.reconnection.server_stopped(error, now);
                return self.continue_reconnecting(now, out);
            }
            SignalLoss::Refused(error) => {
                self.reconnection.refused(error);
                return self.continue_reconnecting(now, out);
            }
        };
        if self.sid.is_none() {
            return self.disconnect(DisconnectError::Signal(error.as_str().into()), out);
        }
        if grace > Micros::ZERO {
            if self.closed.signal() {
                return self.disconnect(DisconnectError::RoomDeleted, out);
            }
            if !self.reconnection.is_away() && !self.reconnection.survives_closing() {
                return self.disconnect(DisconnectError::Signal(error.as_str().into()), out);
            }
        }
        self.lose(Loss { grace, ..Loss::new(cause, self.usual_method()) }, now, out);
    }

    /// What is lost before data could be sent once cannot be resumed: the server has closed it.
    fn usual_method(&self) -> ReconnectMethod {
        if self.is_open() { ReconnectMethod::Resume } else { ReconnectMethod::Rejoin }
    }

    /// Handles the server's request to leave: for good, or to come back.
    pub(super) fn told_to_leave(
        &mut self,
        leave: &proto::LeaveRequest,
        now: SessionTime,
        out: &mut impl ParticipantOutput,
    ) {
        let method = match leave.action() {
            Action::Disconnect if leave.can_reconnect => ReconnectMethod::Rejoin,
            Action::Disconnect => return self.disconnect(leave.reason().into(), out),
            Action::Resume => self.usual_method(),
            Action::Reconnect => ReconnectMethod::Rejoin,
        };
        let loss = Loss::new(ReconnectCause::ServerRequest, method);
        self.lose(Loss { media_lost: true, ..loss }, now, out);
    }

    /// ICE has no working pair any more, or the connection of the one in use has broken.
    pub(crate) fn media_lost(&mut self, now: SessionTime, out: &mut impl ParticipantOutput) {
        if self.sid.is_none() {
            return;
        }
        if self.reconnection.is_away() {
            self.reconnection.note_media_lost();
            return;
        }
        let loss = Loss::new(ReconnectCause::MediaLost, self.usual_method());
        self.lose(Loss { media_lost: true, ..loss }, now, out);
    }

    /// The server closed a peer connection.
    pub(super) fn peer_connection_closed(
        &mut self,
        now: SessionTime,
        out: &mut impl ParticipantOutput,
    ) {
        if self.closed.peer_connection() {
            return self.disconnect(DisconnectError::RoomDeleted, out);
        }
        let loss = Loss::new(ReconnectCause::MediaLost, ReconnectMethod::Rejoin);
        self.lose(Loss { media_lost: true, grace: CLOSING_GRACE, ..loss }, now, out);
    }

    fn lose(&mut self, loss: Loss, now: SessionTime, out: &mut impl ParticipantOutput) {
        let cause = loss.cause;
        if self.reconnection.lost(loss, now) {
            info!(parent: self.span(), cause = cause.meaning(), "lost the connection");
            out.event(ParticipantEvent::ConnectionLost(cause));
        }
        self.continue_reconnecting(now, out);
    }

    /// Does what the schedule says.
    pub(super) fn continue_reconnecting(
        &mut self,
        now: SessionTime,
        out: &mut impl ParticipantOutput,
    ) {
        let method = match self.reconnection.handle_timeout(now) {
            ReconnectStep::None => return,
            // Whatever was closed, the rest was not.
            ReconnectStep::Connect(method) => {
                self.closed = ClosedByServer::default();
                method
            }
            ReconnectStep::GiveUp => {
                let (attempts, last_error) = self.reconnection.attempts();
                let last_error = last_error.cloned();
                let cause = self.reconnection.cause().unwrap_or(ReconnectCause::SignalLost);
                let error = DisconnectError::NotRecovered { cause, attempts, last_error };
                return self.disconnect(error, out);
            }
        };
        self.signal_number += 1;
        let target = match (method, &self.sid) {
            (ReconnectMethod::Resume, Some(sid)) => {
                SignalTarget::Resumed { path: resume_path(self.query.protocol, sid, self.reason()) }
            }
            _ => SignalTarget::Rejoined { config: Box::new(self.config.clone()) },
        };
        out.open_signal(SignalAttempt { number: self.signal_number, target });
    }

    /// The reason as the server counts it.
    fn reason(&self) -> proto::ReconnectReason {
        if self.reconnection.has_lost_media() {
            proto::ReconnectReason::RrPublisherFailed
        } else {
            proto::ReconnectReason::RrSignalDisconnected
        }
    }

    /// The server has accepted a new signal connection to the same participant: tells it what this one knows, and lets
    /// media look for another path, if it lost its own.
    pub(super) fn resumed(&mut self, now: SessionTime, out: &mut impl ParticipantOutput) {
        self.reconnection.accepted(now);
        out.send_signal(Request::SyncState(proto::SyncState {
            subscription: Some(proto::UpdateSubscription {
                track_sids: self.declined_video.clone(),
                subscribe: false,
                ..proto::UpdateSubscription::default()
            }),
            publish_tracks: self.published.clone(),
            ..proto::SyncState::default()
        }));
        // The last ones may have been lost with the connection.
        self.send_attributes(out);
        let publisher = &mut self.peers.publisher;
        let next_offer = if self.reconnection.has_lost_media() {
            out.media_lost();
            publisher.restart_ice().or_else(|| publisher.repeat_offer())
        } else {
            publisher.repeat_offer()
        };
        if let Some((id, sdp)) = next_offer {
            out.send_signal(offer(id, sdp));
        }
        if !self.reconnection.has_lost_media() {
            self.back(now, out);
        }
    }

    /// Takes in the connections of a participant that joins in this one's place.
    pub(crate) fn replace_connections(&mut self, fresh: Self) {
        self.peers = fresh.peers;
        self.query = fresh.query;
        self.data_sender.restart();
        self.track_sids.clear();
        self.declined_video.clear();
        self.published.clear();
    }

    /// ICE has a working pair.
    pub(super) fn media_connected(&mut self, now: SessionTime, out: &mut impl ParticipantOutput) {
        if !self.peers.has_media() {
            return;
        }
        out.media_found();
        if self.is_open() {
            self.back(now, out);
        }
    }

    /// Data can be sent: for the first time, or again.
    pub(super) fn channel_opened(&mut self, now: SessionTime, out: &mut impl ParticipantOutput) {
        if !std::mem::replace(&mut self.was_open, true) {
            out.event(ParticipantEvent::DataChannelOpen);
        }
        self.back(now, out);
    }

    fn back(&mut self, now: SessionTime, out: &mut impl ParticipantOutput) {
        if let Some(reconnect) = self.reconnection.back(now) {
            let after = reconnect.duration();
            info!(parent: self.span(), %after, attempts = reconnect.attempts, "the connection is back");
            out.event(ParticipantEvent::Reconnected(reconnect));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proto::signal_response::Message as Response;

    use super::*;
    use crate::participant::{IceServer, PacketRoute, PeerRole, ReconnectBounds, ReconnectPolicy};

    /// What a participant asked for.
    #[derive(Default)]
    struct Recorded {
        attempts: Vec<SignalAttempt>,
        sent: Vec<Request>,
        turn_servers: Vec<IceServer>,
        media_lost: u32,
        events: Vec<ParticipantEvent>,
    }

    impl ParticipantOutput for Recorded {
        fn transmit(&mut self, _: PeerRole, _: PacketRoute, _: &[u8]) {}
        fn turn_servers(&mut self, servers: Vec<IceServer>) {
            self.turn_servers = servers;
        }
        fn media_lost(&mut self) {
            self.media_lost += 1;
        }
        fn open_signal(&mut self, attempt: SignalAttempt) {
            self.attempts.push(attempt);
        }
        fn send_signal(&mut self, message: Request) {
            self.sent.push(message);
        }
        fn event(&mut self, event: ParticipantEvent) {
            self.events.push(event);
        }
    }

    /// A participant that the server has let in, and that has no media yet.
    #[expect(clippy::disallowed_methods, reason = "str0m wants an epoch; nothing waits for it")]
    fn joined(reconnect: ReconnectPolicy) -> (Participant, Recorded) {
        let config = JoinConfig { reconnect, ..JoinConfig::default() };
        let local = Some(([127, 0, 0, 1], 5_000).into());
        let epoch = Instant::now();
        let (mut participant, _) =
            Participant::new(&config, epoch, SessionTime::START, local).unwrap();
        let mut recorded = Recorded::default();
        let own = proto::ParticipantInfo { sid: "PA_1".to_owned(), ..Default::default() };
        let join = proto::JoinResponse { participant: Some(own), ..Default::default() };
        participant.handle_signal(Response::Join(join), SessionTime::START, &mut recorded).unwrap();
        (participant, recorded)
    }

    fn leave(action: Action, reason: proto::DisconnectReason) -> Response {
        Response::Leave(proto::LeaveRequest {
            action: action.into(),
            reason: reason.into(),
            ..Default::default()
        })
    }

    fn ends(recorded: &Recorded) -> Vec<String> {
        let end = |event: &ParticipantEvent| match event {
            ParticipantEvent::Disconnected(error) => Some(error.to_string()),
            _ => None,
        };
        recorded.events.iter().filter_map(end).collect()
    }

    #[test]
    fn a_server_that_asks_for_a_reconnect_gets_one_and_one_that_disconnects_does_not() {
        let at = SessionTime(5);
        let (mut participant, mut recorded) = joined(ReconnectPolicy::default());
        let state_mismatch = proto::DisconnectReason::StateMismatch;
        let message = leave(Action::Reconnect, state_mismatch);
        participant.handle_signal(message, at, &mut recorded).unwrap();
        assert!(matches!(recorded.attempts[0].target, SignalTarget::Rejoined { .. }));
        assert_eq!((recorded.attempts[0].number, participant.signal_number()), (1, 1));
        let (mut participant, mut recorded) = joined(ReconnectPolicy::default());
        let removed = proto::DisconnectReason::ParticipantRemoved;
        let message = leave(Action::Disconnect, removed);
        participant.handle_signal(message, at, &mut recorded).unwrap();
        assert!(recorded.attempts.is_empty() && ends(&recorded).len() == 1);
    }

    #[test]
    fn a_resumed_participant_tells_the_server_what_it_knows() {
        let (mut participant, mut recorded) = joined(ReconnectPolicy::default());
        let track = proto::TrackInfo { sid: "TR_1".to_owned(), ..Default::default() };
        let published =
            proto::TrackPublishedResponse { cid: "voice".to_owned(), track: Some(track) };
        let at = SessionTime(5);
        let message = Response::TrackPublished(published);
        participant.handle_signal(message, at, &mut recorded).unwrap();
        let loss = Loss::new(ReconnectCause::SignalLost, ReconnectMethod::Resume);
        participant.lose(loss, at, &mut recorded);
        let SignalTarget::Resumed { path } = &recorded.attempts[0].target else {
            panic!("it asks to resume: {:?}", recorded.attempts);
        };
        assert!(path.starts_with("/rtc/v1?"), "{path}");
        let attributes = std::collections::HashMap::from([("a".to_owned(), "b".to_owned())]);
        participant.set_attributes(attributes, &mut recorded);
        assert!(recorded.sent.is_empty(), "nothing can be sent: {:?}", recorded.sent);
        let message = Response::Reconnect(proto::ReconnectResponse::default());
        participant.handle_signal(message, SessionTime(9), &mut recorded).unwrap();
        let Request::SyncState(state) = &recorded.sent[0] else { panic!("{:?}", recorded.sent) };
        assert_eq!(state.publish_tracks.len(), 1);
        assert!(state.subscription.is_some(), "older servers panic without it");
        let Request::UpdateMetadata(update) = &recorded.sent[1] else {
            panic!("{:?}", recorded.sent);
        };
        assert_eq!(update.attributes["a"], "b");
        let back = recorded.events.iter().find_map(|event| match event {
            ParticipantEvent::Reconnected(reconnect) => Some(*reconnect),
            _ => None,
        });
        assert_eq!(back.expect("it is back").duration(), Micros(4));
    }

    #[test]
    fn media_that_lost_its_way_looks_for_others_with_the_credentials_of_the_resume() {
        let (mut participant, mut recorded) = joined(ReconnectPolicy::default());
        let at = SessionTime(5);
        let loss = Loss::new(ReconnectCause::MediaLost, ReconnectMethod::Resume);
        participant.lose(Loss { media_lost: true, ..loss }, at, &mut recorded);
        assert_eq!(recorded.media_lost, 0, "the server is asked first");
        let server = proto::IceServer {
            urls: vec!["turn:127.0.0.1:3478?transport=udp".to_owned()],
            username: "new".to_owned(),
            credential: "password".to_owned(),
        };
        let ice_servers = vec![server];
        let message =
            Response::Reconnect(proto::ReconnectResponse { ice_servers, ..Default::default() });
        participant.handle_signal(message, at, &mut recorded).unwrap();
        assert_eq!((recorded.media_lost, &*recorded.turn_servers[0].username), (1, "new"));
        let back = |event: &ParticipantEvent| matches!(event, ParticipantEvent::Reconnected(_));
        assert!(!recorded.events.iter().any(back), "media has no way yet");
    }

    #[test]
    fn a_server_that_closes_both_connections_has_deleted_the_room() {
        for signal_first in [true, false] {
            let (mut participant, mut recorded) = joined(ReconnectPolicy::default());
            let at = SessionTime(5);
            let closed = || SignalLoss::Closed("closed".into());
            if signal_first {
                participant.handle_signal_lost(closed(), at, &mut recorded);
                participant.peer_connection_closed(at, &mut recorded);
            } else {
                participant.peer_connection_closed(at, &mut recorded);
                participant.handle_signal_lost(closed(), at, &mut recorded);
            }
            assert_eq!(ends(&recorded), ["the room was deleted"]);
            assert!(recorded.attempts.is_empty(), "nobody makes it anew");
        }
        let (mut participant, mut recorded) = joined(ReconnectPolicy::default());
        participant.handle_signal_lost(
            SignalLoss::Closed("closed".into()),
            SessionTime(5),
            &mut recorded,
        );
        assert!(recorded.attempts.is_empty(), "it waits for the other");
        participant.continue_reconnecting(SessionTime(5) + CLOSING_GRACE, &mut recorded);
        assert_eq!(recorded.attempts.len(), 1);
    }

    #[test]
    fn whoever_only_resumes_does_not_come_back_where_the_server_closed_the_connection() {
        let policy = ReconnectPolicy::Resume(ReconnectBounds::default());
        let (mut participant, mut recorded) = joined(policy);
        let closed = SignalLoss::Closed("closed".into());
        participant.handle_signal_lost(closed, SessionTime(5), &mut recorded);
        assert_eq!(ends(&recorded), ["closed"]);
        assert!(recorded.attempts.is_empty());
    }

    #[test]
    fn without_reconnecting_the_first_loss_is_the_end() {
        let (mut participant, mut recorded) = joined(ReconnectPolicy::Off);
        let loss = SignalLoss::Broken("cut".into());
        participant.handle_signal_lost(loss, SessionTime(5), &mut recorded);
        assert_eq!(ends(&recorded), ["the signal connection broke; reconnecting is off"]);
        assert!(recorded.attempts.is_empty());
    }
}
