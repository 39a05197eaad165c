//! The fold of a session that runs.

use super::recent_events::{RecentEvent, RecentEvents};
use crate::fold::{Fold, FoldError, FoldedSession};
use crate::session::{Criterion, SessionVerdict, Verdict};
use rushhour_core::event::{AgentHealth, Event, EventKind, GeneratorHealth};
use rushhour_core::units::SessionTime;

/// The events of a session so far.
#[derive(Debug, Default)]
pub struct LiveFold {
    fold: Fold,
    recent: RecentEvents,
    generator: Option<GeneratorHealth>,
    agent: Option<(SessionTime, AgentHealth)>,
}

/// A session as it stands.
#[derive(Debug, Clone)]
pub struct LiveSnapshot {
    /// What `rushhour report` would read if the journal ended now.
    pub folded: FoldedSession,
    /// The verdict so far. A threshold without a sample is undecided until the session ends.
    pub verdict: SessionVerdict,
    /// The last events, the last one first.
    pub recent: Vec<RecentEvent>,
    /// The load generator's last report on itself.
    pub generator: Option<GeneratorHealth>,
    /// What the agent's worker last said of itself, and when.
    pub agent: Option<(SessionTime, AgentHealth)>,
}

impl LiveFold {
    /// Adds an event.
    ///
    /// # Errors
    /// Where the events are not those of one session.
    pub fn add(&mut self, event: &Event) -> Result<(), FoldError> {
        let ended = self.fold.add(event)?;
        self.recent.add(event, &ended, self.fold.so_far());
        match &event.kind {
            EventKind::Health(health) => self.generator = Some(*health),
            EventKind::AgentHealth(health) => self.agent = Some((event.at, health.clone())),
            _ => {}
        }
        Ok(())
    }

    /// The session without its runs in flight; `None` before its first event.
    pub const fn so_far(&self) -> Option<&FoldedSession> {
        self.fold.so_far()
    }

    /// The load generator's last report on itself.
    pub const fn generator(&self) -> Option<&GeneratorHealth> {
        self.generator.as_ref()
    }

    /// What the agent's worker last said of itself.
    pub fn agent(&self) -> Option<&AgentHealth> {
        self.agent.as_ref().map(|(_, health)| health)
    }

    /// The session as it stands; `None` before its first event.
    pub fn snapshot(&self, criterion: Criterion) -> Option<LiveSnapshot> {
        let folded = self.fold.snapshot()?;
        let mut verdict = SessionVerdict::of(&folded, criterion);
        if !folded.closed {
            let without = verdict.thresholds.iter_mut();
            for result in without.filter(|result| result.verdict == Verdict::NoSamples) {
                result.verdict = Verdict::Undecided { needs: None };
            }
        }
        let recent = self.recent.latest_first();
        Some(LiveSnapshot {
            folded,
            verdict,
            recent,
            generator: self.generator,
            agent: self.agent.clone(),
        })
    }
}
