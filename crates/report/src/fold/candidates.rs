//! Which runs of a session can be judged, and how our own callers judged them.

use super::run_record::RunRecord;
use super::stage_names::StageNames;
use rushhour_core::event::{FailureClass, Outcome};
use rushhour_core::profile::{CallersVerdict, JudgingCandidate};

/// The measured runs of a session that can be judged, gathered as their outcomes become known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Candidates {
    /// The runs that can be judged, in the order in which they ended.
    pub runs: Vec<JudgingCandidate>,
    /// How many runs say nothing about the conversation.
    pub not_judgeable: u64,
}

impl Candidates {
    /// Adds a run that ended. Runs of unmeasured stages are ignored.
    pub fn add(&mut self, record: &RunRecord, names: &StageNames) {
        let Some(ending) = &record.ending else { return };
        if !names.is_measured(record.stage) {
            return;
        }
        match callers_verdict(&ending.outcome) {
            Some(verdict) => {
                let (run, scenario) = (record.run, record.scenario);
                self.runs.push(JudgingCandidate { run, scenario, verdict });
            }
            None => self.not_judgeable += 1,
        }
    }
}

/// How our own callers judged a run; none where its outcome says nothing about the conversation, so there is nothing to
/// judge.
pub const fn callers_verdict(outcome: &Outcome) -> Option<CallersVerdict> {
    match outcome {
        Outcome::Completed { judged: Some(false) } => Some(CallersVerdict::Failed),
        Outcome::Completed { .. } => Some(CallersVerdict::Passed),
        Outcome::Failed { class, .. } if is_agent_failure(*class) => Some(CallersVerdict::Failed),
        Outcome::Failed { .. } | Outcome::Skipped => None,
    }
}

/// Whether a failure is the agent's, so that judging the conversation makes sense: not a refused key, a room that the
/// server did not create, a submission that a service did not accept, or a stop of ours.
pub(crate) const fn is_agent_failure(class: FailureClass) -> bool {
    match class {
        FailureClass::DispatchUnassigned
        | FailureClass::AgentNeverJoined
        | FailureClass::AgentLate
        | FailureClass::AgentMute
        | FailureClass::AgentLeft
        | FailureClass::TurnTimeout
        | FailureClass::EvaluatorFailed
        | FailureClass::EvaluatorTimeout => true,
        FailureClass::TokenRejected
        | FailureClass::RoomFailed
        | FailureClass::ConnectionLost
        | FailureClass::DispatchFailed
        | FailureClass::SubmitRejected
        | FailureClass::SubmitUnknown
        | FailureClass::StatusUnknown
        | FailureClass::RateLimited
        | FailureClass::LivekitRateLimited
        | FailureClass::BudgetStopped
        | FailureClass::Cancelled
        | FailureClass::GeneratorFault => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::run_record::tests::completed;
    use super::super::run_record::{RunOutcome, TimeSpan};
    use super::*;
    use rushhour_core::units::{RunIndex, SessionTime};

    fn ended(run: u64, stage: u32, outcome: Outcome) -> RunRecord {
        let seen = TimeSpan { from: SessionTime(9), to: SessionTime(9) };
        let ending = Some(RunOutcome { outcome, seen, conversation_duration: None });
        RunRecord { run: RunIndex(run), stage, ending, ..completed() }
    }

    #[test]
    fn only_failures_of_the_agent_can_be_judged() {
        let stages = vec![("warm".to_owned(), false), ("steady".to_owned(), true)];
        let names =
            StageNames { stages, scenarios: vec!["greet".to_owned()], networks: Vec::new() };
        let mut candidates = Candidates::default();
        let failed = |class| Outcome::failed(class, "");
        for (run, (stage, outcome)) in (0..).zip([
            (0, Outcome::Completed { judged: None }),
            (1, Outcome::Completed { judged: None }),
            (1, Outcome::Completed { judged: Some(false) }),
            (1, failed(FailureClass::AgentMute)),
            (1, failed(FailureClass::GeneratorFault)),
            (1, failed(FailureClass::TokenRejected)),
            (1, Outcome::Skipped),
        ]) {
            candidates.add(&ended(run, stage, outcome), &names);
        }
        candidates.add(&RunRecord { ending: None, ..ended(7, 1, Outcome::Skipped) }, &names);
        let found: Vec<(u64, CallersVerdict)> =
            candidates.runs.iter().map(|one| (one.run.0, one.verdict)).collect();
        let (passed, failed) = (CallersVerdict::Passed, CallersVerdict::Failed);
        assert_eq!(found, [(1, passed), (2, failed), (3, failed)]);
        assert_eq!(candidates.not_judgeable, 3);
    }
}
