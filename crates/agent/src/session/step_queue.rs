//! What a session is going to do, and when.

use rushhour_core::units::SessionTime;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Set the state to `listening`. `since` is the start of the delay.
    BecomeReady {
        since: SessionTime,
    },
    /// Greet the caller. `since` is the start of the delay.
    Greet {
        since: SessionTime,
    },
    /// Send a segment that belongs to no answer.
    SendStaleSegment,
    /// Take the caller's turn to be over, whose last sound was at `since`.
    EndTurn {
        since: SessionTime,
    },
    StartAnswer,
    /// Send another chunk of an answer that never ends.
    ContinueEndlessText,
    /// Send the rest of the answer.
    FinishAnswer,
    /// Fall silent for the caller, whose speech began at `since`.
    YieldToCaller {
        since: SessionTime,
    },
    /// Speak although the caller does, who began at `since`.
    TalkOver {
        since: SessionTime,
    },
    /// Leave the room to the agent that took over.
    LeaveToSuccessor,
}

/// Scheduled steps, a handful at most.
#[derive(Debug, Default)]
pub(super) struct StepQueue(Vec<(SessionTime, Step)>);

impl StepQueue {
    pub(super) fn schedule(&mut self, at: SessionTime, step: Step) {
        self.0.push((at, step));
    }

    /// Cancels all steps of an answer.
    pub(super) fn cancel_answer(&mut self) {
        let is_kept = |step: &Step| {
            matches!(step, Step::BecomeReady { .. } | Step::Greet { .. } | Step::EndTurn { .. })
        };
        self.0.retain(|(_, step)| is_kept(step));
    }

    /// The caller goes on with its turn.
    pub(super) fn cancel_end_of_turn(&mut self) {
        self.0.retain(|(_, step)| !matches!(step, Step::EndTurn { .. }));
    }

    /// When the speech began to which the agent is about to yield, if it is.
    pub(super) fn yields_since(&self) -> Option<SessionTime> {
        self.0.iter().find_map(|(_, step)| match step {
            Step::YieldToCaller { since } => Some(*since),
            _ => None,
        })
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// When the next step is due.
    pub(super) fn next(&self) -> Option<SessionTime> {
        self.0.iter().map(|(at, _)| *at).min()
    }

    /// Removes the earliest step that is due.
    pub(super) fn take_due(&mut self, now: SessionTime) -> Option<Step> {
        let (index, (at, _)) = self.0.iter().enumerate().min_by_key(|(_, (at, _))| *at)?;
        (*at <= now).then(|| self.0.remove(index).1)
    }
}
