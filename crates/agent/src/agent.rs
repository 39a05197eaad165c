//! The agent put together: clock, engine, worker, sessions, truth and status.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::behaviour::Behaviour;
use super::session::{AgentContext, AgentSession};
use super::status::{WorkerStats, serve};
use super::truth::{AgentFact, TruthFile, TruthSink};
use super::worker::{
    Assignment, JobEnd, JobRunner, Worker, WorkerCommands, WorkerConfig, WorkerError, carry,
};
use rushhour_callers::audio::Clip;
use rushhour_callers::engine::{
    Engine, EngineClock, JoinRequest, ParticipantControl, raise_file_limit,
};
use rushhour_core::units::{AgentName, SessionTime};
use rushhour_livekit::TokenSigner;

/// What an agent is started with.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// The server, `ws://` or `wss://`.
    pub url: String,
    /// Who signs its tokens.
    pub mint: TokenSigner,
    /// The name that it registers.
    pub agent: AgentName,
    /// How it behaves.
    pub behaviour: Behaviour,
    /// What it says where it speaks.
    pub speech: Clip,
    /// Where the truth is written, if anywhere.
    pub truth: Option<PathBuf>,
    /// The loopback port on which it tells how it is, if it does; 0 for any that is free.
    pub port: Option<u16>,
    /// Threads that carry its sessions.
    pub threads: usize,
}

/// The agent cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The server does not take the worker.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// The truth log cannot be made, or has a hole.
    #[error("cannot write the truth log {path}: {source}; choose a place that can be written")]
    Truth {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The port is not to be had.
    #[error(
        "cannot listen on 127.0.0.1:{port}: {source}; choose another port, or 0 for any free one"
    )]
    Port {
        /// The port asked for.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// There is no thread to be had.
    #[error("cannot start the agent's threads: {0}; raise the limits on processes and open files")]
    Thread(io::Error),
}

/// Something that whoever runs the agent may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentEvent {
    /// Status is served at this address.
    Serving(std::net::SocketAddr),
    /// LiveKit has it as a worker, or has it no longer.
    Registered(bool),
}

/// Runs an agent until `stops` says so: the first has it take no more jobs and end when it is empty, the second
/// ends its sessions. Must be called within a tokio runtime with IO and time.
///
/// # Errors
/// Where it cannot start, the server refuses its key, or the truth log has a hole.
pub async fn run(
    config: AgentConfig,
    stops: UnboundedReceiver<()>,
    notice: impl FnMut(AgentEvent),
) -> Result<(), AgentError> {
    raise_file_limit();
    #[expect(clippy::disallowed_methods, reason = "the anchor of the agent's clock")]
    let (anchor, wall) = (Instant::now(), Timestamp::now());
    let clock = EngineClock::new(anchor, wall.as_millisecond());
    let log = config.truth.as_deref().map(open_log).transpose()?;
    let truth = log.as_ref().map_or(TruthSink::OFF, TruthFile::sink);
    truth.tell(
        SessionTime::START,
        AgentFact::Began {
            wall_unix_us: u64::try_from(wall.as_microsecond()).unwrap_or_default(),
            agent: config.agent.clone(),
            seed: config.behaviour.seed,
        },
    );
    let worked = work(&config, clock, truth, stops, notice).await;
    if let (Some(log), Some(path)) = (log, config.truth) {
        let written = log.end(clock.now());
        worked?;
        return written.map_err(|source| AgentError::Truth { path, source });
    }
    worked
}

fn open_log(path: &std::path::Path) -> Result<TruthFile, AgentError> {
    File::create(path)
        .and_then(|file| TruthFile::start(BufWriter::new(file)))
        .map_err(|source| AgentError::Truth { path: path.to_owned(), source })
}

async fn work(
    config: &AgentConfig,
    clock: EngineClock,
    truth: TruthSink,
    stops: UnboundedReceiver<()>,
    mut notice: impl FnMut(AgentEvent),
) -> Result<(), AgentError> {
    let behaviour = Arc::new(config.behaviour.clone());
    let common =
        Arc::new(AgentContext::new(Arc::clone(&behaviour), truth.clone(), config.speech.clone()));
    let board = Arc::new(WorkerStats::new(config.agent.clone(), Arc::clone(&common)));
    let _status = match config.port {
        Some(port) => {
            let status = serve(Arc::clone(&board), clock, port)
                .await
                .map_err(|source| AgentError::Port { port, source })?;
            notice(AgentEvent::Serving(status.address));
            Some(status)
        }
        None => None,
    };
    let engine = Engine::start(clock, config.threads).map_err(AgentError::Thread)?;
    let (over, ends) = unbounded_channel();
    let worker_config = WorkerConfig { agent: config.agent.clone(), behaviour };
    let worker = Worker::new(worker_config, truth, clock.now());
    let mut hall = SessionRegistry {
        url: config.url.clone(),
        common,
        board,
        engine,
        over,
        held: HashMap::new(),
        registered: false,
        notice,
    };
    carry(worker, &config.url, &config.mint, clock, WorkerCommands { ends, stops }, &mut hall)
        .await?;
    Ok(())
}

/// Where the sessions are.
struct SessionRegistry<N> {
    url: String,
    common: Arc<AgentContext>,
    board: Arc<WorkerStats>,
    engine: Engine,
    over: UnboundedSender<(String, JobEnd)>,
    held: HashMap<String, ParticipantControl>,
    registered: bool,
    notice: N,
}

impl<N: FnMut(AgentEvent)> JobRunner for SessionRegistry<N> {
    fn start(&mut self, assignment: Assignment) {
        let (over, job) = (self.over.clone(), assignment.job.clone());
        let when_over = Box::new(move |end| {
            // Where nobody listens any more the worker is gone too.
            let _ = over.send((job, end));
        });
        let session = match AgentSession::new(Arc::clone(&self.common), &assignment, when_over) {
            Ok(session) => session,
            Err(error) => {
                let failed = JobEnd::Failed(error.to_string());
                let _ = self.over.send((assignment.job, failed));
                return;
            }
        };
        let Assignment { job, url, token, .. } = assignment;
        let held = self.engine.join(JoinRequest {
            url: url.unwrap_or_else(|| self.url.clone()),
            token,
            config: session.join_config(),
            handler: Box::new(session),
        });
        self.held.insert(job, held);
    }

    fn stop(&mut self, job: &str) {
        if let Some(held) = self.held.get(job) {
            held.stop();
        }
    }

    fn stop_all(&mut self) {
        for held in self.held.values() {
            held.stop();
        }
    }

    fn ended(&mut self, job: &str) {
        self.held.remove(job);
    }

    fn note(&mut self, worker: &Worker) {
        self.board.note(worker);
        if worker.is_registered() != self.registered {
            self.registered = worker.is_registered();
            (self.notice)(AgentEvent::Registered(self.registered));
        }
    }
}
