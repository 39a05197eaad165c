//! Speech out and speech in: clips that are played, and voice activity detection on Opus packets. No clock, files or
//! sockets.
//!
//! A [`Clip`] is read from WAV or Ogg Opus (`wav`, `ogg_opus`, `resample`) and encoded as Opus frames; [`Playback`]
//! paces them. [`VoiceActivity`] detects when speech begins and ends: `track_activity` decides for each track which
//! packets must be decoded, `level_meter` decodes them and measures their level (`loudness`), `noise_floor` and
//! `background` learn from what level on sound is speech, `clicks` leaves out what is too short and bright for a voice, and `talk_spurt` joins
//! audible packets to speech.
//! `track_recorder` keeps what one side says as Ogg Opus (`ogg_opus_writer`). [`AudioReception`] says what the network did to the packets.
//! [`AudioReception`] says what the network did to the packets, and [`SpeechSound`] what a listener does not hear of speech,
//! and why (`cut` finds digital silence that cuts it).

mod background;
mod clicks;
mod clip;
mod clip_error;
mod conditioned;
mod cut;
mod dips;
mod first_sounds;
mod level_meter;
mod loudness;
mod noise;
mod noise_floor;
mod ogg_opus;
mod ogg_opus_writer;
mod opus;
mod opus_packet;
mod playback;
mod reception;
mod resample;
mod silk_gains;
mod speech_sound;
mod splice;
mod talk_spurt;
mod talk_spurts;
#[cfg(test)]
mod testing;
mod track_activity;
mod track_recorder;
mod voice_activity;
mod wav;

pub use clip::{Clip, MAX_CLIP_DURATION};
pub use clip_error::ClipError;
pub use conditioned::{ConditionedClip, background_noise};
pub use noise::Noise;
pub use opus::{DecodeRate, Decoder, Dtx, Encoder, FRAME_DURATION, FRAME_SAMPLES, OpusError};
pub use playback::{DueFrame, LATE_FRAME, PacingCounts, Playback};
pub use reception::{AudioReception, ReceptionStats, VoiceReception};
pub use speech_sound::{JITTER_BUFFER, LONGEST_GAP, SHORTEST_GAP, SpeechCut, SpeechSound};
pub use talk_spurt::SpeechEdge;
pub(crate) use track_recorder::TrackRecorder;
pub(crate) use voice_activity::MAX_TRACKS;
pub use voice_activity::{DEFAULT_HANGOVER, VoiceActivity};
