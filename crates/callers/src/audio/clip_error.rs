//! Why a file is no clip, and what to do about it.

use super::clip::LONGEST_CLIP;
use super::opus::OpusError;
use super::wav;
use rushhour_core::units::Micros;

const HOW_TO_CONVERT: &str =
    "convert it, for example with `ffmpeg -i FILE -ac 1 -ar 48000 clip.wav`";
const HOW_TO_TRIM: &str = "cut it into the sentences of one turn each";
const HOW_TO_MAKE_ANEW: &str = "make or copy the file anew";

/// Why bytes are no clip that can be played.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ClipError {
    /// No bytes at all.
    #[error("the file is empty")]
    Empty,
    /// It begins neither as WAV nor as Ogg.
    #[error("this is neither a WAV nor an Ogg Opus file")]
    UnknownFormat,
    /// Ogg, and no Opus in it.
    #[error("this is an Ogg file, but there is no Opus in it")]
    NoOpus,
    /// A WAV or Ogg Opus file of a kind that is not read; the words say what about it.
    #[error("{0} cannot be read")]
    Unsupported(String),
    /// Samples a second outside what is read.
    #[error("{hertz} samples a second are outside {} to {}", wav::LOWEST_RATE, wav::HIGHEST_RATE)]
    Rate {
        /// What the file says.
        hertz: u32,
    },
    /// More channels than two.
    #[error("it has {channels} channels, where one or two are read")]
    Channels {
        /// What the file says.
        channels: u16,
    },
    /// The file stops before the sound that it announces does.
    #[error("the file is cut off")]
    Truncated,
    /// What is in the file contradicts itself; the words say where.
    #[error("the file is damaged: {0}")]
    Damaged(String),
    /// Longer than a clip may be.
    #[error("it lasts {length}, longer than {LONGEST_CLIP}")]
    TooLong {
        /// How long the file says that it lasts.
        length: Micros,
    },
    /// Nothing in it can be heard.
    #[error("there is no sound in it: nothing is louder than {}", super::loudness::AUDIBLE)]
    NoSound,
    /// The codec failed.
    #[error(transparent)]
    Opus(#[from] OpusError),
}

impl ClipError {
    /// What whoever made the file can do.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Empty | Self::Truncated | Self::Damaged(_) => HOW_TO_MAKE_ANEW,
            Self::UnknownFormat
            | Self::NoOpus
            | Self::Unsupported(_)
            | Self::Rate { .. }
            | Self::Channels { .. } => HOW_TO_CONVERT,
            Self::TooLong { .. } => HOW_TO_TRIM,
            Self::NoSound => "check that it is the right file, and its volume",
            Self::Opus(_) => "this is a fault of the generator's, not of the file",
        }
    }
}
