//! The Opus codec (RFC 6716, libopus): encodes mono frames of 20 ms, decodes any packet to mono.

use opusic_c::{Application, Bitrate, Channels, ErrorCode, SampleRate, Signal};

use super::opus_packet;
use rushhour_core::units::Micros;

/// The duration of an encoded frame.
pub const FRAME_DURATION: Micros = Micros::from_millis(20);
/// Samples of an encoded frame, which is also the step of the RTP timestamp (RFC 7587, 4.1).
pub const FRAME_SAMPLES: usize = 960;
/// The sample rate of the encoder and of Opus's RTP clock, in hertz.
pub(super) const SAMPLE_RATE: u32 = 48_000;

/// The largest Opus frame (RFC 6716, 3.4, R2).
const MAX_FRAME_BYTES: usize = 1_275;

/// A failure of libopus.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpusError {
    /// An encoder or a decoder could not be set up, with libopus's reason.
    #[error("the Opus codec cannot be set up: {0}")]
    Setup(&'static str),
    /// Bytes that are not a valid Opus packet.
    #[error("not a valid Opus packet")]
    InvalidPacket,
    /// Samples could not be encoded, with libopus's reason.
    #[error("the audio cannot be encoded: {0}")]
    Encode(&'static str),
}

/// The sample rate of a [`Decoder`]'s output, by Opus's name for the audio bandwidth that it allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeRate {
    /// 8 kHz: audio up to 4 kHz.
    Narrowband,
    /// 16 kHz: audio up to 8 kHz.
    Wideband,
    /// 48 kHz: all audio.
    Fullband,
}

impl DecodeRate {
    /// The sample rate in hertz.
    pub(super) const fn hertz(self) -> u32 {
        match self {
            Self::Narrowband => 8_000,
            Self::Wideband => 16_000,
            Self::Fullband => 48_000,
        }
    }

    const fn sample_rate(self) -> SampleRate {
        match self {
            Self::Narrowband => SampleRate::Hz8000,
            Self::Wideband => SampleRate::Hz16000,
            Self::Fullband => SampleRate::Hz48000,
        }
    }
}

/// Decodes Opus packets, mono or stereo, to mono samples from -1 to 1.
pub struct Decoder {
    inner: opusic_c::Decoder,
    rate: DecodeRate,
}

impl Decoder {
    /// A decoder without history.
    ///
    /// # Errors
    /// If libopus cannot allocate its state.
    pub fn new(rate: DecodeRate) -> Result<Self, OpusError> {
        let inner =
            opusic_c::Decoder::new(Channels::Mono, rate.sample_rate()).map_err(setup_error)?;
        Ok(Self { inner, rate })
    }

    /// Decodes one packet; its samples replace the content of `samples`.
    ///
    /// # Errors
    /// If `payload` is not a valid Opus packet; `samples` is then empty and the decoder unchanged.
    pub fn decode(&mut self, payload: &[u8], samples: &mut Vec<f32>) -> Result<(), OpusError> {
        samples.clear();
        let duration = opus_packet::duration(payload).ok_or(OpusError::InvalidPacket)?;
        let expected = duration.0 * u64::from(self.rate.hertz()) / 1_000_000;
        let expected = usize::try_from(expected)
            .expect("a packet of at most 120 ms has at most 5,760 samples");
        samples.resize(expected, 0.0);
        let decoded = self.inner.decode_float_to_slice(payload, samples, false);
        // Empty on an error.
        samples.truncate(*decoded.as_ref().unwrap_or(&0));
        decoded.map(|_| ()).map_err(|_| OpusError::InvalidPacket)
    }

    /// Forgets the history, as if new.
    pub(super) fn reset(&mut self) {
        self.inner.reset().expect("libopus resets any decoder that it set up");
    }
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").field("rate", &self.rate).finish_non_exhaustive()
    }
}

/// Whether an [`Encoder`] uses discontinuous transmission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtx {
    /// Silence is encoded as frames of one or two bytes.
    On,
    /// Every frame is encoded in full.
    Off,
}

/// Encodes mono samples at 48 kHz as Opus frames of 20 ms.
pub struct Encoder {
    inner: opusic_c::Encoder,
}

impl Encoder {
    /// An encoder for speech, at `bits_per_second` on average (from 500 to 512,000).
    ///
    /// # Errors
    /// If libopus rejects the bit rate or cannot allocate its state.
    pub fn new(bits_per_second: u32, dtx: Dtx) -> Result<Self, OpusError> {
        let mut inner =
            opusic_c::Encoder::new(Channels::Mono, SampleRate::Hz48000, Application::Voip)
                .map_err(setup_error)?;
        inner.set_bitrate(Bitrate::Value(bits_per_second)).map_err(setup_error)?;
        inner.set_signal(Signal::Voice).map_err(setup_error)?;
        inner.set_dtx(dtx == Dtx::On).map_err(setup_error)?;
        Ok(Self { inner })
    }

    /// By how many samples encoding and decoding delay the audio.
    pub(super) fn delay_samples(&mut self) -> usize {
        let delay = self
            .inner
            .get_look_ahead()
            .expect("libopus knows the delay of any encoder that it set up");
        delay as usize
    }

    /// Encodes the next 20 ms, and appends the frame to `bytes`.
    ///
    /// # Errors
    /// If libopus fails.
    pub fn encode(
        &mut self,
        samples: &[f32; FRAME_SAMPLES],
        bytes: &mut Vec<u8>,
    ) -> Result<(), OpusError> {
        let mut frame = [0; MAX_FRAME_BYTES];
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

fn setup_error(code: ErrorCode) -> OpusError {
    OpusError::Setup(code.message())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::loudness::{AUDIBLE, Level, LoudnessMeter};
    use super::super::testing::{SignalPart, encode, signal};
    use super::*;

    #[test]
    fn decoding_preserves_the_level_of_a_voice() {
        let samples = signal(&[SignalPart::Voice(400)], Level(-70.0));
        let original = LoudnessMeter::new(DecodeRate::Fullband).measure(&samples);
        for rate in [DecodeRate::Narrowband, DecodeRate::Wideband, DecodeRate::Fullband] {
            let mut decoder = Decoder::new(rate).unwrap();
            let mut meter = LoudnessMeter::new(rate);
            let mut decoded = Vec::new();
            let mut last = Level::SILENCE;
            for frame in encode(&samples, 32_000, Dtx::Off) {
                decoder.decode(&frame, &mut decoded).unwrap();
                assert_eq!(decoded.len(), rate.hertz() as usize / 50);
                last = meter.measure(&decoded);
            }
            assert!((last.0 - original.0).abs() < 3.0, "{rate:?}: {original}, decoded {last}");
        }
    }

    #[test]
    fn frames_of_discontinuous_transmission_decode_to_silence() {
        let frames = encode(
            &signal(&[SignalPart::Voice(400), SignalPart::Quiet(4_000)], Level(-64.0)),
            24_000,
            Dtx::On,
        );
        for rate in [DecodeRate::Narrowband, DecodeRate::Wideband, DecodeRate::Fullband] {
            let mut decoder = Decoder::new(rate).unwrap();
            let mut meter = LoudnessMeter::new(rate);
            let mut decoded = Vec::new();
            let mut silent = 0;
            for frame in &frames {
                decoder.decode(frame, &mut decoded).unwrap();
                let level = meter.measure(&decoded);
                if frame.len() <= opus_packet::MAX_DTX_BYTES {
                    silent += 1;
                    assert!(level < AUDIBLE.louder_by(-10.0), "{rate:?}: {level}");
                }
            }
            assert!(silent > 100, "{silent}");
        }
    }

    #[test]
    fn a_reset_decoder_behaves_like_a_new_one() {
        let frames = encode(&signal(&[SignalPart::Voice(400)], Level(-70.0)), 24_000, Dtx::Off);
        let mut decoder = Decoder::new(DecodeRate::Wideband).unwrap();
        let [mut first, mut again] = [Vec::new(), Vec::new()];
        decoder.decode(&frames[9], &mut first).unwrap();
        decoder.decode(&frames[10], &mut again).unwrap();
        decoder.reset();
        decoder.decode(&frames[9], &mut again).unwrap();
        assert_eq!(first, again);
    }

    #[test]
    fn invalid_packets_are_errors() {
        let mut decoder = Decoder::new(DecodeRate::Wideband).unwrap();
        let mut samples = vec![1.0];
        assert_eq!(decoder.decode(&[], &mut samples), Err(OpusError::InvalidPacket));
        assert!(samples.is_empty());
        // Three bytes cannot hold two frames of equal size (RFC 6716, R3).
        assert_eq!(decoder.decode(&[0x79, 0, 0, 0], &mut samples), Err(OpusError::InvalidPacket));
        assert!(samples.is_empty());
    }

    #[test]
    fn an_encoder_rejects_a_bit_rate_of_zero() {
        assert!(matches!(Encoder::new(0, Dtx::Off), Err(OpusError::Setup(_))));
        assert!(Encoder::new(24_000, Dtx::Off).unwrap().delay_samples() < FRAME_SAMPLES);
    }

    proptest! {
        #[test]
        fn a_decoder_never_panics(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..6),
        ) {
            let mut decoder = Decoder::new(DecodeRate::Wideband).unwrap();
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
