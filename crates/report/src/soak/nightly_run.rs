//! A soak as the history keeps it: one line, checked, that is never changed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::series::{SeriesUnit, TrackedSeries};
use super::series_judgement::SeriesFinding;
use super::soak::{Soak, SoakVerdict};

/// The version of a line's shape.
pub const HISTORY_VERSION: u32 = 1;

/// What every line ends with: `,"c":"` eight digits `"}`.
const TAIL: usize = 16;

/// One series of a night.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NightFigure {
    /// What it is in.
    pub unit: SeriesUnit,
    /// The median of its windows; for failures the share of all runs.
    pub level: f64,
    /// By how much its line changed over the session, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<f64>,
    /// By how much in a hundred runs; for what grows with runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_hundred_runs: Option<f64>,
    /// What was found.
    pub finding: SeriesFinding,
}

/// A soak as the history keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NightlyRun {
    /// The version of this shape.
    pub version: u32,
    /// The session.
    pub session: String,
    /// When it began, RFC 3339 in UTC.
    pub started: String,
    /// Its folder, relative to the history's.
    pub folder: String,
    /// The profile's name.
    pub profile: String,
    /// The profile's hash.
    pub profile_hash: String,
    /// What it came to.
    pub verdict: SoakVerdict,
    /// Measured runs.
    pub runs: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Whether anything was left behind.
    pub leaked: bool,
    /// By which share a latency or the memory had to change for the change to count,
    pub material: f64,
    /// and by how much failures had to, as a fraction.
    pub material_failures: f64,
    /// Each series by its name.
    pub series: BTreeMap<String, NightFigure>,
}

impl NightlyRun {
    /// What is kept of a soak whose session is in this folder.
    pub fn of(soak: &Soak, folder: &str) -> Self {
        let failed = soak.failed as f64 / soak.runs.max(1) as f64;
        let figures = soak.series.iter().map(|one| {
            let level = if one.tracked == Some(TrackedSeries::Failed) { failed } else { one.level };
            let figure = NightFigure {
                unit: one.unit,
                level: rounded(level),
                change: one.slope.map(|slope| rounded(slope.change)),
                per_hundred_runs: one.slope.and_then(|slope| slope.per_hundred_runs).map(rounded),
                finding: one.finding,
            };
            (one.series.clone(), figure)
        });
        Self {
            version: HISTORY_VERSION,
            session: soak.session.clone(),
            started: soak.started.clone(),
            folder: folder.to_owned(),
            profile: soak.profile.clone(),
            profile_hash: soak.profile_hash.clone(),
            verdict: soak.verdict,
            runs: soak.runs,
            failed: soak.failed,
            leaked: soak.has_leaked(),
            material: soak.material,
            material_failures: soak.material_failures,
            series: figures.collect(),
        }
    }

    /// Whether it says how well an agent was: its generator delivered, and there were runs enough.
    pub const fn counts(&self) -> bool {
        matches!(self.verdict, SoakVerdict::Steady | SoakVerdict::Drifts)
    }

    /// Whether anything grew through it.
    pub fn drifted(&self) -> bool {
        self.series.values().any(|figure| figure.finding.is_worse())
    }

    /// Its line, with its end and the checksum of what comes before that.
    ///
    /// # Errors
    /// Where it cannot be written as JSON.
    pub fn line(&self) -> Result<String, serde_json::Error> {
        let mut text = serde_json::to_string(self)?;
        // The body is the object without its closing brace.
        text.pop();
        let sum = crc32fast::hash(text.as_bytes());
        Ok(format!("{text},\"c\":\"{sum:08x}\"}}\n"))
    }

    fn read(line: &str) -> Option<Self> {
        let (body, tail) = line.split_at_checked(line.len().checked_sub(TAIL)?)?;
        if tail != format!(",\"c\":\"{:08x}\"}}", crc32fast::hash(body.as_bytes())) {
            return None;
        }
        let night: Self = serde_json::from_str(line).ok()?;
        (night.version <= HISTORY_VERSION && night.is_finite()).then_some(night)
    }

    fn is_finite(&self) -> bool {
        self.series.values().all(|figure| figure.level.is_finite())
    }
}

/// A number to nine digits, which is read back as it was written.
fn rounded(number: f64) -> f64 {
    format!("{number:.8e}").parse().unwrap_or(number)
}

/// The nights of a history.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// In the order in which they began; of lines of the same session the last.
    pub nights: Vec<NightlyRun>,
    /// Lines that are none: damaged, torn, or of a newer version.
    pub unreadable: u64,
}

impl History {
    /// Reads a history, passing over what cannot be read.
    pub fn read(text: &str) -> Self {
        let mut by_session: BTreeMap<String, NightlyRun> = BTreeMap::new();
        let mut unreadable = 0;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match NightlyRun::read(line) {
                Some(night) => {
                    by_session.insert(night.session.clone(), night);
                }
                None => unreadable += 1,
            }
        }
        let mut nights: Vec<NightlyRun> = by_session.into_values().collect();
        nights.sort_by(|one, other| {
            (&one.started, &one.session).cmp(&(&other.started, &other.session))
        });
        Self { nights, unreadable }
    }

    /// The line of a session that counts.
    pub fn of_session(&self, session: &str) -> Option<&NightlyRun> {
        self.nights.iter().find(|night| night.session == session)
    }

    /// The nights before a session began.
    pub fn before<'a>(
        &'a self,
        started: &'a str,
        session: &'a str,
    ) -> impl DoubleEndedIterator<Item = &'a NightlyRun> {
        let earlier =
            move |night: &&NightlyRun| night.started.as_str() < started && night.session != session;
        self.nights.iter().filter(earlier)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A night of some number with this level of one latency.
    pub(in crate::soak) fn night(number: usize, levels: &[(&str, f64)]) -> NightlyRun {
        let figure = |level| NightFigure {
            unit: SeriesUnit::Microseconds,
            level,
            change: None,
            per_hundred_runs: None,
            finding: SeriesFinding::Steady,
        };
        NightlyRun {
            version: HISTORY_VERSION,
            session: format!("night-{number:03}"),
            started: format!("2026-11-01T22:00:{number:02}.000000Z"),
            folder: format!("night-{number:03}"),
            profile: "soak".to_owned(),
            profile_hash: "hash".to_owned(),
            verdict: SoakVerdict::Steady,
            runs: 1_000,
            failed: 10,
            leaked: false,
            material: 0.1,
            material_failures: 0.02,
            series: levels
                .iter()
                .map(|(name, level)| ((*name).to_owned(), figure(*level)))
                .collect(),
        }
    }

    #[test]
    fn lines_are_read_back_and_the_last_of_a_session_counts() {
        let nights: Vec<NightlyRun> =
            (0..3).rev().map(|number| night(number, &[("a", 1.5)])).collect();
        let mut text: String = nights.iter().map(|night| night.line().unwrap()).collect();
        let again = NightlyRun { failed: 99, ..night(1, &[("a", 2.5)]) };
        text.push_str(&again.line().unwrap());
        let history = History::read(&text);
        assert_eq!(history.unreadable, 0);
        let sessions: Vec<&str> =
            history.nights.iter().map(|night| night.session.as_str()).collect();
        assert_eq!(sessions, ["night-000", "night-001", "night-002"]);
        assert_eq!(history.of_session("night-001"), Some(&again));
        let before: Vec<&NightlyRun> = history.before(&again.started, "x").collect();
        assert_eq!(before.len(), 1);
    }

    #[test]
    fn what_is_damaged_is_counted_and_passed_over() {
        let line = night(0, &[("a", 1.0)]).line().unwrap();
        let torn = &line[..line.len() / 2];
        let changed = line.replace("\"runs\":1000", "\"runs\":1001");
        let newer = NightlyRun { version: 9, ..night(1, &[]) }.line().unwrap();
        let text = format!("{line}{changed}{newer}\n{{}}\nGrüße aus dem Log ü\n{torn}");
        let history = History::read(&text);
        assert_eq!((history.nights.len(), history.unreadable), (1, 5));
        for cut in 0..line.len() {
            History::read(&line[..cut]);
        }
    }
}
