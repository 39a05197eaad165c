//! The signal connection of one participant over its whole life: relays its messages, and opens another one when the
//! participant asks for it.

use std::sync::mpsc::Sender;

use livekit_protocol::signal_response::Message as Response;
use tokio::sync::mpsc::UnboundedReceiver;

use super::clock::EngineClock;
use super::connect_error::ConnectError;
use super::engine::{Connected, connect};
use super::network_access::NetworkAccess;
use super::signal_connection::{
    self, PingTimes, RelayEnd, SignalCommand, SignalError, WebSocket, relay,
};
use super::thread::{Rejoin, SignalMessage, SlotId, ThreadCommand};
use crate::participant::{SignalAttempt, SignalTarget};
use rushhour_core::units::Secret;

/// The tokens of a participant: the one that it joined with, and the latest that the server sent.
///
/// Servers before 1.13.2 send one that lasts ten minutes, whatever the first one lasts: it can be the older of the two.
pub(super) struct Tokens {
    first: Secret,
    refreshed: Option<Secret>,
}

impl Tokens {
    pub(super) const fn new(first: Secret) -> Self {
        Self { first, refreshed: None }
    }

    /// The one to try first.
    const fn latest(&self) -> &Secret {
        match &self.refreshed {
            Some(refreshed) => refreshed,
            None => &self.first,
        }
    }
}

/// The task of a participant's signal connection.
pub(super) struct SignalTask {
    pub(super) id: SlotId,
    pub(super) commands: Sender<ThreadCommand>,
    pub(super) url: String,
    pub(super) tokens: Tokens,
    pub(super) clock: EngineClock,
    pub(super) network: NetworkAccess,
}

impl SignalTask {
    /// Runs until the participant is gone.
    pub(super) async fn run(
        mut self,
        websocket: Box<WebSocket>,
        mut outgoing: UnboundedReceiver<SignalCommand>,
    ) {
        let mut pings = PingTimes::default();
        let mut open = Some(websocket);
        let mut number = 0;
        loop {
            let next = match open.take() {
                Some(websocket) => {
                    let (id, commands, clock) = (self.id, &self.commands, self.clock);
                    let tokens = &mut self.tokens;
                    let receive = |message| {
                        if let Ok((Response::RefreshToken(token), _)) = &message {
                            tokens.refreshed = Some(Secret::new(token.clone()));
                        }
                        let signal = SignalMessage { number, message, at: clock.now() };
                        // Fails only once the thread has ended.
                        let _ = commands.send(ThreadCommand::Signal(id, Box::new(signal)));
                    };
                    match relay(websocket, &mut outgoing, clock, &mut pings, receive).await {
                        RelayEnd::Left => return,
                        RelayEnd::Lost => next_attempt(&mut outgoing).await,
                        RelayEnd::Replaced(attempt) => Some(attempt),
                    }
                }
                None => next_attempt(&mut outgoing).await,
            };
            let Some(mut attempt) = next else { return };
            // A newer attempt replaces one that is still under way.
            let opened = loop {
                tokio::select! {
                    opened = Box::pin(self.open(&attempt)) => break opened,
                    newer = next_attempt(&mut outgoing) => match newer {
                        Some(newer) => attempt = newer,
                        None => return,
                    },
                }
            };
            number = attempt.number;
            match opened {
                Ok(websocket) => open = Some(websocket),
                Err(error) => {
                    let message = Err(SignalError::NotOpened(error));
                    let signal = SignalMessage { number, message, at: self.clock.now() };
                    let _ = self.commands.send(ThreadCommand::Signal(self.id, Box::new(signal)));
                }
            }
        }
    }

    async fn open(&self, attempt: &SignalAttempt) -> Result<Box<WebSocket>, ConnectError> {
        let latest = self.tokens.latest();
        match self.open_with(latest, attempt).await {
            Err(error) if error.is_refused_token() && self.tokens.refreshed.is_some() => {
                self.open_with(&self.tokens.first, attempt).await
            }
            other => other,
        }
    }

    async fn open_with(
        &self,
        token: &Secret,
        attempt: &SignalAttempt,
    ) -> Result<Box<WebSocket>, ConnectError> {
        let config = match &attempt.target {
            SignalTarget::Resumed { path } => {
                let trust = &self.network.trust;
                return signal_connection::connect(&self.url, path, token, trust)
                    .await
                    .map(Box::new);
            }
            SignalTarget::Rejoined { config } => config,
        };
        let Connected { participant, paths, websocket } =
            Box::pin(connect(&self.url, token, config, self.clock, &self.network)).await?;
        let rejoin = Rejoin { number: attempt.number, participant, paths };
        let _ = self.commands.send(ThreadCommand::Rejoin(self.id, Box::new(rejoin)));
        Ok(websocket)
    }
}

/// The next attempt that the participant asks for; `None` once it is gone. What it sent over a connection that is lost
/// by now is lost too.
async fn next_attempt(outgoing: &mut UnboundedReceiver<SignalCommand>) -> Option<SignalAttempt> {
    loop {
        match outgoing.recv().await? {
            SignalCommand::Send(_) => {}
            SignalCommand::Open(attempt) => return Some(attempt),
        }
    }
}
