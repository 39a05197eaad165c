//! A signalling server of somebody else's: it takes the connections of callers, and sends what a test likes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use livekit_protocol as proto;
use prost::Message;
use proto::signal_response::Message as Response;
use tokio_tungstenite::tungstenite;

/// A server on loopback; it serves until the process ends.
pub(crate) struct HostileSignalling {
    address: SocketAddr,
}

impl HostileSignalling {
    /// Starts a server that calls `behave` with each connection, before anything was read of it.
    pub(crate) fn start(behave: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let behave = Arc::new(behave);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let behave = Arc::clone(&behave);
                std::thread::spawn(move || behave(stream));
            }
        });
        Self { address }
    }

    /// Starts a server that accepts each caller, and sends it the frames that `frames` returns, over and over, until
    /// that many bytes were sent or the caller is gone. Then it waits for the caller to go.
    pub(crate) fn flooding(bytes: usize, frames: impl FnOnce() -> Vec<u8>) -> Self {
        // Made before anybody waits for them.
        let frames = frames();
        Self::start(move |stream| {
            let Ok(mut socket) = tungstenite::accept(stream) else { return };
            let stream = socket.get_mut();
            let times = bytes.div_ceil(frames.len().max(1));
            for _ in 0..times {
                if stream.write_all(&frames).is_err() {
                    return;
                }
            }
            let _ = stream.read_to_end(&mut Vec::new());
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.address)
    }
}

/// A WebSocket frame of a server: an operation code with its flag for the last part, and a payload.
pub(crate) fn frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first_byte];
    match payload.len() {
        short @ 0..=125 => frame.push(u8::try_from(short).expect("it is short")),
        medium @ 126..=65_535 => {
            frame.push(126);
            frame.extend_from_slice(&u16::try_from(medium).expect("it fits").to_be_bytes());
        }
        long => {
            frame.push(127);
            frame.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

/// The frame of a whole binary message.
pub(crate) fn binary(payload: &[u8]) -> Vec<u8> {
    frame(0x82, payload)
}

/// The frame of a signal message.
pub(crate) fn signal(message: Response) -> Vec<u8> {
    binary(&proto::SignalResponse { message: Some(message) }.encode_to_vec())
}
