//! Reads WAV files as mono samples at 48 kHz.

use std::io::{Cursor, ErrorKind};

use hound::{SampleFormat, WavReader, WavSpec};

use super::clip::check_duration;
use super::clip_error::ClipError;
use super::opus::SAMPLE_RATE;
use super::resample::resample;
use rushhour_core::units::Micros;

/// The lowest supported sample rate, in hertz.
pub(super) const MIN_RATE: u32 = 8_000;
/// The highest supported sample rate, in hertz.
pub(super) const MAX_RATE: u32 = 96_000;

/// The first bytes of a WAV file.
pub(super) const MAGIC: &[u8] = b"RIFF";

/// The samples of a WAV file with one or two channels, in 8, 16, 24 or 32-bit integers or 32-bit floats.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<f32>, ClipError> {
    let mut reader = WavReader::new(Cursor::new(bytes)).map_err(clip_error)?;
    let spec = reader.spec();
    check(spec)?;
    let frames = u64::from(reader.duration());
    check_duration(Micros(frames * 1_000_000 / u64::from(spec.sample_rate)))?;
    // Checked before any memory is allocated for it.
    let announced = frames * u64::from(spec.channels) * u64::from(spec.bits_per_sample / 8);
    if announced > bytes.len() as u64 {
        return Err(ClipError::Truncated);
    }
    let samples = read_samples(&mut reader, spec)?;
    let channels = usize::from(spec.channels);
    let mono: Vec<f32> = samples
        .chunks_exact(channels)
        .map(|all| all.iter().sum::<f32>() / channels as f32)
        .collect();
    Ok(resample(&mono, spec.sample_rate, SAMPLE_RATE))
}

fn check(spec: WavSpec) -> Result<(), ClipError> {
    if !(MIN_RATE..=MAX_RATE).contains(&spec.sample_rate) {
        return Err(ClipError::SampleRate { hertz: spec.sample_rate });
    }
    if !(1..=2).contains(&spec.channels) {
        return Err(ClipError::Channels { channels: spec.channels });
    }
    match (spec.sample_format, spec.bits_per_sample) {
        (SampleFormat::Int, 8 | 16 | 24 | 32) | (SampleFormat::Float, 32) => Ok(()),
        (SampleFormat::Int, bits) => {
            Err(ClipError::Unsupported(format!("WAV with {bits}-bit integers")))
        }
        (SampleFormat::Float, bits) => {
            Err(ClipError::Unsupported(format!("WAV with {bits}-bit floats")))
        }
    }
}

fn read_samples(
    reader: &mut WavReader<Cursor<&[u8]>>,
    spec: WavSpec,
) -> Result<Vec<f32>, ClipError> {
    match spec.sample_format {
        SampleFormat::Float => reader
            .samples::<f32>()
            .map(|sample| match sample {
                Ok(value) if value.is_finite() => Ok(value.clamp(-1.0, 1.0)),
                Ok(value) => Err(ClipError::Damaged(format!("a sample is {value}"))),
                Err(error) => Err(clip_error(error)),
            })
            .collect(),
        SampleFormat::Int => {
            let full_scale = (1_u64 << (spec.bits_per_sample - 1)) as f32;
            reader
                .samples::<i32>()
                .map(|sample| sample.map(|value| value as f32 / full_scale).map_err(clip_error))
                .collect()
        }
    }
}

fn clip_error(error: hound::Error) -> ClipError {
    match error {
        hound::Error::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            ClipError::Truncated
        }
        // hound has no other sign of an incomplete sample.
        hound::Error::IoError(error) if error.to_string() == "Failed to read enough bytes." => {
            ClipError::Truncated
        }
        hound::Error::IoError(error) => ClipError::Damaged(error.to_string()),
        hound::Error::Unsupported => ClipError::Unsupported("WAV with compressed audio".to_owned()),
        hound::Error::FormatError("no WAVE tag found") => ClipError::UnknownFormat,
        hound::Error::FormatError(problem) => ClipError::Damaged(problem.to_owned()),
        other => ClipError::Damaged(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use hound::WavWriter;

    use super::*;

    fn file(spec: WavSpec, write: impl Fn(&mut WavWriter<&mut Cursor<Vec<u8>>>)) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut bytes, spec).unwrap();
        write(&mut writer);
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    const fn spec(channels: u16, rate: u32, bits: u16, sample_format: SampleFormat) -> WavSpec {
        WavSpec { channels, sample_rate: rate, bits_per_sample: bits, sample_format }
    }

    #[test]
    fn every_sample_format_is_read() {
        for bits in [8, 16, 24, 32] {
            let half = 1_i32 << (bits - 2);
            let bytes = file(spec(1, 48_000, bits, SampleFormat::Int), |writer| {
                writer.write_sample(half).unwrap();
                writer.write_sample(-half).unwrap();
            });
            assert_eq!(read(&bytes).unwrap(), [0.5, -0.5], "{bits}");
        }
        let bytes = file(spec(2, 48_000, 32, SampleFormat::Float), |writer| {
            for sample in [0.5_f32, 0.25, 3.0, 3.0] {
                writer.write_sample(sample).unwrap();
            }
        });
        assert_eq!(read(&bytes).unwrap(), [0.375, 1.0]);
    }

    #[test]
    fn unsupported_and_damaged_files_are_named() {
        let whole = file(spec(1, 16_000, 16, SampleFormat::Int), |writer| {
            for _ in 0..100 {
                writer.write_sample(100_i16).unwrap();
            }
        });
        assert_eq!(read(&whole[..100]), Err(ClipError::Truncated));
        assert_eq!(read(&whole[..20]), Err(ClipError::Truncated));
        let of = |spec| read(&file(spec, |_| ()));
        let slow = of(spec(1, 4_000, 16, SampleFormat::Int));
        assert_eq!(slow, Err(ClipError::SampleRate { hertz: 4_000 }));
        let wide = of(spec(6, 48_000, 16, SampleFormat::Int));
        assert_eq!(wide, Err(ClipError::Channels { channels: 6 }));
        let bytes = file(spec(1, 48_000, 32, SampleFormat::Float), |writer| {
            writer.write_sample(f32::NAN).unwrap();
        });
        assert!(matches!(read(&bytes), Err(ClipError::Damaged(_))));
        assert_eq!(read(b"RIFF\x04\0\0\0AVI "), Err(ClipError::UnknownFormat));
    }
}
