//! Runs the agent: combines clock, engine, worker, sessions, truth log and status server.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::behaviour::Behaviour;
use super::session::{AgentContext, Sounds};
use super::session_registry::SessionRegistry;
use super::status::{StatusServer, WorkerStats};
use super::truth::{AgentFact, TruthFile, TruthSink};
use super::worker::{Worker, WorkerConfig, WorkerError, WorkerInputs, run_worker};
use rushhour_callers::audio::{Clip, ClipError};
use rushhour_callers::engine::{Engine, EngineClock, raise_file_limit};
use rushhour_core::units::{AgentName, SessionTime};
use rushhour_livekit::TokenSigner;

/// The configuration of an agent.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// The LiveKit server, `ws://` or `wss://`.
    pub url: String,
    /// Signs the worker's tokens.
    pub token_signer: TokenSigner,
    /// The agent name that the worker registers.
    pub agent: AgentName,
    /// Its delays and faults.
    pub behaviour: Behaviour,
    /// The audio of every spoken answer.
    pub speech: Clip,
    /// The file of the truth log, if it is wanted.
    pub truth: Option<PathBuf>,
    /// The loopback port of the status server, if it is wanted; 0 for any free one.
    pub port: Option<u16>,
    /// The number of engine threads that run the sessions.
    pub threads: usize,
}

/// Why the agent cannot start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The worker cannot register.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// The agent's sounds cannot be encoded.
    #[error("cannot make the agent's sounds: {0}")]
    Sounds(#[from] ClipError),
    /// The truth log cannot be created, or is incomplete.
    #[error("cannot write the truth log {path}: {source}; choose a writable path")]
    Truth {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The port is not available.
    #[error(
        "cannot listen on 127.0.0.1:{port}: {source}; choose another port, or 0 for any free one"
    )]
    Port {
        /// The requested port.
        port: u16,
        /// The system's error.
        source: io::Error,
    },
    /// The system has no thread left.
    #[error("cannot start the agent's threads: {0}; raise the limits on processes and open files")]
    Thread(io::Error),
}

/// A change of the agent's state, for the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentEvent {
    /// The status server listens on this address.
    Serving(SocketAddr),
    /// Whether the worker is registered with LiveKit has changed.
    Registered(bool),
}

/// Runs an agent until it is stopped. The first message in `stop_requests` drains the worker: it accepts no more jobs
/// and ends with its last session. The second ends the sessions. Must be called within a tokio runtime with IO and time.
///
/// # Errors
/// If the agent cannot start, the server refuses its key, or the truth log is incomplete.
pub async fn run(
    config: AgentConfig,
    stop_requests: UnboundedReceiver<()>,
    on_event: impl FnMut(AgentEvent),
) -> Result<(), AgentError> {
    raise_file_limit();
    #[expect(clippy::disallowed_methods, reason = "the anchor of the agent's clock")]
    let (anchor, wall) = (Instant::now(), Timestamp::now());
    let clock = EngineClock::new(anchor, wall.as_millisecond());
    let log = config.truth.as_deref().map(open_log).transpose()?;
    let truth = log.as_ref().map_or(TruthSink::OFF, TruthFile::sink);
    truth.record(
        SessionTime::START,
        AgentFact::Began {
            wall_unix_us: u64::try_from(wall.as_microsecond()).unwrap_or_default(),
            agent: config.agent.clone(),
            seed: config.behaviour.seed,
        },
    );
    let result = run_sessions(&config, clock, truth, stop_requests, on_event).await;
    if let (Some(log), Some(path)) = (log, config.truth) {
        let written = log.finish(clock.now());
        result?;
        return written.map_err(|source| AgentError::Truth { path, source });
    }
    result
}

/// Creates a file anew that only its owner can read. What is there under this name is not followed and not overwritten: a
/// link in a folder of somebody else's would lead to any file of ours. A device such as `/dev/null` stays one.
fn create_anew(path: &Path) -> io::Result<File> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() || found.is_symlink() => fs::remove_file(path)?,
        Ok(_) => return OpenOptions::new().write(true).open(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn open_log(path: &Path) -> Result<TruthFile, AgentError> {
    create_anew(path)
        .and_then(|file| TruthFile::start(BufWriter::new(file)))
        .map_err(|source| AgentError::Truth { path: path.to_owned(), source })
}

async fn run_sessions(
    config: &AgentConfig,
    clock: EngineClock,
    truth: TruthSink,
    stop_requests: UnboundedReceiver<()>,
    mut on_event: impl FnMut(AgentEvent),
) -> Result<(), AgentError> {
    let behaviour = Arc::new(config.behaviour.clone());
    let sounds = Sounds::new(&behaviour, config.speech.clone())?;
    let context = Arc::new(AgentContext::new(Arc::clone(&behaviour), truth.clone(), sounds));
    let stats = Arc::new(WorkerStats::new(config.agent.clone(), Arc::clone(&context)));
    let _status_server = match config.port {
        Some(port) => {
            let server = StatusServer::start(Arc::clone(&stats), clock, port)
                .await
                .map_err(|source| AgentError::Port { port, source })?;
            on_event(AgentEvent::Serving(server.address));
            Some(server)
        }
        None => None,
    };
    let engine = Engine::start(clock, config.threads).map_err(AgentError::Thread)?;
    let (session_ended, session_ends) = unbounded_channel();
    let worker_config = WorkerConfig { agent: config.agent.clone(), behaviour };
    let worker = Worker::new(worker_config, truth, clock.now());
    let mut sessions = SessionRegistry {
        url: config.url.clone(),
        token_signer: config.token_signer.clone(),
        context,
        stats,
        engine,
        session_ended,
        jobs: HashMap::new(),
        registered: false,
        on_event,
    };
    let inputs = WorkerInputs { session_ends, stop_requests };
    run_worker(worker, &config.url, &config.token_signer, clock, inputs, &mut sessions).await?;
    Ok(())
}
