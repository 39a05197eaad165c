//! `[[scenario]]`, and the script files of native callers, as written.

use crate::profile::diagnostic::Located;
use crate::profile::raw::speech::RawVoice;
use crate::profile::table::raw_table;
use crate::units::{Percent, PositiveDuration, ScenarioId};

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
        /// How its callers sound in voice, such as `{ snr = "10dB", band = "telephone" }`; native only.
        voice: RawVoice,
    }
}

raw_table! {
    /// A conversation from the caller's side.
    RawScript {
        /// The greeting that the agent opens with; without it the caller speaks first.
        greeting: RawGreeting,
        /// The turns, one after the other.
        turn: Vec<RawTurn>,
        /// What the caller does, before its next turn, when the agent says something that the turns do not foresee; the first that matches. Needs an agent that writes what it says.
        rule: Vec<RawRule>,
        /// Callers that hang up before the script is over.
        abandon: RawAbandon,
        /// Callers that call again after they hung up early, or after nobody answered.
        redial: RawRedial,
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
        /// The text to send in chat. In voice, what `play` says, or what [speech] is to say.
        say: String,
        /// The audio to play in voice: a WAV or Ogg Opus file, relative to the script.
        play: String,
        /// The keys of a telephone to press in voice, instead of `play`: `0` to `9`, `*`, `#`, `A` to `D`. In chat the turn needs `say`.
        dtmf: String,
        /// Key words of what is said that the agent must hear: its transcript of the caller is searched for each, in voice. Spellings are separated by `|`: `["eight|8", "Smith"]`.
        hears: Vec<Located<String>>,
        /// A regular expression that the text of the answer must match.
        expect: String,
        /// How long after the end of the caller's turn the answer may take to begin.
        within: PositiveDuration,
        /// How long the caller waits before its turn, after the agent fell silent.
        pause: PositiveDuration,
        /// The caller begins this long after the agent began to speak, even if it still speaks.
        interrupt: PositiveDuration,
        /// What the caller says in voice while the agent answers, without wanting the turn, such as `{ say = "mm-hm", after = "2s" }`: an agent that stops for it is told.
        backchannel: RawBackchannel,
    }
}

raw_table! {
    /// A sound with which a caller shows that it listens.
    RawBackchannel {
        /// Its words: what `play` says, or what [speech] is to say.
        say: String,
        /// Its audio: a WAV or Ogg Opus file, relative to the script.
        play: String,
        /// How long after the agent began to answer; 1s if not given.
        after: PositiveDuration,
    }
}

raw_table! {
    /// What the caller does when the agent says something.
    RawRule {
        /// A regular expression that what the agent said since the caller last spoke must match.
        hears: String,
        /// What the caller says then: the text in chat; in voice what `play` says, or what [speech] is to say.
        say: String,
        /// The audio to play in voice: a WAV or Ogg Opus file, relative to the script.
        play: String,
        /// The keys of a telephone to press in voice instead.
        dtmf: String,
        /// The caller hangs up instead, and the conversation is complete.
        hang_up: bool,
        /// How often the rule is followed in one conversation, 1 to 100; once if not given.
        at_most: u32,
        /// A regular expression that the text of the answer must match.
        expect: String,
        /// How long after the end of what the caller says the answer may take to begin; 20s if not given.
        within: PositiveDuration,
    }
}

raw_table! {
    /// Callers that hang up before the script is over: their runs are completed, and counted as abandoned.
    RawAbandon {
        /// The share of the callers that would, drawn from the seed; all if not given.
        share: Percent,
        /// They hang up this long after they joined.
        after: PositiveDuration,
        /// They hang up once the agent has kept them waiting for an answer for this long.
        silence: PositiveDuration,
    }
}

raw_table! {
    /// Callers that call again after they hung up early (`[abandon]`), or after a call in which the agent neither spoke nor wrote: each such call is a run of its own, of the same scenario and stage.
    RawRedial {
        /// The share of such callers that do, drawn from the seed for each call; all if not given.
        share: Percent,
        /// How long after the end of the call before, at most 1h; 30s if not given.
        pause: PositiveDuration,
        /// How often each of them, 1 to 10; once if not given.
        at_most: u32,
    }
}
