//! A TCP proxy in front of livekit-server that cuts signal connections, as a network does that forgets connections.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// What is read at once.
const BUFFER: usize = 16 * 1024;

/// A proxy to one port of this machine.
pub(crate) struct CuttingProxy {
    port: u16,
    signal: Arc<Mutex<Vec<TcpStream>>>,
    cuts: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
}

impl CuttingProxy {
    /// A proxy to the server at `server`, such as `ws://127.0.0.1:7880`.
    pub(crate) fn start(server: &str) -> Self {
        let target = server.trim_start_matches("ws://").to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let signal = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::clone(&signal);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (target, connections) = (target.clone(), Arc::clone(&connections));
                thread::spawn(move || relay(client, &target, &connections));
            }
        });
        let (cuts, stopped) = (Arc::default(), Arc::default());
        Self { port, signal, cuts, stopped }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// Cuts all signal connections.
    pub(crate) fn cut(&self) {
        cut(&self.signal, &self.cuts);
    }

    /// Cuts all signal connections again and again, until this is dropped.
    pub(crate) fn cut_every(&self, interval: Duration) {
        let (signal, cuts) = (Arc::clone(&self.signal), Arc::clone(&self.cuts));
        let stopped = Arc::clone(&self.stopped);
        thread::spawn(move || {
            while !stopped.load(Relaxed) {
                thread::sleep(interval);
                cut(&signal, &cuts);
            }
        });
    }

    /// How many connections were cut so far.
    pub(crate) fn cuts(&self) -> usize {
        self.cuts.load(Relaxed)
    }
}

impl Drop for CuttingProxy {
    fn drop(&mut self) {
        self.stopped.store(true, Relaxed);
    }
}

fn cut(signal: &Mutex<Vec<TcpStream>>, cuts: &AtomicUsize) {
    let connections = std::mem::take(&mut *signal.lock().unwrap_or_else(PoisonError::into_inner));
    for connection in connections {
        // One that is closed already is not cut.
        if connection.shutdown(Shutdown::Both).is_ok() {
            cuts.fetch_add(1, Relaxed);
        }
    }
}

fn relay(mut client: TcpStream, target: &str, signal: &Mutex<Vec<TcpStream>>) {
    let Ok(mut server) = TcpStream::connect(target) else { return };
    let mut buffer = [0; BUFFER];
    let Ok(count) = client.read(&mut buffer) else { return };
    if server.write_all(&buffer[..count]).is_err() {
        return;
    }
    if buffer.starts_with(b"GET /rtc")
        && let Ok(connection) = client.try_clone()
    {
        signal.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
    let (Ok(mut from_client), Ok(mut to_server)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Both);
    });
    let _ = io::copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Both);
}
