//! What a caller sends and when: a frame every 20 ms without end, of a clip or of silence.

use std::sync::Arc;

use super::clip::Clip;
use super::opus::{FRAME_LENGTH, FRAME_SAMPLES};
use rushhour_core::units::{Micros, SessionTime};

/// A frame that goes out later than this after it was due is counted as late.
pub const LATE: Micros = Micros::from_millis(5);

/// How many frames go out at once after a stall; older ones are given up.
const MOST_AT_ONCE: u64 = 3;

/// A frame that is due.
#[derive(Debug, Clone)]
pub struct DueFrame {
    /// The Opus frame.
    pub payload: Arc<[u8]>,
    /// Its time in the stream, at 48 kHz.
    pub rtp_time: u32,
    /// Whether it begins a spurt of talk (RFC 3551, 4.1), as a clip's first frame does.
    pub marker: bool,
    /// When it should go out.
    pub due: SessionTime,
    /// Whether it is the first audible frame of its clip.
    pub is_first_audible: bool,
    /// Whether it is the last audible frame of its clip: what a caller's turn ends with.
    pub is_last_audible: bool,
}

/// How well the beat was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PacingCounts {
    /// Frames handed out.
    pub frames: u64,
    /// Those of them handed out more than [`LATE`] after they were due.
    pub late: u64,
    /// Frames that were never handed out, because a stall had left too many due at once.
    pub given_up: u64,
}

/// The beat of what one participant sends.
///
/// Time in the stream grows with time on the clock, so a stall leaves a gap in the stream. What a clip would have
/// said in the gap is put off, not lost: its next frame follows after it.
#[derive(Debug, Clone)]
pub struct Playback {
    begin: SessionTime,
    first_rtp_time: u32,
    /// How many beats have passed.
    beats: u64,
    clip: Option<(Clip, usize)>,
    counts: PacingCounts,
}

impl Playback {
    /// A beat whose first frame is due at `begin`, with `first_rtp_time`.
    pub fn new(begin: SessionTime, first_rtp_time: u32) -> Self {
        Self { begin, first_rtp_time, beats: 0, clip: None, counts: PacingCounts::default() }
    }

    /// When the next frame is due.
    pub fn deadline(&self) -> SessionTime {
        self.due(self.beats)
    }

    /// Begins a clip with the next frame that is handed out. One that is being played is broken off.
    pub fn play(&mut self, clip: Clip) {
        self.clip = Some((clip, 0));
    }

    /// Breaks off what is being played; says whether anything was.
    pub fn stop(&mut self) -> bool {
        self.clip.take().is_some()
    }

    /// Whether a clip has frames that have not been handed out.
    pub const fn is_playing(&self) -> bool {
        self.clip.is_some()
    }

    /// How well the beat was kept so far.
    pub const fn counts(&self) -> PacingCounts {
        self.counts
    }

    /// The next frame that is due at `now`; to be asked until there is none.
    pub fn next_due(&mut self, now: SessionTime) -> Option<DueFrame> {
        let due_by_now = (now.0.checked_sub(self.begin.0)?) / FRAME_LENGTH.0 + 1;
        let waiting = due_by_now.checked_sub(self.beats).filter(|waiting| *waiting > 0)?;
        if waiting > MOST_AT_ONCE {
            self.counts.given_up += waiting - MOST_AT_ONCE;
            self.beats = due_by_now - MOST_AT_ONCE;
        }
        let due = self.due(self.beats);
        let rtp_time = self.rtp_time(self.beats);
        let is_first = self.counts.frames == 0;
        self.beats += 1;
        self.counts.frames += 1;
        self.counts.late += u64::from(now.since(due) > LATE);
        Some(match self.clip.take() {
            Some((clip, index)) => {
                let frame = DueFrame {
                    payload: Arc::clone(&clip.frames()[index]),
                    rtp_time,
                    marker: index == 0 || is_first,
                    due,
                    is_first_audible: index == clip.first_audible(),
                    is_last_audible: index == clip.last_audible(),
                };
                if index + 1 < clip.frames().len() {
                    self.clip = Some((clip, index + 1));
                }
                frame
            }
            None => DueFrame {
                payload: Clip::silence_frame(),
                rtp_time,
                marker: is_first,
                due,
                is_first_audible: false,
                is_last_audible: false,
            },
        })
    }

    fn due(&self, beat: u64) -> SessionTime {
        self.begin + Micros(FRAME_LENGTH.0.saturating_mul(beat))
    }

    /// Wraps around, as RTP's clock does.
    fn rtp_time(&self, beat: u64) -> u32 {
        let ticks = beat.wrapping_mul(FRAME_SAMPLES as u64) & u64::from(u32::MAX);
        let ticks = u32::try_from(ticks).expect("the low half");
        self.first_rtp_time.wrapping_add(ticks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: SessionTime = SessionTime(5_000_000);

    fn at(millis: u64) -> SessionTime {
        BEGIN + Micros::from_millis(millis)
    }

    fn due(playing: &mut Playback, millis: u64) -> Vec<DueFrame> {
        std::iter::from_fn(|| playing.next_due(at(millis))).collect()
    }

    #[test]
    fn a_frame_is_due_every_20_ms_and_its_time_in_the_stream_wraps() {
        let mut playing = Playback::new(BEGIN, u32::MAX - 959);
        assert!(playing.next_due(SessionTime(4_999_999)).is_none());
        let mut frames = Vec::new();
        for millis in (3..400).step_by(7) {
            assert!(playing.deadline() + FRAME_LENGTH > at(millis));
            frames.extend(due(&mut playing, millis));
        }
        assert_eq!(frames.len(), 20);
        for (frame, beat) in frames.iter().zip(0_u32..) {
            assert_eq!(frame.due, at(u64::from(beat) * 20));
            assert_eq!(frame.rtp_time, (u32::MAX - 959).wrapping_add(beat * 960));
            assert_eq!(frame.marker, beat == 0);
            assert_eq!(frame.payload, Clip::silence_frame());
        }
        assert_eq!(playing.deadline(), at(400));
        assert_eq!(playing.counts().frames, 20);
    }

    #[test]
    fn a_clip_is_handed_out_whole_and_tells_its_audible_ends() {
        let clip = Clip::from_bytes(super::super::testing::SMITH).unwrap();
        let mut playing = Playback::new(BEGIN, 0);
        due(&mut playing, 20);
        playing.play(clip.clone());
        let mut frames = Vec::new();
        for beat in 2..=clip.frames().len() as u64 + 3 {
            assert_eq!(playing.is_playing(), beat < clip.frames().len() as u64 + 2);
            frames.extend(due(&mut playing, beat * 20));
        }
        let (said, after) = frames.split_at(clip.frames().len());
        assert!(said.iter().zip(clip.frames()).all(|(sent, frame)| sent.payload == *frame));
        assert!(!after.is_empty());
        assert!(after.iter().all(|frame| frame.payload == Clip::silence_frame()));
        let places = |of: fn(&DueFrame) -> bool| -> Vec<usize> {
            frames.iter().enumerate().filter(|(_, frame)| of(frame)).map(|(at, _)| at).collect()
        };
        assert_eq!(places(|frame| frame.marker), [0]);
        assert_eq!(places(|frame| frame.is_first_audible), [clip.first_audible()]);
        assert_eq!(places(|frame| frame.is_last_audible), [clip.last_audible()]);
    }

    #[test]
    fn a_clip_can_be_broken_off_by_silence_and_by_another() {
        let long = Clip::tone(Micros::from_secs(1)).unwrap();
        let short = Clip::tone(Micros::from_millis(20)).unwrap();
        let mut playing = Playback::new(BEGIN, 0);
        playing.play(long.clone());
        due(&mut playing, 20);
        playing.play(short.clone());
        let frames = due(&mut playing, 40);
        assert_eq!(frames[0].payload, short.frames()[0]);
        assert!(frames[0].is_first_audible && frames[0].marker && !frames[0].is_last_audible);
        // Its sound dies away in a frame of silence.
        let frames = due(&mut playing, 60);
        assert!(frames[0].is_last_audible && frames[0].payload == Clip::silence_frame());
        assert!(!playing.is_playing() && !playing.stop());
        playing.play(long);
        due(&mut playing, 80);
        assert!(playing.stop());
        assert_eq!(due(&mut playing, 100)[0].payload, Clip::silence_frame());
    }

    #[test]
    fn a_stall_is_caught_up_by_three_frames_and_the_rest_is_given_up() {
        let clip = Clip::tone(Micros::from_secs(1)).unwrap();
        let mut playing = Playback::new(BEGIN, 0);
        playing.play(clip.clone());
        due(&mut playing, 5);
        assert_eq!(playing.counts(), PacingCounts { frames: 1, late: 0, given_up: 0 });
        // Due by now are those of 20 to 1,000 ms.
        let frames = due(&mut playing, 1_004);
        let times: Vec<_> = frames.iter().map(|frame| (frame.due, frame.rtp_time)).collect();
        assert_eq!(times, [(at(960), 48 * 960), (at(980), 49 * 960), (at(1_000), 50 * 960)]);
        // What was to be said is put off.
        assert_eq!(frames[0].payload, clip.frames()[1]);
        assert_eq!(playing.counts(), PacingCounts { frames: 4, late: 2, given_up: 47 });
        assert_eq!(playing.deadline(), at(1_020));
        assert_eq!(due(&mut playing, 1_020)[0].payload, clip.frames()[4]);
    }

    #[test]
    fn the_end_of_time_is_no_trouble() {
        let mut playing = Playback::new(BEGIN, 7);
        assert!(std::iter::from_fn(|| playing.next_due(SessionTime::NEVER)).count() == 3);
    }
}
