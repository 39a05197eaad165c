//! The vocabulary of the truth log.

use serde::Serialize;

use rushhour_core::units::{AgentName, Identity, Micros, RoomName};

/// Why a job was declined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The seed wanted it.
    Fault,
    /// There are as many sessions as there may be.
    Full,
    /// The agent is about to end.
    Draining,
}

/// A delay that was to be kept, and the one that was: both from the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct KeptAudio {
    /// What the settings and the seed asked for.
    pub wanted_us: Micros,
    /// What it truly was, up to the moment that the packet was handed to the system.
    pub delay_us: Micros,
}

/// Something the agent did, or that befell it. Turns count from 1; turn 0 is the greeting.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum AgentFact {
    /// The agent was started; all times of the log count from here.
    Began {
        /// Microseconds since 1970 at that moment.
        wall_unix_us: u64,
        /// The name it registers.
        agent: AgentName,
        /// The source of everything random.
        seed: u64,
    },
    /// LiveKit has it as a worker.
    Registered {
        /// The worker's id.
        worker: String,
    },
    /// The connection to LiveKit was lost, or could not be made.
    Unregistered {
        /// Why, in words.
        why: String,
    },
    /// A job was offered.
    JobOffered {
        /// The room.
        room: RoomName,
        /// The job's id.
        job: String,
    },
    /// A job was declined.
    JobRejected {
        /// The room.
        room: RoomName,
        /// The job's id.
        job: String,
        /// Why.
        why: Refusal,
    },
    /// A job was accepted.
    JobAccepted {
        /// The room.
        room: RoomName,
        /// The job's id.
        job: String,
        /// The fault that will show, if any.
        fault: Option<&'static str>,
    },
    /// A job was assigned.
    JobAssigned {
        /// The room.
        room: RoomName,
        /// The job's id.
        job: String,
        /// When it is going to join, from now.
        join_delay_us: Micros,
    },
    /// A job was assigned and is forgotten: nobody will join.
    JobDropped {
        /// The room.
        room: RoomName,
        /// The job's id.
        job: String,
    },
    /// The server let the agent into the room.
    Joined {
        /// The room.
        room: RoomName,
        /// As whom.
        identity: Identity,
        /// Since the job was assigned.
        since_assigned_us: Micros,
    },
    /// The state `listening` was set for the first time.
    Ready {
        /// The room.
        room: RoomName,
        /// From open data channels.
        #[serde(flatten)]
        kept: KeptAudio,
    },
    /// The end of the caller's text arrived.
    HeardText {
        /// The room.
        room: RoomName,
        /// The turn.
        turn: u32,
        /// How long the text was.
        bytes: usize,
    },
    /// The last audible frame of what the caller said arrived, which shows only some time later.
    HeardSpeech {
        /// The room.
        room: RoomName,
        /// The turn.
        turn: u32,
        /// How much later it was sure.
        known_after_us: Micros,
    },
    /// The first chunk of the answer's text was sent.
    FirstChunk {
        /// The room.
        room: RoomName,
        /// The turn.
        turn: u32,
        /// From the end of what the caller said.
        #[serde(flatten)]
        kept: KeptAudio,
    },
    /// The final chunk of the answer's text was sent.
    FinalChunk {
        /// The room.
        room: RoomName,
        /// The turn.
        turn: u32,
        /// From the end of what the caller said.
        delay_us: Micros,
    },
    /// A text that answers nothing was sent before the answer.
    StraySegment {
        /// The room.
        room: RoomName,
        /// The turn.
        turn: u32,
        /// From the end of what the caller said.
        delay_us: Micros,
    },
    /// The first audible frame of the answer was sent.
    FirstAudible {
        /// The room.
        room: RoomName,
        /// The turn.
        turn: u32,
        /// From the caller's last audible frame.
        #[serde(flatten)]
        kept: KeptAudio,
    },
    /// The answer was spoken to its end.
    Spoken {
        /// The room.
        room: RoomName,
        /// The turn.
        turn: u32,
    },
    /// The caller was heard over the agent's voice; the time is that of the first audible frame.
    BargedIn {
        /// The room.
        room: RoomName,
        /// The turn that is being answered.
        turn: u32,
    },
    /// The agent fell silent for the caller.
    Yielded {
        /// The room.
        room: RoomName,
        /// The turn that was being answered.
        turn: u32,
        /// From the caller's first audible frame.
        #[serde(flatten)]
        kept: KeptAudio,
    },
    /// A packet found no room to be sent, and was lost.
    NotSent {
        /// The room.
        room: RoomName,
        /// The turn.
        turn: u32,
    },
    /// The agent left without a word, as its fault wanted.
    Crashed {
        /// The room.
        room: RoomName,
        /// The turns it had answered.
        turns: u32,
    },
    /// The agent is out of the room.
    Left {
        /// The room.
        room: RoomName,
        /// Why, in words.
        why: String,
        /// The turns it had answered.
        turns: u32,
    },
    /// The agent ended; the last line.
    Ended {
        /// Facts that found the log's buffer full; where it is not zero the log has holes.
        lost: u64,
    },
}
