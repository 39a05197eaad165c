//! What a participant tells the server of itself: its tracks, its first offer, its attributes.

use std::collections::HashMap;

use livekit_protocol as proto;
use proto::signal_request::Message as Request;

use super::participant::{Participant, ParticipantOutput};

impl Participant {
    /// With two peer connections, tells the server after it has joined what a single one tells in its request.
    pub(super) fn introduce(&self, out: &mut impl ParticipantOutput) {
        for track in self.query.tracks() {
            out.send_signal(Request::AddTrack(track));
        }
        out.send_signal(Request::Offer(self.query.session_description()));
        self.send_attributes(out);
    }

    /// Sets attributes of the participant; others keep their values. While the connection is away, they are kept for it.
    pub(crate) fn set_attributes(
        &mut self,
        attributes: HashMap<String, String>,
        out: &mut impl ParticipantOutput,
    ) {
        self.config.attributes.extend(attributes.clone());
        if !self.reconnection.is_away() {
            send_attributes(attributes, out);
        }
    }

    /// Sends all attributes.
    pub(super) fn send_attributes(&self, out: &mut impl ParticipantOutput) {
        if !self.config.attributes.is_empty() {
            send_attributes(self.config.attributes.clone(), out);
        }
    }
}

fn send_attributes(attributes: HashMap<String, String>, out: &mut impl ParticipantOutput) {
    out.send_signal(Request::UpdateMetadata(proto::UpdateParticipantMetadata {
        attributes,
        ..proto::UpdateParticipantMetadata::default()
    }));
}
