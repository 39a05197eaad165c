//! What comes over the data channels, decoded.

use std::collections::HashMap;

use rushhour_core::units::Identity;

/// An event of a data stream, or another message. Texts arrive chunk by chunk, bytes as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataEvent {
    /// The header of a text stream arrived.
    TextStreamOpened {
        /// The stream's id, unique for its sender.
        stream_id: String,
        /// Who sends it.
        sender: Identity,
        /// Its topic.
        topic: String,
        /// The attributes in its header.
        attributes: HashMap<String, String>,
    },
    /// A chunk of a text stream arrived.
    TextChunk {
        /// The stream.
        stream_id: String,
        /// The chunk's text; invalid UTF-8 is replaced.
        text: String,
    },
    /// The trailer of a text stream arrived.
    TextStreamClosed {
        /// The stream.
        stream_id: String,
        /// The attributes in its trailer.
        attributes: HashMap<String, String>,
    },
    /// A text came as a whole, in a packet of its own.
    TextReceived {
        /// Who sent it.
        sender: Identity,
        /// The text.
        text: String,
    },
    /// A part of a text stream is missing: the text is not what the sender wrote. Told once for each stream.
    TextIncomplete {
        /// The stream.
        stream_id: String,
    },
    /// What somebody said so far, in a transcription packet: the form before text streams.
    SegmentTranscribed {
        /// Who sent it.
        sender: Identity,
        /// Whose words they are.
        speaker: Identity,
        /// The track that they were spoken on.
        track_sid: String,
        /// The segment's id. The whole segment comes again whenever it has grown.
        segment: String,
        /// Its text so far.
        text: String,
        /// Whether the segment is complete.
        is_final: bool,
    },
    /// A packet came that is encrypted end to end.
    Encrypted,
    /// A byte stream is complete.
    ByteStreamReceived {
        /// Who sent it.
        sender: Identity,
        /// Its topic.
        topic: String,
        /// Its first 256 KiB.
        bytes: Vec<u8>,
    },
    /// Another participant calls a method of this one by RPC, and waits for an acknowledgement and a response.
    RpcCalled {
        /// Who calls.
        caller: Identity,
        /// The call's id, which belongs into the response.
        request_id: String,
        /// The method.
        method: String,
        /// Whether the call is of the version that participants understand.
        is_understood: bool,
    },
    /// Another participant pressed a key of its telephone.
    DtmfReceived {
        /// Who.
        sender: Identity,
        /// The key's event code (RFC 4733).
        code: u32,
        /// The key's sign.
        digit: String,
    },
}
