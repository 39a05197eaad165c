//! The two parts of one session to compare.

use std::fmt;
use std::str::FromStr;

use super::arm::ArmRun;
use crate::fold::StageNames;
use rushhour_core::profile::NO_NETWORK;
use rushhour_core::units::Mode;

/// What a session is split by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitBy {
    /// The runs' scenarios.
    Scenario,
    /// The runs' stages.
    Stage,
    /// Voice or chat.
    Mode,
    /// The callers' network conditions.
    Network,
}

impl SplitBy {
    const ALL: [Self; 4] = [Self::Scenario, Self::Stage, Self::Mode, Self::Network];

    const fn name(self) -> &'static str {
        match self {
            Self::Scenario => "scenario",
            Self::Stage => "stage",
            Self::Mode => "mode",
            Self::Network => "network",
        }
    }

    fn names(self, of: &StageNames) -> Vec<&str> {
        match self {
            Self::Scenario => of.scenarios.iter().map(String::as_str).collect(),
            Self::Stage => of.stages.iter().map(|(name, _)| name.as_str()).collect(),
            Self::Mode => Mode::ALL.iter().map(|mode| mode.name()).collect(),
            // A session without [[network]] has nothing to compare.
            Self::Network if of.networks.is_empty() => Vec::new(),
            Self::Network => {
                std::iter::once(NO_NETWORK).chain(of.networks.iter().map(String::as_str)).collect()
            }
        }
    }
}

/// Two parts of one session, such as `scenario=A,B`; the baseline comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    by: SplitBy,
    /// Both names. A name may contain commas, so only the session's names tell which comma separates the two.
    names: String,
}

/// The text does not name a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write scenario=A,B or stage=A,B or mode=chat,voice or network=A,B, the baseline first")]
pub struct SplitError;

/// Why a session cannot be split.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartError {
    /// It has no part of this name.
    #[error(
        "the session has no {} named `{name}`; it has{}",
        by.name(),
        if known.is_empty() { " none".to_owned() } else { format!(": {known}") }
    )]
    Unknown {
        /// What it is split by.
        by: SplitBy,
        /// The name.
        name: String,
        /// The names that the session has.
        known: String,
    },
    /// Both parts are the same.
    #[error("both arms are {0}; name two different ones")]
    Same(SessionPart),
    /// A part has no measured run.
    #[error(
        "{part} has no measured run{}; name another",
        if *measured { "" } else { ": the stage is not measured (`measured = false`)" }
    )]
    WithoutRuns {
        /// The part.
        part: SessionPart,
        /// Whether the part is measured at all.
        measured: bool,
    },
}

impl FromStr for Split {
    type Err = SplitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (word, names) = text.split_once('=').ok_or(SplitError)?;
        let by = SplitBy::ALL.into_iter().find(|by| by.name() == word.trim()).ok_or(SplitError)?;
        let both = names.split_once(',').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty());
        if both { Ok(Self { by, names: names.to_owned() }) } else { Err(SplitError) }
    }
}

impl Split {
    /// Finds the two parts among a session's names.
    pub(super) fn parts(&self, of: &StageNames) -> Result<(SessionPart, SessionPart), PartError> {
        let known = self.by.names(of);
        let splits = || {
            let commas = self.names.match_indices(',');
            commas.map(|(at, _)| (self.names[..at].trim(), self.names[at + 1..].trim()))
        };
        let is_known = |name: &str| known.contains(&name);
        let unknown = |name: &str| PartError::Unknown {
            by: self.by,
            name: name.to_owned(),
            known: known.join(", "),
        };
        let part = |name: &str| SessionPart { by: self.by, name: name.to_owned() };
        if let Some((baseline, candidate)) = splits().find(|(a, b)| is_known(a) && is_known(b)) {
            if baseline == candidate {
                return Err(PartError::Same(part(baseline)));
            }
            return Ok((part(baseline), part(candidate)));
        }
        let half = splits().find_map(|(a, b)| match (is_known(a), is_known(b)) {
            (true, _) => Some(b),
            (_, true) => Some(a),
            _ => None,
        });
        let first = splits().next().map_or(self.names.as_str(), |(first, _)| first);
        Err(unknown(half.unwrap_or(first)))
    }
}

/// One part of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionPart {
    pub(super) by: SplitBy,
    name: String,
}

impl SessionPart {
    pub(super) fn contains(&self, run: &ArmRun, names: &StageNames) -> bool {
        let scenario = || names.scenarios.get(run.scenario as usize);
        let stage = || names.stages.get(run.stage as usize).map(|(name, _)| name);
        match self.by {
            SplitBy::Scenario => scenario().is_some_and(|name| *name == self.name),
            SplitBy::Stage => stage().is_some_and(|name| *name == self.name),
            SplitBy::Mode => run.mode.name() == self.name,
            SplitBy::Network => names.network(run.network) == self.name,
        }
    }

    /// Whether its runs are measured; those of a stage may not be.
    pub(super) fn is_measured(&self, names: &StageNames) -> bool {
        let named = |stage: &&(String, bool)| stage.0 == self.name;
        self.by != SplitBy::Stage
            || names.stages.iter().filter(named).any(|(_, measured)| *measured)
    }
}

impl fmt::Display for SessionPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.by.name(), self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Result<(String, String), String> {
        let names = StageNames {
            stages: vec![("ramp".into(), false), ("hold".into(), true)],
            scenarios: vec!["book".into(), "ask, then leave".into(), "ask".into()],
            networks: vec!["lossy".into()],
        };
        let split: Split = text.parse().map_err(|error: SplitError| error.to_string())?;
        let found = split.parts(&names).map_err(|error| error.to_string())?;
        Ok((found.0.to_string(), found.1.to_string()))
    }

    #[test]
    fn names_may_contain_commas() {
        let both = |a: &str, b: &str| Ok((a.to_owned(), b.to_owned()));
        assert_eq!(parts("scenario=ask,book"), both("scenario ask", "scenario book"));
        let found = parts("scenario=ask, then leave,book");
        assert_eq!(found, both("scenario ask, then leave", "scenario book"));
        let found = parts("scenario=book, ask, then leave");
        assert_eq!(found, both("scenario book", "scenario ask, then leave"));
        assert_eq!(parts("stage=hold,ramp"), both("stage hold", "stage ramp"));
        assert_eq!(parts("mode=chat,voice"), both("mode chat", "mode voice"));
        assert_eq!(parts("network=none,lossy"), both("network none", "network lossy"));
    }

    #[test]
    fn an_unknown_part_is_reported_with_the_known_ones() {
        let error = |text| parts(text).unwrap_err();
        let known = "it has: book, ask, then leave, ask";
        assert_eq!(
            error("scenario=book,sell"),
            format!("the session has no scenario named `sell`; {known}")
        );
        assert_eq!(
            error("scenario=buy,sell"),
            format!("the session has no scenario named `buy`; {known}")
        );
        assert!(error("mode=chat,telex").ends_with("no mode named `telex`; it has: voice, chat"));
        assert_eq!(error("stage=hold,hold"), "both arms are stage hold; name two different ones");
        for text in ["scenario", "scenario=book", "scenario=book,", "colour=a,b", ""] {
            assert!(error(text).starts_with("write scenario=A,B"), "{text}");
        }
    }
}
