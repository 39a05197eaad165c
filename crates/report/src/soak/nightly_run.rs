//! The history of soaks: one line for each nightly run, with a checksum, that never changes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::analysis::{SoakAnalysis, SoakVerdict};
use super::series::{SeriesUnit, TrackedSeries};
use super::series_judgement::SeriesFinding;

/// The version of a line's format.
const HISTORY_VERSION: u32 = 1;

/// Bytes of the end of every line: `,"c":"`, eight hexadecimal digits, `"}`.
const CHECKSUM_LENGTH: usize = 16;

/// One series of a nightly run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NightlyFigure {
    /// The unit.
    pub unit: SeriesUnit,
    /// The median of its windows; of failures the share of all runs.
    pub level: f64,
    /// The change over the session; absent where there were too few windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<f64>,
    /// The change per hundred runs, of what grows with runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_hundred_runs: Option<f64>,
    /// What was found.
    pub finding: SeriesFinding,
}

/// A soak in the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NightlyRun {
    /// The version of this format.
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
    /// The verdict.
    #[serde(rename = "standing")]
    pub verdict: SoakVerdict,
    /// Measured runs.
    pub runs: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Whether anything leaked.
    pub leaked: bool,
    /// The relative change of a latency or of memory that was material.
    pub material: f64,
    /// The change of the share of failed runs that was material, as a fraction.
    pub material_failures: f64,
    /// Each series by its name.
    pub series: BTreeMap<String, NightlyFigure>,
}

impl NightlyRun {
    /// The line of a soak whose session is in this folder.
    pub fn of(soak: &SoakAnalysis, folder: &str) -> Self {
        let failed = soak.failed as f64 / soak.runs.max(1) as f64;
        let figures = soak.series.iter().map(|one| {
            let level = if one.series == TrackedSeries::Failed { failed } else { one.level };
            let figure = NightlyFigure {
                unit: one.series.unit(),
                level: rounded(level),
                change: one.slope.map(|slope| rounded(slope.change)),
                per_hundred_runs: one.slope.and_then(|slope| slope.per_hundred_runs).map(rounded),
                finding: one.finding,
            };
            (one.series.name(), figure)
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
            material: soak.criteria.settings.material.fraction(),
            material_failures: soak.criteria.settings.material_failures.fraction(),
            series: figures.collect(),
        }
    }

    /// Whether it says how well the agent was: its generator delivered the load, and there were enough runs.
    pub const fn is_conclusive(&self) -> bool {
        matches!(self.verdict, SoakVerdict::Steady | SoakVerdict::Drifts)
    }

    /// Whether any series grew.
    pub fn drifted(&self) -> bool {
        self.series.values().any(|figure| figure.finding.is_worse())
    }

    /// Its line, with checksum and line break.
    ///
    /// # Errors
    /// Where it cannot be written as JSON.
    pub fn to_line(&self) -> Result<String, serde_json::Error> {
        let mut text = serde_json::to_string(self)?;
        // The body is the object without its closing brace.
        text.pop();
        let suffix = checksum(&text);
        Ok(format!("{text}{suffix}\n"))
    }

    fn read(line: &str) -> Option<Self> {
        let (body, suffix) = line.split_at_checked(line.len().checked_sub(CHECKSUM_LENGTH)?)?;
        if suffix != checksum(body) {
            return None;
        }
        let run: Self = serde_json::from_str(line).ok()?;
        (run.version <= HISTORY_VERSION && run.is_finite()).then_some(run)
    }

    fn is_finite(&self) -> bool {
        self.series.values().all(|figure| figure.level.is_finite())
    }
}

fn checksum(body: &str) -> String {
    format!(",\"c\":\"{:08x}\"}}", crc32fast::hash(body.as_bytes()))
}

/// A number to nine digits, which JSON restores exactly.
fn rounded(number: f64) -> f64 {
    format!("{number:.8e}").parse().unwrap_or(number)
}

/// The nightly runs of a history.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// In the order in which they began. Of several lines of one session, the last counts.
    pub runs: Vec<NightlyRun>,
    /// Lines that are damaged, incomplete, or of a newer version.
    pub unreadable: u64,
}

impl History {
    /// Reads a history. Lines that cannot be read are counted and ignored.
    pub fn read(text: &str) -> Self {
        let mut by_session: BTreeMap<String, NightlyRun> = BTreeMap::new();
        let mut unreadable = 0;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match NightlyRun::read(line) {
                Some(run) => {
                    by_session.insert(run.session.clone(), run);
                }
                None => unreadable += 1,
            }
        }
        let mut runs: Vec<NightlyRun> = by_session.into_values().collect();
        runs.sort_by(|one, other| {
            (&one.started, &one.session).cmp(&(&other.started, &other.session))
        });
        Self { runs, unreadable }
    }

    /// The line of a session.
    pub fn of_session(&self, session: &str) -> Option<&NightlyRun> {
        self.runs.iter().find(|run| run.session == session)
    }

    /// The nightly runs that began before `started`, without `session` itself.
    pub fn before<'a>(
        &'a self,
        started: &'a str,
        session: &'a str,
    ) -> impl DoubleEndedIterator<Item = &'a NightlyRun> {
        let earlier =
            move |run: &&NightlyRun| run.started.as_str() < started && run.session != session;
        self.runs.iter().filter(earlier)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A nightly run with these levels of latencies; its number decides session and start.
    pub(in crate::soak) fn nightly_run(number: usize, levels: &[(&str, f64)]) -> NightlyRun {
        let figure = |level| NightlyFigure {
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
    fn lines_are_read_back_and_the_last_one_of_a_session_counts() {
        let runs: Vec<NightlyRun> =
            (0..3).rev().map(|number| nightly_run(number, &[("a", 1.5)])).collect();
        let mut text: String = runs.iter().map(|run| run.to_line().unwrap()).collect();
        let again = NightlyRun { failed: 99, ..nightly_run(1, &[("a", 2.5)]) };
        text.push_str(&again.to_line().unwrap());
        let history = History::read(&text);
        assert_eq!(history.unreadable, 0);
        let sessions: Vec<&str> = history.runs.iter().map(|run| run.session.as_str()).collect();
        assert_eq!(sessions, ["night-000", "night-001", "night-002"]);
        assert_eq!(history.of_session("night-001"), Some(&again));
        let before: Vec<&NightlyRun> = history.before(&again.started, "x").collect();
        assert_eq!(before.len(), 1);
    }

    #[test]
    fn unreadable_lines_are_counted_and_ignored() {
        let line = nightly_run(0, &[("a", 1.0)]).to_line().unwrap();
        let torn = &line[..line.len() / 2];
        let changed = line.replace("\"runs\":1000", "\"runs\":1001");
        let newer = NightlyRun { version: 9, ..nightly_run(1, &[]) }.to_line().unwrap();
        let text = format!("{line}{changed}{newer}\n{{}}\nGrüße aus dem Log ü\n{torn}");
        let history = History::read(&text);
        assert_eq!((history.runs.len(), history.unreadable), (1, 5));
        for cut in 0..line.len() {
            History::read(&line[..cut]);
        }
    }
}
