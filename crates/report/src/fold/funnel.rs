//! The funnel: each step of a run, how many runs reached it, and why the others stopped there.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::run_record::RunRecord;
use rushhour_core::event::{FailureClass, Outcome};
use rushhour_core::profile::{EvaluatorSettings, Profile};
use rushhour_core::units::{Metric, Mode};

/// A step of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FunnelStep {
    /// The driver started it.
    Started,
    /// CreateRoom succeeded.
    RoomCreated,
    /// Our own caller joined the room.
    CallerJoined,
    /// CreateDispatch succeeded.
    Dispatched,
    /// A worker was assigned the job.
    Assigned,
    /// A participant of kind AGENT joined the room.
    AgentSeen,
    /// The agent's state was listening.
    AgentReady,
    /// It was about to be submitted to the evaluator.
    Submitted,
    /// The evaluator accepted it.
    Accepted,
    /// The conversation began.
    Running,
    /// The agent spoke or wrote for the first time.
    Greeted,
    /// The agent answered this turn.
    Turn(u32),
    /// The conversation came to its end.
    Completed,
    /// The agent passed.
    Passed,
}

impl FunnelStep {
    /// The name in reports.
    pub fn name(self) -> Cow<'static, str> {
        match self {
            Self::Started => "started".into(),
            Self::RoomCreated => "room made".into(),
            Self::CallerJoined => "caller joined".into(),
            Self::Dispatched => "dispatched".into(),
            Self::Assigned => "assigned".into(),
            Self::AgentSeen => "agent seen".into(),
            Self::AgentReady => "agent ready".into(),
            Self::Submitted => "submitted".into(),
            Self::Accepted => "accepted".into(),
            Self::Running => "running".into(),
            Self::Greeted => "agent heard".into(),
            Self::Turn(number) => format!("turn {number}").into(),
            Self::Completed => "completed".into(),
            Self::Passed => "passed".into(),
        }
    }

    /// The metric whose latency ends with this step.
    pub const fn metric(self, mode: Mode) -> Option<Metric> {
        match (self, mode) {
            (Self::Started, _) => Some(Metric::ScheduleLag),
            (Self::RoomCreated, _) => Some(Metric::Room),
            (Self::CallerJoined | Self::Running, _) => Some(Metric::Queue),
            (Self::Dispatched, _) => Some(Metric::Dispatch),
            (Self::AgentSeen, _) => Some(Metric::AgentJoin),
            (Self::AgentReady, _) => Some(Metric::AgentReady),
            (Self::Accepted, _) => Some(Metric::SubmissionService),
            (Self::Greeted, _) => Some(Metric::Greeting),
            (Self::Turn(_), Mode::Chat) => Some(Metric::TurnChatFirst),
            (Self::Turn(_), Mode::Voice) => Some(Metric::TurnVoice),
            (Self::Completed, _) => Some(Metric::CompletionService),
            (Self::Submitted | Self::Assigned | Self::Passed, _) => None,
        }
    }
}

/// The steps of a run of an external evaluator.
const EVALUATOR_STEPS: [FunnelStep; 10] = [
    FunnelStep::Started,
    FunnelStep::RoomCreated,
    FunnelStep::Dispatched,
    FunnelStep::AgentSeen,
    FunnelStep::AgentReady,
    FunnelStep::Submitted,
    FunnelStep::Accepted,
    FunnelStep::Running,
    FunnelStep::Completed,
    FunnelStep::Passed,
];

/// How many runs reached each step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Funnel {
    steps: Vec<FunnelStep>,
    reached: BTreeMap<FunnelStep, u64>,
    stopped_at: BTreeMap<(FunnelStep, Option<FailureClass>), u64>,
}

impl Funnel {
    /// The empty funnel of a profile.
    pub(super) fn of(profile: &Profile) -> Self {
        let steps = match &profile.evaluator {
            EvaluatorSettings::Cekura(_) => EVALUATOR_STEPS.to_vec(),
            EvaluatorSettings::Native(_) => {
                let scripts = profile.mix.scenarios().into_iter().filter_map(|s| s.script.as_ref());
                let turns = scripts.map(|script| script.turns.len()).max().unwrap_or(0);
                let turns = u32::try_from(turns).unwrap_or(u32::MAX);
                [
                    FunnelStep::Started,
                    FunnelStep::RoomCreated,
                    FunnelStep::CallerJoined,
                    FunnelStep::Dispatched,
                    FunnelStep::Assigned,
                    FunnelStep::AgentSeen,
                    FunnelStep::AgentReady,
                    FunnelStep::Greeted,
                ]
                .into_iter()
                .chain((1..=turns).map(FunnelStep::Turn))
                .chain([FunnelStep::Completed, FunnelStep::Passed])
                .collect()
            }
        };
        Self { steps, ..Self::default() }
    }

    /// The steps in order.
    pub fn steps(&self) -> &[FunnelStep] {
        &self.steps
    }

    /// Adds a run that was started.
    pub(super) fn add(&mut self, record: &RunRecord) {
        let mut furthest = FunnelStep::Started;
        for step in self.steps.iter().copied().filter(|step| reached(record, *step)) {
            *self.reached.entry(step).or_default() += 1;
            furthest = step;
        }
        match record.ending.as_ref().map(|ending| &ending.outcome) {
            Some(Outcome::Completed { .. } | Outcome::Skipped) => {}
            Some(Outcome::Failed { class, .. }) => {
                *self.stopped_at.entry((furthest, Some(*class))).or_default() += 1;
            }
            None => *self.stopped_at.entry((furthest, None)).or_default() += 1,
        }
    }

    /// How many runs reached a step.
    pub fn reached(&self, step: FunnelStep) -> u64 {
        self.reached.get(&step).copied().unwrap_or(0)
    }

    /// Runs that went no further than a step, by failure class; runs without a class were in flight when the session was
    /// killed.
    pub fn stopped_at(
        &self,
        step: FunnelStep,
    ) -> impl Iterator<Item = (Option<FailureClass>, u64)> {
        self.stopped_at
            .iter()
            .filter(move |((at, _), _)| *at == step)
            .map(|((_, class), count)| (*class, *count))
    }
}

/// A step that no poll saw counts as reached if a later step of the same participant was.
fn reached(record: &RunRecord, step: FunnelStep) -> bool {
    let completed = match record.ending.as_ref().map(|ending| &ending.outcome) {
        Some(Outcome::Completed { judged }) => Some(*judged),
        _ => None,
    };
    let running = record.running.is_some() || record.judging.is_some() || completed.is_some();
    match step {
        FunnelStep::Started => record.started.is_some(),
        FunnelStep::RoomCreated => record.room_created.is_some(),
        FunnelStep::Dispatched => record.dispatched.is_some(),
        FunnelStep::Assigned => {
            let class = record.ending.as_ref().and_then(|ending| ending.outcome.class());
            record.agent.is_some() || class == Some(FailureClass::AgentNeverJoined)
        }
        FunnelStep::AgentSeen => record.agent.is_some() || record.agent_ready.is_some(),
        FunnelStep::AgentReady => record.agent_ready.is_some(),
        FunnelStep::Submitted => record.submit_intent.is_some() || record.submission.is_some(),
        FunnelStep::Accepted => record.submission.is_some(),
        FunnelStep::Running => running,
        FunnelStep::CallerJoined => record.running.is_some(),
        FunnelStep::Greeted => record.greeted.is_some(),
        FunnelStep::Turn(number) => {
            record.turns.iter().any(|turn| turn.number == number && turn.ending.is_answered())
        }
        FunnelStep::Completed => completed.is_some(),
        FunnelStep::Passed => completed == Some(Some(true)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::run_record::tests::{completed, span};
    use super::*;
    use crate::fold::RunOutcome;
    use rushhour_core::units::SessionTime;

    #[test]
    fn a_run_counts_at_every_step_it_reached_and_stops_at_the_last() {
        let mut funnel = Funnel { steps: EVALUATOR_STEPS.to_vec(), ..Funnel::default() };
        funnel.add(&completed());
        let mut lost = completed();
        lost.agent = None;
        lost.submit_intent = None;
        lost.submission = None;
        lost.running = None;
        lost.judging = None;
        lost.ending = Some(RunOutcome {
            outcome: Outcome::failed(FailureClass::DispatchUnassigned, "no worker"),
            seen: span(10_000, 11_000),
            conversation_duration: None,
        });
        funnel.add(&lost);
        let mut open = lost.clone();
        open.ending = None;
        open.submit_intent = Some(SessionTime(3_000));
        funnel.add(&open);
        let counts: Vec<u64> = EVALUATOR_STEPS.iter().map(|step| funnel.reached(*step)).collect();
        assert_eq!(counts, [3, 3, 3, 1, 0, 2, 1, 1, 1, 0]);
        let stopped: Vec<_> = funnel.stopped_at(FunnelStep::Dispatched).collect();
        assert_eq!(stopped, [(Some(FailureClass::DispatchUnassigned), 1)]);
        assert_eq!(funnel.stopped_at(FunnelStep::Submitted).collect::<Vec<_>>(), [(None, 1)]);
        assert_eq!(funnel.stopped_at(FunnelStep::Completed).count(), 0);
    }
}
