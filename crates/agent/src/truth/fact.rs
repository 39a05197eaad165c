//! The facts of the truth log.

use serde::Serialize;

use rushhour_callers::audio::ReceptionStats;
use rushhour_core::units::{AgentName, Identity, Micros, RoomName, SoundLevel};

/// Why a job was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RejectReason {
    /// The injected fault `reject`.
    Fault,
    /// The worker was at its capacity.
    Full,
    /// The worker was being stopped.
    Draining,
}

/// A configured delay and how long it really was, from the same start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct MeasuredDelay {
    /// The delay that the settings and the seed give.
    pub(crate) wanted_us: Micros,
    /// The delay until the packet was handed to the system.
    pub(crate) delay_us: Micros,
}

/// Where noise of the agent is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NoiseSource {
    /// Mixed into its own track.
    Ambience,
    /// Key strokes on its own track while it thinks.
    Typing,
    /// A second track.
    BackgroundTrack,
}

/// Something that the agent did or observed. Turns count from 1; turn 0 is the greeting.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub(crate) enum AgentFact {
    /// The agent was started. All times of the log count from here.
    Began {
        /// Microseconds since 1970.
        wall_unix_us: u64,
        agent: AgentName,
        seed: u64,
    },
    /// LiveKit accepted the worker.
    Registered {
        /// The worker's id.
        worker: String,
    },
    /// The connection to LiveKit was lost, or could not be opened.
    Unregistered {
        why: String,
    },
    JobOffered {
        room: RoomName,
        job: String,
    },
    JobRejected {
        room: RoomName,
        job: String,
        why: RejectReason,
    },
    JobAccepted {
        room: RoomName,
        job: String,
        /// The fault of this job, if it has one.
        fault: Option<&'static str>,
    },
    JobAssigned {
        room: RoomName,
        job: String,
        /// The configured delay until the agent joins.
        join_delay_us: Micros,
    },
    /// A job was assigned, and its fault keeps the agent from joining.
    JobDropped {
        room: RoomName,
        job: String,
    },
    Joined {
        room: RoomName,
        identity: Identity,
        /// Since the assignment of the job.
        since_assigned_us: Micros,
    },
    /// The agent set its state to `listening` for the first time.
    Ready {
        room: RoomName,
        /// Since the data channels opened.
        #[serde(flatten)]
        delay: MeasuredDelay,
    },
    /// The agent publishes no state.
    NoState {
        room: RoomName,
    },
    /// The participant joined that publishes the agent's voice on its behalf.
    AvatarJoined {
        room: RoomName,
        identity: Identity,
        /// The agent.
        publishes_for: Identity,
    },
    /// The avatar left the room, or never joined it.
    AvatarLeft {
        room: RoomName,
        identity: Identity,
        why: String,
    },
    /// The agent began to hand over to another agent.
    HandsOver {
        room: RoomName,
        /// The identity of the other agent.
        to: Identity,
        /// The number of answered turns.
        turns: u32,
        /// How long after it left the other is to join; `None` if it waits until the other listens.
        gap_us: Option<Micros>,
    },
    /// The other agent listens: it has taken over.
    TookOver {
        room: RoomName,
        identity: Identity,
        /// Since the first agent began to hand over.
        delay_us: Micros,
    },
    /// Noise of the agent began.
    NoiseBegan {
        room: RoomName,
        source: NoiseSource,
        level: SoundLevel,
    },
    /// Noise of the agent ended.
    NoiseEnded {
        room: RoomName,
        source: NoiseSource,
    },
    /// The agent began a greeting on which it insists.
    LateGreeting {
        room: RoomName,
        /// Since the state `listening`.
        #[serde(flatten)]
        delay: MeasuredDelay,
    },
    /// The end of a text from the caller arrived.
    HeardText {
        room: RoomName,
        turn: u32,
        bytes: usize,
    },
    /// The last audible frame of the caller's turn arrived. The time of the fact is that of the frame.
    HeardSpeech {
        room: RoomName,
        turn: u32,
        /// How long after the frame the end of speech was detected.
        known_after_us: Micros,
    },
    /// The agent sent the final transcript of a turn of speech.
    Transcribed {
        room: RoomName,
        turn: u32,
        text: String,
    },
    /// The agent sent the first chunk of the answer's text.
    FirstChunk {
        room: RoomName,
        turn: u32,
        /// Since the end of the caller's turn.
        #[serde(flatten)]
        delay: MeasuredDelay,
    },
    /// The agent sent the final chunk of the answer's text.
    FinalChunk {
        room: RoomName,
        turn: u32,
        /// Since the end of the caller's turn.
        delay_us: Micros,
    },
    /// The agent began to say a filler: sent its text, or its first audible frame.
    FillerBegan {
        room: RoomName,
        turn: u32,
        /// Since the end of the caller's turn.
        #[serde(flatten)]
        delay: MeasuredDelay,
    },
    /// The filler is over, and a tool runs until the answer.
    ToolBegan {
        room: RoomName,
        turn: u32,
        /// How long the tool is to take.
        tool_delay_us: Micros,
    },
    /// The agent sent a segment out of turn, as its fault demands.
    StraySegment {
        room: RoomName,
        turn: u32,
        /// Since the end of the caller's turn.
        delay_us: Micros,
    },
    /// The agent sent the first audible frame of the answer.
    FirstAudible {
        room: RoomName,
        turn: u32,
        /// Since the caller's last audible frame.
        #[serde(flatten)]
        delay: MeasuredDelay,
    },
    /// The agent spoke the answer to its end.
    Spoken {
        room: RoomName,
        turn: u32,
    },
    /// The caller interrupted the agent. The time of the fact is that of the caller's first audible frame.
    BargedIn {
        room: RoomName,
        /// The turn that was being answered.
        turn: u32,
    },
    /// The caller spoke, and the agent goes on with its answer. The time of the fact is that of the caller's first audible
    /// frame.
    KeptTalking {
        room: RoomName,
        /// The turn that is being answered.
        turn: u32,
    },
    /// The agent fell silent because the caller interrupted it.
    Yielded {
        room: RoomName,
        /// The turn that was being answered.
        turn: u32,
        /// Since the caller's first audible frame.
        #[serde(flatten)]
        delay: MeasuredDelay,
    },
    /// Digital silence cut the agent's speech.
    SpeechCut {
        room: RoomName,
        length_us: Micros,
    },
    /// Nothing was sent of the agent's speech for so long, and then all at once.
    SpeechStalled {
        room: RoomName,
        length_us: Micros,
    },
    /// Packets of the agent's speech were lost: their sequence numbers are missing.
    SpeechLost {
        room: RoomName,
        length_us: Micros,
    },
    /// The agent began to speak while the caller did.
    TalkedOver {
        room: RoomName,
        /// The caller's turn.
        turn: u32,
        /// Since the caller began.
        since_began_us: Micros,
    },
    /// A packet was lost because the send buffer was full.
    NotSent {
        room: RoomName,
        turn: u32,
    },
    /// The agent left without notice, as its fault demands.
    Crashed {
        room: RoomName,
        /// The number of answered turns.
        turns: u32,
    },
    /// What arrived of the caller's audio, when the agent left.
    AudioReceived {
        room: RoomName,
        packets: u64,
        /// Packets that did not arrive, between the first and the last that did.
        lost: u64,
        /// The standard deviation of the one-way delay.
        delay_deviation_us: Micros,
        /// The interarrival jitter of RTCP (RFC 3550).
        interarrival_jitter_us: Micros,
    },
    /// The agent left the room, or never joined it.
    Left {
        room: RoomName,
        why: String,
        /// The number of answered turns.
        turns: u32,
    },
    /// The agent stopped. This is the last line.
    Ended {
        /// Facts that were dropped because the log's buffer was full. Unless it is zero, the log is incomplete.
        lost: u64,
    },
}

impl AgentFact {
    /// What arrived of the caller's audio.
    pub(crate) const fn audio_received(room: RoomName, stats: ReceptionStats) -> Self {
        Self::AudioReceived {
            room,
            packets: stats.received,
            lost: stats.lost,
            delay_deviation_us: stats.delay_deviation,
            interarrival_jitter_us: stats.interarrival_jitter,
        }
    }
}
