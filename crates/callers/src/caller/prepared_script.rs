//! A script made ready: expressions compiled, clips decoded.

use regex::Regex;

use crate::audio::Clip;
use rushhour_core::profile::{Script, ScriptTurn};
use rushhour_core::units::{Micros, Mode, PositiveDuration};

/// A script made ready, shared by all callers that go through it.
#[derive(Debug, Clone)]
pub struct PreparedScript {
    /// What the agent is expected to begin with, and within what of its joining.
    pub greeting: Option<(Option<Regex>, Micros)>,
    /// The turns, at least one.
    pub turns: Vec<PreparedTurn>,
}

/// One turn made ready.
#[derive(Debug, Clone)]
pub struct PreparedTurn {
    /// What is said.
    pub words: TurnContent,
    /// What the answer's words match.
    pub expect: Option<Regex>,
    /// How long after the last of ours the answer has to begin.
    pub within: Micros,
    /// How long the caller waits once the agent is silent.
    pub pause: Micros,
    /// How long after the agent began to speak the caller begins, whether it has finished or not.
    pub interrupt: Option<Micros>,
}

/// What is said in a turn.
#[derive(Debug, Clone)]
pub enum TurnContent {
    /// Written.
    Text(String),
    /// Spoken.
    Clip(Clip),
}

impl PreparedScript {
    /// Makes a script ready for a mode; `clip` gives the clip of a path.
    ///
    /// # Errors
    /// In words, where a turn says nothing in this mode or an expression is none, which the profile has
    /// refused before.
    pub fn new(
        script: &Script,
        mode: Mode,
        mut clip: impl FnMut(&str) -> Result<Clip, String>,
    ) -> Result<Self, String> {
        let expression = |text: &Option<String>| {
            text.as_deref().map(Regex::new).transpose().map_err(|error| error.to_string())
        };
        let greeting = script
            .greeting
            .as_ref()
            .map(|greeting| {
                Ok::<_, String>((expression(&greeting.expect)?, greeting.within.micros()))
            })
            .transpose()?;
        let mut words = |turn: &ScriptTurn| match (mode, &turn.say, &turn.play) {
            (Mode::Chat, Some(text), _) => Ok(TurnContent::Text(text.clone())),
            (Mode::Voice, _, Some(path)) => Ok(TurnContent::Clip(clip(path)?)),
            _ => Err(format!("a turn says nothing in {mode}")),
        };
        let turns = script
            .turns
            .iter()
            .map(|turn| {
                Ok(PreparedTurn {
                    words: words(turn)?,
                    expect: expression(&turn.expect)?,
                    within: turn.within.micros(),
                    pause: turn.pause.map_or(Micros::ZERO, PositiveDuration::micros),
                    interrupt: turn.interrupt.map(PositiveDuration::micros),
                })
            })
            .collect::<Result<_, String>>()?;
        Ok(Self { greeting, turns })
    }

    /// Whether anything is expected of any answer.
    pub fn expects_anything(&self) -> bool {
        self.greeting.as_ref().is_some_and(|(expect, _)| expect.is_some())
            || self.turns.iter().any(|turn| turn.expect.is_some())
    }
}
