//! Speech out and speech in: clips that callers play, and the agent's voice as they hear it.
//!
//! `clip` reads files (`wav`, `ogg_opus`) into Opus frames, `playing` says which of them are due, and `hearing`
//! tells from the packets that come in when speech began and ended. None of it reads a clock, a file or a socket.

mod clip;
mod clip_error;
mod level_meter;
mod loudness;
mod ogg_opus;
mod opus;
mod packet;
mod playback;
mod resample;
mod talk_spurt;
#[cfg(test)]
mod testing;
mod track;
mod voice_activity;
mod wav;

pub use clip::{Clip, LONGEST_CLIP};
pub use clip_error::ClipError;
pub use loudness::{AUDIBLE, Level};
pub use opus::{
    DecodeRate, Decoder, Dtx, Encoder, FRAME_LENGTH, FRAME_SAMPLES, OpusError, SAMPLE_RATE,
};
pub use playback::{DueFrame, LATE, PacingCounts, Playback};
pub use talk_spurt::SpeechEdge;
pub use voice_activity::{DEFAULT_HANGOVER, VoiceActivity};
