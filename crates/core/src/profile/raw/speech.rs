//! `[speech]` and the `voice` of a scenario as written.

use crate::profile::settings::voice::VoiceBand;
use crate::profile::table::raw_table;
use crate::units::{Decibels, PositiveDuration, SoundLevel};

raw_table! {
    /// What says the words of turns that have `say` and no `play`: a program or a service. Each text is synthesised once, before the session, and kept for the next in `$RUSHHOUR_CACHE`, `$XDG_CACHE_HOME/rushhour` or `~/.cache/rushhour`; native only.
    RawSpeech {
        /// A program with its arguments, such as `"espeak-ng --stdout -v de"`, which writes a WAV or Ogg Opus file to its standard output. It gets the text on its standard input, or where an argument has `{text}`. It is run without a shell, in the profile's folder.
        command: String,
        /// A service with OpenAI's `/audio/speech` instead, such as `"https://api.openai.com/v1"`. The environment's SPEECH_API_KEY, or the file that `key_file` names, is sent to it, if there is one.
        url: String,
        /// The service's model; required with `url`.
        model: String,
        /// The service's voice; required with `url`.
        voice: String,
        /// A file with the service's key, relative to the profile.
        key_file: String,
        /// How long the synthesis of one text may take.
        within: PositiveDuration,
    }
}

raw_table! {
    /// How the callers of a scenario sound in voice; native only.
    RawVoice {
        /// How far the noise around the caller is below its speech, such as `"10dB"`: pink noise drawn from the seed, between turns too; no noise if not given.
        snr: Decibels,
        /// The frequency band of its line.
        band: VoiceBand,
        /// The level of its speech without pauses, such as `"-26dBFS"`; the clips' own level if not given.
        level: SoundLevel,
    }
}
