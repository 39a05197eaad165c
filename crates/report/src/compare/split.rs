//! The two parts of one session to compare.

use std::fmt;
use std::str::FromStr;

use super::arm::ArmRun;
use crate::fold::{Mark, StageNames};
use rushhour_core::profile::NO_NETWORK;
use rushhour_core::units::{Mode, SessionTime};

/// The parts of a session that is split at a mark.
const BEFORE: &str = "before";
const AFTER: &str = "after";

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
    /// Whether runs were to start before or after a moment that somebody marked.
    Mark,
}

impl SplitBy {
    const ALL: [Self; 5] = [Self::Scenario, Self::Stage, Self::Mode, Self::Network, Self::Mark];

    const fn name(self) -> &'static str {
        match self {
            Self::Scenario => "scenario",
            Self::Stage => "stage",
            Self::Mode => "mode",
            Self::Network => "network",
            Self::Mark => "mark",
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
            Self::Mark => vec![BEFORE, AFTER],
        }
    }
}

/// Two parts of one session, such as `scenario=A,B`; the baseline comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    by: SplitBy,
    /// Both names. A name may contain commas, so only the session's names tell which comma separates the two.
    names: String,
    /// The text of the mark to split at; without one, the session has one mark.
    mark: Option<String>,
}

/// The text does not name a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "write scenario=A,B or stage=A,B or mode=chat,voice or network=A,B or mark=before,after, the baseline first"
)]
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
    /// It is to be split at a mark, and which one is not clear.
    #[error("{}", which_mark(named.as_deref(), marks))]
    Mark {
        /// The text of the mark that was named.
        named: Option<String>,
        /// The texts of the session's marks.
        marks: Vec<String>,
    },
    /// Both parts are the same.
    #[error("both arms are {0}; name two different ones")]
    Same(SessionPart),
    /// Every run before the mark was in flight at it.
    #[error(
        "all {runs} measured runs that were due before the mark were in flight at it, so there is nothing to compare with; make the mark later, when runs have ended"
    )]
    AllInFlight {
        /// How many.
        runs: u64,
    },
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

fn which_mark(named: Option<&str>, marks: &[String]) -> String {
    match (named, marks) {
        (_, []) => "the session has no mark; `rushhour mark` makes one while it runs".to_owned(),
        (Some(named), marks) => {
            format!("the session has no one mark `{named}`; it has: {}", marks.join(", "))
        }
        (None, [first, ..]) => format!(
            "the session has {} marks: {}; name one, such as 'mark {first}=before,after'",
            marks.len(),
            marks.join(", ")
        ),
    }
}

impl FromStr for Split {
    type Err = SplitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The text of a mark may contain the sign.
        let named = text.strip_prefix("mark ").and_then(|rest| rest.rsplit_once('='));
        let (word, names) = if let Some((mark, names)) = named {
            (Err(mark.trim().to_owned()), names)
        } else {
            let (word, names) = text.split_once('=').ok_or(SplitError)?;
            (Ok(word.trim()), names)
        };
        let (by, mark) = match word {
            Ok(word) => (SplitBy::ALL.into_iter().find(|by| by.name() == word), None),
            Err(mark) => (Some(SplitBy::Mark), Some(mark)),
        };
        let by = by.ok_or(SplitError)?;
        let both = names.split_once(',').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty());
        if both { Ok(Self { by, names: names.to_owned(), mark }) } else { Err(SplitError) }
    }
}

impl Split {
    /// Finds the two parts among a session's names.
    pub(super) fn parts(
        &self,
        of: &StageNames,
        marks: &[Mark],
    ) -> Result<(SessionPart, SessionPart), PartError> {
        let mark = if self.by == SplitBy::Mark { Some(self.mark(marks)?.at) } else { None };
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
        let part = |name: &str| SessionPart { by: self.by, name: name.to_owned(), mark };
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

    /// The mark to split at.
    fn mark<'a>(&self, marks: &'a [Mark]) -> Result<&'a Mark, PartError> {
        let named = self.mark.as_deref();
        let mut fitting = marks.iter().filter(|mark| named.is_none_or(|named| mark.text == *named));
        match (fitting.next(), fitting.next()) {
            (Some(mark), None) => Ok(mark),
            _ => Err(PartError::Mark {
                named: self.mark.clone(),
                marks: marks.iter().map(|mark| mark.text.to_string()).collect(),
            }),
        }
    }
}

/// One part of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionPart {
    pub(super) by: SplitBy,
    name: String,
    /// The moment that it ends or begins at, where that was marked.
    mark: Option<SessionTime>,
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
            SplitBy::Mark => {
                self.mark.is_some_and(|mark| (run.intended < mark) == (self.name == BEFORE))
            }
        }
    }

    /// The mark that it ends at, if it does.
    pub(super) fn end(&self) -> Option<SessionTime> {
        self.mark.filter(|_| self.name == BEFORE)
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
        match self.by {
            SplitBy::Mark => write!(f, "{} the mark", self.name),
            _ => write!(f, "{} {}", self.by.name(), self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Result<(String, String), String> {
        parts_with(text, &["deployed v2"])
    }

    fn parts_with(text: &str, marks: &[&str]) -> Result<(String, String), String> {
        let names = StageNames {
            stages: vec![("ramp".into(), false), ("hold".into(), true)],
            scenarios: vec!["book".into(), "ask, then leave".into(), "ask".into()],
            networks: vec!["lossy".into()],
        };
        let split: Split = text.parse().map_err(|error: SplitError| error.to_string())?;
        let marks: Vec<Mark> =
            marks.iter().map(|text| Mark { at: SessionTime(5), text: (*text).into() }).collect();
        let found = split.parts(&names, &marks).map_err(|error| error.to_string())?;
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

    #[test]
    fn a_session_is_split_at_its_one_mark_or_at_one_that_is_named() {
        let both = Ok(("before the mark".to_owned(), "after the mark".to_owned()));
        assert_eq!(parts("mark=before,after"), both);
        let two = ["deployed v2", "workers=20"];
        assert_eq!(parts_with("mark workers=20=before,after", &two), both);
        let error = |text, marks: &[&str]| parts_with(text, marks).unwrap_err();
        let ambiguous = "the session has 2 marks: deployed v2, workers=20; name one, such as 'mark deployed v2=before,after'";
        assert_eq!(error("mark=before,after", &two), ambiguous);
        let unknown = "the session has no one mark `v3`; it has: deployed v2, workers=20";
        assert_eq!(error("mark v3=before,after", &two), unknown);
        let none = "the session has no mark; `rushhour mark` makes one while it runs";
        assert_eq!(error("mark=before,after", &[]), none);
        let during = "the session has no mark named `during`; it has: before, after";
        assert_eq!(error("mark=before,during", &["x"]), during);
    }
}
