//! The scripts of native callers.

use serde::{Deserialize, Serialize};

use crate::units::{Percent, PositiveDuration};

/// A conversation from the caller's side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Script {
    /// The greeting that the agent opens with; `None` if the caller speaks first.
    pub greeting: Option<ExpectedGreeting>,
    /// The turns, at least one.
    pub turns: Vec<ScriptTurn>,
    /// What the caller does when the agent says something that the turns do not foresee.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<ScriptRule>,
    /// Which callers hang up early, if any do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abandon: Option<Abandonment>,
    /// Which callers call again, if any do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redial: Option<Redial>,
    /// The clip that is repeated where no other plays: the noise around the caller. Set where scripts are prepared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<String>,
}

/// The greeting that the agent opens with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExpectedGreeting {
    /// A regular expression that its text must match.
    pub expect: Option<String>,
    /// How long after joining the agent may take to begin it.
    pub within: PositiveDuration,
}

/// One turn of the caller and the answer to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScriptTurn {
    /// The text to send in chat; in voice the words of its clip, or the words to synthesise.
    pub say: Option<String>,
    /// The audio file to play in voice, relative to the profile.
    pub play: Option<String>,
    /// The keys of a telephone to press in voice, instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtmf: Option<String>,
    /// The key words that the agent must hear in voice; spellings of one are separated by `|`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hears: Vec<String>,
    /// A regular expression that the text of the answer must match.
    pub expect: Option<String>,
    /// How long after the end of the caller's turn the answer may take to begin.
    pub within: PositiveDuration,
    /// How long the caller waits before its turn, after the agent fell silent.
    pub pause: Option<PositiveDuration>,
    /// The caller begins this long after the agent began to speak, even if it still speaks.
    pub interrupt: Option<PositiveDuration>,
    /// What the caller says in voice while the agent answers, without wanting the turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backchannel: Option<Backchannel>,
}

/// A sound with which a caller shows that it listens, such as "mm-hm".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Backchannel {
    /// Its words, or those to synthesise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub say: Option<String>,
    /// Its audio file, relative to the profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub play: Option<String>,
    /// How long after the agent began to answer.
    pub after: PositiveDuration,
}

impl ScriptRule {
    /// The most rules of a script.
    pub const MOST: usize = 100;
    /// The most memory of one expression, in bytes: some hundred words.
    pub const MOST_OF_AN_EXPRESSION: usize = 1 << 20;
}

/// What a caller does when the agent says something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScriptRule {
    /// The regular expression that what the agent said since the caller's last turn must match.
    pub hears: String,
    /// What the caller does then, before the turn that would be next.
    pub action: RuleAction,
    /// How often in one conversation, at least once.
    pub at_most: u32,
    /// A regular expression that the text of the answer must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<String>,
    /// How long after the end of what the caller says the answer may take to begin.
    pub within: PositiveDuration,
}

/// What a caller does by a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleAction {
    /// It says something, or presses keys.
    Say {
        /// The text in chat, the words of the clip, or those to synthesise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        say: Option<String>,
        /// The audio file in voice, relative to the profile.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        play: Option<String>,
        /// The keys to press in voice instead.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dtmf: Option<String>,
    },
    /// It hangs up, and the conversation is complete.
    HangUp,
}

/// Callers that hang up before the script is over.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Abandonment {
    /// The share of callers that would, drawn from the seed.
    pub share: Percent,
    /// How long after it joined; never for that reason if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<PositiveDuration>,
    /// How long the agent keeps it waiting; never for that reason if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence: Option<PositiveDuration>,
}

/// Callers that hung up early, or to whom nobody answered, and that call again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Redial {
    /// The share of such callers that do, drawn from the seed for each call.
    pub share: Percent,
    /// How long after the end of the call before.
    pub pause: PositiveDuration,
    /// How often each of them, at least once.
    pub at_most: u32,
}

impl Redial {
    /// The most that a caller may call again.
    pub const MOST: u32 = 10;
    /// The longest that a caller waits before it calls again: the session waits for it.
    pub const LONGEST_PAUSE: PositiveDuration = PositiveDuration::secs(3_600);

    /// The same within the bounds of a profile: it may come from a journal, which nobody checked.
    #[must_use]
    pub fn within_bounds(self) -> Self {
        let pause = self.pause.min(Self::LONGEST_PAUSE);
        Self { pause, at_most: self.at_most.min(Self::MOST), ..self }
    }
}

/// Something that a caller says.
#[derive(Debug)]
pub struct ScriptLine<'a> {
    /// Its words.
    pub say: &'a Option<String>,
    /// Its audio file.
    pub play: &'a mut Option<String>,
    /// Whether keys are pressed instead.
    pub presses_keys: bool,
}

impl ScriptLine<'_> {
    /// Whether its words are to be synthesised.
    pub const fn needs_speech(&self) -> bool {
        self.play.is_none() && self.say.is_some() && !self.presses_keys
    }
}

impl Script {
    /// Everything that the caller may say, in the order of the script.
    pub fn lines_mut(&mut self) -> impl Iterator<Item = ScriptLine<'_>> {
        let turns = self.turns.iter_mut().flat_map(|turn| {
            let line = ScriptLine {
                say: &turn.say,
                play: &mut turn.play,
                presses_keys: turn.dtmf.is_some(),
            };
            let backchannel = turn.backchannel.as_mut().map(|one| ScriptLine {
                say: &one.say,
                play: &mut one.play,
                presses_keys: false,
            });
            std::iter::once(line).chain(backchannel)
        });
        let rules = self.rules.iter_mut().filter_map(|rule| match &mut rule.action {
            RuleAction::Say { say, play, dtmf } => {
                Some(ScriptLine { say, play, presses_keys: dtmf.is_some() })
            }
            RuleAction::HangUp => None,
        });
        turns.chain(rules)
    }

    /// The audio files of everything that the caller may say, and of what is heard between.
    pub fn clips(&self) -> impl Iterator<Item = &String> {
        let turns = self.turns.iter().flat_map(|turn| {
            let backchannel = turn.backchannel.as_ref().and_then(|one| one.play.as_ref());
            turn.play.iter().chain(backchannel)
        });
        let rules = self.rules.iter().filter_map(|rule| match &rule.action {
            RuleAction::Say { play, .. } => play.as_ref(),
            RuleAction::HangUp => None,
        });
        turns.chain(rules).chain(&self.background)
    }
}
