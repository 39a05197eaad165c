//! The threads, and how a participant gets onto one of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::runtime::Handle;
use tokio::sync::mpsc::unbounded_channel;
use url::Url;

use super::clock::EngineClock;
use super::handler::{LeaveReason, ParticipantHandler};
use super::health::{EngineCounters, EngineHealth};
use super::signal_connection;
use super::slot::ParticipantSlot;
use super::socket::Socket;
use super::thread::{SlotId, ThreadCommand, attend};
use crate::participant::{JoinConfig, Participant};
use rushhour_core::units::Secret;

/// A thread gets company only when it has so many participants: few wake-ups shared by many are the cheapest.
const FULL: usize = 48;
/// File handles of one participant: its signal connection and its datagrams.
pub const HANDLES_EACH: u64 = 2;

/// A participant that is to join.
pub struct JoinRequest {
    /// The server, `ws://` or `wss://`.
    pub url: String,
    /// The token that lets it in.
    pub token: Secret,
    /// How it joins.
    pub config: JoinConfig,
    /// What it is used for.
    pub app: Box<dyn ParticipantHandler>,
}

/// Participants on threads of their own.
pub struct Engine {
    clock: EngineClock,
    runtime: Handle,
    counters: Arc<EngineCounters>,
    next: AtomicU64,
    threads: Vec<EngineThread>,
}

struct EngineThread {
    orders: Sender<ThreadCommand>,
    load: Arc<AtomicUsize>,
    handle: JoinHandle<()>,
}

impl Engine {
    /// An engine with nobody in it. Must be called within a tokio runtime, which carries the signalling.
    ///
    /// # Errors
    /// Where the system gives no threads.
    pub fn start(clock: EngineClock, threads: usize) -> std::io::Result<Self> {
        let counters = Arc::new(EngineCounters::default());
        let threads = (0..threads.max(1))
            .map(|number| {
                let (orders, inbox) = channel();
                let counters = counters.clone();
                let handle = std::thread::Builder::new()
                    .name(format!("callers-{number}"))
                    .spawn(move || attend(&inbox, clock, &counters))?;
                Ok(EngineThread { orders, load: Arc::new(AtomicUsize::new(0)), handle })
            })
            .collect::<std::io::Result<Vec<EngineThread>>>()?;
        let runtime = Handle::current();
        Ok(Self { clock, runtime, counters, next: AtomicU64::new(0), threads })
    }

    /// The clock its participants live by.
    pub const fn clock(&self) -> EngineClock {
        self.clock
    }

    /// Lets a participant join; everything that becomes of it is told to its app.
    pub fn join(&self, joining: JoinRequest) -> ParticipantControl {
        // Numbers come in an order that spreads neighbours over the phases of the beat.
        let id = SlotId(self.next.fetch_add(1, Relaxed));
        let thread = self.pick();
        thread.load.fetch_add(1, Relaxed);
        let held = ParticipantControl(Arc::new(AtomicBool::new(false)));
        let way_in = JoinAttempt {
            id,
            orders: thread.orders.clone(),
            load: ThreadLoad(thread.load.clone()),
            stop: held.0.clone(),
            clock: self.clock,
            counters: self.counters.clone(),
        };
        self.runtime.spawn(Box::pin(way_in.join(joining)));
        held
    }

    /// How the threads are doing.
    pub fn health(&self) -> EngineHealth {
        self.counters.read()
    }

    fn pick(&self) -> &EngineThread {
        let loads = self.threads.iter().map(|thread| (thread.load.load(Relaxed), thread));
        let packed = loads.clone().find(|(load, _)| *load < FULL);
        let chosen = packed.or_else(|| loads.min_by_key(|(load, _)| *load));
        chosen.expect("an engine has at least one thread").1
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for EngineThread { orders, handle, .. } in self.threads.drain(..) {
            // Everybody leaves at the next beat; a thread that has panicked has nobody left.
            if orders.send(ThreadCommand::Close).is_ok() {
                let _ = handle.join();
            }
        }
    }
}

/// A participant as whoever let it join holds it.
#[derive(Debug, Clone)]
pub struct ParticipantControl(Arc<AtomicBool>);

impl ParticipantControl {
    /// Has it leave, as its app sees fit; on its way in, as soon as it is there.
    pub fn stop(&self) {
        self.0.store(true, Relaxed);
    }
}

/// Counts as long as it is there.
struct ThreadLoad(Arc<AtomicUsize>);

impl Drop for ThreadLoad {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// What a participant on its way in needs.
struct JoinAttempt {
    id: SlotId,
    orders: Sender<ThreadCommand>,
    load: ThreadLoad,
    stop: Arc<AtomicBool>,
    clock: EngineClock,
    counters: Arc<EngineCounters>,
}

impl JoinAttempt {
    async fn join(self, joining: JoinRequest) {
        let JoinRequest { url, token, config, mut app } = joining;
        let connected = match prepare(&url, config, self.clock).await {
            Ok((participant, socket, path)) => signal_connection::connect(&url, &path, &token)
                .await
                .map(|wire| (participant, socket, wire)),
            Err(left) => Err(left),
        };
        let (participant, socket, websocket) = match connected {
            Ok(connected) => connected,
            Err(left) => {
                app.left(left, self.clock.now());
                return;
            }
        };
        let Self { id, orders, load, stop, clock, counters } = self;
        let (sender, outgoing) = unbounded_channel();
        let seat = ParticipantSlot::new(participant, socket, sender, app, stop);
        counters.participants.fetch_add(1, Relaxed);
        if orders.send(ThreadCommand::Take(id, Box::new(seat))).is_err() {
            return;
        }
        // A task of its own, without what only the way in needed: there are as many as participants.
        tokio::spawn(async move {
            let _load = load;
            signal_connection::carry(websocket, outgoing, clock, |message| {
                let _ = orders.send(ThreadCommand::Signal(id, Box::new(message), clock.now()));
            })
            .await;
        });
    }
}

/// Resolves the server, binds a socket towards it and makes the first offer.
async fn prepare(
    url: &str,
    config: JoinConfig,
    clock: EngineClock,
) -> Result<(Participant, Socket, String), LeaveReason> {
    let refused = |words: String| LeaveReason::Refused { words, status: None };
    let parsed = Url::parse(url).map_err(|error| refused(format!("{url}: {error}")))?;
    let host = parsed.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = parsed.port().unwrap_or(if parsed.scheme() == "wss" { 443 } else { 80 });
    let server = tokio::net::lookup_host((host.as_str(), port))
        .await
        .map_err(|error| refused(format!("{host}: {error}")))?
        .next()
        .ok_or_else(|| refused(format!("{host} has no address")))?;
    let socket = Socket::towards(server).map_err(|error| {
        if signal_connection::out_of_files(&error) {
            LeaveReason::OurFault(error.to_string())
        } else {
            refused(format!("no socket towards {server}: {error}"))
        }
    })?;
    // A certificate of its own and an offer: a millisecond or two that must not hold up the runtime.
    let local = socket.local();
    let made = tokio::task::spawn_blocking(move || {
        Participant::new(&config, clock.anchor(), clock.now(), local)
    });
    match made.await {
        Ok(Ok((participant, query))) => Ok((participant, socket, query.path())),
        Ok(Err(error)) => Err(LeaveReason::OurFault(error.to_string())),
        Err(error) => Err(LeaveReason::OurFault(format!("a task of ours ended: {error}"))),
    }
}

/// Raises the limit of open files as far as the system lets a process do by itself; gives what it is then.
pub fn raise_file_limit() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 256 };
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        return hard;
    }
    soft
}
