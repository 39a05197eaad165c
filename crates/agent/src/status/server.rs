//! An HTTP server on loopback: `/worker` (JSON), `/metrics` (Prometheus) and `/` (health check).

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::stats::WorkerStats;
use rushhour_callers::engine::EngineClock;
use rushhour_core::is_local_host;

/// The pause after a connection could not be accepted, usually for lack of file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// A running status server; dropping it stops it.
#[derive(Debug)]
pub(crate) struct StatusServer {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for StatusServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl StatusServer {
    /// Starts a server on a loopback port; 0 takes any free one.
    pub(crate) async fn start(
        stats: Arc<WorkerStats>,
        clock: EngineClock,
        port: u16,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(accept(listener, stats, clock));
        Ok(Self { address, task })
    }
}

async fn accept(listener: TcpListener, stats: Arc<WorkerStats>, clock: EngineClock) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
            continue;
        };
        let stats = Arc::clone(&stats);
        tokio::spawn(async move {
            let handler = service_fn(|request: Request<Incoming>| {
                let host = request.headers().get(HOST).map(|host| host.to_str().unwrap_or(""));
                let response = if is_local_host(host) {
                    response(&stats, clock, request.uri().path())
                } else {
                    misdirected()
                };
                async move { Ok::<_, Infallible>(response) }
            });
            // It fails only when the client leaves.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), handler).await;
        });
    }
}

fn misdirected() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"not this host")));
    *response.status_mut() = StatusCode::MISDIRECTED_REQUEST;
    response
}

fn response(stats: &WorkerStats, clock: EngineClock, path: &str) -> Response<Full<Bytes>> {
    let (status, content_type, body) = match path {
        "/worker" => {
            let body = stats.to_json(clock.now(), resident_memory()).to_string();
            (StatusCode::OK, "application/json", body)
        }
        "/metrics" => {
            let body = stats.to_prometheus(resident_memory());
            (StatusCode::OK, "text/plain; version=0.0.4", body)
        }
        "/" if stats.is_registered() => (StatusCode::OK, "text/plain", "OK".to_owned()),
        "/" => {
            let body = "the worker is not registered".to_owned();
            (StatusCode::SERVICE_UNAVAILABLE, "text/plain", body)
        }
        _ => (StatusCode::NOT_FOUND, "text/plain", "try /worker or /metrics".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The resident memory of the process in bytes, on systems with `/proc`.
fn resident_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}
