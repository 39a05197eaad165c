//! What a session still has to do, and when.

use rushhour_core::units::SessionTime;

/// Something to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Say that one listens; the delay that was asked for began at `since`.
    BeReady { since: SessionTime },
    /// Begin to speak by oneself; being ready was at `since`.
    Greet { since: SessionTime },
    /// Send a text that answers nothing.
    Stray,
    /// Begin the answer.
    Answer,
    /// Send more of an answer without end.
    GoOn,
    /// Send the rest of the answer.
    Finish,
    /// Fall silent for the caller, whose voice began at `since`.
    Yield { since: SessionTime },
}

/// Steps with their times; a handful at most.
#[derive(Debug, Default)]
pub(super) struct Agenda(Vec<(SessionTime, Step)>);

impl Agenda {
    /// Puts a step on it.
    pub(super) fn put(&mut self, at: SessionTime, step: Step) {
        self.0.push((at, step));
    }

    /// Takes off whatever belongs to an answer.
    pub(super) fn forget_answer(&mut self) {
        self.0.retain(|(_, step)| matches!(step, Step::BeReady { .. } | Step::Greet { .. }));
    }

    /// Since when the caller is being given way to, if that is still to be done.
    pub(super) fn yields(&self) -> Option<SessionTime> {
        self.0.iter().find_map(|(_, step)| match step {
            Step::Yield { since } => Some(*since),
            _ => None,
        })
    }

    /// Takes everything off.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// When the next step is due.
    pub(super) fn next(&self) -> Option<SessionTime> {
        self.0.iter().map(|(at, _)| *at).min()
    }

    /// The earliest step that is due by now.
    pub(super) fn take_due(&mut self, now: SessionTime) -> Option<Step> {
        let (index, (at, _)) = self.0.iter().enumerate().min_by_key(|(_, (at, _))| *at)?;
        (*at <= now).then(|| self.0.remove(index).1)
    }
}
