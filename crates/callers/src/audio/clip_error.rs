//! Why a file cannot be used as a clip, and what to do about it.

use super::clip::MAX_CLIP_DURATION;
use super::opus::OpusError;
use super::wav;
use rushhour_core::units::Micros;

const HOW_TO_CONVERT: &str =
    "convert it, for example with `ffmpeg -i FILE -ac 1 -ar 48000 clip.wav`";
const HOW_TO_TRIM: &str = "cut it into clips of one turn each";
const HOW_TO_REPLACE: &str = "create or copy the file again";

/// Why a file cannot be used as a clip.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ClipError {
    /// It has no bytes.
    #[error("the file is empty")]
    Empty,
    /// It begins neither like WAV nor like Ogg.
    #[error("the file is neither WAV nor Ogg Opus")]
    UnknownFormat,
    /// It is Ogg with another codec.
    #[error("the file is Ogg, but does not contain Opus")]
    NotOpus,
    /// A kind of WAV or Ogg Opus that is not supported.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// Its sample rate is not supported.
    #[error(
        "a sample rate of {hertz} Hz is not supported, only {} to {} Hz",
        wav::MIN_RATE,
        wav::MAX_RATE
    )]
    SampleRate {
        /// The file's sample rate.
        hertz: u32,
    },
    /// It has more than two channels, or none.
    #[error("{channels} channels are not supported, only one or two")]
    Channels {
        /// The file's channels.
        channels: u16,
    },
    /// It ends before the audio that its header announces.
    #[error("the file is truncated")]
    Truncated,
    /// Its content is inconsistent.
    #[error("the file is damaged: {0}")]
    Damaged(String),
    /// It lasts longer than [`MAX_CLIP_DURATION`].
    #[error("the clip lasts {duration}, longer than {MAX_CLIP_DURATION}")]
    TooLong {
        /// Its duration, as far as it was read.
        duration: Micros,
    },
    /// Nothing in it is audible.
    #[error("the clip is silent: nothing is louder than {}", super::loudness::AUDIBLE)]
    Silent,
    /// At the level that was asked for it would be cut.
    #[error("at this level the peaks of the clip are {over:.1} dB above full scale")]
    TooLoud {
        /// How far its peaks are above full scale, in decibels.
        over: f32,
    },
    /// The codec failed.
    #[error(transparent)]
    Opus(#[from] OpusError),
}

impl ClipError {
    /// What the user can do.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Empty | Self::Truncated | Self::Damaged(_) => HOW_TO_REPLACE,
            Self::UnknownFormat
            | Self::NotOpus
            | Self::Unsupported(_)
            | Self::SampleRate { .. }
            | Self::Channels { .. } => HOW_TO_CONVERT,
            Self::TooLong { .. } => HOW_TO_TRIM,
            Self::Silent => "check that it is the right file, and its volume",
            Self::TooLoud { .. } => {
                "lower `level` of the scenario's `voice`; speech peaks some 12 to 18 dB above its level"
            }
            Self::Opus(_) => "the file is not at fault; free some memory and try again",
        }
    }
}
