//! The ear: tells how loud each Opus packet sounds, with one decoder for any number of streams.

use super::loudness::{Level, LoudnessFilter};
use super::opus::{DecodeRate, Decoder, OpusError};
use super::packet;

/// Wide, because an `s` has next to nothing below 4 kHz.
const RATE: DecodeRate = DecodeRate::Wide;

/// A place in a stream: its sender's number, and a packet's number in it.
pub(super) type StreamPosition = (u32, i64);

/// A decoder and a meter, and where in which stream they are.
#[derive(Debug)]
pub(super) struct LevelMeter {
    decoder: Decoder,
    meter: LoudnessFilter,
    samples: Vec<f32>,
    place: Option<StreamPosition>,
    run: usize,
    decoded: u64,
}

impl LevelMeter {
    pub(super) fn new() -> Result<Self, OpusError> {
        Ok(Self {
            decoder: Decoder::new(RATE)?,
            meter: LoudnessFilter::new(RATE),
            samples: Vec::new(),
            place: None,
            run: 0,
            decoded: 0,
        })
    }

    /// Where the last packet that was decoded is.
    pub(super) const fn place(&self) -> Option<StreamPosition> {
        self.place
    }

    /// How many packets have been decoded since it last started anew: the more, the surer its levels are.
    pub(super) const fn run(&self) -> usize {
        self.run
    }

    /// How many packets have been decoded so far.
    pub(super) const fn decoded(&self) -> u64 {
        self.decoded
    }

    /// Forgets all it has heard.
    pub(super) fn start_anew(&mut self) {
        self.decoder.reset();
        self.meter = LoudnessFilter::new(RATE);
        self.place = None;
        self.run = 0;
    }

    /// How loud the packet at `place` is after those before it. Bytes that are no Opus packet are silence, and so
    /// are those of a sender that has stopped describing its silence; these are not decoded.
    pub(super) fn hear(&mut self, place: StreamPosition, payload: &[u8]) -> Level {
        if payload.len() <= packet::SILENT_BYTES {
            return Level::SILENCE;
        }
        self.place = Some(place);
        self.run += 1;
        self.decoded += 1;
        match self.decoder.decode(payload, &mut self.samples) {
            Ok(()) => self.meter.measure(&self.samples),
            Err(_) => Level::SILENCE,
        }
    }
}
