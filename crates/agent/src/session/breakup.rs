//! Speech that breaks up at random moments: a source that runs dry, a machine that stands still, and a network that loses
//! packets.

use std::sync::Arc;

use crate::behaviour::{Behaviour, Breaks};
use rushhour_callers::audio::{
    Clip, DecodeRate, Decoder, Dtx, Encoder, FRAME_DURATION, FRAME_SAMPLES, OpusError,
};
use rushhour_core::rng::KeyedRng;
use rushhour_core::units::{Micros, RoomName, SessionTime};

/// The bit rate of speech that is encoded anew.
const BITS_PER_SECOND: u32 = 32_000;

/// Frames between two breaks of a kind, at least.
const FRAMES_APART: u64 = 15;
/// Frames of speech that follow a break at least: at its end nobody would hear one.
pub(super) const FRAMES_AFTER: usize = 8;

/// A break in the agent's speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SpeechBreak {
    pub(super) kind: BreakKind,
    pub(super) at: SessionTime,
    pub(super) length: Micros,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BreakKind {
    /// Digital silence; the speech goes on where it was cut.
    Cut,
    /// Nothing is sent, and then all of it at once.
    Stall,
    /// Packets are not sent, and their sequence numbers are missing.
    Loss,
}

/// When the next break of a kind comes.
#[derive(Debug)]
struct BreakTimer {
    what: &'static str,
    breaks: Breaks,
    number: u32,
    frames_left: u64,
}

impl BreakTimer {
    fn new(what: &'static str, breaks: &Breaks, rng: KeyedRng, room: &RoomName) -> Self {
        let mut timer = Self { what, breaks: breaks.clone(), number: 0, frames_left: 0 };
        timer.wind(rng, room);
        timer
    }

    /// Draws the time of speech until the next break.
    fn wind(&mut self, rng: KeyedRng, room: &RoomName) {
        self.number += 1;
        let draw = rng.draw(self.what, &format!("{room}/{}", self.number)).uniform();
        let seconds = -(1.0 - draw).ln() / self.breaks.rate.per_second();
        self.frames_left = (Micros::from_secs_f64(seconds).0 / FRAME_DURATION.0).max(FRAMES_APART);
    }

    /// Counts a frame of speech. Returns the length of the break after it, if there is one.
    fn count(&mut self, rng: KeyedRng, room: &RoomName) -> Option<Micros> {
        self.frames_left = self.frames_left.saturating_sub(1);
        if self.frames_left > 0 {
            return None;
        }
        let draw = rng.draw("length", &format!("{}/{room}/{}", self.what, self.number));
        let length = self.breaks.length.sample(draw);
        self.wind(rng, room);
        let frames = length.0.div_ceil(FRAME_DURATION.0).max(1);
        Some(Micros(frames * FRAME_DURATION.0))
    }
}

/// The breaks of one session.
#[derive(Debug)]
pub(super) struct Breakup {
    rng: KeyedRng,
    room: RoomName,
    cuts: Option<BreakTimer>,
    stalls: Option<BreakTimer>,
    losses: Option<BreakTimer>,
}

impl Breakup {
    /// `None` for an agent whose speech never breaks up.
    pub(super) fn of(behaviour: &Behaviour, room: &RoomName) -> Option<Self> {
        let rng = KeyedRng::new(behaviour.seed);
        let timer = |what, breaks: &Option<Breaks>| {
            breaks.as_ref().map(|breaks| BreakTimer::new(what, breaks, rng, room))
        };
        let [cuts, stalls, losses] = [
            timer("cut", &behaviour.cuts),
            timer("stall", &behaviour.stalls),
            timer("loss", &behaviour.losses),
        ];
        let is_any = cuts.is_some() || stalls.is_some() || losses.is_some();
        is_any.then(|| Self { rng, room: room.clone(), cuts, stalls, losses })
    }

    /// Whether digital silence cuts the speech.
    pub(super) const fn has_cuts(&self) -> bool {
        self.cuts.is_some()
    }

    /// Counts a frame of speech that was sent at `at`. Returns the break after it.
    pub(super) fn count(&mut self, at: SessionTime) -> Option<SpeechBreak> {
        let Self { rng, room, cuts, stalls, losses } = self;
        let of = |timer: &mut Option<BreakTimer>, kind| {
            let length = timer.as_mut()?.count(*rng, room)?;
            Some(SpeechBreak { kind, at, length })
        };
        of(cuts, BreakKind::Cut)
            .or_else(|| of(stalls, BreakKind::Stall))
            .or_else(|| of(losses, BreakKind::Loss))
    }
}

/// Encodes what is sent anew, so that a cut is in the sound and not only among its packets, as a source leaves that has run
/// dry.
#[derive(Debug)]
pub(super) struct Transcoder {
    decoder: Decoder,
    encoder: Encoder,
    samples: Vec<f32>,
    bytes: Vec<u8>,
}

impl Transcoder {
    pub(super) fn new() -> Result<Self, OpusError> {
        let decoder = Decoder::new(DecodeRate::Fullband)?;
        let encoder = Encoder::new(BITS_PER_SECOND, Dtx::Off)?;
        Ok(Self { decoder, encoder, samples: Vec::new(), bytes: Vec::new() })
    }

    /// A frame of a clip, or of silence. Silence leaves the clip where it was.
    pub(super) fn transcode(&mut self, payload: &Arc<[u8]>) -> Arc<[u8]> {
        let mut frame = [0.0; FRAME_SAMPLES];
        if *payload != Clip::silence_frame()
            && self.decoder.decode(payload, &mut self.samples).is_ok()
        {
            for (to, from) in frame.iter_mut().zip(&self.samples) {
                *to = *from;
            }
        }
        self.bytes.clear();
        match self.encoder.encode(&frame, &mut self.bytes) {
            Ok(()) => Arc::from(self.bytes.as_slice()),
            Err(_) => Arc::clone(payload),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_come_as_often_and_last_as_long_as_they_should() {
        let breaks = Breaks {
            rate: "30/min".parse().unwrap(),
            length: "uniform 40ms..200ms".parse().unwrap(),
        };
        let behaviour = Behaviour { cuts: Some(breaks), ..Behaviour::default() };
        let mut breakup = Breakup::of(&behaviour, &RoomName::new("a")).unwrap();
        let frames = 50 * 60 * 20;
        let found: Vec<SpeechBreak> =
            (0..frames).filter_map(|n| breakup.count(SessionTime(n))).collect();
        // Some draws are closer together than is allowed.
        assert!((470..=640).contains(&found.len()), "{}", found.len());
        let mean = found.iter().map(|one| one.length.0).sum::<u64>() / found.len() as u64;
        assert!((115_000..=145_000).contains(&mean), "{mean}");
        assert!(found.iter().all(|one| one.kind == BreakKind::Cut && one.length.0 % 20_000 == 0));
        assert!(Breakup::of(&Behaviour::default(), &RoomName::new("a")).is_none());
    }
}
