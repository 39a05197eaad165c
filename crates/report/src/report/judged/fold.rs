//! The runs that were judged, each beside the run in which it was held again.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::super::money::bill_words;
use super::figures::JudgedFigures;
use crate::fold::{FoldedSession, RunRecord, is_agent_failure};
use rushhour_core::event::{FailureClass, Outcome, SessionHeader};
use rushhour_core::profile::{CallersVerdict, JudgingSelection};
use rushhour_core::units::{EvaluatorRunId, RoomName, RunIndex};

/// A run as it was held: by our own callers, or again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunVerdict {
    /// The run, in its own session.
    pub run: RunIndex,
    /// Its room.
    pub room: Option<RoomName>,
    /// The run at the evaluator, where it was accepted there.
    pub evaluator_run: Option<EvaluatorRunId>,
    /// How it ended; none where it has not.
    pub outcome: Option<Outcome>,
}

impl RunVerdict {
    fn of(record: &RunRecord) -> Self {
        Self {
            run: record.run,
            room: record.room.clone(),
            evaluator_run: record.submission.as_ref().map(|made| made.evaluator_run.clone()),
            outcome: record.ending.as_ref().map(|ending| ending.outcome.clone()),
        }
    }

    /// What the judge says of it; none where it does not say, or could not.
    fn judgement(&self) -> Option<bool> {
        match self.outcome.as_ref()? {
            Outcome::Completed { judged } => *judged,
            // It was cut off, perhaps while it waited.
            Outcome::Failed { class: FailureClass::EvaluatorTimeout, .. } | Outcome::Skipped => {
                None
            }
            Outcome::Failed { class, .. } => is_agent_failure(*class).then_some(false),
        }
    }
}

/// A run that was chosen, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedRun {
    /// The scenario's name.
    pub scenario: String,
    /// What our own callers made of it.
    pub verdict: CallersVerdict,
    /// As our own callers held it.
    pub ours: RunVerdict,
    /// As it was held again; none where it was not.
    pub again: Option<RunVerdict>,
    /// Whether it passed when it was held again; none where there is no verdict.
    pub judged: Option<bool>,
}

/// What the judging of a session comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgingResult {
    /// The figures.
    pub figures: JudgedFigures,
    /// Every run that was chosen, in the order of the judged session.
    pub runs: Vec<JudgedRun>,
    /// What the judging cost, in words; none where nothing is charged.
    pub bill: Option<String>,
}

/// Brings a judging session and the session that it judges together.
#[derive(Debug)]
pub struct JudgedFold {
    selection: JudgingSelection,
    chosen: HashSet<RunIndex>,
    scenarios: Vec<String>,
    ours: HashMap<RunIndex, RunVerdict>,
    again: HashMap<RunIndex, RunVerdict>,
}

impl JudgedFold {
    /// Begins with how the judging session was opened; none where it judges no other session, or
    /// another than `session`.
    pub fn new(opening: &SessionHeader, session: &SessionHeader) -> Option<Self> {
        let selection =
            opening.profile.judges.clone().filter(|judges| judges.session == session.session)?;
        let scenarios =
            opening.profile.mix.scenarios().into_iter().map(|one| one.name.clone()).collect();
        let all = selection.chosen.iter().flat_map(|scenario| &scenario.runs);
        let chosen = all.map(|chosen| chosen.run).collect();
        Some(Self { selection, chosen, scenarios, ours: HashMap::new(), again: HashMap::new() })
    }

    /// Takes in a run of the judging session, ended or not.
    pub fn add_again(&mut self, record: &RunRecord) {
        if let Some(chosen) = self.selection.of(record.scenario, record.copy) {
            self.again.insert(chosen.run, RunVerdict::of(record));
        }
    }

    /// Takes in a run of the session that is judged; those that were not chosen are passed over.
    pub fn add_ours(&mut self, record: &RunRecord) {
        if self.chosen.contains(&record.run) {
            self.ours.insert(record.run, RunVerdict::of(record));
        }
    }

    /// What it comes to, given the whole of both sessions.
    pub fn finish(mut self, judging: &FoldedSession, session: &FoldedSession) -> JudgingResult {
        let mut runs: BTreeMap<RunIndex, JudgedRun> = BTreeMap::new();
        for (position, scenario) in self.selection.chosen.iter().enumerate() {
            for chosen in &scenario.runs {
                // A session whose journal lacks a run that was drawn from it is not that session.
                let Some(ours) = self.ours.remove(&chosen.run) else { continue };
                let again = self.again.remove(&chosen.run);
                let judged = again.as_ref().and_then(RunVerdict::judgement);
                let scenario = self.scenarios.get(position).cloned().unwrap_or_default();
                let verdict = chosen.verdict;
                runs.insert(chosen.run, JudgedRun { scenario, verdict, ours, again, judged });
            }
        }
        let runs: Vec<JudgedRun> = runs.into_values().collect();
        let figures = JudgedFigures::new(&self.selection, &runs, (judging, session));
        JudgingResult { figures, runs, bill: bill_words(judging) }
    }
}
