//! Reads Ogg Opus files (RFC 7845) as mono samples at 48 kHz.

use std::io::{Cursor, ErrorKind};

use ogg::{OggReadError, Packet, PacketReader};

use super::clip::check_duration;
use super::clip_error::ClipError;
use super::opus::{DecodeRate, Decoder, SAMPLE_RATE};
use super::opus_packet;
use rushhour_core::units::Micros;

/// The first bytes of an Ogg file.
pub(super) const MAGIC: &[u8] = b"OggS";

/// The identification header (RFC 7845, 5.1).
struct Head {
    /// Samples to discard at the beginning.
    pre_skip: usize,
    /// The output gain, as a factor.
    gain: f32,
}

/// The samples of an Ogg Opus file with one or two channels; of a chained file, those of the first stream.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<f32>, ClipError> {
    let mut reader = PacketReader::new(Cursor::new(bytes));
    let first = next_packet(&mut reader)?;
    let head = read_head(&first.data)?;
    let serial = first.stream_serial();
    let tags = next_packet(&mut reader)?;
    if tags.stream_serial() != serial || !tags.data.starts_with(b"OpusTags") {
        return Err(ClipError::Damaged("no OpusTags after OpusHead".to_owned()));
    }
    let mut decoder = Decoder::new(DecodeRate::Fullband)?;
    let mut samples = Vec::new();
    let mut decoded = Vec::new();
    let mut duration = Micros::ZERO;
    // The tags end the stream only if there is no audio at all.
    let mut is_last = tags.last_in_stream();
    let mut end = 0;
    while !is_last {
        let packet = next_packet(&mut reader)?;
        if packet.stream_serial() != serial {
            continue;
        }
        is_last = packet.last_in_stream();
        end = packet.absgp_page();
        duration = duration + opus_packet::duration(&packet.data).ok_or_else(invalid_packet)?;
        check_duration(duration.saturating_sub(skipped(&head)))?;
        decoder.decode(&packet.data, &mut decoded).map_err(|_| invalid_packet())?;
        samples.extend_from_slice(&decoded);
    }
    // The last page's granule position is where the audio ends, which may be within a packet (RFC 7845, 4.4).
    if let Ok(end) = usize::try_from(end) {
        samples.truncate(end);
    }
    let audible = samples.get(head.pre_skip..).unwrap_or_default();
    Ok(audible.iter().map(|sample| (sample * head.gain).clamp(-1.0, 1.0)).collect())
}

fn invalid_packet() -> ClipError {
    ClipError::Damaged("a packet is not valid Opus".to_owned())
}

fn skipped(head: &Head) -> Micros {
    Micros(head.pre_skip as u64 * 1_000_000 / u64::from(SAMPLE_RATE))
}

fn read_head(data: &[u8]) -> Result<Head, ClipError> {
    if !data.starts_with(b"OpusHead") {
        return Err(ClipError::NotOpus);
    }
    let &[version, channels, skip_low, skip_high, _, _, _, _, gain_low, gain_high, family, ..] =
        &data[8..]
    else {
        return Err(ClipError::Damaged("OpusHead is too short".to_owned()));
    };
    if version >> 4 != 0 {
        return Err(ClipError::Unsupported(format!("Ogg Opus of version {version}")));
    }
    if !(1..=2).contains(&channels) {
        return Err(ClipError::Channels { channels: channels.into() });
    }
    if family > 1 {
        return Err(ClipError::Unsupported(format!(
            "Ogg Opus with channel mapping family {family}"
        )));
    }
    // Decibels as a fixed-point number with eight fractional bits.
    let decibels = f32::from(i16::from_le_bytes([gain_low, gain_high])) / 256.0;
    let pre_skip = u16::from_le_bytes([skip_low, skip_high]).into();
    Ok(Head { pre_skip, gain: 10.0_f32.powf(decibels / 20.0) })
}

fn next_packet(reader: &mut PacketReader<Cursor<&[u8]>>) -> Result<Packet, ClipError> {
    reader.read_packet().map_err(clip_error)?.ok_or(ClipError::Truncated)
}

fn clip_error(error: OggReadError) -> ClipError {
    match error {
        OggReadError::ReadError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            ClipError::Truncated
        }
        OggReadError::HashMismatch(..) => {
            ClipError::Damaged("the checksum of a page is wrong".to_owned())
        }
        other => ClipError::Damaged(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use ogg::{PacketWriteEndInfo, PacketWriter};

    use super::super::loudness::Level;
    use super::super::opus::Dtx;
    use super::super::testing::{SMITH, SignalPart, encode, signal};
    use super::*;

    /// A file of one second in 50 packets, whose last granule position is `end`.
    fn file(head: &[u8], end: u64) -> Vec<u8> {
        let frames = encode(&signal(&[SignalPart::Voice(1_000)], Level(-70.0)), 24_000, Dtx::Off);
        let mut bytes = Vec::new();
        let mut writer = PacketWriter::new(&mut bytes);
        let mut write = |data: Vec<u8>, info, position| {
            writer.write_packet(data, 1, info, position).unwrap();
        };
        write(head.to_vec(), PacketWriteEndInfo::EndPage, 0);
        write(b"OpusTags\0\0\0\0\0\0\0\0".to_vec(), PacketWriteEndInfo::EndPage, 0);
        for frame in &frames[..49] {
            write(frame.clone(), PacketWriteEndInfo::NormalPacket, 0);
        }
        write(frames[49].clone(), PacketWriteEndInfo::EndStream, end);
        bytes
    }

    const HEAD: [u8; 19] = *b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0";

    #[test]
    fn audio_begins_after_the_pre_skip_and_ends_at_the_last_granule_position() {
        assert_eq!(read(&file(&HEAD, 47_500)).unwrap().len(), 47_500 - 312);
        assert_eq!(read(&file(&HEAD, 48_000)).unwrap().len(), 48_000 - 312);
        assert_eq!(read(&file(&HEAD, u64::MAX)).unwrap().len(), 48_000 - 312);
    }

    #[test]
    fn the_output_gain_is_applied() {
        let plain = read(&file(&HEAD, 48_000)).unwrap();
        let mut head = HEAD;
        // -6 dB.
        head[16..18].copy_from_slice(&(-6_i16 * 256).to_le_bytes());
        let softer = read(&file(&head, 48_000)).unwrap();
        assert!((softer[9_000] - plain[9_000] * 0.501_187).abs() < 1e-6);
    }

    #[test]
    fn unsupported_and_damaged_files_are_named() {
        let with = |index: usize, value: u8| {
            let mut head = HEAD;
            head[index] = value;
            read(&file(&head, 48_000))
        };
        assert_eq!(with(0, b'X'), Err(ClipError::NotOpus));
        assert_eq!(with(9, 6), Err(ClipError::Channels { channels: 6 }));
        assert!(matches!(with(8, 0x10), Err(ClipError::Unsupported(_))));
        assert!(matches!(with(18, 2), Err(ClipError::Unsupported(_))));
        assert!(matches!(read(&file(&HEAD[..15], 48_000)), Err(ClipError::Damaged(_))));
        let mut damaged = SMITH.to_vec();
        damaged[3_000] ^= 1;
        assert!(matches!(read(&damaged), Err(ClipError::Damaged(_))));
        for length in [60, 500, 3_000, SMITH.len() - 1] {
            assert_eq!(read(&SMITH[..length]), Err(ClipError::Truncated), "{length}");
        }
    }
}
