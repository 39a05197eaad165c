//! Measures the level of Opus packets, with one decoder shared by all streams.

use super::loudness::{Level, LoudnessMeter, Window};
use super::opus::{DecodeRate, Decoder, OpusError};
use super::opus_packet;

/// Wideband, because an `s` has almost no energy below 4 kHz.
const RATE: DecodeRate = DecodeRate::Wideband;

/// A packet's position: its SSRC and its extended sequence number.
pub(super) type StreamPosition = (u32, i64);

/// Decodes packets and measures their level. Decoder and filter have a history, so a packet is measured after those
/// before it.
#[derive(Debug)]
pub(super) struct LevelMeter {
    decoder: Decoder,
    meter: LoudnessMeter,
    samples: Vec<f32>,
    position: Option<StreamPosition>,
    packets_since_reset: usize,
    decoded_packets: u64,
}

impl LevelMeter {
    pub(super) fn new() -> Result<Self, OpusError> {
        Ok(Self {
            decoder: Decoder::new(RATE)?,
            meter: LoudnessMeter::new(RATE),
            samples: Vec::new(),
            position: None,
            packets_since_reset: 0,
            decoded_packets: 0,
        })
    }

    /// The position of the packet that was decoded last.
    pub(super) const fn position(&self) -> Option<StreamPosition> {
        self.position
    }

    /// Packets decoded since the last reset. With more of them, levels are more reliable.
    pub(super) const fn packets_since_reset(&self) -> usize {
        self.packets_since_reset
    }

    /// Packets decoded in total.
    pub(super) const fn decoded_packets(&self) -> u64 {
        self.decoded_packets
    }

    /// The windows of the packet that was decoded last.
    pub(super) fn windows(&self) -> &[Window] {
        self.meter.windows()
    }

    /// Forgets the history.
    pub(super) fn reset(&mut self) {
        self.decoder.reset();
        self.meter.reset();
        self.position = None;
        self.packets_since_reset = 0;
    }

    /// Decodes a packet that has no position, so that none of those with one follows it.
    pub(super) fn decode(&mut self, payload: &[u8]) -> &[f32] {
        self.position = None;
        // An invalid packet has no samples.
        let _ = self.decoder.decode(payload, &mut self.samples);
        &self.samples
    }

    /// The level of the packet at `position`. Invalid packets count as silence; so does discontinuous transmission,
    /// which is not decoded.
    pub(super) fn measure(&mut self, position: StreamPosition, payload: &[u8]) -> Level {
        if payload.len() <= opus_packet::MAX_DTX_BYTES {
            return Level::SILENCE;
        }
        self.position = Some(position);
        self.packets_since_reset += 1;
        self.decoded_packets += 1;
        // An invalid packet has no samples.
        let _ = self.decoder.decode(payload, &mut self.samples);
        self.meter.measure(&self.samples)
    }
}
