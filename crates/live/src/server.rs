//! The listeners and their connections, on a thread of their own.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener as BlockingListener};
use std::sync::{Arc, mpsc as blocking};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_io_timeout::TimeoutStream;
use tower_service::Service;
use tracing::{debug, info};

use super::access::{Access, PageToken, PageTokenError};
use super::address::ListenAddress;
use super::feed::{LiveFeed, Missing};
use super::push::{LAST_PUSH, MetricsPush, Pusher};
use super::routes::{Content, harden, refuse, router};
use super::view::{Inputs, Linger, LiveEnd, Shared, View};
use rushhour_report::live::LiveFold;
use rushhour_report::render::PageParts;
use rushhour_report::session::Criterion;

/// The most connections to a listener; a viewer has one or two.
const MAX_CONNECTIONS: usize = 64;
/// How long a request's head may take, and how long a connection may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a viewer may take to read something before its connection is closed.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest head of a request, in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// The most scrapes that wait.
const MAX_SCRAPES: usize = 16;
/// The pause after a connection could not be accepted, usually for lack of file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);
/// The niceness of the thread, from 0 to 19 (setpriority(2)): it gets a tenth of what the session's threads get, and
/// interrupts none of them.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;
/// How long viewers have to read the last page before the process ends.
const LAST_READ: Duration = Duration::from_secs(1);
/// How long the end waits for the thread, which draws the last page before that.
const MAX_CLOSING: Duration = Duration::from_secs(6);

/// What to serve, and where.
#[derive(Debug)]
pub struct LiveOptions {
    /// Where the page is served, with metrics beside it.
    pub page: Option<ListenAddress>,
    /// Where metrics alone are served.
    pub metrics: Option<ListenAddress>,
    /// The token that is asked for, on loopback too; without one, a random one is asked for beyond loopback.
    pub token: Option<PageToken>,
    /// What decides whether a threshold passed.
    pub criterion: Criterion,
    /// Where metrics are sent to.
    pub push: Option<Box<dyn MetricsPush>>,
    /// Called once, by the server's thread, when events came faster than it took them.
    pub on_missing: fn(),
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The port is taken, or the address is not this machine's.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: ListenAddress,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no token.
    #[error(transparent)]
    Token(#[from] PageTokenError),
    /// The thread cannot be started.
    #[error("cannot start the thread that serves the page")]
    Thread(#[source] io::Error),
}

/// A running server; closing or dropping it stops it.
#[derive(Debug)]
pub struct LiveServer {
    feed: LiveFeed,
    page: Option<String>,
    metrics: Option<String>,
    over: Option<oneshot::Sender<LiveEnd>>,
    ended: blocking::Receiver<()>,
}

struct Bound {
    listener: BlockingListener,
    access: Arc<Access>,
    content: Content,
}

fn bind(
    address: &ListenAddress,
    token: Option<&PageToken>,
    content: Content,
) -> Result<Bound, LiveError> {
    let failed = |source| LiveError::Listen { address: address.clone(), source };
    let listener = BlockingListener::bind((address.host.as_str(), address.port)).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let bound: SocketAddr = listener.local_addr().map_err(failed)?;
    let token = match token {
        Some(token) => Some(token.clone()),
        None if bound.ip().is_loopback() => None,
        None => Some(PageToken::random()?),
    };
    Ok(Bound { listener, access: Arc::new(Access::new(address, bound, token)), content })
}

impl LiveServer {
    /// Listens, and serves from then on.
    ///
    /// # Errors
    /// Where an address cannot be listened on.
    pub fn start(options: LiveOptions) -> Result<Self, LiveError> {
        let mut bound = Vec::new();
        let page = options.page.map(|address| {
            let one = bind(&address, options.token.as_ref(), Content::Page)?;
            let url = one.access.url();
            bound.push(one);
            Ok::<_, LiveError>(url)
        });
        let page = page.transpose()?;
        let metrics = options.metrics.map(|address| {
            let one = bind(&address, options.token.as_ref(), Content::Metrics)?;
            let url = one.access.url().replacen("/?", "/metrics?", 1);
            let url = if url.ends_with('/') { format!("{url}metrics") } else { url };
            bound.push(one);
            Ok::<_, LiveError>(url)
        });
        let metrics = metrics.transpose()?;
        let (feed, events, did_not_fit) = LiveFeed::new();
        let missing = Missing::new(did_not_fit, options.on_missing);
        let (scrape_sender, scrapes) = mpsc::channel(MAX_SCRAPES);
        let (over, over_receiver) = oneshot::channel();
        let shared = Arc::new(Shared {
            pages: watch::Sender::default(),
            wanted: Notify::new(),
            scrapes: scrape_sender,
        });
        let pusher = options.push.map(|to| Pusher::new(to, Instant::now()));
        // Nobody but a page's viewers sees drift.
        let new_fold = if page.is_some() { LiveFold::with_drift } else { LiveFold::default };
        let view = View::new(Arc::clone(&shared), options.criterion, missing, pusher, new_fold);
        let inputs = Inputs { feed: events, scrapes, over: over_receiver };
        let (ending, ended) = blocking::sync_channel(1);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(LiveError::Thread)?;
        thread::Builder::new()
            .name("live".to_owned())
            .spawn(move || {
                yield_to_the_session();
                runtime.block_on(serve(bound, shared, view, inputs));
                runtime.shutdown_background();
                // Nobody waits where the end took too long.
                let _ = ending.send(());
            })
            .map_err(LiveError::Thread)?;
        Ok(Self { feed, page, metrics, over: Some(over), ended })
    }

    /// Where a session's events go.
    pub const fn feed(&self) -> &LiveFeed {
        &self.feed
    }

    /// The page's address, with its token.
    pub fn page(&self) -> Option<&str> {
        self.page.as_deref()
    }

    /// The address of metrics, where they are served alone, with its token.
    pub fn metrics(&self) -> Option<&str> {
        self.metrics.as_deref()
    }

    /// Draws the page a last time, says `note` on it, and stops: the report, or the session as its events tell it. Returns
    /// within seconds, whoever still reads.
    pub fn close(mut self, note: &str, report: Option<PageParts>) {
        self.end(note, report, None);
        self.wait(MAX_CLOSING);
    }

    /// The same, but returns at once, and has metrics for one more scrape until `linger` resolves.
    pub fn close_lingering(
        mut self,
        note: &str,
        report: Option<PageParts>,
        linger: Linger,
    ) -> LingeringServer {
        self.end(note, report, Some(linger));
        LingeringServer(self)
    }

    fn end(&mut self, note: &str, report: Option<PageParts>, linger: Option<Linger>) {
        let Some(over) = self.over.take() else { return };
        // Fails where the thread has ended by itself, which it does not.
        let _ = over.send(LiveEnd { note: note.to_owned(), report, linger });
    }

    fn wait(&self, at_most: Duration) {
        if self.ended.recv_timeout(at_most) == Err(blocking::RecvTimeoutError::Timeout) {
            info!("the page's server did not end in time");
        }
    }
}

impl Drop for LiveServer {
    fn drop(&mut self) {
        if self.over.is_some() {
            self.end("The process ended.", None, None);
            self.wait(MAX_CLOSING);
        }
    }
}

/// A server that has shown the end of its session, and still has its metrics.
#[derive(Debug)]
pub struct LingeringServer(LiveServer);

impl LingeringServer {
    /// Waits until it was scraped once more, or what it lingers for resolves, which must be within `at_most`.
    pub fn wait(self, at_most: Duration) {
        self.0.wait(at_most.saturating_add(MAX_CLOSING));
    }
}

/// The processor belongs first to the threads that keep the schedule. Only on Linux has each thread a niceness of its own.
fn yield_to_the_session() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        debug!(%error, "the page is drawn with the priority of the session");
    }
}

async fn serve(bound: Vec<Bound>, shared: Arc<Shared>, view: View, inputs: Inputs) {
    let (closing, closed) = watch::channel(());
    let mut listeners = JoinSet::new();
    for Bound { listener, access, content } in bound {
        let router = router(Arc::clone(&shared), content);
        match TcpListener::from_std(listener) {
            Ok(listener) => {
                listeners.spawn(accept(listener, router, access, closed.clone()));
            }
            Err(error) => info!(%error, "cannot serve the page"),
        }
    }
    let last_push = view.run(inputs).await;
    drop(closing);
    let pushed = async {
        if let Some(last_push) = last_push {
            // It ends by itself in time, and is left where it does not.
            let _ = timeout(LAST_PUSH * 2, last_push).await;
        }
    };
    let left = async { while listeners.join_next().await.is_some() {} };
    tokio::join!(pushed, left);
}

/// Serves a listener until the end, and then its viewers until they have read the last page.
async fn accept(
    listener: TcpListener,
    router: Router,
    access: Arc<Access>,
    mut closed: watch::Receiver<()>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            _ = closed.changed() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                // One too many is closed at once.
                Ok((stream, _)) if connections.len() < MAX_CONNECTIONS => {
                    let ended = closed.clone();
                    connections.spawn(connection(stream, router.clone(), access.clone(), ended));
                }
                Ok(_) => {}
                Err(_) => tokio::time::sleep(ACCEPT_RETRY_DELAY).await,
            },
        }
    }
    let all = async { while connections.join_next().await.is_some() {} };
    // Those who do not read are left.
    let _ = timeout(LAST_READ, all).await;
}

async fn connection(
    stream: TcpStream,
    router: Router,
    access: Arc<Access>,
    mut closed: watch::Receiver<()>,
) {
    // An event is small, and is to be seen now.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIMEOUT));
    let service = service_fn(move |request: Request<Incoming>| {
        let (mut router, access) = (router.clone(), Arc::clone(&access));
        async move { Ok::<_, Infallible>(respond(&mut router, &access, request).await) }
    });
    let io = TokioIo::new(Box::pin(stream));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .serve_connection(io, service);
    tokio::pin!(connection);
    let served = tokio::select! {
        served = &mut connection => served,
        _ = closed.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        debug!(%error, "a connection to the page ended");
    }
}

async fn respond(router: &mut Router, access: &Access, request: Request<Incoming>) -> Response {
    let (parts, body) = request.into_parts();
    let mut response = match refuse(access, &parts) {
        Some(refused) => refused,
        None => match router.call(Request::from_parts(parts, Body::new(body))).await {
            Ok(response) => response,
            Err(never) => match never {},
        },
    };
    harden(&mut response);
    response
}
