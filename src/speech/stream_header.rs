//! WAV files whose header was written before their length was known.

/// From this length on, a header says that it did not know: `espeak-ng` writes 0x7ffff000, others 0xffffffff. Nothing that
/// long is read.
const UNKNOWN_LENGTH: u32 = 0x7fff_0000;

/// Corrects the lengths in the header of a WAV file that was written to a pipe, whose writer could not go back to them.
pub(super) fn with_true_length(mut wav: Vec<u8>) -> Vec<u8> {
    let Some(at) = data_length_at(&wav) else { return wav };
    let rest = wav.len() - at - 4;
    let said = u32::from_le_bytes([wav[at], wav[at + 1], wav[at + 2], wav[at + 3]]);
    // A header of zero is left as it was before anything was written.
    if said >= UNKNOWN_LENGTH || said == 0 && rest > 0 {
        // A sample that was not written to its end is left out; samples have at most four bytes in two channels.
        let whole = rest - rest % 8;
        wav.truncate(at + 4 + whole);
        let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
        wav[at..at + 4].copy_from_slice(&length(whole));
        let riff = length(wav.len() - 8);
        wav[4..8].copy_from_slice(&riff);
    }
    wav
}

/// Where the length of the samples stands.
fn data_length_at(wav: &[u8]) -> Option<usize> {
    if !wav.starts_with(b"RIFF") || wav.get(8..12)? != b"WAVE" {
        return None;
    }
    let mut at = 12;
    loop {
        let length = wav.get(at + 4..at + 8)?;
        if &wav[at..at + 4] == b"data" {
            return Some(at + 4);
        }
        let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
        // Chunks begin at even places.
        at = at.checked_add(8 + length as usize + (length as usize & 1))?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wav(length: u32, samples: &[u8]) -> Vec<u8> {
        let mut bytes = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
        bytes.extend([1, 0, 1, 0, 0x22, 0x56, 0, 0, 0x44, 0xac, 0, 0, 2, 0, 16, 0]);
        bytes.extend(b"LIST\x03\0\0\0abc\0data");
        bytes.extend(length.to_le_bytes());
        bytes.extend(samples);
        bytes
    }

    #[test]
    fn a_length_that_was_not_known_is_corrected() {
        for unknown in [0, 0x7fff_f000, u32::MAX] {
            let corrected = with_true_length(wav(unknown, &[7; 19]));
            assert_eq!(corrected[52..56], 16_u32.to_le_bytes(), "{unknown:x}");
            assert_eq!(corrected.len(), 72);
            assert_eq!(corrected[4..8], 64_u32.to_le_bytes());
        }
    }

    #[test]
    fn what_is_known_or_no_wav_file_is_left_as_it_is() {
        for bytes in [wav(16, &[7; 16]), wav(100, &[7; 16]), b"RIFF".to_vec(), b"OggS....".to_vec()]
        {
            assert_eq!(with_true_length(bytes.clone()), bytes);
        }
        // A chunk that leads beyond the end.
        let mut forged = wav(u32::MAX, &[7; 16]);
        forged[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(with_true_length(forged.clone()), forged);
    }
}
