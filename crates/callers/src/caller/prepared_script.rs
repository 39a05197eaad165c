//! A script prepared for one mode: expressions compiled, clips decoded.

use std::error::Error;
use std::sync::Arc;

use regex::Regex;

use crate::audio::Clip;
use rushhour_core::profile::{Script, ScriptTurn};
use rushhour_core::units::{DtmfKey, Micros, Mode, PositiveDuration};

/// A script prepared for one mode, shared by all callers that follow it.
#[derive(Debug, Clone)]
pub struct PreparedScript {
    pub(super) greeting: Option<PreparedGreeting>,
    /// At least one turn.
    pub(super) turns: Vec<PreparedTurn>,
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
    /// What the answer's text must match.
    pub(super) expect: Option<Regex>,
    /// How long after the caller has finished the answer must begin.
    pub(super) within: Micros,
    /// How long the caller waits once the agent is silent.
    pub(super) pause: Micros,
    /// How long after the agent began to speak the caller interrupts it.
    pub(super) interrupt: Option<Micros>,
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
        let compile = |text: &Option<String>| text.as_deref().map(Regex::new).transpose();
        let greeting = match &script.greeting {
            Some(greeting) => Some(PreparedGreeting {
                expect: compile(&greeting.expect)?,
                within: greeting.within.micros(),
            }),
            None => None,
        };
        let mut content = |number, turn: &ScriptTurn| match (mode, &turn.say, &turn.play) {
            (Mode::Chat, Some(text), _) => Ok(TurnContent::Text(text.clone())),
            (Mode::Voice, _, Some(path)) => {
                let clip = load_clip(path).map_err(|error| ScriptError::Clip(error.into()))?;
                Ok(TurnContent::Clip(clip))
            }
            (Mode::Voice, ..) if turn.dtmf.is_some() => {
                let keys = turn.dtmf.iter().flat_map(|keys| keys.chars());
                Ok(TurnContent::Keys(keys.filter_map(DtmfKey::new).collect()))
            }
            _ => Err(ScriptError::NoContent { number, mode }),
        };
        let turns = (1..)
            .zip(&script.turns)
            .map(|(number, turn)| {
                Ok(PreparedTurn {
                    content: content(number, turn)?,
                    spoken: turn.say.clone().filter(|_| mode == Mode::Voice && turn.play.is_some()),
                    expect: compile(&turn.expect)?,
                    within: turn.within.micros(),
                    pause: turn.pause.map_or(Micros::ZERO, PositiveDuration::micros),
                    interrupt: turn.interrupt.map(PositiveDuration::micros),
                })
            })
            .collect::<Result<_, ScriptError>>()?;
        Ok(Self { greeting, turns })
    }

    /// Whether any answer, or the greeting, must match an expression.
    pub(super) fn has_expectations(&self) -> bool {
        self.greeting.as_ref().is_some_and(|greeting| greeting.expect.is_some())
            || self.turns.iter().any(|turn| turn.expect.is_some())
    }
}
