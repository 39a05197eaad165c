//! Our participants in a room of the real livekit-server.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use rushhour_callers::data::DataEvent;
use rushhour_callers::engine::{
    ConnectError, Engine, EngineClock, JoinRequest, LeaveReason, NextTick, ParticipantHandle,
    ParticipantHandler,
};
use rushhour_callers::participant::{JoinConfig, ParticipantEvent, SendOutcome};
use rushhour_core::units::{DtmfKey, Identity, Micros, RoomName, Secret, SessionTime};
use rushhour_livekit::{ParticipantClaims, TokenRequest, TokenSigner};

use crate::support::{LiveKitServer, PATIENCE, TestDir};

/// What a participant sends to the test.
#[derive(Debug)]
enum Observation {
    Event(ParticipantEvent),
    Left(LeaveReason),
}

/// Sends a text, some audio frames and keys as soon as it can, and every event to the test.
struct Talker {
    keys: Vec<DtmfKey>,
    text: Option<String>,
    frames: u32,
    observations: Sender<Observation>,
}

impl ParticipantHandler for Talker {
    fn on_event(
        &mut self,
        event: ParticipantEvent,
        _: SessionTime,
        hand: &mut dyn ParticipantHandle,
    ) {
        if matches!(
            event,
            ParticipantEvent::ParticipantUpdated(_) | ParticipantEvent::Joined { .. }
        ) {
            hand.set_attributes(HashMap::from([("mood".to_owned(), "good".to_owned())]));
        }
        let _ = self.observations.send(Observation::Event(event));
    }

    fn on_tick(&mut self, hand: &mut dyn ParticipantHandle) -> NextTick {
        if let Some(text) = &self.text
            && hand.send_text("lk.chat", text, HashMap::new()) == SendOutcome::Sent
        {
            self.text = None;
        }
        if let Some(key) = self.keys.first()
            && hand.press_key(*key) == SendOutcome::Sent
        {
            self.keys.remove(0);
        }
        if self.frames > 0 {
            let silence: Arc<[u8]> = Arc::from([0xf8_u8, 0xff, 0xfe].as_slice());
            if hand.send_audio(&silence, 960 * (1_000 - self.frames), false) == SendOutcome::Sent {
                self.frames -= 1;
            }
        }
        NextTick::Next
    }

    fn on_left(&mut self, why: LeaveReason, _: SessionTime) {
        let _ = self.observations.send(Observation::Left(why));
    }
}

#[expect(clippy::disallowed_methods, reason = "real sockets take real time")]
fn now() -> Instant {
    Instant::now()
}

/// Receives observations until `wanted` finds something in one of them.
fn receive_until<T>(
    observations: &Receiver<Observation>,
    mut wanted: impl FnMut(Observation) -> Option<T>,
) -> T {
    let deadline = now() + PATIENCE;
    loop {
        let left = deadline.saturating_duration_since(now());
        let notice = observations.recv_timeout(left).expect("it happens in time");
        if let Some(found) = wanted(notice) {
            return found;
        }
    }
}

#[test]
fn a_participant_receives_text_audio_and_keys_of_another_on_a_real_server() {
    let dir = TestDir::new();
    let server = LiveKitServer::start(dir.path());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    let engine = Engine::start(EngineClock::new(now(), 0), 1).unwrap();
    let signer = TokenSigner::new(server.key(), server.secret());
    let join = |name: &str, text: Option<&str>, frames| {
        let token = signer
            .sign(TokenRequest {
                identity: Identity::new(name),
                room: RoomName::new("together"),
                lifetime: Micros::from_secs(60),
                agent: None,
                participant: ParticipantClaims::default(),
            })
            .unwrap();
        let (observations, receiver) = channel();
        let keys = text.iter().flat_map(|_| ['7', '#']).filter_map(DtmfKey::new).collect();
        let app = Talker { keys, text: text.map(str::to_owned), frames, observations };
        let control = engine.join(JoinRequest {
            url: server.url(),
            token,
            config: JoinConfig { publish_audio: frames > 0, ..JoinConfig::default() },
            network: None,
            handler: Box::new(app),
        });
        (control, receiver)
    };
    let (listener, listener_notices) = join("listener", None, 0);
    receive_until(&listener_notices, |notice| {
        matches!(notice, Observation::Event(ParticipantEvent::DataChannelOpen)).then_some(())
    });
    let (_talker, talker_notices) = join("talker", Some("good evening"), 100);
    receive_until(&talker_notices, |notice| {
        matches!(notice, Observation::Event(ParticipantEvent::DataChannelOpen)).then_some(())
    });
    let (mut text, mut ended, mut frames, mut keys) = (String::new(), false, 0, Vec::new());
    receive_until(&listener_notices, |notice| {
        match notice {
            Observation::Event(ParticipantEvent::Data(DataEvent::TextStreamOpened {
                sender,
                topic,
                ..
            })) => {
                assert_eq!((sender.as_str(), topic.as_str()), ("talker", "lk.chat"));
            }
            Observation::Event(ParticipantEvent::Data(DataEvent::TextChunk {
                text: part, ..
            })) => {
                text.push_str(&part);
            }
            Observation::Event(ParticipantEvent::Data(DataEvent::TextStreamClosed { .. })) => {
                ended = true;
            }
            Observation::Event(ParticipantEvent::Data(DataEvent::DtmfReceived {
                sender,
                code,
                digit,
            })) => {
                assert_eq!(sender.as_str(), "talker");
                keys.push((code, digit));
            }
            Observation::Event(ParticipantEvent::Audio { packet, .. }) => {
                assert_eq!(*packet.payload, [0xf8, 0xff, 0xfe]);
                frames += 1;
            }
            _ => {}
        }
        (ended && frames >= 50 && keys.len() == 2).then_some(())
    });
    assert_eq!(text, "good evening");
    assert_eq!(keys, [(7, "7".to_owned()), (11, "#".to_owned())]);
    listener.stop();
    let why = receive_until(&listener_notices, |notice| match notice {
        Observation::Left(why) => Some(why),
        Observation::Event(_) => None,
    });
    assert!(matches!(why, LeaveReason::ClientInitiated), "{why:?}");
}

#[test]
fn a_participant_with_a_wrong_token_is_refused_by_a_real_server() {
    let dir = TestDir::new();
    let server = LiveKitServer::start(dir.path());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    let engine = Engine::start(EngineClock::new(now(), 0), 1).unwrap();
    let (observations, receiver) = channel();
    let token =
        TokenSigner::new(server.key(), Secret::new("a-secret-of-more-than-thirty-two-chars"))
            .sign(TokenRequest {
                identity: Identity::new("stranger"),
                room: RoomName::new("closed"),
                lifetime: Micros::from_secs(60),
                agent: None,
                participant: ParticipantClaims::default(),
            })
            .unwrap();
    engine.join(JoinRequest {
        url: server.url(),
        token,
        config: JoinConfig::default(),
        network: None,
        handler: Box::new(Talker { keys: Vec::new(), text: None, frames: 0, observations }),
    });
    let why = receive_until(&receiver, |notice| match notice {
        Observation::Left(why) => Some(why),
        Observation::Event(_) => None,
    });
    let refused = |error: &ConnectError| matches!(error, ConnectError::Refused { status: 401, .. });
    assert!(matches!(&why, LeaveReason::JoinFailed(error) if refused(error)), "{why:?}");
    assert!(
        !format!("{why:?}").contains("eyJ"),
        "the server repeats the token, we do not: {why:?}"
    );
}
