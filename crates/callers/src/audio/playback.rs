//! Pacing: an Opus frame every 20 ms, of a clip or of silence.

use std::sync::Arc;

use super::clip::Clip;
use super::opus::{FRAME_DURATION, FRAME_SAMPLES};
use rushhour_core::units::{Micros, SessionTime};

/// A frame that is sent later than this after it was due counts as late.
pub const LATE_FRAME: Micros = Micros::from_millis(5);

/// Frames that are sent at once after a stall, at most; older ones are dropped.
const MAX_BURST: u64 = 3;

/// A frame that is due.
#[derive(Debug, Clone)]
pub struct DueFrame {
    /// The Opus frame.
    pub payload: Arc<[u8]>,
    /// Its RTP timestamp, at 48 kHz.
    pub rtp_time: u32,
    /// Whether it begins a talk spurt (RFC 3551, 4.1), as the first frame of a clip does.
    pub marker: bool,
    /// When it should be sent.
    pub due: SessionTime,
    /// Whether it is the first audible frame of its clip.
    pub is_first_audible: bool,
    /// Whether it is the last audible frame of its clip, which ends a caller's turn.
    pub is_last_audible: bool,
}

/// How well the pace was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PacingCounts {
    /// Frames that were returned by [`Playback::next_due`].
    pub frames: u64,
    /// Those that were returned more than [`LATE_FRAME`] after they were due.
    pub late: u64,
    /// Frames that were skipped, because a stall had left too many due at once.
    pub dropped: u64,
}

/// Paces what one participant sends.
///
/// RTP timestamps follow the clock, so a stall leaves a gap in the stream. A clip loses nothing in the gap: its next
/// frame follows after it.
#[derive(Debug, Clone)]
pub struct Playback {
    start: SessionTime,
    first_rtp_time: u32,
    /// The index of the next frame, counted from the start.
    next_index: u64,
    clip: Option<PlayingClip>,
    /// What is sent instead of silence, over and over.
    background: Option<Clip>,
    /// Frames of silence that are sent before the clip goes on.
    interrupted: u64,
    counts: PacingCounts,
}

#[derive(Debug, Clone)]
struct PlayingClip {
    clip: Clip,
    next_frame: usize,
}

impl Playback {
    /// A playback whose first frame is due at `start`, with the RTP timestamp `first_rtp_time`.
    pub fn new(start: SessionTime, first_rtp_time: u32) -> Self {
        Self {
            start,
            first_rtp_time,
            next_index: 0,
            clip: None,
            background: None,
            interrupted: 0,
            counts: PacingCounts::default(),
        }
    }

    #[cfg(test)]
    fn deadline(&self) -> SessionTime {
        self.due(self.next_index)
    }

    /// What is sent where no clip plays: noise, over and over, or silence.
    pub fn set_background(&mut self, noise: Option<Clip>) {
        self.background = noise;
    }

    /// Plays a clip from the next frame on. It replaces a clip that is playing.
    pub fn play(&mut self, clip: Clip) {
        self.interrupted = 0;
        self.clip = Some(PlayingClip { clip, next_frame: 0 });
    }

    /// Cuts the clip that is playing by digital silence of this length, rounded up to frames. It goes on where it was cut.
    pub fn interrupt(&mut self, length: Micros) {
        self.interrupted = length.0.div_ceil(FRAME_DURATION.0);
    }

    /// The audible frames of the clip that are still to be sent, those of its decay left out.
    pub fn audible_left(&self) -> usize {
        let left = |playing: &PlayingClip| {
            (playing.clip.last_audible() + 1).saturating_sub(playing.next_frame)
        };
        self.clip.as_ref().map_or(0, left)
    }

    /// Stops the clip that is playing. Returns whether there was one.
    pub fn stop(&mut self) -> bool {
        self.clip.take().is_some()
    }

    /// Whether a clip has frames left.
    pub const fn is_playing(&self) -> bool {
        self.clip.is_some()
    }

    /// How well the pace was kept so far.
    pub const fn counts(&self) -> PacingCounts {
        self.counts
    }

    /// The next frame that is due at `now`. Must be called until it returns `None`.
    pub fn next_due(&mut self, now: SessionTime) -> Option<DueFrame> {
        let due_by_now = (now.0.checked_sub(self.start.0)?) / FRAME_DURATION.0 + 1;
        let waiting = due_by_now.checked_sub(self.next_index).filter(|waiting| *waiting > 0)?;
        if waiting > MAX_BURST {
            self.counts.dropped += waiting - MAX_BURST;
            self.next_index = due_by_now - MAX_BURST;
        }
        let due = self.due(self.next_index);
        let rtp_time = self.rtp_time(self.next_index);
        let background = self.background_frame();
        let is_first = self.counts.frames == 0;
        self.next_index += 1;
        self.counts.frames += 1;
        self.counts.late += u64::from(now.since(due) > LATE_FRAME);
        let is_cut = self.interrupted > 0 && self.clip.is_some();
        self.interrupted = self.interrupted.saturating_sub(1);
        if is_cut {
            return Some(DueFrame {
                payload: Clip::silence_frame(),
                rtp_time,
                marker: false,
                due,
                is_first_audible: false,
                is_last_audible: false,
            });
        }
        Some(match self.clip.take() {
            Some(PlayingClip { clip, next_frame: index }) => {
                let frame = DueFrame {
                    payload: Arc::clone(&clip.frames()[index]),
                    rtp_time,
                    marker: index == 0 || is_first,
                    due,
                    is_first_audible: index == clip.first_audible(),
                    is_last_audible: index == clip.last_audible(),
                };
                if index + 1 < clip.frames().len() {
                    self.clip = Some(PlayingClip { clip, next_frame: index + 1 });
                }
                frame
            }
            None => DueFrame {
                payload: background,
                rtp_time,
                marker: is_first,
                due,
                is_first_audible: false,
                is_last_audible: false,
            },
        })
    }

    fn background_frame(&self) -> Arc<[u8]> {
        let Some(noise) = &self.background else { return Clip::silence_frame() };
        let count = noise.frames().len() as u64;
        let index = usize::try_from(self.next_index % count).expect("less than a clip has frames");
        Arc::clone(&noise.frames()[index])
    }

    fn due(&self, index: u64) -> SessionTime {
        self.start + Micros(FRAME_DURATION.0.saturating_mul(index))
    }

    /// Wraps around, like RTP timestamps.
    fn rtp_time(&self, index: u64) -> u32 {
        let ticks = index.wrapping_mul(FRAME_SAMPLES as u64) & u64::from(u32::MAX);
        let ticks = u32::try_from(ticks).expect("masked to 32 bits");
        self.first_rtp_time.wrapping_add(ticks)
    }
}

#[cfg(test)]
mod tests {
    use super::super::noise::Noise;
    use super::*;

    const START: SessionTime = SessionTime(5_000_000);

    #[test]
    fn noise_is_repeated_where_no_clip_plays() {
        let noise =
            Noise::Pink.samples(3 * FRAME_SAMPLES, rushhour_core::units::SoundLevel::dbfs(-40), 7);
        let noise = Clip::noise(&noise).unwrap();
        let clip = Clip::tone(Micros::from_millis(20)).unwrap();
        let mut playback = Playback::new(START, 0);
        playback.set_background(Some(noise.clone()));
        let sent = |n: u64, playback: &mut Playback| {
            playback.next_due(START + Micros::from_millis(20 * n)).unwrap().payload
        };
        for n in 0..5_u64 {
            assert_eq!(sent(n, &mut playback), noise.frames()[usize::try_from(n).unwrap() % 3]);
        }
        playback.play(clip.clone());
        assert_eq!(sent(5, &mut playback), clip.frames()[0]);
        playback.stop();
        assert_eq!(sent(6, &mut playback), noise.frames()[0]);
        playback.set_background(None);
        assert_eq!(sent(7, &mut playback), Clip::silence_frame());
    }

    fn at(millis: u64) -> SessionTime {
        START + Micros::from_millis(millis)
    }

    fn due(playback: &mut Playback, millis: u64) -> Vec<DueFrame> {
        std::iter::from_fn(|| playback.next_due(at(millis))).collect()
    }

    #[test]
    fn a_frame_is_due_every_20_ms_and_its_rtp_timestamp_wraps() {
        let mut playback = Playback::new(START, u32::MAX - 959);
        assert!(playback.next_due(SessionTime(4_999_999)).is_none());
        let mut frames = Vec::new();
        for millis in (3..400).step_by(7) {
            assert!(playback.deadline() + FRAME_DURATION > at(millis));
            frames.extend(due(&mut playback, millis));
        }
        assert_eq!(frames.len(), 20);
        for (frame, index) in frames.iter().zip(0_u32..) {
            assert_eq!(frame.due, at(u64::from(index) * 20));
            assert_eq!(frame.rtp_time, (u32::MAX - 959).wrapping_add(index * 960));
            assert_eq!(frame.marker, index == 0);
            assert_eq!(frame.payload, Clip::silence_frame());
        }
        assert_eq!(playback.deadline(), at(400));
        assert_eq!(playback.counts().frames, 20);
    }

    #[test]
    fn a_clip_is_played_whole_and_its_audible_ends_are_marked() {
        let clip = Clip::from_bytes(super::super::testing::SMITH).unwrap();
        let mut playback = Playback::new(START, 0);
        due(&mut playback, 20);
        playback.play(clip.clone());
        let mut frames = Vec::new();
        for index in 2..=clip.frames().len() as u64 + 3 {
            assert_eq!(playback.is_playing(), index < clip.frames().len() as u64 + 2);
            frames.extend(due(&mut playback, index * 20));
        }
        let (speech, after) = frames.split_at(clip.frames().len());
        assert!(speech.iter().zip(clip.frames()).all(|(sent, frame)| sent.payload == *frame));
        assert!(!after.is_empty());
        assert!(after.iter().all(|frame| frame.payload == Clip::silence_frame()));
        let indices = |has: fn(&DueFrame) -> bool| -> Vec<usize> {
            frames.iter().enumerate().filter(|(_, frame)| has(frame)).map(|(at, _)| at).collect()
        };
        assert_eq!(indices(|frame| frame.marker), [0]);
        assert_eq!(indices(|frame| frame.is_first_audible), [clip.first_audible()]);
        assert_eq!(indices(|frame| frame.is_last_audible), [clip.last_audible()]);
    }

    #[test]
    fn a_clip_that_is_interrupted_goes_on_where_it_was_cut() {
        let clip = Clip::tone(Micros::from_millis(200)).unwrap();
        let mut playback = Playback::new(START, 0);
        playback.play(clip.clone());
        let sent = |millis: u64, playback: &mut Playback| due(playback, millis).remove(0).payload;
        assert_eq!(sent(0, &mut playback), clip.frames()[0]);
        assert_eq!(playback.audible_left(), clip.last_audible());
        playback.interrupt(Micros::from_millis(30));
        for millis in [20, 40] {
            assert_eq!(sent(millis, &mut playback), Clip::silence_frame());
        }
        assert_eq!(sent(60, &mut playback), clip.frames()[1]);
    }

    #[test]
    fn a_clip_can_be_stopped_and_replaced() {
        let long = Clip::tone(Micros::from_secs(1)).unwrap();
        let short = Clip::tone(Micros::from_millis(20)).unwrap();
        let mut playback = Playback::new(START, 0);
        playback.play(long.clone());
        due(&mut playback, 20);
        playback.play(short.clone());
        let frames = due(&mut playback, 40);
        assert_eq!(frames[0].payload, short.frames()[0]);
        assert!(frames[0].is_first_audible && frames[0].marker && !frames[0].is_last_audible);
        // Its decay is in a frame of silence.
        let frames = due(&mut playback, 60);
        assert!(frames[0].is_last_audible && frames[0].payload == Clip::silence_frame());
        assert!(!playback.is_playing() && !playback.stop());
        playback.play(long);
        due(&mut playback, 80);
        assert!(playback.stop());
        assert_eq!(due(&mut playback, 100)[0].payload, Clip::silence_frame());
    }

    #[test]
    fn after_a_stall_three_frames_are_sent_and_older_ones_are_dropped() {
        let clip = Clip::tone(Micros::from_secs(1)).unwrap();
        let mut playback = Playback::new(START, 0);
        playback.play(clip.clone());
        due(&mut playback, 5);
        assert_eq!(playback.counts(), PacingCounts { frames: 1, late: 0, dropped: 0 });
        // The frames of 20 to 1,000 ms are due.
        let frames = due(&mut playback, 1_004);
        let times: Vec<_> = frames.iter().map(|frame| (frame.due, frame.rtp_time)).collect();
        assert_eq!(times, [(at(960), 48 * 960), (at(980), 49 * 960), (at(1_000), 50 * 960)]);
        // The clip continues where it was.
        assert_eq!(frames[0].payload, clip.frames()[1]);
        assert_eq!(playback.counts(), PacingCounts { frames: 4, late: 2, dropped: 47 });
        assert_eq!(playback.deadline(), at(1_020));
        assert_eq!(due(&mut playback, 1_020)[0].payload, clip.frames()[4]);
    }

    #[test]
    fn the_end_of_time_does_not_overflow() {
        let mut playback = Playback::new(START, 7);
        assert!(std::iter::from_fn(|| playback.next_due(SessionTime::NEVER)).count() == 3);
    }
}
