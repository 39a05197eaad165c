//! WAV files read as mono sound at 48 kHz.

use std::io::{Cursor, ErrorKind};

use hound::{SampleFormat, WavReader, WavSpec};

use super::clip::check_length;
use super::clip_error::ClipError;
use super::opus::SAMPLE_RATE;
use super::resample::resample;
use crate::units::Micros;

/// The fewest samples a second that are read.
pub(super) const LOWEST_RATE: u32 = 8_000;
/// The most samples a second that are read.
pub(super) const HIGHEST_RATE: u32 = 96_000;

/// How a WAV file begins.
pub(super) const MAGIC: &[u8] = b"RIFF";

/// The sound of a WAV file: whole numbers of 8, 16, 24 or 32 bits or fractions of 32, one or two channels.
///
/// # Errors
/// Where the file is of another kind, damaged, cut off, or too long.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<f32>, ClipError> {
    let mut reader = WavReader::new(Cursor::new(bytes)).map_err(explain)?;
    let spec = reader.spec();
    check(spec)?;
    let frames = u64::from(reader.duration());
    check_length(Micros(frames * 1_000_000 / u64::from(spec.sample_rate)))?;
    // Told before anything is set aside for it.
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
    if !(LOWEST_RATE..=HIGHEST_RATE).contains(&spec.sample_rate) {
        return Err(ClipError::Rate { hertz: spec.sample_rate });
    }
    if !(1..=2).contains(&spec.channels) {
        return Err(ClipError::Channels { channels: spec.channels });
    }
    match (spec.sample_format, spec.bits_per_sample) {
        (SampleFormat::Int, 8 | 16 | 24 | 32) | (SampleFormat::Float, 32) => Ok(()),
        (SampleFormat::Int, bits) => {
            Err(ClipError::Unsupported(format!("a WAV file of {bits}-bit whole numbers")))
        }
        (SampleFormat::Float, bits) => {
            Err(ClipError::Unsupported(format!("a WAV file of {bits}-bit fractions")))
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
                Ok(value) => Err(ClipError::Damaged(format!("{value} is no sample"))),
                Err(error) => Err(explain(error)),
            })
            .collect(),
        SampleFormat::Int => {
            let full_scale = (1_u64 << (spec.bits_per_sample - 1)) as f32;
            reader
                .samples::<i32>()
                .map(|sample| sample.map(|value| value as f32 / full_scale).map_err(explain))
                .collect()
        }
    }
}

fn explain(error: hound::Error) -> ClipError {
    match error {
        hound::Error::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            ClipError::Truncated
        }
        // The reader tells of a sample that ends too soon in this way only.
        hound::Error::IoError(error) if error.to_string() == "Failed to read enough bytes." => {
            ClipError::Truncated
        }
        hound::Error::IoError(error) => ClipError::Damaged(error.to_string()),
        hound::Error::Unsupported => {
            ClipError::Unsupported("a WAV file with compressed sound".to_owned())
        }
        hound::Error::FormatError("no WAVE tag found") => ClipError::UnknownFormat,
        hound::Error::FormatError(what) => ClipError::Damaged(what.to_owned()),
        other => ClipError::Damaged(other.to_string()),
    }
}
