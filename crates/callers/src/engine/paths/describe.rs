//! The ways that were tried, and what answered, in words.

use rushhour_core::profile::MediaTransport;

use super::media_paths::MediaPaths;
use crate::participant::{PacketProtocol, PacketRoute};

/// Addresses that a message names, at most.
const MAX_SHOWN: usize = 3;

impl MediaPaths {
    /// The ways that were tried, and what answered, for people.
    pub(in crate::engine) fn describe(&self) -> String {
        if self.candidates.is_empty() {
            return "the server named no address for media".to_owned();
        }
        let mut ways = Vec::new();
        if matches!(self.transport, MediaTransport::Any | MediaTransport::Udp) {
            ways.push(self.describe_udp());
        }
        if matches!(self.transport, MediaTransport::Any | MediaTransport::Tcp) {
            if self.streams.is_empty() && self.transport == MediaTransport::Tcp {
                ways.push("the server offers no ICE over TCP".to_owned());
            }
            ways.extend(self.streams.iter().map(|way| way.describe(&self.answered)));
        }
        if matches!(self.transport, MediaTransport::Any | MediaTransport::Relay) {
            let dials = self.relay_dials.iter();
            let relays: Vec<String> = dials
                .map(|dial| {
                    format!("{}: {}", dial.shown, dial.failure.as_deref().unwrap_or("no answer"))
                })
                .chain(self.relays.iter().map(|relay| {
                    let local = relay.address();
                    relay.describe(self.answered.iter().any(|route| Some(route.local) == local))
                }))
                .collect();
            if relays.is_empty() && self.transport == MediaTransport::Relay {
                ways.push("the server names no TURN server".to_owned());
            }
            ways.extend(relays);
        }
        ways.join("; ")
    }

    fn describe_udp(&self) -> String {
        let udp =
            || self.candidates.iter().filter(|candidate| candidate.protocol == PacketProtocol::Udp);
        let shown: Vec<String> =
            udp().take(MAX_SHOWN).map(|candidate| candidate.address.to_string()).collect();
        if shown.is_empty() {
            return "the server offers no UDP".to_owned();
        }
        let more = if udp().count() > MAX_SHOWN { " and others" } else { "" };
        let is_udp = |route: &PacketRoute| {
            self.sockets.iter().any(|socket| socket.local_addr() == route.local)
        };
        let answer = if self.answered.iter().any(is_udp) { "answered" } else { "no answer" };
        format!("UDP to {}{more}: {answer}", shown.join(", "))
    }
}
