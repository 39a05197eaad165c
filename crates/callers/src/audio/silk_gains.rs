//! How loud the sound in an Opus packet is, without decoding it: the gains of its subframes of 5 ms, which stand at the front
//! of what the codec for speech (SILK) writes (RFC 6716, 4.1 and 4.2.7.4).

use super::opus_packet;

/// The gain of a subframe in steps of 1.37 dB; 0, the lowest, is that of digital silence.
pub(super) type Gain = u8;

/// The gain that an encoder may write at most.
const HIGHEST: Gain = 63;

/// The gains in a packet, in order: one for every 5 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SilkGains {
    gains: [Gain; 4],
    count: usize,
}

impl SilkGains {
    pub(super) fn as_slice(&self) -> &[Gain] {
        &self.gains[..self.count]
    }
}

// RFC 6716, tables 9 to 13, as libopus has them: 256 less the sum of the probabilities so far.
const INACTIVE_TYPES: &[u8] = &[230, 0];
const ACTIVE_TYPES: &[u8] = &[232, 158, 10, 0];
const FIRST_GAIN: [&[u8]; 3] = [
    &[224, 112, 44, 15, 3, 2, 1, 0],
    &[254, 237, 192, 132, 70, 23, 4, 0],
    &[255, 252, 226, 155, 61, 11, 2, 0],
];
const THREE_BITS: &[u8] = &[224, 192, 160, 128, 96, 64, 32, 0];
const GAIN_CHANGE: &[u8] = &[
    250, 245, 234, 203, 71, 50, 42, 38, 35, 33, 31, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18,
    17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0,
];
/// A gain falls by at most so many steps from one subframe to the next.
const FASTEST_FALL: i32 = 4;

/// The gains in a packet that holds one frame of speech of one channel, without a copy of the frame before it (in-band FEC);
/// `None` for all others.
pub(super) fn silk_gains(payload: &[u8]) -> Option<SilkGains> {
    let (&toc, frame) = payload.split_first()?;
    // RFC 6716, 3.1: frames of 10 or 20 ms, of speech alone or below 8 kHz.
    let count = match toc >> 3 {
        config @ (0..=11) if config & 3 < 2 => [2, 4][usize::from(config & 3)],
        config @ (12..=15) => [2, 4][usize::from(config & 1)],
        _ => return None,
    };
    let (is_stereo, is_one_frame) = (toc & 0b100 != 0, toc.trailing_zeros() >= 2);
    if is_stereo || !is_one_frame || payload.len() <= opus_packet::MAX_DTX_BYTES {
        return None;
    }
    let mut decoder = RangeDecoder::new(frame);
    let (is_active, has_fec) = (decoder.bit(), decoder.bit());
    if has_fec {
        return None;
    }
    let kind = if is_active {
        decoder.symbol(ACTIVE_TYPES) / 2 + 1
    } else {
        decoder.symbol(INACTIVE_TYPES) / 2
    };
    let first = decoder.symbol(FIRST_GAIN[kind]) * 8;
    let mut gain = i32::try_from(first + decoder.symbol(THREE_BITS)).ok()?;
    let mut gains = [0; 4];
    for (number, to) in gains[..count].iter_mut().enumerate() {
        if number > 0 {
            let change = i32::try_from(decoder.symbol(GAIN_CHANGE)).ok()? - FASTEST_FALL;
            // Large rises count twice beyond what else could not reach the highest gain.
            gain += change.max(2 * change - (gain + 8));
        }
        gain = gain.clamp(0, i32::from(HIGHEST));
        *to = Gain::try_from(gain).ok()?;
    }
    Some(SilkGains { gains, count })
}

/// The range decoder of RFC 6716, 4.1, as far as it is needed here. Beyond the end all bytes are zero.
struct RangeDecoder<'a> {
    bytes: std::slice::Iter<'a, u8>,
    range: u32,
    value: u32,
    /// The byte whose last bit has not been used yet.
    rest: u32,
}

impl<'a> RangeDecoder<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let mut decoder = Self { bytes: bytes.iter(), range: 128, value: 0, rest: 0 };
        decoder.rest = decoder.next_byte();
        decoder.value = 127 - (decoder.rest >> 1);
        decoder.normalise();
        decoder
    }

    fn next_byte(&mut self) -> u32 {
        self.bytes.next().copied().unwrap_or(0).into()
    }

    fn normalise(&mut self) {
        while self.range <= 1 << 23 {
            self.range <<= 8;
            let before = self.rest;
            self.rest = self.next_byte();
            let byte = (before << 8 | self.rest) >> 1 & 0xff;
            self.value = (self.value << 8 | (0xff - byte)) & 0x7fff_ffff;
        }
    }

    /// A bit that is as often set as not.
    fn bit(&mut self) -> bool {
        let half = self.range >> 1;
        let is_set = self.value < half;
        if is_set {
            self.range = half;
        } else {
            self.value -= half;
            self.range -= half;
        }
        self.normalise();
        is_set
    }

    /// A symbol whose probabilities are given by what is left of 256 after each; the last is 0.
    fn symbol(&mut self, left: &[u8]) -> usize {
        let step = self.range >> 8;
        let mut above = self.range;
        for (symbol, &left) in left.iter().enumerate() {
            let below = step * u32::from(left);
            if self.value >= below {
                self.value -= below;
                self.range = above - below;
                self.normalise();
                return symbol;
            }
            above = below;
        }
        // A value is never below zero, which is the last.
        0
    }
}

#[cfg(test)]
mod tests {
    use super::super::opus::{DecodeRate, Decoder, Dtx};
    use super::super::testing::{SHIPPED, SignalPart, encode, frames_of, signal};
    use super::*;
    use crate::audio::loudness::Level;

    fn all(packets: &[Vec<u8>]) -> Vec<Gain> {
        let gains = packets.iter().filter_map(|packet| silk_gains(packet));
        gains.flat_map(|gains| gains.as_slice().to_vec()).collect()
    }

    #[test]
    fn gains_follow_the_level_of_speech_at_all_rates() {
        let (mut decoder, mut samples) = (Decoder::new(DecodeRate::Fullband).unwrap(), Vec::new());
        for rate in [12_000, 32_000] {
            let (mut gains, mut levels) = (Vec::new(), Vec::new());
            for (_, clip) in &SHIPPED[..2] {
                let mut sound = Vec::new();
                for frame in frames_of(clip, 0) {
                    decoder.decode(&frame, &mut samples).unwrap();
                    sound.extend_from_slice(&samples);
                }
                let packets = encode(&sound, rate, Dtx::Off);
                for packet in &packets {
                    let found = silk_gains(packet).expect("it is speech");
                    decoder.decode(packet, &mut samples).unwrap();
                    for (gain, part) in found.as_slice().iter().zip(samples.chunks(240)) {
                        let power: f32 = part.iter().map(|one| one * one).sum::<f32>() / 240.0;
                        gains.push(f32::from(*gain));
                        levels.push(10.0 * power.max(1e-9).log10());
                    }
                }
            }
            let found = correlation(&gains, &levels);
            assert!(found > 0.8, "{found} at {rate}");
        }
    }

    fn correlation(one: &[f32], other: &[f32]) -> f32 {
        let count = one.len() as f32;
        let mean = |all: &[f32]| all.iter().sum::<f32>() / count;
        let (a, b) = (mean(one), mean(other));
        let sum = |f: &dyn Fn(f32, f32) -> f32| {
            one.iter().zip(other).map(|(x, y)| f(x - a, y - b)).sum::<f32>()
        };
        sum(&|x, y| x * y) / (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt()
    }

    #[test]
    fn digital_silence_has_the_lowest_gain_as_soon_as_gains_may_fall_to_it() {
        let parts = [SignalPart::Voice(400), SignalPart::Quiet(200), SignalPart::Voice(200)];
        let gains = all(&encode(&signal(&parts, Level(-120.0)), 32_000, Dtx::Off));
        assert_eq!(gains.len(), 160);
        let (voice, silence) = (&gains[40..78], &gains[96..120]);
        assert!(voice.iter().all(|gain| *gain > 15), "{gains:?}");
        assert!(silence.iter().all(|gain| *gain <= 1), "{gains:?}");
        let fast = gains[80..90].windows(2).filter(|two| two[0].saturating_sub(two[1]) == 4);
        assert!(fast.count() >= 5, "{gains:?}");
    }

    #[test]
    fn only_frames_of_speech_have_gains_and_no_bytes_panic() {
        let mut rng = rushhour_core::rng::SeededRng::new(3);
        for _ in 0..20_000 {
            let length = usize::try_from(rng.below(40)).unwrap();
            let bytes: Vec<u8> = (0..length).map(|_| rng.next_u64().to_le_bytes()[0]).collect();
            let gains = silk_gains(&bytes);
            assert!(gains.is_none_or(|gains| gains.as_slice().iter().all(|gain| *gain <= HIGHEST)));
        }
        // Music; two channels; two frames; discontinuous transmission.
        for toc in [16 << 3, 9 << 3 | 4, 9 << 3 | 1] {
            assert_eq!(silk_gains(&[toc, 200, 1, 2]), None, "{toc}");
        }
        assert_eq!(silk_gains(&[9 << 3]), None);
    }
}
