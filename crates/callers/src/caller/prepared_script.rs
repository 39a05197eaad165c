//! A script prepared for one mode: expressions compiled, clips decoded.

use std::error::Error;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use crate::audio::Clip;
use rushhour_core::profile::{
    Abandonment, Backchannel, RuleAction, Script, ScriptRule, ScriptTurn,
};
use rushhour_core::rng::KeyedRng;
use rushhour_core::units::{DtmfKey, Micros, Mode, PositiveDuration, RunIndex};

/// A script prepared for one mode, shared by all callers that follow it.
#[derive(Debug, Clone)]
pub struct PreparedScript {
    pub(super) greeting: Option<PreparedGreeting>,
    /// At least one turn.
    pub(super) turns: Vec<PreparedTurn>,
    /// What the caller does when the agent says something.
    pub(super) rules: Vec<PreparedRule>,
    /// Which callers hang up early.
    pub(super) abandon: Option<Abandonment>,
    /// The noise around the caller.
    pub(super) background: Option<Clip>,
}

/// A prepared rule.
#[derive(Debug, Clone)]
pub(super) struct PreparedRule {
    /// What the agent's words must match.
    pub(super) hears: Regex,
    /// How often it is followed in one conversation.
    pub(super) at_most: u32,
    /// What the caller does.
    pub(super) answer: RuleAnswer,
}

/// What a caller does by a rule.
#[derive(Debug, Clone)]
pub(super) enum RuleAnswer {
    Say(Box<PreparedTurn>),
    HangUp,
}

/// The greeting that the agent is expected to begin with.
#[derive(Debug, Clone)]
pub(super) struct PreparedGreeting {
    /// What its text must match.
    pub(super) expect: Option<Regex>,
    /// How long after the agent joined it must begin.
    pub(super) within: Micros,
}

/// One prepared turn.
#[derive(Debug, Clone)]
pub(super) struct PreparedTurn {
    /// What the caller says.
    pub(super) content: TurnContent,
    /// The words that its clip says, where the script has them.
    pub(super) spoken: Option<String>,
    /// The words that the agent must hear, in voice.
    pub(super) key_words: Vec<String>,
    /// What the answer's text must match.
    pub(super) expect: Option<Regex>,
    /// How long after the caller has finished the answer must begin.
    pub(super) within: Micros,
    /// How long the caller waits once the agent is silent.
    pub(super) pause: Micros,
    /// How long after the agent began to speak the caller interrupts it.
    pub(super) interrupt: Option<Micros>,
    /// What the caller says while the agent answers.
    pub(super) backchannel: Option<PreparedBackchannel>,
}

/// A sound with which the caller shows that it listens.
#[derive(Debug, Clone)]
pub(super) struct PreparedBackchannel {
    pub(super) clip: Clip,
    /// The words that its clip says, where the script has them.
    pub(super) spoken: Option<String>,
    /// How long after the agent began to answer.
    pub(super) after: Micros,
}

/// What a caller says in a turn.
#[derive(Debug, Clone)]
pub(super) enum TurnContent {
    Text(String),
    Clip(Clip),
    /// Keys of a telephone.
    Keys(Arc<[DtmfKey]>),
}

/// Why a script cannot be prepared. A validated profile leads to none of these but [`ScriptError::Clip`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptError {
    /// A turn has no text for chat, or no clip for voice.
    #[error("turn {number} says nothing in {mode}")]
    NoContent {
        /// The turn, from 1.
        number: usize,
        /// The mode.
        mode: Mode,
    },
    /// An expectation is not a valid regular expression.
    #[error(transparent)]
    Expression(#[from] regex::Error),
    /// It has more rules than a profile may have.
    #[error("{rules} rules are too many")]
    TooManyRules {
        /// How many there are.
        rules: usize,
    },
    /// A clip cannot be loaded.
    #[error(transparent)]
    Clip(Box<dyn Error + Send + Sync>),
}

impl PreparedScript {
    /// Prepares a script for a mode. `load_clip` returns the clip of a path.
    ///
    /// # Errors
    /// If a turn has nothing for this mode, an expression is invalid, or a clip cannot be loaded.
    pub fn new<E: Into<Box<dyn Error + Send + Sync>>>(
        script: &Script,
        mode: Mode,
        mut load_clip: impl FnMut(&str) -> Result<Clip, E>,
    ) -> Result<Self, ScriptError> {
        let rules = script.rules.len();
        if rules > ScriptRule::MOST {
            return Err(ScriptError::TooManyRules { rules });
        }
        let compile = |text: &Option<String>| text.as_deref().map(Regex::new).transpose();
        let greeting = match &script.greeting {
            Some(greeting) => Some(PreparedGreeting {
                expect: compile(&greeting.expect)?,
                within: greeting.within.micros(),
            }),
            None => None,
        };
        let mut prepare = |number, turn: &ScriptTurn| -> Result<PreparedTurn, ScriptError> {
            let mut clip =
                |path: &String| load_clip(path).map_err(|error| ScriptError::Clip(error.into()));
            let content = match (mode, &turn.say, &turn.play) {
                (Mode::Chat, Some(text), _) => TurnContent::Text(text.clone()),
                (Mode::Voice, _, Some(path)) => TurnContent::Clip(clip(path)?),
                (Mode::Voice, ..) if turn.dtmf.is_some() => {
                    let keys = turn.dtmf.iter().flat_map(|keys| keys.chars());
                    TurnContent::Keys(keys.filter_map(DtmfKey::new).collect())
                }
                _ => return Err(ScriptError::NoContent { number, mode }),
            };
            let backchannel = match turn.backchannel.as_ref().filter(|_| mode == Mode::Voice) {
                Some(Backchannel { play: Some(path), after, say }) => Some(PreparedBackchannel {
                    clip: clip(path)?,
                    spoken: say.clone(),
                    after: after.micros(),
                }),
                _ => None,
            };
            let speaks = mode == Mode::Voice;
            Ok(PreparedTurn {
                content,
                spoken: turn.say.clone().filter(|_| speaks && turn.play.is_some()),
                key_words: if speaks { turn.hears.clone() } else { Vec::new() },
                expect: compile(&turn.expect)?,
                within: turn.within.micros(),
                pause: turn.pause.map_or(Micros::ZERO, PositiveDuration::micros),
                interrupt: turn.interrupt.map(PositiveDuration::micros),
                backchannel,
            })
        };
        let turns = (1..).zip(&script.turns).map(|(number, turn)| prepare(number, turn));
        let turns = turns.collect::<Result<Vec<_>, ScriptError>>()?;
        let rules = (turns.len() + 1..).zip(&script.rules).map(
            |(number, rule)| -> Result<PreparedRule, ScriptError> {
                let answer = match &rule.action {
                    RuleAction::HangUp => RuleAnswer::HangUp,
                    RuleAction::Say { say, play, dtmf } => {
                        let turn = ScriptTurn {
                            say: say.clone(),
                            play: play.clone(),
                            dtmf: dtmf.clone(),
                            hears: Vec::new(),
                            expect: rule.expect.clone(),
                            within: rule.within,
                            pause: None,
                            interrupt: None,
                            backchannel: None,
                        };
                        RuleAnswer::Say(Box::new(prepare(number, &turn)?))
                    }
                };
                // Scripts come from journals and from coordinators too, which no profile bounds.
                let hears = RegexBuilder::new(&rule.hears)
                    .size_limit(ScriptRule::MOST_OF_AN_EXPRESSION)
                    .build()?;
                Ok(PreparedRule { hears, at_most: rule.at_most, answer })
            },
        );
        let rules = rules.collect::<Result<_, ScriptError>>()?;
        let background = script.background.as_ref().filter(|_| mode == Mode::Voice);
        let background = background.map(|path| load_clip(path)).transpose();
        let background = background.map_err(|error| ScriptError::Clip(error.into()))?;
        Ok(Self { greeting, turns, rules, abandon: script.abandon, background })
    }

    /// Whether the caller of a run is one of those that hang up early.
    pub fn abandons(&self, seed: u64, run: RunIndex) -> bool {
        self.abandon.is_some_and(|abandon| {
            let draw = KeyedRng::new(seed).draw("abandon", &run.to_string());
            draw.uniform() < abandon.share.fraction()
        })
    }

    /// The turn with this index: of the script, or of a rule.
    pub(super) fn turn(&self, index: usize) -> Option<&PreparedTurn> {
        match index.checked_sub(self.turns.len()) {
            None => self.turns.get(index),
            // Where the script is over.
            Some(0) => None,
            Some(rule) => match &self.rules.get(rule - 1)?.answer {
                RuleAnswer::Say(turn) => Some(turn),
                RuleAnswer::HangUp => None,
            },
        }
    }

    /// The index of the turn of a rule: beyond the end of the script.
    pub(super) const fn index_of_rule(&self, rule: usize) -> usize {
        self.turns.len() + 1 + rule
    }

    /// The rule whose turn has this index, from 0.
    pub(super) const fn rule_of(&self, index: usize) -> Option<usize> {
        index.checked_sub(self.turns.len() + 1)
    }

    /// The number of a turn in reports, from 1; those of rules come after those of the script.
    pub(super) fn number_of(&self, index: usize) -> u32 {
        let number = if self.rule_of(index).is_some() { index } else { index + 1 };
        u32::try_from(number).unwrap_or(u32::MAX)
    }

    /// Whether any answer, or the greeting, must match an expression.
    pub(super) fn has_expectations(&self) -> bool {
        self.greeting.as_ref().is_some_and(|greeting| greeting.expect.is_some())
            || self.turns.iter().any(|turn| turn.expect.is_some())
            || self
                .rules
                .iter()
                .any(|rule| matches!(&rule.answer, RuleAnswer::Say(turn) if turn.expect.is_some()))
    }
}
