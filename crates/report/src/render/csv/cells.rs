//! What cells of several files hold; empty where nothing is known.

use rushhour_core::event::SpeechQuality;
use rushhour_core::units::Micros;

/// In microseconds.
pub(super) fn duration(micros: Option<Micros>) -> String {
    micros.map_or(String::new(), |micros| micros.0.to_string())
}

pub(super) fn count(count: Option<u64>) -> String {
    count.map_or(String::new(), |count| count.to_string())
}

/// A share with six decimals.
pub(super) fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or(String::new(), |ratio| format!("{ratio:.6}"))
}

/// How many columns say how the agent sounded.
pub(super) const SPEECH_COLUMNS: usize = 7;

/// How the agent sounded, from `speech_us` to `speech.longest_gap_us`.
pub(super) fn speech_cells(sound: Option<SpeechQuality>) -> [String; SPEECH_COLUMNS] {
    [
        duration(sound.map(|sound| sound.speech)),
        count(sound.map(|sound| sound.gaps())),
        count(sound.map(|sound| sound.starved.into())),
        count(sound.map(|sound| sound.late.into())),
        count(sound.map(|sound| sound.lost.into())),
        duration(sound.map(|sound| sound.unheard())),
        duration(sound.map(|sound| sound.longest_gap)),
    ]
}
