//! A running sandbox: its port, its thread and its ground truth.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::SandboxConfig;
use super::clock::Anchor;
use super::connection::{Connection, ResetOnClose};
use super::faults::TooManyFaults;
use super::service::SandboxService;
use super::truth::SandboxTruth;
use super::truth_log::{OpenTruthLog, TruthLog};
use super::world::World;

/// Connections that may wait to be accepted. With a short queue, clients in a burst wait a second until the system
/// repeats their SYN.
const BACKLOG: i32 = 4_096;
/// How often the truth log is written.
const LOG_INTERVAL: Duration = Duration::from_millis(20);
/// The pause after a connection could not be accepted, usually for lack of file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// Why a sandbox does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
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
    /// The truth log's file cannot be created.
    #[error("cannot write the truth log {path}: {source}; choose a writable path")]
    TruthLog {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The rates of mutually exclusive faults add up to more than 100%.
    #[error(transparent)]
    Faults(#[from] TooManyFaults),
    /// The system has no thread or no event queue left.
    #[error("cannot start the sandbox's thread: {0}; raise the limits on processes and open files")]
    Thread(io::Error),
}

/// A running sandbox. It has its own thread, so that it does not take time from its clients' threads. Dropping it
/// stops it.
pub struct Sandbox {
    address: SocketAddr,
    service: Arc<SandboxService>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Starts a sandbox on a loopback port; 0 takes any free one. It accepts requests once this returns.
    ///
    /// # Errors
    /// If the fault rates add up to too much, the port is taken, the truth log cannot be written, or the thread
    /// cannot be started.
    pub fn start(config: SandboxConfig, port: u16) -> Result<Self, SandboxError> {
        config.faults.check()?;
        let (listener, address) =
            listen(port).map_err(|source| SandboxError::Port { port, source })?;
        let path = match &config.truth_log {
            TruthLog::File(path) => path.clone(),
            TruthLog::Off | TruthLog::Writer(_) => PathBuf::new(),
        };
        let log = OpenTruthLog::open(config.truth_log.clone())
            .map_err(|source| SandboxError::TruthLog { path, source })?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(SandboxError::Thread)?;
        let (start, wall) = (Instant::now(), Timestamp::now());
        let offset = config.clock_offset_s.saturating_mul(1_000_000);
        let wall = wall.as_microsecond().saturating_add(offset);
        let anchor = Anchor::new(u64::try_from(wall).unwrap_or_default());
        let world = World::new(config, anchor, address);
        let service = Arc::new(SandboxService::new(world, log, start));
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&service);
        let thread = thread::Builder::new()
            .name("sandbox".to_owned())
            .spawn(move || {
                runtime.block_on(serve(listener, &shared, stopped));
                drop(runtime);
                shared.update();
            })
            .map_err(SandboxError::Thread)?;
        Ok(Self { address, service, stop: Some(stop), thread: Some(thread) })
    }

    /// The base URL of both APIs, without a trailing slash: `http://127.0.0.1:7881`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The same as LiveKit's clients write it: `ws://127.0.0.1:7881`.
    pub fn livekit_url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// The ground truth at this moment.
    pub fn truth(&self) -> SandboxTruth {
        self.service.truth()
    }

    /// Stops the sandbox, closes its connections and completes the truth log.
    pub fn stop(mut self) -> SandboxTruth {
        self.stop_thread();
        self.service.truth()
    }

    fn stop_thread(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Fails only if the thread has already ended.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // The thread itself has printed its panic, if it panicked.
            let _ = thread.join();
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop_thread();
    }
}

fn listen(port: u16) -> io::Result<(std::net::TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    socket.listen(BACKLOG)?;
    let listener = std::net::TcpListener::from(socket);
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Serves until `stopped`. Connections that are still open then are dropped with the runtime.
async fn serve(
    listener: std::net::TcpListener,
    service: &Arc<SandboxService>,
    stopped: impl Future<Output = Result<(), oneshot::error::RecvError>>,
) {
    tokio::select! {
        _ = stopped => {}
        () = accept(listener, service) => {}
        () = update_regularly(service) => {}
    }
}

async fn update_regularly(service: &SandboxService) {
    let mut ticks = interval(LOG_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        service.update();
    }
}

async fn accept(listener: std::net::TcpListener, service: &Arc<SandboxService>) {
    // Fails only outside a runtime with its event queue enabled.
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_RETRY_DELAY).await;
            continue;
        };
        // Responses are small and written at once: waiting for more to send would only add latency.
        let _ = stream.set_nodelay(true);
        let service = Arc::clone(service);
        tokio::spawn(async move {
            let reset = ResetOnClose::default();
            let connection = TokioIo::new(Connection::new(stream, reset.clone()));
            let handler = service_fn(|request| service.handle(request, &reset));
            let mut http = http1::Builder::new();
            // It fails when the client leaves or when a fault drops the connection.
            let _ = http.timer(TokioTimer::new()).serve_connection(connection, handler).await;
        });
    }
}
