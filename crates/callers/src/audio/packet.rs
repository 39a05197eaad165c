//! What an Opus packet says of itself in its first bytes (RFC 6716, section 3).

use rushhour_core::units::Micros;

/// The longest that a packet may last (RFC 6716, 3.2.5, R5).
const LONGEST: Micros = Micros::from_millis(120);

/// A packet of no more bytes than this is silence: the frames of a sender that describes its
/// silence no longer (RFC 7587, 3.1.3) have one byte, the first, which holds no sound; two with padding.
pub(super) const SILENT_BYTES: usize = 2;

/// How long the packet's sound lasts; `None` where the bytes are no Opus packet.
pub(super) fn length(payload: &[u8]) -> Option<Micros> {
    let (&contents, rest) = payload.split_first()?;
    // RFC 6716, table 2: the configuration's frame size, in microseconds.
    let frame = match contents >> 3 {
        config @ 0..=11 => [10_000, 20_000, 40_000, 60_000][usize::from(config & 3)],
        config @ 12..=15 => [10_000, 20_000][usize::from(config & 1)],
        config => [2_500, 5_000, 10_000, 20_000][usize::from(config & 3)],
    };
    // RFC 6716, 3.2: how many frames there are, in code 3 by the low six bits of the next byte.
    let frames = match contents & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u64::from(rest.first()? & 0x3f),
    };
    let length = Micros(frame * frames);
    (length > Micros::ZERO && length <= LONGEST).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_that_libopus_tells() {
        let mut told = 0;
        for contents in 0..=u8::MAX {
            for count in [0, 1, 2, 3, 6, 12, 48, 49, 63, 0xc1, 0x82] {
                let payload = [contents, count, 0, 0];
                let samples =
                    opusic_c::utils::get_nb_samples(&payload, opusic_c::SampleRate::Hz48000);
                let theirs = samples.ok().filter(|samples| *samples > 0);
                let ours = length(&payload).map(|length| length.0 * 48 / 1_000);
                assert_eq!(ours, theirs.map(|samples| samples as u64), "{contents:#x} {count}");
                told += usize::from(ours.is_some());
            }
        }
        assert!(told > 1_500, "{told}");
        assert_eq!(length(&[]), None);
        assert_eq!(length(&[3]), None);
    }
}
