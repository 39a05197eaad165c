//! The worker's connection: a WebSocket, a clock and the sessions' ends, lent to the protocol.

use std::future::Future;
use std::pin::Pin;

use futures_util::{SinkExt, StreamExt};
use livekit_protocol as proto;
use prost::Message as _;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep_until;
use tokio_tungstenite::tungstenite::Message;

use super::job::{Assignment, JobEnd};
use super::protocol::{Worker, WorkerAction};
use rushhour_callers::engine::{EngineClock, LeaveReason, WebSocket, connect};
use rushhour_core::units::Micros;
use rushhour_livekit::TokenSigner;

/// How long after it was made a token may be used to register.
const TOKEN_LIFETIME: Micros = Micros::from_secs(600);

/// Who carries out what the worker decides.
pub trait JobRunner {
    /// Starts the session of a job; its end comes back over [`WorkerCommands::ends`].
    fn start(&mut self, assignment: Assignment);
    /// Has a session leave its room.
    fn stop(&mut self, job: &str);
    /// Has all of them leave.
    fn stop_all(&mut self);
    /// A session is over.
    fn ended(&mut self, job: &str);
    /// Takes note of how the worker is.
    fn note(&mut self, worker: &Worker);
}

/// What reaches the worker from its own side.
pub struct WorkerCommands {
    /// Sessions that are over, by their jobs.
    pub ends: UnboundedReceiver<(String, JobEnd)>,
    /// The first has it take no more jobs, the second ends its sessions, the third is not waited for.
    pub stops: UnboundedReceiver<()>,
}

/// The worker cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// The key or the secret is not the server's.
    #[error(
        "the server does not let the worker register: {0}; check LIVEKIT_API_KEY and LIVEKIT_API_SECRET"
    )]
    Refused(String),
    /// No token could be made.
    #[error("{0}; set LIVEKIT_API_KEY and LIVEKIT_API_SECRET")]
    Token(String),
}

type ConnectFuture = Pin<Box<dyn Future<Output = Result<WebSocket, LeaveReason>> + Send>>;

/// Lets the worker work at the server `url` until it is stopped and its sessions are over.
///
/// # Errors
/// Where the server refuses the key.
pub async fn carry(
    mut worker: Worker,
    url: &str,
    mint: &TokenSigner,
    clock: EngineClock,
    mut wishes: WorkerCommands,
    crew: &mut impl JobRunner,
) -> Result<(), WorkerError> {
    let mut socket: Option<WebSocket> = None;
    let mut connecting: Option<ConnectFuture> = None;
    let mut stops = 0;
    loop {
        worker.tick(clock.now());
        for action in worker.take_actions() {
            match action {
                WorkerAction::Connect => {
                    let token = mint
                        .sign_for_worker(TOKEN_LIFETIME)
                        .map_err(|error| WorkerError::Token(error.to_string()))?;
                    let url = url.to_owned();
                    connecting =
                        Some(Box::pin(async move { connect(&url, "/agent", &token).await }));
                }
                WorkerAction::Send(message) => {
                    let message = proto::WorkerMessage { message: Some(*message) };
                    let message = Message::Binary(message.encode_to_vec().into());
                    send(&mut socket, message, &mut worker, clock).await;
                }
                WorkerAction::Ping => {
                    send(&mut socket, Message::Ping(Vec::new().into()), &mut worker, clock).await;
                }
                WorkerAction::Close => socket = None,
                WorkerAction::Start(assignment) => crew.start(*assignment),
                WorkerAction::Stop(job) => crew.stop(&job),
            }
        }
        crew.note(&worker);
        if worker.is_drained() || stops > 2 {
            break;
        }
        tokio::select! {
            made = async { made_of(&mut connecting).await } => {
                connecting = None;
                match made {
                    Ok(made) => {
                        socket = Some(made);
                        worker.connected(clock.now());
                    }
                    Err(LeaveReason::Refused { words, status: Some(401 | 403) }) => {
                        return Err(WorkerError::Refused(words));
                    }
                    Err(left) => worker.disconnected(&in_words(left), clock.now()),
                }
            }
            incoming = async { next_of(&mut socket).await } => {
                let now = clock.now();
                match incoming {
                    Ok(Message::Binary(bytes)) => {
                        worker.heard(now);
                        let message = proto::ServerMessage::decode(&bytes[..]).ok();
                        if let Some(message) = message.and_then(|message| message.message) {
                            worker.message(message, now);
                        }
                    }
                    Ok(Message::Close(_)) => {
                        socket = None;
                        worker.disconnected("the server closed the connection", now);
                    }
                    Ok(_) => worker.heard(now),
                    Err(words) => {
                        socket = None;
                        worker.disconnected(&words, now);
                    }
                }
            }
            Some((job, end)) = wishes.ends.recv() => {
                crew.ended(&job);
                worker.ended(&job, &end, clock.now());
            }
            Some(()) = wishes.stops.recv() => {
                stops += 1;
                worker.drain(clock.now());
                if stops > 1 {
                    crew.stop_all();
                }
            }
            () = sleep_until(clock.instant(worker.deadline()).into()) => {}
        }
    }
    if let Some(mut socket) = socket {
        // Whether the server says goodbye or not, it is over.
        let goodbye = socket.close(None);
        let _ = tokio::time::timeout(Micros::from_secs(1).as_duration(), goodbye).await;
    }
    Ok(())
}

async fn send(
    socket: &mut Option<WebSocket>,
    message: Message,
    worker: &mut Worker,
    clock: EngineClock,
) {
    let Some(open) = socket else { return };
    if let Err(error) = open.send(message).await {
        *socket = None;
        worker.disconnected(&error.to_string(), clock.now());
    }
}

/// The connection being made; never, where none is.
async fn made_of(connecting: &mut Option<ConnectFuture>) -> Result<WebSocket, LeaveReason> {
    match connecting {
        Some(connecting) => connecting.await,
        None => std::future::pending().await,
    }
}

/// The next message; never, where there is no connection.
async fn next_of(socket: &mut Option<WebSocket>) -> Result<Message, String> {
    match socket {
        Some(socket) => match socket.next().await {
            Some(Ok(message)) => Ok(message),
            Some(Err(error)) => Err(error.to_string()),
            None => Err("the server closed the connection".to_owned()),
        },
        None => std::future::pending().await,
    }
}

fn in_words(left: LeaveReason) -> String {
    match left {
        LeaveReason::Refused { words, .. }
        | LeaveReason::OurFault(words)
        | LeaveReason::Lost(words) => words,
        LeaveReason::ByItself | LeaveReason::RoomDeleted => {
            "the connection was not made".to_owned()
        }
    }
}
