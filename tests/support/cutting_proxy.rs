//! A TCP proxy in front of livekit-server that cuts connections, as a network does that forgets them, or closes signal
//! connections, as a server does.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What is read at once.
const BUFFER: usize = 16 * 1024;
/// How often it is looked for connections that are old enough.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A WebSocket's close frame with the code 1000.
const CLOSE_FRAME: [u8; 4] = [0x88, 2, 0x03, 0xE8];

/// A proxy to one port of this machine.
pub(crate) struct CuttingProxy {
    port: u16,
    connections: Connections,
    cuts: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
}

/// The connections of clients that can be cut, and since when there are.
type Connections = Arc<Mutex<Vec<(TcpStream, Instant)>>>;

/// Which connections are cut.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    Signal,
    All,
}

impl CuttingProxy {
    /// A proxy to the server at `server`, such as `ws://127.0.0.1:7880`, that cuts signal connections.
    pub(crate) fn start(server: &str) -> Self {
        let target = server.trim_start_matches("ws://").to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        Self::relay(listener, target, Cut::Signal)
    }

    /// A proxy to this port of this machine, that cuts all connections.
    pub(crate) fn before(listener: TcpListener, port: u16) -> Self {
        Self::relay(listener, format!("127.0.0.1:{port}"), Cut::All)
    }

    fn relay(listener: TcpListener, target: String, which: Cut) -> Self {
        let port = listener.local_addr().expect("it is bound").port();
        let connections = Connections::default();
        let all = Arc::clone(&connections);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (target, all) = (target.clone(), Arc::clone(&all));
                thread::spawn(move || relay(client, &target, &all, which));
            }
        });
        let (cuts, stopped) = (Arc::default(), Arc::default());
        Self { port, connections, cuts, stopped }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// Cuts all connections that it cuts.
    pub(crate) fn cut(&self) {
        cut(&self.connections, Duration::ZERO, &[], &self.cuts);
    }

    /// Cuts them again and again, until this is dropped.
    pub(crate) fn cut_every(&self, interval: Duration) {
        self.repeat(interval, Duration::ZERO, &[]);
    }

    /// Closes each of them in due form when it is this old, until this is dropped.
    pub(crate) fn close_each_after(&self, age: Duration) {
        self.repeat(LOOK_EVERY, age, &CLOSE_FRAME);
    }

    fn repeat(&self, interval: Duration, age: Duration, goodbye: &'static [u8]) {
        let (connections, cuts) = (Arc::clone(&self.connections), Arc::clone(&self.cuts));
        let stopped = Arc::clone(&self.stopped);
        thread::spawn(move || {
            while !stopped.load(Relaxed) {
                thread::sleep(interval);
                cut(&connections, age, goodbye, &cuts);
            }
        });
    }

    /// How many connections are or were open that it cuts, but for those that it has cut.
    pub(crate) fn connected(&self) -> usize {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).len()
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

/// Cuts the connections that are this old, after a last message to their clients.
fn cut(connections: &Connections, age: Duration, goodbye: &[u8], cuts: &AtomicUsize) {
    let mut all = connections.lock().unwrap_or_else(PoisonError::into_inner);
    let old = all.extract_if(.., |(_, since)| since.elapsed() >= age);
    for (mut connection, _) in old {
        let _ = connection.write_all(goodbye);
        // One that is closed already is not cut.
        if connection.shutdown(Shutdown::Both).is_ok() {
            cuts.fetch_add(1, Relaxed);
        }
    }
}

fn relay(mut client: TcpStream, target: &str, connections: &Connections, which: Cut) {
    let Ok(mut server) = TcpStream::connect(target) else { return };
    let mut buffer = [0; BUFFER];
    let Ok(count) = client.read(&mut buffer) else { return };
    if server.write_all(&buffer[..count]).is_err() {
        return;
    }
    if (which == Cut::All || buffer.starts_with(b"GET /rtc"))
        && let Ok(connection) = client.try_clone()
    {
        let mut all = connections.lock().unwrap_or_else(PoisonError::into_inner);
        all.push((connection, Instant::now()));
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
