//! Listens to the agent in the throw-away room, and says one turn to one that waits for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::finding::Finding;
use super::first_turn::{FirstTurn, FirstWords};
use super::heard::{Heard, Waited};
use super::listening_participant::ListeningParticipant;
use super::rules::{CallerConnection, caller_connection};
use super::traits::AgentTraits;
use rushhour_callers::engine::{
    Engine, EngineClock, JoinRequest, NetworkAccess, ParticipantControl,
};
use rushhour_callers::participant::JoinConfig;
use rushhour_core::profile::NativeSettings;
use rushhour_core::units::{Micros, Mode, Secret};

/// How long a greeting is waited for, once the agent is there.
const GREETING_TIMEOUT: Duration = Duration::from_secs(8);

/// How long it is listened to after its first word: texts, reports and further tracks follow it.
const AFTER_GREETING: Duration = Duration::from_secs(2);

/// How long media and data may take to connect: UDP, and what is tried where that does not.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);

const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// A participant that listens.
pub(super) struct RoomListener {
    heard: Arc<Mutex<Heard>>,
    mode: Mode,
    control: ParticipantControl,
    /// Its threads.
    _engine: Engine,
}

impl Drop for RoomListener {
    fn drop(&mut self) {
        self.control.stop();
    }
}

impl RoomListener {
    /// Joins the room, as a caller of this mode would. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If the system cannot start a thread.
    pub(super) fn join(
        url: String,
        token: Secret,
        mode: Mode,
        settings: &NativeSettings,
        network: NetworkAccess,
    ) -> std::io::Result<Self> {
        let engine = Engine::start_with(EngineClock::start(), 1, network)?;
        let heard = Arc::new(Mutex::new(Heard::new(settings.hear.clone())));
        let speech = settings.speech.unwrap_or_default();
        let handler = ListeningParticipant::new(heard.clone(), mode, speech);
        let control = engine.join(JoinRequest {
            url,
            token,
            config: JoinConfig { publish_audio: mode == Mode::Voice, ..JoinConfig::default() },
            network: None,
            handler: Box::new(handler),
        });
        Ok(Self { heard, mode, control, _engine: engine })
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until media and data can be sent, or cannot: what connection the participant has with the server.
    pub(super) async fn connection(&self) -> Finding {
        let begun = Instant::now();
        loop {
            {
                let heard = self.heard();
                let is_decided = matches!(
                    heard.connection,
                    CallerConnection::Open { .. } | CallerConnection::Failed(_)
                );
                if is_decided || begun.elapsed() > CONNECTION_TIMEOUT {
                    return caller_connection(&heard.connection, &heard.tried);
                }
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Listens until the agent has greeted, or does not greet; then says `turn` to it, and listens to its answer. `None` if
    /// the participant did not see it.
    pub(super) async fn listen(&self, turn: Option<FirstTurn>) -> Option<AgentTraits> {
        let begun = Instant::now();
        while self.heard().greeted_at(self.mode).is_none() && begun.elapsed() <= GREETING_TIMEOUT {
            sleep(POLL_INTERVAL).await;
        }
        let waits = {
            let heard = self.heard();
            heard.greeted_at(self.mode).is_none() && heard.agents.count() > 0
        };
        let greeting = Micros::from(GREETING_TIMEOUT);
        let mut waited = Waited { greeting, answer: Micros::ZERO };
        if let Some(FirstTurn { words, within }) = turn.filter(|_| waits) {
            waited.answer = within;
            self.say(words, within).await;
        }
        sleep(AFTER_GREETING).await;
        self.heard().traits(self.mode, waited)
    }

    /// Says something, and waits for its answer.
    async fn say(&self, words: FirstWords, within: Micros) {
        let length = match &words {
            FirstWords::Text(_) => Micros::ZERO,
            FirstWords::Clip(clip) => clip.duration(),
        };
        self.heard().to_say = Some(words);
        let begun = Instant::now();
        while self.heard().answered_at(self.mode).is_none()
            && begun.elapsed() <= (length + within).as_duration()
        {
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Whether the agent was heard or read, and nobody was announced.
    pub(super) fn is_hidden(&self) -> bool {
        self.heard().is_hidden()
    }
}
