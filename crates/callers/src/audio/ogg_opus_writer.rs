//! Writes Ogg Opus (RFC 7845) from packets as they are: nothing is decoded or encoded.

use std::sync::Arc;

use ogg::{PacketWriteEndInfo, PacketWriter};

use super::opus_packet::{self, samples_of};
use rushhour_core::units::Micros;

/// A page ends with the first packet that makes it as long as this (RFC 7845, 6, advises a second).
const PAGE_SAMPLES: u64 = 48_000;

/// The version, one channel, nothing to skip, 48 kHz, no gain, mapping family 0 (RFC 7845, 5.1). A decoder makes one
/// channel of stereo packets. Nothing is skipped at the beginning: a listener hears an encoder's delay too.
const HEAD: [u8; 19] = *b"OpusHead\x01\x01\0\0\x80\xbb\0\0\0\0\0";

/// An Ogg Opus stream that is being written. Its granule position says when each packet is heard.
pub(super) struct OggOpusWriter {
    pages: PacketWriter<'static, Vec<u8>>,
    serial: u32,
    /// Where the last packet ends, in samples.
    position: u64,
    page_start: u64,
    /// The last packet, whose page is not known yet: the end of the stream is marked on it.
    last: Option<Arc<[u8]>>,
}

impl OggOpusWriter {
    /// A stream with its headers. `vendor` and `comments`, such as `TITLE=...`, are shown by players.
    pub(super) fn new(serial: u32, comments: &[String]) -> Self {
        let mut writer = Self {
            pages: PacketWriter::new(Vec::new()),
            serial,
            position: 0,
            page_start: 0,
            last: None,
        };
        writer.write(HEAD.to_vec(), PacketWriteEndInfo::EndPage, 0);
        writer.write(tags(comments), PacketWriteEndInfo::EndPage, 0);
        writer
    }

    /// Where the next packet begins, in samples.
    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    /// Appends a packet. One that is not valid Opus is left out.
    pub(super) fn push(&mut self, packet: Arc<[u8]>) {
        let Some(duration) = opus_packet::duration(&packet) else { return };
        if let Some(last) = self.last.replace(packet) {
            let is_full = self.position - self.page_start >= PAGE_SAMPLES;
            let end = if is_full {
                self.page_start = self.position;
                PacketWriteEndInfo::EndPage
            } else {
                PacketWriteEndInfo::NormalPacket
            };
            self.write(last.to_vec(), end, self.position);
        }
        self.position += samples_of(duration);
    }

    /// Ends the stream at `end`, which may be within its last packet.
    pub(super) fn finish(&mut self, end: u64) {
        // A stream without audio ends with a packet that is not heard.
        let last = self.last.take().unwrap_or_else(|| Arc::from(silence(STEP).as_slice()));
        let duration = opus_packet::duration(&last).map_or(0, samples_of);
        let end = end.clamp(self.position.saturating_sub(duration), self.position);
        self.write(last.to_vec(), PacketWriteEndInfo::EndStream, end);
    }

    /// The bytes of the pages that are complete.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.pages.inner_mut())
    }

    /// The number of these bytes.
    pub(super) fn pending(&self) -> usize {
        self.pages.inner().len()
    }

    fn write(&mut self, packet: Vec<u8>, end: PacketWriteEndInfo, position: u64) {
        self.pages
            .write_packet(packet, self.serial, end, position)
            .expect("memory takes whatever is written to it");
    }
}

/// The comment header (RFC 7845, 5.2).
fn tags(comments: &[String]) -> Vec<u8> {
    let length =
        |count: usize| u32::try_from(count).expect("comments are few and short").to_le_bytes();
    let mut bytes = b"OpusTags".to_vec();
    let vendor = "rushhour";
    bytes.extend(length(vendor.len()));
    bytes.extend(vendor.bytes());
    bytes.extend(length(comments.len()));
    for comment in comments {
        bytes.extend(length(comment.len()));
        bytes.extend(comment.bytes());
    }
    bytes
}

/// The steps in which gaps can be filled, in samples: Opus's shortest frame.
pub(super) const STEP: u64 = 120;

/// A packet of silence of 20, 10, 5 or 2.5 ms, the longest that fits: a CELT frame with only the silence flag (RFC 6716,
/// 3.1 and 4.3).
pub(super) fn silence(samples: u64) -> [u8; 3] {
    let config = match samples {
        960.. => 31,
        480.. => 30,
        240.. => 29,
        _ => 28,
    };
    [config << 3, 0xff, 0xfe]
}

/// A packet in place of one that is missing after `packet`: it has no bytes, so that a decoder conceals it as it does a
/// lost one (RFC 7845, 4.1). `None` if `packet` is not valid.
pub(super) fn concealed(packet: &[u8]) -> Option<[u8; 1]> {
    let &toc = packet.first()?;
    Some([toc & 0xfc])
}

/// How long a player would take for so many samples.
pub(super) const fn duration_of(samples: u64) -> Micros {
    Micros(samples * 1_000 / 48)
}

#[cfg(test)]
mod tests {
    use super::super::loudness::Level;
    use super::super::ogg_opus;
    use super::super::opus::{DecodeRate, Decoder, Dtx};
    use super::super::testing::{SignalPart, encode, signal};
    use super::*;

    #[test]
    fn the_reader_reads_what_was_written() {
        let signal = signal(&[SignalPart::Voice(2_500)], Level(-70.0));
        let frames = encode(&signal, 24_000, Dtx::Off);
        let mut writer = OggOpusWriter::new(5, &["TITLE=run 3".to_owned()]);
        let mut bytes = Vec::new();
        for frame in &frames {
            writer.push(Arc::from(frame.as_slice()));
            bytes.extend(writer.take());
        }
        assert_eq!(writer.position(), 2_500 * 48);
        writer.finish(2_500 * 48 - 500);
        bytes.extend(writer.take());
        let read = ogg_opus::read(&bytes).unwrap();
        let mut decoder = Decoder::new(DecodeRate::Fullband).unwrap();
        let (mut expected, mut samples) = (Vec::new(), Vec::new());
        for frame in &frames {
            decoder.decode(frame, &mut samples).unwrap();
            expected.extend_from_slice(&samples);
        }
        expected.truncate(2_500 * 48 - 500);
        assert!(read == expected, "every sample is what the packets decode to");
    }

    #[test]
    fn a_stream_without_audio_can_be_read() {
        let mut writer = OggOpusWriter::new(5, &[]);
        writer.finish(0);
        assert_eq!(ogg_opus::read(&writer.take()).unwrap(), Vec::<f32>::new());
    }

    #[test]
    fn silence_of_every_duration_is_silent_and_as_long() {
        let mut decoder = Decoder::new(DecodeRate::Fullband).unwrap();
        let mut samples = Vec::new();
        for (asked, given) in [(5_000, 960), (960, 960), (959, 480), (479, 240), (239, 120)] {
            let packet = silence(asked);
            decoder.decode(&packet, &mut samples).unwrap();
            assert_eq!(samples.len(), given, "{asked}");
            assert!(samples.iter().all(|sample| sample.abs() < 1e-4), "{asked}");
        }
    }

    #[test]
    fn a_concealed_packet_is_as_long_as_a_frame_of_the_one_before() {
        let frames = encode(&signal(&[SignalPart::Voice(400)], Level(-70.0)), 24_000, Dtx::Off);
        let concealed = concealed(&frames[10]).unwrap();
        assert_eq!(opus_packet::duration(&concealed), Some(Micros::from_millis(20)));
        let mut decoder = Decoder::new(DecodeRate::Fullband).unwrap();
        let mut samples = Vec::new();
        for frame in &frames[..=10] {
            decoder.decode(frame, &mut samples).unwrap();
        }
        decoder.decode(&concealed, &mut samples).unwrap();
        assert_eq!(samples.len(), 960);
        let loudest = samples.iter().fold(0.0_f32, |loudest, sample| loudest.max(sample.abs()));
        assert!(loudest > 0.01, "the voice goes on: {loudest}");
    }
}
