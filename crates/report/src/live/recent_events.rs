//! The last events of a session that are worth a line each.

use std::collections::{BTreeSet, VecDeque};

use crate::fold::{EndedRuns, FoldedSession};
use rushhour_core::event::{Event, EventKind, FailureClass, Outcome, WorkerLoss};
use rushhour_core::units::{ForeignText, RunIndex, SessionTime, WorkerId};

/// The most failures that are kept: they may be many, and would push out everything else.
const FAILURES: usize = 8;
/// The most other events that are kept.
const OTHERS: usize = 16;

/// An event that is worth a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentEvent {
    /// When.
    pub at: SessionTime,
    /// What happened.
    pub what: RecentKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecentKind {
    /// The session began.
    Began,
    /// The first run of a stage started.
    Stage(String),
    /// A run failed.
    Failed {
        /// The run.
        run: RunIndex,
        /// Why.
        class: FailureClass,
        /// What happened.
        detail: ForeignText,
    },
    /// Somebody marked the moment.
    Mark(ForeignText),
    /// A worker is no longer counted on.
    WorkerLost(WorkerId, WorkerLoss),
    /// No more runs will start.
    Stopping(ForeignText),
    /// The session's process died, and another one resumed it.
    Resumed,
    /// The session ended.
    Ended,
}

/// The last events.
#[derive(Debug, Clone, Default)]
pub struct RecentEvents {
    failures: VecDeque<RecentEvent>,
    others: VecDeque<RecentEvent>,
    stages: BTreeSet<u32>,
    lost: BTreeSet<WorkerId>,
}

fn keep(events: &mut VecDeque<RecentEvent>, most: usize, event: RecentEvent) {
    if events.len() == most {
        events.pop_front();
    }
    events.push_back(event);
}

impl RecentEvents {
    pub(super) fn add(
        &mut self,
        event: &Event,
        ended: &EndedRuns,
        session: Option<&FoldedSession>,
    ) {
        let what = match &event.kind {
            EventKind::Opened(_) => RecentKind::Began,
            EventKind::RunStarted { stage, .. } if self.stages.insert(*stage) => {
                let stages = session.map(|session| &session.names.stages);
                let name = stages.and_then(|stages| stages.get(*stage as usize));
                RecentKind::Stage(name.map_or_else(String::new, |(name, _)| name.clone()))
            }
            EventKind::Mark { text } => RecentKind::Mark(text.clone()),
            EventKind::Stopping { detail, .. } => RecentKind::Stopping(detail.clone()),
            EventKind::Resumed { .. } => RecentKind::Resumed,
            EventKind::Closed => RecentKind::Ended,
            EventKind::WorkerHealth(health) => match health.lost {
                Some(loss) if self.lost.insert(health.worker) => {
                    RecentKind::WorkerLost(health.worker, loss)
                }
                _ => return,
            },
            EventKind::Ended { run, outcome: Outcome::Failed { class, detail }, .. }
                if matches!(ended, EndedRuns::Run(_)) =>
            {
                let what = RecentKind::Failed { run: *run, class: *class, detail: detail.clone() };
                keep(&mut self.failures, FAILURES, RecentEvent { at: event.at, what });
                return;
            }
            _ => return,
        };
        keep(&mut self.others, OTHERS, RecentEvent { at: event.at, what });
    }

    /// All that are kept, the last one first.
    pub fn latest_first(&self) -> Vec<RecentEvent> {
        let mut all: Vec<RecentEvent> = self.others.iter().chain(&self.failures).cloned().collect();
        all.sort_by_key(|event| std::cmp::Reverse(event.at));
        all
    }
}
