//! The runs that were judged, each with its rerun.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::figures::JudgedFigures;
use crate::fold::{FoldedSession, RunRecord, is_agent_failure};
use crate::session::BillTotals;
use rushhour_core::event::{FailureClass, Outcome, SessionHeader};
use rushhour_core::profile::{CallersVerdict, JudgingSelection};
use rushhour_core::units::{EvaluatorRunId, RoomName, RunIndex};

/// One run, of the original session or of the judging session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunVerdict {
    /// Its number in its own session.
    pub run: RunIndex,
    /// Its room.
    pub room: Option<RoomName>,
    /// Its id at the evaluator, if it was accepted there.
    pub evaluator_run: Option<EvaluatorRunId>,
    /// `None` if it has not ended.
    pub outcome: Option<Outcome>,
}

impl RunVerdict {
    fn of(record: &RunRecord) -> Self {
        Self {
            run: record.run,
            room: record.room.clone(),
            evaluator_run: record.submission.as_ref().map(|s| s.evaluator_run.clone()),
            outcome: record.ending.as_ref().map(|ending| ending.outcome.clone()),
        }
    }

    /// Whether the judge passed it; `None` if there is no verdict.
    fn judgement(&self) -> Option<bool> {
        match self.outcome.as_ref()? {
            Outcome::Completed { judged } => *judged,
            // It was cut off, perhaps while it was queued.
            Outcome::Failed { class: FailureClass::EvaluatorTimeout, .. } | Outcome::Skipped => {
                None
            }
            Outcome::Failed { class, .. } => is_agent_failure(*class).then_some(false),
        }
    }
}

/// A run that was chosen to be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedRun {
    /// The scenario's name.
    pub scenario: String,
    /// The verdict of the original session.
    pub verdict: CallersVerdict,
    /// The run in the original session.
    pub original: RunVerdict,
    /// The run in the judging session; `None` if it was not rerun.
    pub rerun: Option<RunVerdict>,
    /// Whether the rerun passed; `None` if there is no verdict.
    pub judged: Option<bool>,
}

/// The result of judging a session.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgingResult {
    /// The figures.
    pub figures: JudgedFigures,
    /// Every chosen run, in the order of the original session.
    pub runs: Vec<JudgedRun>,
    /// The cost of the judging; `None` if nothing is charged.
    pub bill: Option<BillTotals>,
}

/// Joins a judging session with the original session.
#[derive(Debug)]
pub struct JudgedFold {
    selection: JudgingSelection,
    chosen: HashSet<RunIndex>,
    scenarios: Vec<String>,
    originals: HashMap<RunIndex, RunVerdict>,
    reruns: HashMap<RunIndex, RunVerdict>,
}

impl JudgedFold {
    /// `None` if `judging` judges no session, or another one than `original`.
    pub fn new(judging: &SessionHeader, original: &SessionHeader) -> Option<Self> {
        let judges = judging.profile.judges.clone();
        let selection = judges.filter(|judges| judges.session == original.session)?;
        let scenarios = judging.profile.mix.scenarios();
        let scenarios = scenarios.into_iter().map(|scenario| scenario.name.clone()).collect();
        let runs = selection.scenarios.iter().flat_map(|scenario| &scenario.runs);
        let chosen = runs.map(|chosen| chosen.run).collect();
        let (originals, reruns) = (HashMap::new(), HashMap::new());
        Some(Self { selection, chosen, scenarios, originals, reruns })
    }

    /// Adds a run of the judging session, ended or not.
    pub fn add_rerun(&mut self, record: &RunRecord) {
        if let Some(chosen) = self.selection.selected_run(record.scenario, record.copy) {
            self.reruns.insert(chosen.run, RunVerdict::of(record));
        }
    }

    /// Adds a run of the original session. Runs that were not chosen are ignored.
    pub fn add_original(&mut self, record: &RunRecord) {
        if self.chosen.contains(&record.run) {
            self.originals.insert(record.run, RunVerdict::of(record));
        }
    }

    /// The result, once every run of both sessions was added.
    pub fn finish(mut self, judging: &FoldedSession, original: &FoldedSession) -> JudgingResult {
        let mut runs: BTreeMap<RunIndex, JudgedRun> = BTreeMap::new();
        for (position, scenario) in self.selection.scenarios.iter().enumerate() {
            for chosen in &scenario.runs {
                // A journal without a chosen run is not that of the original session.
                let Some(original) = self.originals.remove(&chosen.run) else { continue };
                let rerun = self.reruns.remove(&chosen.run);
                let judged = rerun.as_ref().and_then(RunVerdict::judgement);
                let scenario = self.scenarios.get(position).cloned().unwrap_or_default();
                let verdict = chosen.verdict;
                runs.insert(chosen.run, JudgedRun { scenario, verdict, original, rerun, judged });
            }
        }
        let runs: Vec<JudgedRun> = runs.into_values().collect();
        let figures = JudgedFigures::new(&self.selection, &runs, judging, original);
        JudgingResult { figures, runs, bill: BillTotals::of(judging) }
    }
}
