//! The Opus codec (RFC 6716), as far as callers need it: mono, 20 ms frames out, any packet in.

use opusic_c::{Application, Bitrate, Channels, ErrorCode, SampleRate, Signal};

use super::packet;
use rushhour_core::units::Micros;

/// How long one frame of ours lasts.
pub const FRAME_LENGTH: Micros = Micros::from_millis(20);
/// Samples of one frame of ours; also what the RTP timestamp grows by from one to the next (RFC 7587, 4.1).
pub const FRAME_SAMPLES: usize = 960;
/// Samples a second of what we encode, and ticks a second of Opus's RTP clock.
pub const SAMPLE_RATE: u32 = 48_000;

/// The longest frame that Opus makes (RFC 6716, 3.4, R2); an encoder needs no more room.
const LONGEST_FRAME: usize = 1_275;

/// What libopus would not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpusError {
    /// libopus could not be set up; it then says why.
    #[error("the Opus codec cannot be set up: {0}")]
    SetUp(&'static str),
    /// Bytes that are no Opus packet.
    #[error("these bytes are no Opus packet")]
    NoPacket,
    /// libopus could not encode; it then says why.
    #[error("the sound cannot be encoded: {0}")]
    Encode(&'static str),
}

/// Samples a second that a [`Decoder`] gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeRate {
    /// 8,000: sound up to 4 kHz.
    Narrow,
    /// 16,000: sound up to 8 kHz, so that an `s` is heard.
    Wide,
    /// 48,000: all of it.
    Full,
}

impl DecodeRate {
    /// The same as a number.
    pub const fn hertz(self) -> u32 {
        match self {
            Self::Narrow => 8_000,
            Self::Wide => 16_000,
            Self::Full => 48_000,
        }
    }

    const fn of_libopus(self) -> SampleRate {
        match self {
            Self::Narrow => SampleRate::Hz8000,
            Self::Wide => SampleRate::Hz16000,
            Self::Full => SampleRate::Hz48000,
        }
    }
}

/// Turns Opus packets, mono or stereo, into mono samples from -1 to 1.
pub struct Decoder {
    inner: opusic_c::Decoder,
    rate: DecodeRate,
}

impl Decoder {
    /// A decoder that has heard nothing yet.
    ///
    /// # Errors
    /// Where libopus finds no memory.
    pub fn new(rate: DecodeRate) -> Result<Self, OpusError> {
        let inner = opusic_c::Decoder::new(Channels::Mono, rate.of_libopus()).map_err(set_up)?;
        Ok(Self { inner, rate })
    }

    /// Decodes one packet into `samples`, whose former content is replaced.
    ///
    /// # Errors
    /// Where `payload` is no Opus packet; `samples` is then empty and the decoder as it was.
    pub fn decode(&mut self, payload: &[u8], samples: &mut Vec<f32>) -> Result<(), OpusError> {
        samples.clear();
        let length = packet::length(payload).ok_or(OpusError::NoPacket)?;
        let expected = length.0 * u64::from(self.rate.hertz()) / 1_000_000;
        let expected = usize::try_from(expected).expect("120 ms are 5,760 samples at the most");
        samples.resize(expected, 0.0);
        let decoded = self.inner.decode_float_to_slice(payload, samples, false);
        // Empty where it failed.
        samples.truncate(*decoded.as_ref().unwrap_or(&0));
        decoded.map(|_| ()).map_err(|_| OpusError::NoPacket)
    }

    /// Forgets all it has heard.
    pub fn reset(&mut self) {
        self.inner.reset().expect("resetting a decoder that was set up cannot fail");
    }
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").field("rate", &self.rate).finish_non_exhaustive()
    }
}

/// Whether an [`Encoder`] stops describing silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtx {
    /// Discontinuous transmission: frames of a byte or two while it is silent.
    On,
    /// Every frame in full.
    Off,
}

/// Turns mono samples at 48 kHz into Opus frames of 20 ms.
pub struct Encoder {
    inner: opusic_c::Encoder,
}

impl Encoder {
    /// An encoder for speech, at `bits_per_second` on average (500 to 512,000 are accepted).
    ///
    /// # Errors
    /// Where libopus refuses the bit rate or finds no memory.
    pub fn new(bits_per_second: u32, dtx: Dtx) -> Result<Self, OpusError> {
        let mut inner =
            opusic_c::Encoder::new(Channels::Mono, SampleRate::Hz48000, Application::Voip)
                .map_err(set_up)?;
        inner.set_bitrate(Bitrate::Value(bits_per_second)).map_err(set_up)?;
        inner.set_signal(Signal::Voice).map_err(set_up)?;
        inner.set_dtx(dtx == Dtx::On).map_err(set_up)?;
        Ok(Self { inner })
    }

    /// How many samples later the sound comes out of a decoder than it went in.
    pub fn delay_samples(&mut self) -> usize {
        let delay =
            self.inner.get_look_ahead().expect("an encoder that was set up tells its delay");
        delay as usize
    }

    /// Encodes the next 20 ms and appends the frame to `bytes`.
    ///
    /// # Errors
    /// Where libopus fails, which it has no reason to.
    pub fn encode(
        &mut self,
        samples: &[f32; FRAME_SAMPLES],
        bytes: &mut Vec<u8>,
    ) -> Result<(), OpusError> {
        let mut frame = [0; LONGEST_FRAME];
        let length = self
            .inner
            .encode_float_to_slice(samples, &mut frame)
            .map_err(|code| OpusError::Encode(code.message()))?;
        bytes.extend_from_slice(&frame[..length]);
        Ok(())
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").finish_non_exhaustive()
    }
}

fn set_up(code: ErrorCode) -> OpusError {
    OpusError::SetUp(code.message())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::loudness::{AUDIBLE, Level, LoudnessFilter};
    use super::super::testing::{SoundPart, encode, sound};
    use super::*;

    #[test]
    fn a_voice_comes_out_as_loud_as_it_went_in() {
        let samples = sound(&[SoundPart::Voice(400)], Level(-70.0));
        let went_in = LoudnessFilter::new(DecodeRate::Full).measure(&samples);
        for rate in [DecodeRate::Narrow, DecodeRate::Wide, DecodeRate::Full] {
            let mut decoder = Decoder::new(rate).unwrap();
            let mut meter = LoudnessFilter::new(rate);
            let mut decoded = Vec::new();
            let mut last = Level::SILENCE;
            for frame in encode(&samples, 32_000, Dtx::Off) {
                decoder.decode(&frame, &mut decoded).unwrap();
                assert_eq!(decoded.len(), rate.hertz() as usize / 50);
                last = meter.measure(&decoded);
            }
            assert!((last.0 - went_in.0).abs() < 3.0, "{rate:?}: {went_in}, then {last}");
        }
    }

    #[test]
    fn frames_of_discontinuous_transmission_decode_to_silence() {
        let frames = encode(
            &sound(&[SoundPart::Voice(400), SoundPart::Quiet(4_000)], Level(-64.0)),
            24_000,
            Dtx::On,
        );
        for rate in [DecodeRate::Narrow, DecodeRate::Wide, DecodeRate::Full] {
            let mut decoder = Decoder::new(rate).unwrap();
            let mut meter = LoudnessFilter::new(rate);
            let mut decoded = Vec::new();
            let mut silent = 0;
            for frame in &frames {
                decoder.decode(frame, &mut decoded).unwrap();
                let level = meter.measure(&decoded);
                if frame.len() <= packet::SILENT_BYTES {
                    silent += 1;
                    assert!(level < AUDIBLE.louder_by(-10.0), "{rate:?}: {level}");
                }
            }
            assert!(silent > 100, "{silent}");
        }
    }

    #[test]
    fn a_decoder_that_was_reset_is_as_new() {
        let frames = encode(&sound(&[SoundPart::Voice(400)], Level(-70.0)), 24_000, Dtx::Off);
        let mut decoder = Decoder::new(DecodeRate::Wide).unwrap();
        let [mut first, mut again] = [Vec::new(), Vec::new()];
        decoder.decode(&frames[9], &mut first).unwrap();
        decoder.decode(&frames[10], &mut again).unwrap();
        decoder.reset();
        decoder.decode(&frames[9], &mut again).unwrap();
        assert_eq!(first, again);
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        let mut decoder = Decoder::new(DecodeRate::Wide).unwrap();
        let mut samples = vec![1.0];
        assert_eq!(decoder.decode(&[], &mut samples), Err(OpusError::NoPacket));
        assert!(samples.is_empty());
        // Two frames of equal length cannot share three bytes (RFC 6716, R3).
        assert_eq!(decoder.decode(&[0x79, 0, 0, 0], &mut samples), Err(OpusError::NoPacket));
        assert!(samples.is_empty());
    }

    #[test]
    fn an_encoder_refuses_no_bits_at_all() {
        assert!(matches!(Encoder::new(0, Dtx::Off), Err(OpusError::SetUp(_))));
        assert!(Encoder::new(24_000, Dtx::Off).unwrap().delay_samples() < FRAME_SAMPLES);
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_decoder_panic(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..6),
        ) {
            let mut decoder = Decoder::new(DecodeRate::Wide).unwrap();
            let mut samples = Vec::new();
            for payload in payloads {
                let decoded = decoder.decode(&payload, &mut samples);
                prop_assert_eq!(decoded.is_ok(), !samples.is_empty());
                prop_assert!(samples.len() <= 1_920);
                prop_assert!(samples.iter().all(|sample| sample.is_finite()));
            }
        }
    }
}
