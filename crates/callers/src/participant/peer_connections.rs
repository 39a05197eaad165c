//! The peer connections of a participant: a single one, or one for what it sends and one for what it receives.

use str0m::RtcError;

use super::error::ParticipantError;
use super::peer_connection::{PeerConnection, PeerEvent};
use super::route::{PacketRoute, PeerRole};
use rushhour_core::units::SessionTime;

/// A participant's connections.
pub(super) struct PeerConnections {
    /// What the participant offers. It sends on this one, and receives on it too where there is no other.
    pub(super) publisher: PeerConnection,
    /// What the server offers, where there are two: it sends on this one. Boxed, because most participants have none, and it
    /// takes 10 kB.
    subscriber: Option<Box<PeerConnection>>,
    /// Whether it was told that data can be sent.
    was_open: bool,
}

/// The answer to an offer of the server.
pub(super) struct OfferAnswer {
    pub(super) sdp: String,
    /// The tracks in the offer: each section's `mid`, and the track's SID.
    pub(super) tracks: Vec<(String, String)>,
}

impl PeerConnections {
    pub(super) fn new(publisher: PeerConnection, subscriber: Option<PeerConnection>) -> Self {
        Self { publisher, subscriber: subscriber.map(Box::new), was_open: false }
    }

    /// When [`Self::handle_timeout`] must be called.
    pub(super) fn deadline(&self) -> SessionTime {
        let publisher = self.publisher.deadline();
        self.subscriber.as_ref().map_or(publisher, |other| publisher.min(other.deadline()))
    }

    /// Whether the reliable data channels are open in both directions.
    pub(super) fn is_open(&self) -> bool {
        self.all().all(PeerConnection::is_open)
    }

    /// Whether media has a path on all of them.
    pub(super) fn has_media(&self) -> bool {
        self.all().all(PeerConnection::has_media)
    }

    fn all(&self) -> impl Iterator<Item = &PeerConnection> {
        std::iter::once(&self.publisher).chain(self.subscriber.as_deref())
    }

    /// Answers an offer of the server, if this participant receives on a connection of its own.
    pub(super) fn answer_offer(
        &mut self,
        sdp: &str,
    ) -> Result<Option<OfferAnswer>, ParticipantError> {
        let Some(subscriber) = &mut self.subscriber else { return Ok(None) };
        let answer = subscriber.answer_offer(sdp)?;
        Ok(Some(OfferAnswer { sdp: answer, tracks: tracks_of(sdp) }))
    }

    /// One of them; the only one, where there is no other.
    pub(super) fn get_mut(&mut self, role: PeerRole) -> &mut PeerConnection {
        match (role, &mut self.subscriber) {
            (PeerRole::Subscriber, Some(subscriber)) => subscriber,
            _ => &mut self.publisher,
        }
    }

    /// Advances timers to `now`.
    pub(super) fn handle_timeout(&mut self, now: SessionTime) -> Result<(), RtcError> {
        self.publisher.handle_timeout(now)?;
        self.subscriber.as_mut().map_or(Ok(()), |subscriber| subscriber.handle_timeout(now))
    }

    /// Passes on the datagrams that the last input led to, up to its next event, and returns that. Must be called until
    /// it returns `None`.
    pub(super) fn poll(
        &mut self,
        at: SessionTime,
        mut transmit: impl FnMut(PeerRole, PacketRoute, &[u8]),
    ) -> Result<Option<PeerEvent>, RtcError> {
        let all = [
            (PeerRole::Publisher, Some(&mut self.publisher)),
            (PeerRole::Subscriber, self.subscriber.as_deref_mut()),
        ];
        for (role, peer) in all {
            let Some(peer) = peer else { continue };
            while let Some(event) =
                peer.poll(at, |route, packet: &[u8]| transmit(role, route, packet))?
            {
                // The channel is open once it is in both directions, which with two connections is told twice.
                if !matches!(event, PeerEvent::DataChannelOpen) {
                    return Ok(Some(event));
                }
            }
        }
        let opens = self.is_open() && !std::mem::replace(&mut self.was_open, true);
        Ok(opens.then_some(PeerEvent::DataChannelOpen))
    }
}

/// The tracks of an offer. The server names each in its section: `a=msid:PA_…|… TR_…`.
fn tracks_of(sdp: &str) -> Vec<(String, String)> {
    let mut tracks = Vec::new();
    let (mut mid, mut track): (Option<&str>, Option<&str>) = (None, None);
    let mut end_section = |mid: &mut Option<&str>, track: &mut Option<&str>| {
        if let (Some(mid), Some(track)) = (mid.take(), track.take()) {
            tracks.push((mid.to_owned(), track.to_owned()));
        }
        *mid = None;
        *track = None;
    };
    for line in sdp.lines() {
        if line.starts_with("m=") {
            end_section(&mut mid, &mut track);
        } else if let Some(value) = line.strip_prefix("a=mid:") {
            mid = Some(value.trim());
        } else if let Some(value) = line.strip_prefix("a=msid:") {
            track = value.split([' ', '|']).find(|part| part.starts_with("TR_"));
        }
    }
    end_section(&mut mid, &mut track);
    tracks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_names_the_track_of_each_section() {
        let sdp = "v=0\r\n\
            m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n\
            m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\na=msid:PA_one|TR_a TR_a\r\n\
            m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=msid:PA_two TR_b\r\na=mid:2\r\n\
            m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:3\r\n";
        let expected = [("1", "TR_a"), ("2", "TR_b")];
        let expected: Vec<_> =
            expected.iter().map(|(mid, sid)| ((*mid).to_owned(), (*sid).to_owned())).collect();
        assert_eq!(tracks_of(sdp), expected);
        assert_eq!(tracks_of("nonsense"), []);
    }
}
