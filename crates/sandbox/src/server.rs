//! A running sandbox: its port, its thread, its truth.

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
use super::state::SandboxState;
use super::truth::SandboxTruth;
use super::truth_log::{OpenTruthLog, TruthLog};
use super::world::World;

/// Connections that may wait to be accepted; a short queue makes bursts of clients wait a second for a repeated SYN.
const BACKLOG: i32 = 4_096;
/// How often the truth log is brought up to date.
const SETTLING: Duration = Duration::from_millis(20);
/// How long to wait where no connection can be accepted, for want of file descriptors above all.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// Why a sandbox does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
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
    /// The truth log's file cannot be made.
    #[error("cannot write the truth log {path}: {source}; choose a folder that can be written")]
    TruthLog {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The faults' shares cannot be kept.
    #[error(transparent)]
    Faults(#[from] TooManyFaults),
    /// There is no thread or no event queue to be had.
    #[error("cannot start the sandbox's thread: {0}; raise the limits on processes and open files")]
    Thread(io::Error),
}

/// A running sandbox. It has a thread of its own, so that its work is not its clients'; dropping it stops it.
pub struct Sandbox {
    address: SocketAddr,
    shell: Arc<SandboxState>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Starts a sandbox on this loopback port, 0 for any that is free. It answers as soon as this returns.
    ///
    /// # Errors
    /// Where the faults cannot be kept, the port is taken, the truth log cannot be written or no thread can be had.
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
        let world = World::new(config, anchor, &address.to_string());
        let shell = Arc::new(SandboxState::new(world, log, start));
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&shell);
        let thread = thread::Builder::new()
            .name("sandbox".to_owned())
            .spawn(move || {
                runtime.block_on(serve(listener, &shared, stopped));
                drop(runtime);
                shared.settle();
            })
            .map_err(SandboxError::Thread)?;
        Ok(Self { address, shell, stop: Some(stop), thread: Some(thread) })
    }

    /// Where Cekura's API and LiveKit's are served over HTTP, without a last slash: `http://127.0.0.1:7881`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The same place as LiveKit's clients write it: `ws://127.0.0.1:7881`.
    pub fn livekit_url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// What is true now.
    pub fn truth(&self) -> SandboxTruth {
        self.shell.truth()
    }

    /// Stops the sandbox, closes its connections and writes the truth log to its end.
    pub fn stop(mut self) -> SandboxTruth {
        self.stop_thread();
        self.shell.truth()
    }

    fn stop_thread(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread is gone already where this fails.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed by the thread itself.
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

/// Serves until `stopped`; what is still open then is dropped with the runtime.
async fn serve(
    listener: std::net::TcpListener,
    shell: &Arc<SandboxState>,
    stopped: impl Future<Output = Result<(), oneshot::error::RecvError>>,
) {
    tokio::select! {
        _ = stopped => {}
        () = accept(listener, shell) => {}
        () = settle(shell) => {}
    }
}

async fn settle(shell: &SandboxState) {
    let mut ticks = interval(SETTLING);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        shell.settle();
    }
}

async fn accept(listener: std::net::TcpListener, shell: &Arc<SandboxState>) {
    // Fails only outside a runtime with its event queue enabled.
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_AGAIN).await;
            continue;
        };
        // Answers are small and complete: waiting for more to send only adds latency.
        let _ = stream.set_nodelay(true);
        let shell = Arc::clone(shell);
        tokio::spawn(async move {
            let reset = ResetOnClose::default();
            let connection = TokioIo::new(Connection::new(stream, reset.clone()));
            let service = service_fn(|request| shell.answer(request, &reset));
            let mut http = http1::Builder::new();
            // An error here is a client that left or a fault that was asked for.
            let _ = http.timer(TokioTimer::new()).serve_connection(connection, service).await;
        });
    }
}
