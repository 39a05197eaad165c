//! The worker's event loop: connects the protocol to a WebSocket, a clock and the sessions.

use std::future::Future;
use std::pin::Pin;

use futures_util::{SinkExt, StreamExt};
use livekit_protocol as proto;
use prost::Message as _;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep_until;
use tokio_tungstenite::tungstenite::Message;

use super::job::{Assignment, HandOver, SessionEnd};
use super::protocol::{Worker, WorkerAction};
use rushhour_callers::engine::{ConnectError, EngineClock, WebSocket, connect};
use rushhour_core::units::Micros;
use rushhour_livekit::http::{TrustError, TrustStore};
use rushhour_livekit::{TokenError, TokenSigner};

/// How long a token may be used to register.
const TOKEN_LIFETIME: Micros = Micros::from_secs(600);
/// How long the server may take to close the connection when the worker stops.
const CLOSE_TIMEOUT: Micros = Micros::from_secs(1);

/// Runs the sessions of jobs.
pub(crate) trait JobRunner {
    /// Starts the session of a job. When it ends, it sends to [`WorkerInputs::session_ends`].
    fn start(&mut self, assignment: Assignment);
    /// Starts the session that goes on with a job. It ends as the first would have.
    fn hand_over(&mut self, job: &str, hand_over: HandOver);
    /// Makes a session leave its room.
    fn stop(&mut self, job: &str);
    /// Makes all sessions leave their rooms.
    fn stop_all(&mut self);
    /// Forgets a session that has ended.
    fn remove(&mut self, job: &str);
    /// Called after every change of the worker.
    fn update(&mut self, worker: &Worker);
}

/// What the worker receives from inside the agent.
pub(crate) struct WorkerInputs {
    /// Sessions that ended, by job id.
    pub(crate) session_ends: UnboundedReceiver<(String, SessionEnd)>,
    /// The first drains the worker, the second ends its sessions, the third stops without waiting for them.
    pub(crate) stop_requests: UnboundedReceiver<()>,
}

/// Why a worker cannot register.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// The server does not accept the key or the secret.
    #[error(
        "the server does not let the worker register: {0}; check LIVEKIT_API_KEY and LIVEKIT_API_SECRET"
    )]
    Refused(String),
    /// The token cannot be signed.
    #[error("{0}; set LIVEKIT_API_KEY and LIVEKIT_API_SECRET")]
    Token(#[from] TokenError),
    /// It is not known whom to trust.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

type ConnectFuture = Pin<Box<dyn Future<Output = Result<WebSocket, ConnectError>> + Send>>;

/// Runs the worker at the server `url` until it is stopped and its sessions have ended.
///
/// # Errors
/// If no token can be signed or the server refuses it. The worker retries after all other errors.
pub(crate) async fn run_worker(
    mut worker: Worker,
    url: &str,
    token_signer: &TokenSigner,
    clock: EngineClock,
    mut inputs: WorkerInputs,
    runner: &mut impl JobRunner,
) -> Result<(), WorkerError> {
    let trust = TrustStore::system()?;
    let mut socket: Option<WebSocket> = None;
    let mut connecting: Option<ConnectFuture> = None;
    let mut stops = 0;
    loop {
        worker.tick(clock.now());
        for action in worker.take_actions() {
            match action {
                WorkerAction::Connect => {
                    let token = token_signer.sign_for_worker(TOKEN_LIFETIME)?;
                    let (url, trust) = (url.to_owned(), trust.clone());
                    connecting =
                        Some(Box::pin(
                            async move { connect(&url, "/agent", &token, &trust).await },
                        ));
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
                WorkerAction::Start(assignment) => runner.start(*assignment),
                WorkerAction::Stop(job) => runner.stop(&job),
            }
        }
        runner.update(&worker);
        if worker.is_drained() || stops > 2 {
            break;
        }
        tokio::select! {
            connected = async { finish_connecting(&mut connecting).await } => {
                connecting = None;
                match connected {
                    Ok(connected) => {
                        socket = Some(connected);
                        worker.connected(clock.now());
                    }
                    Err(error @ ConnectError::Refused { status: 401 | 403, .. }) => {
                        return Err(WorkerError::Refused(error.to_string()));
                    }
                    Err(error) => worker.disconnected(&error.to_string(), clock.now()),
                }
            }
            received = async { next_message(&mut socket).await } => {
                let now = clock.now();
                match received {
                    Ok(Message::Binary(bytes)) => {
                        worker.mark_alive(now);
                        let message = proto::ServerMessage::decode(&bytes[..]).ok();
                        if let Some(message) = message.and_then(|message| message.message) {
                            worker.handle(message, now);
                        }
                    }
                    Ok(Message::Close(_)) => {
                        socket = None;
                        worker.disconnected("the server closed the connection", now);
                    }
                    Ok(_) => worker.mark_alive(now),
                    Err(error) => {
                        socket = None;
                        worker.disconnected(&error, now);
                    }
                }
            }
            Some((job, end)) = inputs.session_ends.recv() => match end {
                SessionEnd::Job(end) => {
                    runner.remove(&job);
                    worker.session_ended(&job, &end, clock.now());
                }
                SessionEnd::HandedOver(hand_over) => runner.hand_over(&job, *hand_over),
            },
            Some(()) = inputs.stop_requests.recv() => {
                stops += 1;
                worker.drain(clock.now());
                if stops > 1 {
                    runner.stop_all();
                }
            }
            () = sleep_until(clock.instant(worker.deadline()).into()) => {}
        }
    }
    if let Some(mut socket) = socket {
        // The worker stops even if the server does not answer.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT.as_duration(), socket.close(None)).await;
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

/// Waits for the connection being opened; for ever if there is none.
async fn finish_connecting(
    connecting: &mut Option<ConnectFuture>,
) -> Result<WebSocket, ConnectError> {
    match connecting {
        Some(connecting) => connecting.await,
        None => std::future::pending().await,
    }
}

/// Waits for the next message; for ever without a connection.
async fn next_message(socket: &mut Option<WebSocket>) -> Result<Message, String> {
    match socket {
        Some(socket) => match socket.next().await {
            Some(Ok(message)) => Ok(message),
            Some(Err(error)) => Err(error.to_string()),
            None => Err("the server closed the connection".to_owned()),
        },
        None => std::future::pending().await,
    }
}
