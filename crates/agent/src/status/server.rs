//! A small HTTP server on loopback: `/worker`, `/metrics`, and `/` which says whether the worker is registered.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::stats::WorkerStats;
use rushhour_callers::engine::EngineClock;

/// A server that answers until it is dropped.
#[derive(Debug)]
pub struct StatusServer {
    /// Where it answers.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for StatusServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves a board on this loopback port, 0 for any that is free.
///
/// # Errors
/// Where the port is taken.
pub async fn serve(
    board: Arc<WorkerStats>,
    clock: EngineClock,
    port: u16,
) -> io::Result<StatusServer> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let address = listener.local_addr()?;
    let task = tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            };
            let board = Arc::clone(&board);
            tokio::spawn(async move {
                let answer = service_fn(|request: Request<Incoming>| {
                    let answer = answer(&board, clock, request.uri().path());
                    async move { Ok::<_, Infallible>(answer) }
                });
                // An error here is a client that left.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
            });
        }
    });
    Ok(StatusServer { address, task })
}

fn answer(board: &WorkerStats, clock: EngineClock, path: &str) -> Response<Full<Bytes>> {
    let (status, kind, text) = match path {
        "/worker" => {
            let text = board.worker(clock.now(), resident_memory()).to_string();
            (StatusCode::OK, "application/json", text)
        }
        "/metrics" => {
            let text = board.metrics(resident_memory());
            (StatusCode::OK, "text/plain; version=0.0.4", text)
        }
        "/" if board.is_registered() => (StatusCode::OK, "text/plain", "OK".to_owned()),
        "/" => {
            let text = "the worker is not registered".to_owned();
            (StatusCode::SERVICE_UNAVAILABLE, "text/plain", text)
        }
        _ => (StatusCode::NOT_FOUND, "text/plain", "try /worker or /metrics".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// The process's resident memory in bytes, where the system has `/proc`.
fn resident_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}
