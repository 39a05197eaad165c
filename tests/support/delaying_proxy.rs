//! A TCP proxy that holds back what goes through it, each way for a time of its own, as a long and uneven route does.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

/// What is read at once.
const BUFFER: usize = 16 * 1024;

/// A proxy to one port of this machine.
pub(crate) struct DelayingProxy {
    port: u16,
}

impl DelayingProxy {
    /// A proxy to `target`, such as `127.0.0.1:4222`, that delays by `there` what clients send, and by `back` what they
    /// receive.
    pub(crate) fn start(target: &str, there: Duration, back: Duration) -> Self {
        let target = target.to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&target) else { continue };
                let clones = (client.try_clone(), server.try_clone());
                let (Ok(client_again), Ok(server_again)) = clones else { continue };
                delay(client, server, there);
                delay(server_again, client_again, back);
            }
        });
        Self { port }
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }
}

/// Carries what comes from one connection to the other, each piece so much later.
fn delay(mut from: TcpStream, mut to: TcpStream, by: Duration) {
    let (sender, pieces) = channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = [0; BUFFER];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if sender.send((Instant::now() + by, buffer[..count].to_vec())).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        for (due, piece) in pieces {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&piece).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
