//! `[[scenario]]`, and the script files of native callers, as written.

use crate::profile::table::raw_table;
use crate::units::{PositiveDuration, ScenarioId};

raw_table! {
    /// One scenario.
    RawScenario {
        /// Its number at the evaluator.
        id: ScenarioId,
        /// Its name in reports.
        name: String,
        /// How many times to run it.
        copies: u32,
        /// Its share among the scenarios, if the stages determine the number of runs.
        weight: f64,
        /// Its expected duration, for forecasts and polling.
        lasts: PositiveDuration,
        /// Its expected duration in the chat run of a paired session, if that differs.
        chat_lasts: PositiveDuration,
        /// What a native caller says: a TOML file of turns, relative to the profile.
        script: String,
        /// The number of the matching scenario at Cekura, if Cekura judges its runs.
        cekura: ScenarioId,
    }
}

raw_table! {
    /// A conversation from the caller's side.
    RawScript {
        /// The greeting that the agent opens with; without it the caller speaks first.
        greeting: RawGreeting,
        /// The turns, one after the other.
        turn: Vec<RawTurn>,
    }
}

raw_table! {
    /// The greeting that the agent opens with.
    RawGreeting {
        /// A regular expression that its text must match.
        expect: String,
        /// How long after joining the agent may take to begin it.
        within: PositiveDuration,
    }
}

raw_table! {
    /// One turn.
    RawTurn {
        /// The text to send in chat.
        say: String,
        /// The audio to play in voice: a WAV or Ogg Opus file, relative to the script.
        play: String,
        /// The keys of a telephone to press in voice, instead of `play`: `0` to `9`, `*`, `#`, `A` to `D`. In chat the turn needs `say`.
        dtmf: String,
        /// A regular expression that the text of the answer must match.
        expect: String,
        /// How long after the end of the caller's turn the answer may take to begin.
        within: PositiveDuration,
        /// How long the caller waits before its turn, after the agent fell silent.
        pause: PositiveDuration,
        /// The caller begins this long after the agent began to speak, even if it still speaks.
        interrupt: PositiveDuration,
    }
}
