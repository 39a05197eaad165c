//! The engine: its threads, and how participants are assigned to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Sender, channel};
use std::thread::{JoinHandle, Thread};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::runtime::Handle;
use tokio::sync::mpsc::unbounded_channel;
use tracing::{Instrument, Span, debug, field, info, info_span};
use url::Url;

use super::clock::EngineClock;
use super::connect_error::ConnectError;
use super::handler::ParticipantHandler;
use super::health::{EngineCounters, EngineHealth};
use super::leave_reason::LeaveReason;
use super::network_access::NetworkAccess;
use super::paths::{MediaPaths, PeerPaths};
use super::signal_connection::{self, WebSocket};
use super::signal_task::{SignalTask, Tokens};
use super::slot::ParticipantSlot;
use super::socket::Socket;
use super::thread::{self, SlotId, ThreadCommand};
use crate::network::EmulatedNetwork;
use crate::participant::{JoinConfig, Participant, prepare_certificate};
use rushhour_core::profile::MediaTransport;
use rushhour_core::units::Secret;
use rushhour_livekit::http::ProxyServer;

/// Another thread is used only when one is this full: few wake-ups shared by many are cheapest. That is 48 participants
/// that send audio, or 192 others.
const FULL_THREAD: usize = 192;
/// How much fuller a participant makes its thread that sends audio,
const AUDIO_LOAD: usize = 4;
/// and any other.
const SILENT_LOAD: usize = 1;
/// Files that a participant keeps open: its signal connection, and one way of media; with an older server, two of these.
/// Where the first does not connect, there are a few more for some seconds.
pub const FILES_PER_PARTICIPANT: u64 = 3;

/// A participant that is to join a room.
pub struct JoinRequest {
    /// The server, `ws://` or `wss://`.
    pub url: String,
    /// The access token, which names the room and the identity.
    pub token: Secret,
    /// How it joins.
    pub config: JoinConfig,
    /// The network between its socket and its media, if it is not to be the one that is there.
    pub network: Option<EmulatedNetwork>,
    /// Its application.
    pub handler: Box<dyn ParticipantHandler>,
}

impl JoinRequest {
    /// A participant without audio and attributes.
    pub fn new(
        url: impl Into<String>,
        token: Secret,
        handler: impl ParticipantHandler + 'static,
    ) -> Self {
        let handler = Box::new(handler);
        Self { url: url.into(), token, config: JoinConfig::default(), network: None, handler }
    }
}

/// Threads that serve participants. Dropping it makes all participants leave.
pub struct Engine {
    clock: EngineClock,
    runtime: Handle,
    network: NetworkAccess,
    counters: Arc<EngineCounters>,
    next_id: AtomicU64,
    threads: Vec<EngineThread>,
}

struct EngineThread {
    commands: Sender<ThreadCommand>,
    /// How full it is with participants, and with those on their way to it.
    load: Arc<AtomicUsize>,
    handle: JoinHandle<()>,
}

impl Engine {
    /// Starts an engine without participants, on `threads` threads (at least one). Must be called within a tokio
    /// runtime with IO and time, on which the signal connections run.
    ///
    /// # Errors
    /// If the system cannot start the threads.
    pub fn start(clock: EngineClock, threads: usize) -> std::io::Result<Self> {
        let network = NetworkAccess::system().map_err(std::io::Error::other)?;
        Self::start_with(clock, threads, network)
    }

    /// The same, whose participants reach their servers as `network` says.
    ///
    /// # Errors
    /// If the system cannot start the threads.
    pub fn start_with(
        clock: EngineClock,
        threads: usize,
        network: NetworkAccess,
    ) -> std::io::Result<Self> {
        prepare_certificate();
        let counters = Arc::new(EngineCounters::default());
        let threads = (0..threads.max(1))
            .map(|number| {
                let (commands, inbox) = channel();
                let counters = counters.clone();
                let handle = std::thread::Builder::new()
                    .name(format!("callers-{number}"))
                    .spawn(move || thread::run(&inbox, clock, &counters))?;
                Ok(EngineThread { commands, load: Arc::new(AtomicUsize::new(0)), handle })
            })
            .collect::<std::io::Result<Vec<EngineThread>>>()?;
        let runtime = Handle::current();
        Ok(Self { clock, runtime, network, counters, next_id: AtomicU64::new(0), threads })
    }

    /// Starts to join a participant. Its handler learns everything else, a failure to join included.
    pub fn join(&self, request: JoinRequest) -> ParticipantControl {
        // Consecutive ids spread participants over the phases of the tick.
        let id = SlotId(self.next_id.fetch_add(1, Relaxed));
        let thread = self.pick_thread();
        let load = ThreadLoad::add(&thread.load, &request.config);
        let control = ParticipantControl { stop: Arc::new(AtomicBool::new(false)) };
        let attempt = JoinAttempt {
            id,
            commands: thread.commands.clone(),
            thread: thread.handle.thread().clone(),
            load,
            stop: control.stop.clone(),
            clock: self.clock,
            network: self.network.clone(),
            counters: self.counters.clone(),
        };
        let span =
            info_span!("participant", id = id.0, room = field::Empty, identity = field::Empty);
        self.runtime.spawn(Box::pin(attempt.run(request).instrument(span)));
        control
    }

    /// How well the threads keep their schedule.
    pub fn health(&self) -> EngineHealth {
        self.counters.read()
    }

    fn pick_thread(&self) -> &EngineThread {
        let loads = self.threads.iter().map(|thread| (thread.load.load(Relaxed), thread));
        let has_room = loads.clone().find(|(load, _)| *load < FULL_THREAD);
        let chosen = has_room.or_else(|| loads.min_by_key(|(load, _)| *load));
        chosen.expect("an engine has at least one thread").1
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for EngineThread { commands, handle, .. } in self.threads.drain(..) {
            // A thread that panicked has no participants left.
            if commands.send(ThreadCommand::Close).is_ok() {
                let _ = handle.join();
            }
        }
    }
}

/// Controls a participant from outside its handler.
#[derive(Debug, Clone)]
pub struct ParticipantControl {
    stop: Arc<AtomicBool>,
}

impl ParticipantControl {
    /// Asks the participant to leave, through [`ParticipantHandler::on_stop`]; one that is joining, once it is served
    /// by its thread.
    pub fn stop(&self) {
        self.stop.store(true, Relaxed);
    }
}

/// Counts towards a thread's load until it is dropped.
struct ThreadLoad {
    total: Arc<AtomicUsize>,
    own: usize,
}

impl ThreadLoad {
    fn add(total: &Arc<AtomicUsize>, config: &JoinConfig) -> Self {
        let sends_audio = config.publish_audio || config.publish_background;
        let own = if sends_audio { AUDIO_LOAD } else { SILENT_LOAD };
        total.fetch_add(own, Relaxed);
        Self { total: total.clone(), own }
    }
}

impl Drop for ThreadLoad {
    fn drop(&mut self) {
        self.total.fetch_sub(self.own, Relaxed);
    }
}

/// A participant on its way to a thread.
struct JoinAttempt {
    id: SlotId,
    commands: Sender<ThreadCommand>,
    /// The thread that carries them out.
    thread: Thread,
    load: ThreadLoad,
    stop: Arc<AtomicBool>,
    clock: EngineClock,
    network: NetworkAccess,
    counters: Arc<EngineCounters>,
}

impl JoinAttempt {
    async fn run(self, request: JoinRequest) {
        let JoinRequest { url, token, config, network: emulated, mut handler } = request;
        let started = self.clock.now();
        let Connected { participant, paths, websocket } =
            match Box::pin(connect(&url, &token, &config, self.clock, &self.network)).await {
                Ok(connected) => connected,
                Err(error) => {
                    let now = self.clock.now();
                    info!(%error, after = %now.since(started), "could not join");
                    handler.on_left(LeaveReason::JoinFailed(error), now);
                    return;
                }
            };
        let Self { id, commands, thread, load, stop, clock, network, counters } = self;
        let (signal, outgoing) = unbounded_channel();
        let paths = paths.with_network(emulated);
        let slot = ParticipantSlot::new(participant, paths, signal, handler, stop);
        counters.participants.fetch_add(1, Relaxed);
        if commands.send(ThreadCommand::Add(id, Box::new(slot))).is_err() {
            return;
        }
        // It may sleep until its other participants are due.
        thread.unpark();
        // A task of its own, so that the memory of this one is freed: there are as many as participants.
        let signal = SignalTask { id, commands, url, tokens: Tokens::new(token), clock, network };
        let task = async move {
            let _load = load;
            signal.run(websocket, outgoing).await;
        };
        tokio::spawn(task.instrument(Span::current()));
    }
}

/// A participant that the server is asked to let in.
pub(super) struct Connected {
    pub(super) participant: Participant,
    pub(super) paths: PeerPaths,
    /// Boxed, because a task that holds it has room for each place that it moves through.
    pub(super) websocket: Box<WebSocket>,
}

/// Makes the first offer, and opens the signal connection with it. A server that does not know the path is asked again
/// at the older one, with two peer connections.
pub(super) async fn connect(
    url: &str,
    token: &Secret,
    config: &JoinConfig,
    clock: EngineClock,
    network: &NetworkAccess,
) -> Result<Connected, ConnectError> {
    let socket = bind_first(url, network).await?;
    let first = socket.as_ref().map(Socket::local_addr);
    let publisher = MediaPaths::new(socket, network, Handle::current());
    let (participant, query) = Participant::new(config, clock.anchor(), clock.now(), first)?;
    let trust = &network.trust;
    let error = match signal_connection::connect(url, &query.path(), token, trust).await {
        Ok(websocket) => {
            let websocket = Box::new(websocket);
            return Ok(Connected { participant, paths: PeerPaths::one(publisher), websocket });
        }
        Err(error) => error,
    };
    if !error.is_unknown_path() {
        return Err(error);
    }
    debug!("the server does not know /rtc/v1; joining at /rtc");
    let socket = bind_first(url, network).await?;
    let second = socket.as_ref().map(Socket::local_addr);
    let subscriber = MediaPaths::new(socket, network, Handle::current());
    let (anchor, now) = (clock.anchor(), clock.now());
    let (participant, query) =
        Participant::with_two_connections(config, anchor, now, first, second)?;
    let websocket =
        signal_connection::connect(url, &query.path(), token, trust).await.map_err(|error| {
            if error.is_unknown_path() { ConnectError::NoSignalling } else { error }
        })?;
    let (paths, websocket) = (PeerPaths::two(publisher, subscriber), Box::new(websocket));
    Ok(Connected { participant, paths, websocket })
}

/// The first socket of a peer connection, where UDP is allowed.
async fn bind_first(url: &str, network: &NetworkAccess) -> Result<Option<Socket>, ConnectError> {
    match network.transport {
        MediaTransport::Any | MediaTransport::Udp => bind_socket(url).await,
        MediaTransport::Tcp | MediaTransport::Relay => Ok(None),
    }
}

/// Binds a UDP socket to the address that reaches the server; none where a proxy stands between, which alone may know
/// the server's name.
async fn bind_socket(url: &str) -> Result<Option<Socket>, ConnectError> {
    if ProxyServer::for_service(url).is_some() {
        return Ok(None);
    }
    let parsed =
        Url::parse(url).map_err(|source| ConnectError::Url { url: url.to_owned(), source })?;
    let host = parsed.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = parsed.port().unwrap_or(if parsed.scheme() == "wss" { 443 } else { 80 });
    let found = tokio::net::lookup_host((host.as_str(), port)).await.map(|mut all| all.next());
    let server = match found {
        Ok(Some(server)) => server,
        Ok(None) => return Err(ConnectError::NoAddress { host }),
        Err(source) => return Err(ConnectError::Resolve { host, source }),
    };
    Socket::towards(server).map(Some).map_err(|source| {
        if signal_connection::is_out_of_files(&source) {
            ConnectError::OutOfFiles(source)
        } else {
            ConnectError::Socket { server, source }
        }
    })
}

/// Raises the process's limit of open files as far as the system allows. Returns the limit that applies afterwards.
pub fn raise_file_limit() -> u64 {
    /// What is assumed if the system does not tell; no usual default is lower.
    const ASSUMED_LIMIT: u64 = 256;
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return ASSUMED_LIMIT };
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        return hard;
    }
    soft
}
