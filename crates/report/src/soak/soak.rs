//! A session judged as a soak: its windows, its series as one family, what it left behind, and one answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::criteria::{FALSE_SLOPES, FALSE_STEPS, SoakCriteria};
use super::headline::answer;
use super::idle_periods::{LeakCheck, LeakFinding, leaks};
use super::nightly_comparison::NightlyComparison;
use super::nightly_run::{History, NightlyRun};
use super::series_judgement::{SeriesFinding, SeriesJudgement, judge_series};
use super::soak_data::{SoakData, WorkerSample};
use super::wall_clock::WallClock;
use super::windows::SoakWindows;
use crate::fold::FoldedSession;
use rushhour_core::event::SessionHeader;
use rushhour_core::units::Micros;

/// The version of the shape of `soak.json`.
pub const SOAK_VERSION: u32 = 1;

/// How long what a wave took may stay, where the profile does not say.
const SETTLE: Micros = Micros::from_secs(30);

/// What a soak comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SoakVerdict {
    /// Nothing grows, nothing is left behind, the nights before are no better.
    Steady,
    /// Something grows, is left behind, or is worse than in the nights before.
    Drifts,
    /// There is too little to say.
    NotEnoughData,
    /// The generator did not deliver its load, so nothing is said of the agent.
    Invalid,
}

impl SoakVerdict {
    /// The word used in reports.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Steady => "Steady",
            Self::Drifts => "Not steady",
            Self::NotEnoughData => "Not enough data",
            Self::Invalid => "Invalid",
        }
    }
}

/// A session judged as a soak.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Soak {
    /// The version of this shape.
    pub schema_version: u32,
    /// The session.
    pub session: String,
    /// The profile's name.
    pub profile: String,
    /// The profile's hash.
    pub profile_hash: String,
    /// When it began, RFC 3339 in UTC.
    pub started: String,
    /// What it comes to.
    pub verdict: SoakVerdict,
    /// The answer in one sentence.
    pub answer: String,
    /// From the first measured start to the last, in microseconds.
    pub span_us: u64,
    /// How many windows that is cut into.
    pub windows: u64,
    /// The width of each, in microseconds.
    pub window_us: u64,
    /// Measured runs of which it is known how they ended.
    pub runs: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Looks at the agent's worker.
    pub looks: u64,
    /// Looks that were not answered usefully.
    pub looks_failed: u64,
    /// A latency or the memory has to change by this share for the change to count.
    pub material: f64,
    /// Failures have to change by so much, as a fraction.
    pub material_failures: f64,
    /// Series that are judged as one family,
    pub family: u64,
    /// and the chance that any of them is called drifting in a steady session.
    pub false_alarms: f64,
    /// Seeds the resampling.
    pub seed: u64,
    /// How often each series is resampled.
    pub resamples: u32,
    /// Each series.
    pub series: Vec<SeriesJudgement>,
    /// What was left behind.
    pub leaks: Vec<LeakCheck>,
    /// The session against the nights before it.
    pub nights: NightlyComparison,
    /// What else a reader has to know.
    pub notes: Vec<String>,
    /// The windows.
    #[serde(skip)]
    pub cut: Option<SoakWindows>,
    /// The looks at the agent's worker, evenly thinned where there are many.
    #[serde(skip)]
    pub worker: Vec<WorkerSample>,
}

impl Soak {
    /// Judges what was gathered of a session, against the nights before it too; `delivered` is whether its generator
    /// delivered the load as asked.
    pub fn judge(
        gathered: SoakData,
        folded: &FoldedSession,
        question: &SoakCriteria,
        (delivered, history): (bool, &History),
    ) -> Self {
        let SessionHeader { profile, profile_hash, session, anchor, .. } = &folded.opening;
        let wall = WallClock::of(anchor);
        let cut = SoakWindows::of(&gathered, question.settings.window);
        let (series, family) = judge_series(&cut, question, &wall);
        let settle = profile.agent_health.as_ref().map_or(SETTLE, |health| health.settle.micros());
        let leaks = leaks(&gathered, settle);
        let mut soak = Self {
            schema_version: SOAK_VERSION,
            session: session.as_str().to_owned(),
            profile: profile.name.clone(),
            profile_hash: profile_hash.clone(),
            started: anchor.clone(),
            verdict: SoakVerdict::NotEnoughData,
            answer: String::new(),
            span_us: cut.span().0,
            windows: cut.windows.len() as u64,
            window_us: cut.width.0,
            runs: gathered.ended.len() as u64,
            failed: gathered.ended.iter().filter(|run| run.failed).count() as u64,
            looks: gathered.worker_samples.len() as u64,
            looks_failed: gathered.failed_worker_polls,
            material: question.settings.material.fraction(),
            material_failures: question.settings.material_failures.fraction(),
            family: family as u64,
            false_alarms: FALSE_SLOPES + FALSE_STEPS,
            seed: question.seed,
            resamples: question.resamples,
            series,
            leaks,
            nights: NightlyComparison::default(),
            notes: Vec::new(),
            cut: Some(cut),
            worker: gathered.worker_samples,
        };
        soak.verdict = soak.stands(delivered);
        soak.nights = NightlyComparison::judge(&NightlyRun::of(&soak, ""), history);
        if soak.verdict == SoakVerdict::Steady && soak.nights.is_worse() {
            soak.verdict = SoakVerdict::Drifts;
        }
        soak.notes = soak.notes(folded);
        soak.notes.extend(soak.nights.notes(history));
        soak.answer = answer(&soak);
        soak
    }

    fn stands(&self, delivered: bool) -> SoakVerdict {
        if !delivered {
            SoakVerdict::Invalid
        } else if self.has_leaked() || self.series.iter().any(|one| one.finding.is_worse()) {
            SoakVerdict::Drifts
        } else if self.judged().next().is_none() {
            SoakVerdict::NotEnoughData
        } else {
            SoakVerdict::Steady
        }
    }

    /// Whether anything was left behind.
    pub fn has_leaked(&self) -> bool {
        self.leaks.iter().any(|leak| leak.finding == LeakFinding::Leaked)
    }

    /// The series that there were windows enough for.
    pub fn judged(&self) -> impl Iterator<Item = &SeriesJudgement> {
        self.series.iter().filter(|one| one.finding != SeriesFinding::TooFew)
    }

    fn notes(&self, folded: &FoldedSession) -> Vec<String> {
        let mut notes = Vec::new();
        if self.runs == 0 {
            notes.push("no measured run came to its end".to_owned());
        } else if self.failed == self.runs {
            notes.push(format!("all {} measured runs failed: there are no latencies", self.runs));
        }
        if folded.opening.profile.agent_health.is_none() {
            notes.push(
                "the agent's jobs, processes and memory were not looked at: the profile has no [agent_health]"
                    .to_owned(),
            );
        } else if self.looks == 0 {
            let why = match self.looks_failed {
                0 => "it was never asked".to_owned(),
                failed => format!("{failed} looks failed"),
            };
            notes.push(format!("the agent's worker told nothing: {why}"));
        } else if self.looks_failed > 0 {
            let (looks, failed) = (self.looks, self.looks_failed);
            notes.push(format!(
                "{failed} looks at the agent's worker failed beside {looks} that did not"
            ));
        }
        if !folded.closed {
            notes.push(
                "the session did not come to its end: what is said is of the part that was held"
                    .to_owned(),
            );
        }
        if !folded.resumptions.is_empty() {
            notes.push("its process died and another one took the session up: windows around that time hold fewer runs".to_owned());
        }
        notes
    }
}
