//! Where the sound of a stream dips and comes back: only there may speech have been cut. Found from packets that are not
//! decoded, by the gains that a codec of speech writes (`silk_gains`), or by their size where there are none.

use super::opus::FRAME_DURATION;
use super::opus_packet;
use super::silk_gains::{Gain, SilkGains, silk_gains};

/// What a gain is for, in microseconds.
const SUBFRAME: i64 = 5_000;
/// Subframes of the longest packet.
const MAX_SUBFRAMES: usize = 24;
/// The gain of speech where it is not known.
const OF_SPEECH: Gain = 40;
/// From so many steps (19 dB) below what was loudest on, the sound has dipped.
const DEEP: f32 = 14.0;
/// Up to so many steps (10 dB) below what was loudest, it is as loud as before.
const AS_LOUD: f32 = 7.0;
/// It has come back from so many steps (14 dB) below on, and so many (11 dB) above the lowest.
const COMES_BACK: f32 = 10.0;
const ABOVE_LOWEST: Gain = 8;
/// How fast what was loudest is forgotten, in steps for each subframe.
const FORGOTTEN: f32 = 0.25;
/// Digital silence, once the gain has fallen to it.
const DIGITAL: Gain = 2;
/// A gain falls by this much from one subframe to the next where sound ends at once.
const FASTEST_FALL: Gain = 4;
/// Of a dip that is too short for the gain to fall to that of digital silence, so many subframes fall that fast.
const FAST_FALLS: u32 = 3;
/// From so many subframes on, the gain must have fallen to it.
const LONG: i64 = 20;
/// Packets after a dip without which nobody knows what it is.
pub(super) const PACKETS_AFTER: usize = 3;

/// Where the sound dipped, in RTP time in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dip {
    /// The end of the last subframe that was loud.
    pub(super) from: i64,
    /// The beginning of the first that is loud again.
    pub(super) to: i64,
    /// In how many subframes the gain fell as fast as it may.
    pub(super) fast_falls: u32,
}

/// A dip that has not ended.
#[derive(Debug, Clone, Copy)]
struct OpenDip {
    from: i64,
    lowest: Gain,
    fast_falls: u32,
}

/// Follows one stream.
#[derive(Debug, Default)]
pub(super) struct DipFinder {
    /// What was loudest, and the latest gain.
    loudest: f32,
    last: Gain,
    /// The end of the last subframe that was about as loud as that, and how often the gain fell fast since.
    loud_until: i64,
    fast_falls: u32,
    dip: Option<OpenDip>,
    /// One that has ended, and how many packets must still follow.
    ended: Option<(Dip, usize)>,
}

impl DipFinder {
    /// Takes in the next packet. Returns a dip once enough packets have followed it. A longer one is a pause.
    pub(super) fn note(
        &mut self,
        media: i64,
        payload: &[u8],
        is_small: bool,
        longest: i64,
    ) -> Option<Dip> {
        let mut complete = None;
        if let Some((dip, left)) = &mut self.ended {
            *left -= 1;
            if *left == 0 {
                complete = Some(*dip);
                self.ended = None;
            }
        }
        let gains = silk_gains(payload);
        let silent = is_small || payload.len() <= opus_packet::MAX_DTX_BYTES;
        let unknown = [if silent { 0 } else { OF_SPEECH }; MAX_SUBFRAMES];
        let length = opus_packet::duration(payload).unwrap_or(FRAME_DURATION);
        let count = usize::try_from(length.0 / SUBFRAME.unsigned_abs()).unwrap_or(0);
        let unknown = unknown.get(..count).unwrap_or(&unknown);
        let gains = gains.as_ref().map_or(unknown, SilkGains::as_slice);
        let mut at = media;
        for gain in gains {
            if let Some(dip) = self.note_gain(at, *gain, longest) {
                // Two dips that are so close to each other are judged one by one.
                let earlier = self.ended.replace((dip, PACKETS_AFTER));
                complete = complete.or(earlier.map(|(dip, _)| dip));
            }
            at += SUBFRAME;
        }
        complete
    }

    fn note_gain(&mut self, at: i64, gain: Gain, longest: i64) -> Option<Dip> {
        // Where there are no gains, or nothing was sent, it is as if it fell by all at once.
        let fast_falls = u32::from(self.last.saturating_sub(gain) / FASTEST_FALL);
        self.last = gain;
        let level = f32::from(gain);
        let Some(dip) = &mut self.dip else {
            self.loudest = level.max(self.loudest - FORGOTTEN);
            self.fast_falls += fast_falls;
            if level >= self.loudest - AS_LOUD {
                (self.loud_until, self.fast_falls) = (at + SUBFRAME, 0);
            } else if level <= self.loudest - DEEP {
                let (from, fast_falls) = (self.loud_until, self.fast_falls);
                self.dip = Some(OpenDip { from, lowest: gain, fast_falls });
            }
            return None;
        };
        dip.lowest = dip.lowest.min(gain);
        dip.fast_falls += fast_falls;
        let is_back = level >= self.loudest - COMES_BACK && gain >= dip.lowest + ABOVE_LOWEST;
        if !is_back && at - dip.from <= longest {
            return None;
        }
        let OpenDip { from, lowest, fast_falls } = *dip;
        let length = at - from;
        let is_short = length < LONG * SUBFRAME;
        // Where nothing is sent in silence, or packets are lost, the packet that tells its length may be loud.
        let may_cut = is_back
            && length <= longest
            && (lowest <= DIGITAL || (is_short && fast_falls >= FAST_FALLS));
        self.dip = None;
        (self.loudest, self.loud_until, self.fast_falls) = (level, at + SUBFRAME, 0);
        may_cut.then_some(Dip { from, to: at, fast_falls })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The dips among gains, in subframes.
    fn dips(gains: &[Gain]) -> Vec<(i64, i64)> {
        let mut finder = DipFinder::default();
        let dips = (0..)
            .zip(gains)
            .filter_map(|(index, gain)| finder.note_gain(index * SUBFRAME, *gain, 300 * SUBFRAME));
        dips.map(|dip| (dip.from / SUBFRAME, dip.to / SUBFRAME)).collect()
    }

    fn joined(parts: &[&[Gain]]) -> Vec<Gain> {
        parts.concat()
    }

    #[test]
    fn a_gain_that_falls_as_fast_as_it_may_and_comes_back_is_a_dip() {
        let speech = [40; 20];
        let falls = [36, 32, 28, 24, 20, 16, 12, 8, 4, 0];
        assert_eq!(dips(&joined(&[&speech, &falls[..6], &speech])), [(21, 26)], "30 ms");
        assert_eq!(dips(&joined(&[&speech, &falls, &[0; 70], &speech])), [(21, 100)]);
        assert_eq!(dips(&joined(&[&speech, &falls[..3], &speech])), [], "too shallow");
        let fades = [38, 36, 34, 32, 30, 28, 26, 24, 22, 20, 18];
        assert_eq!(dips(&joined(&[&speech, &fades, &speech])), [], "it falls slowly");
        assert_eq!(dips(&joined(&[&speech, &fades, &[18; 40], &speech])), [], "a room");
        assert_eq!(dips(&joined(&[&speech, &falls, &[0; 400], &speech])), [], "a pause");
        assert_eq!(dips(&joined(&[&falls, &[0; 40], &speech])).len(), 1);
        assert_eq!(dips(&joined(&[&[0; 40], &speech])), [], "a beginning");
    }

    #[test]
    fn a_pause_in_which_nothing_is_sent_is_no_dip() {
        let speech = [40; 20];
        let falls = [36, 32, 28, 24, 20, 16, 12, 8, 4, 0];
        let dip_of = |length: i64| {
            let mut finder = DipFinder::default();
            let silent = (0..).zip(speech.into_iter().chain(falls));
            let loud = (21 + length..).zip(speech);
            let mut notes = silent.chain(loud);
            notes.find_map(|(index, gain)| finder.note_gain(index * SUBFRAME, gain, 300 * SUBFRAME))
        };
        assert_eq!(dip_of(300).map(|dip| dip.to - dip.from), Some(300 * SUBFRAME));
        for length in [301, 380, 10_000] {
            assert_eq!(dip_of(length), None, "{length}");
        }
    }

    #[test]
    fn without_gains_the_size_of_packets_tells() {
        let mut finder = DipFinder::default();
        let mut found = Vec::new();
        for number in 0..40 {
            let is_small = (20..25).contains(&number);
            let payload = [31 << 3, 1, 2, 3];
            found.extend(finder.note(number * 20_000, &payload, is_small, 1_500_000));
        }
        assert_eq!(found, [Dip { from: 400_000, to: 500_000, fast_falls: 10 }]);
    }
}
