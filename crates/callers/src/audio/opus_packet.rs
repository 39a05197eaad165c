//! The header of an Opus packet (RFC 6716, section 3).

use rushhour_core::units::Micros;

/// The longest duration of a packet (RFC 6716, 3.2.5, R5).
const MAX_DURATION: Micros = Micros::from_millis(120);

/// A packet of at most this size is silence under discontinuous transmission (RFC 7587, 3.1.3): one byte, which holds
/// no audio, or two with padding.
pub(super) const MAX_DTX_BYTES: usize = 2;

/// The duration of the packet's audio; `None` if it is not a valid Opus packet.
pub(super) fn duration(payload: &[u8]) -> Option<Micros> {
    let (&toc, rest) = payload.split_first()?;
    // RFC 6716, table 2: the frame duration of each configuration, in microseconds.
    let frame = match toc >> 3 {
        config @ 0..=11 => [10_000, 20_000, 40_000, 60_000][usize::from(config & 3)],
        config @ 12..=15 => [10_000, 20_000][usize::from(config & 1)],
        config => [2_500, 5_000, 10_000, 20_000][usize::from(config & 3)],
    };
    // RFC 6716, 3.2: the number of frames; for code 3 it is in the next byte.
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u64::from(rest.first()? & 0x3f),
    };
    let duration = Micros(frame * frames);
    (duration > Micros::ZERO && duration <= MAX_DURATION).then_some(duration)
}

/// The duration in samples of Opus's clock.
pub(super) const fn samples_of(duration: Micros) -> u64 {
    duration.0 * 48 / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_agree_with_libopus() {
        let mut valid = 0;
        for toc in 0..=u8::MAX {
            for count in [0, 1, 2, 3, 6, 12, 48, 49, 63, 0xc1, 0x82] {
                let payload = [toc, count, 0, 0];
                let samples =
                    opusic_c::utils::get_nb_samples(&payload, opusic_c::SampleRate::Hz48000);
                let theirs = samples.ok().filter(|samples| *samples > 0);
                let ours = duration(&payload).map(|duration| duration.0 * 48 / 1_000);
                assert_eq!(ours, theirs.map(|samples| samples as u64), "{toc:#x} {count}");
                valid += usize::from(ours.is_some());
            }
        }
        assert!(valid > 1_500, "{valid}");
        assert_eq!(duration(&[]), None);
        assert_eq!(duration(&[3]), None);
    }
}
