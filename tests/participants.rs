//! Our participants in a room of the real livekit-server.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use rushhour_callers::data::DataEvent;
use rushhour_callers::engine::{
    ConnectError, Engine, EngineClock, JoinRequest, LeaveReason, NextTick, ParticipantHandle,
    ParticipantHandler,
};
use rushhour_callers::participant::{JoinConfig, ParticipantEvent, SendOutcome};
use rushhour_core::units::{Identity, Micros, RoomName, Secret, SessionTime};
use rushhour_livekit::{TokenRequest, TokenSigner};

use crate::support::{LiveKitServer, Workplace};

/// What a participant tells the test.
#[derive(Debug)]
enum Told {
    Event(ParticipantEvent),
    Left(LeaveReason),
}

/// Says a text and some frames as soon as it can, and tells everything.
struct Talker {
    text: Option<String>,
    frames: u32,
    told: Sender<Told>,
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
        let _ = self.told.send(Told::Event(event));
    }

    fn on_tick(&mut self, hand: &mut dyn ParticipantHandle) -> NextTick {
        if let Some(text) = &self.text
            && hand.send_text("lk.chat", text, HashMap::new()) == SendOutcome::Sent
        {
            self.text = None;
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
        let _ = self.told.send(Told::Left(why));
    }
}

#[expect(clippy::disallowed_methods, reason = "real sockets take real time")]
fn now() -> Instant {
    Instant::now()
}

/// Waits until a participant tells what is waited for.
fn until<T>(told: &Receiver<Told>, mut wanted: impl FnMut(Told) -> Option<T>) -> T {
    let give_up = now() + Duration::from_secs(20);
    loop {
        let left = give_up.saturating_duration_since(now());
        let told = told.recv_timeout(left).expect("it happens within 20 s");
        if let Some(found) = wanted(told) {
            return found;
        }
    }
}

#[test]
fn two_participants_write_and_speak_to_each_other_on_a_real_server() {
    let workplace = Workplace::new();
    let server = LiveKitServer::start(workplace.path());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    let engine = Engine::start(EngineClock::new(now(), 0), 1).unwrap();
    let mint = TokenSigner::new(server.key(), server.secret());
    let join = |name: &str, text: Option<&str>, frames| {
        let token = mint
            .sign(TokenRequest {
                identity: Identity::new(name),
                room: RoomName::new("together"),
                lifetime: Micros::from_secs(60),
                agent: None,
            })
            .unwrap();
        let (told, receiver) = channel();
        let app = Talker { text: text.map(str::to_owned), frames, told };
        let held = engine.join(JoinRequest {
            url: server.url(),
            token,
            config: JoinConfig { publish_audio: frames > 0, attributes: HashMap::new() },
            handler: Box::new(app),
        });
        (held, receiver)
    };
    let (listener, listening) = join("listener", None, 0);
    until(&listening, |told| {
        matches!(told, Told::Event(ParticipantEvent::DataChannelOpen)).then_some(())
    });
    let (_talker, talking) = join("talker", Some("good evening"), 100);
    until(&talking, |told| {
        matches!(told, Told::Event(ParticipantEvent::DataChannelOpen)).then_some(())
    });
    let (mut text, mut ended, mut frames) = (String::new(), false, 0);
    until(&listening, |told| {
        match told {
            Told::Event(ParticipantEvent::Data(DataEvent::TextStreamOpened {
                sender,
                topic,
                ..
            })) => {
                assert_eq!((sender.as_str(), topic.as_str()), ("talker", "lk.chat"));
            }
            Told::Event(ParticipantEvent::Data(DataEvent::TextChunk { text: part, .. })) => {
                text.push_str(&part);
            }
            Told::Event(ParticipantEvent::Data(DataEvent::TextStreamClosed { .. })) => ended = true,
            Told::Event(ParticipantEvent::Audio { packet, .. }) => {
                assert_eq!(*packet.payload, [0xf8, 0xff, 0xfe]);
                frames += 1;
            }
            _ => {}
        }
        (ended && frames >= 50).then_some(())
    });
    assert_eq!(text, "good evening");
    listener.stop();
    let why = until(&listening, |told| match told {
        Told::Left(why) => Some(why),
        Told::Event(_) => None,
    });
    assert!(matches!(why, LeaveReason::ClientInitiated), "{why:?}");
}

#[test]
fn a_participant_with_a_wrong_token_is_told_so_by_the_real_server() {
    let workplace = Workplace::new();
    let server = LiveKitServer::start(workplace.path());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    let engine = Engine::start(EngineClock::new(now(), 0), 1).unwrap();
    let (told, receiver) = channel();
    let token =
        TokenSigner::new(server.key(), Secret::new("a-secret-of-more-than-thirty-two-chars"))
            .sign(TokenRequest {
                identity: Identity::new("stranger"),
                room: RoomName::new("closed"),
                lifetime: Micros::from_secs(60),
                agent: None,
            })
            .unwrap();
    engine.join(JoinRequest {
        url: server.url(),
        token,
        config: JoinConfig::default(),
        handler: Box::new(Talker { text: None, frames: 0, told }),
    });
    let why = until(&receiver, |told| match told {
        Told::Left(why) => Some(why),
        Told::Event(_) => None,
    });
    let refused = |error: &ConnectError| matches!(error, ConnectError::Refused { status: 401, .. });
    assert!(matches!(&why, LeaveReason::JoinFailed(error) if refused(error)), "{why:?}");
    assert!(
        !format!("{why:?}").contains("eyJ"),
        "the server repeats the token, we do not: {why:?}"
    );
}
