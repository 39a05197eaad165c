//! Speech out and speech in: clips that callers play, and the agent's voice as they hear it.
//!
//! `clip` reads files (`wav`, `ogg_opus`) into Opus frames, `playing` says which of them are due, and `hearing`
//! tells from the packets that come in when speech began and ended. None of it reads a clock, a file or a socket.

mod clip;
mod clip_error;
mod hearing;
mod listener;
mod loudness;
mod ogg_opus;
mod opus;
mod packet;
mod playing;
mod resample;
mod spurt;
#[cfg(test)]
mod testing;
mod track;
mod wav;

pub use clip::{Clip, LONGEST_CLIP};
pub use clip_error::ClipError;
pub use hearing::{DEFAULT_HANGOVER, VoiceActivity};
pub use loudness::{AUDIBLE, Level};
pub use opus::{
    DecodeRate, Decoder, Dtx, Encoder, FRAME_LENGTH, FRAME_SAMPLES, OpusError, SAMPLE_RATE,
};
pub use playing::{DueFrame, LATE, PacingCounts, Playback};
pub use spurt::SpeechEdge;
