//! A server of somebody else's: it records what it is sent, and answers what a test makes of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// Takes what a client sent, the request line, headers and body, as text; gives the whole answer.
type Answer = dyn Fn(&str) -> Vec<u8> + Send + Sync;

/// A server on loopback; it serves until the process ends.
pub(crate) struct HostileServer {
    address: SocketAddr,
    received: Arc<Mutex<Vec<String>>>,
}

impl HostileServer {
    /// Starts a server that answers each request with a status and a body.
    pub(crate) fn start(answer: impl Fn(&str) -> (u16, Vec<u8>) + Send + Sync + 'static) -> Self {
        Self::start_with_headers(move |request| {
            let (status, body) = answer(request);
            (status, String::new(), body)
        })
    }

    /// The same with further headers, a line each.
    pub(crate) fn start_with_headers(
        answer: impl Fn(&str) -> (u16, String, Vec<u8>) + Send + Sync + 'static,
    ) -> Self {
        let answer = move |request: &str| {
            let (status, headers, body) = answer(request);
            let length = body.len();
            let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{headers}\r\n");
            [head.into_bytes(), body].concat()
        };
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let received = Arc::new(Mutex::new(Vec::new()));
        let (answer, log): (Arc<Answer>, _) = (Arc::new(answer), Arc::clone(&received));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                std::thread::spawn(move || serve(stream, &*answer, &log));
            }
        });
        Self { address, received }
    }

    /// Its address, such as `127.0.0.1:4711`.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Everything that it was sent.
    pub(crate) fn received(&self) -> Vec<String> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(mut stream: TcpStream, answer: &Answer, log: &Mutex<Vec<String>>) {
    let Ok(copy) = stream.try_clone() else { return };
    let mut reader = BufReader::new(copy);
    loop {
        let mut request = String::new();
        let mut length = 0;
        loop {
            let before = request.len();
            match reader.read_line(&mut request) {
                Ok(1..) => {}
                _ => return,
            }
            let line = request[before..].trim().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        request.push_str(&String::from_utf8_lossy(&body));
        log.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        if stream.write_all(&answer(&request)).is_err() {
            return;
        }
    }
}
