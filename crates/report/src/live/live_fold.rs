//! The fold of a session that runs.

use std::collections::BTreeMap;

use super::recent_events::{RecentEvent, RecentEvents};
use crate::fold::{Fold, FoldError, FoldedSession};
use crate::session::{Criterion, SessionVerdict, Verdict};
use crate::soak::{History, SoakAnalysis, SoakBuilder, SoakCriteria};
use rushhour_core::event::{AgentHealth, Event, EventKind, GeneratorHealth, WorkerHealth};
use rushhour_core::units::{SessionTime, WorkerId};

/// The most runs of a soak whose drift is followed while it runs: each of them takes memory.
const MAX_SOAK_RUNS: usize = 100_000;

/// The events of a session so far.
#[derive(Debug, Default)]
pub struct LiveFold {
    fold: Fold,
    /// What a soak is judged by, while somebody may want to see it.
    soak: Option<SoakBuilder>,
    follows_drift: bool,
    recent: RecentEvents,
    generator: Option<(SessionTime, GeneratorHealth)>,
    workers: LastHeard,
    agent: Option<(SessionTime, AgentHealth)>,
    missing: u64,
}

/// What each worker last said of itself, and when the session had it.
pub type LastHeard = BTreeMap<WorkerId, (SessionTime, WorkerHealth)>;

/// A session as it stands.
#[derive(Debug, Clone)]
pub struct LiveSnapshot {
    /// What `rushhour report` would read if the journal ended now.
    pub folded: FoldedSession,
    /// The verdict so far. A threshold without a sample is undecided until the session ends.
    pub verdict: SessionVerdict,
    /// The last events, the last one first.
    pub recent: Vec<RecentEvent>,
    /// The load generator's last report on itself, and when.
    pub generator: Option<(SessionTime, GeneratorHealth)>,
    /// What each worker last said of itself.
    pub workers: LastHeard,
    /// What the agent's worker last said of itself, and when.
    pub agent: Option<(SessionTime, AgentHealth)>,
}

impl LiveFold {
    /// One that can say how a soak drifts.
    pub fn with_drift() -> Self {
        Self { follows_drift: true, ..Self::default() }
    }

    /// Adds an event.
    ///
    /// # Errors
    /// Where the events are not those of one session.
    pub fn add(&mut self, event: &Event) -> Result<(), FoldError> {
        let ended = self.fold.add(event)?;
        self.recent.add(event, &ended, self.fold.so_far());
        if let Some(soak) = &mut self.soak {
            soak.add(event, &ended);
        }
        if self.soak.as_ref().is_some_and(|soak| soak.runs() > MAX_SOAK_RUNS) {
            self.soak = None;
        }
        match &event.kind {
            EventKind::Opened(header) if self.follows_drift && header.profile.soak.is_some() => {
                self.soak = Some(SoakBuilder::default());
            }
            EventKind::Health(health) => self.generator = Some((event.at, *health)),
            EventKind::WorkerHealth(health) => {
                self.workers.insert(health.worker, (event.at, *health));
            }
            EventKind::AgentHealth(health) => self.agent = Some((event.at, health.clone())),
            _ => {}
        }
        Ok(())
    }

    /// The session without its runs in flight; `None` before its first event.
    pub const fn so_far(&self) -> Option<&FoldedSession> {
        self.fold.so_far()
    }

    /// Says how many of the session's events were not added, because there was no room for them.
    pub const fn set_missing(&mut self, missing: u64) {
        self.missing = missing;
    }

    /// How many of the session's events were not added.
    pub const fn missing(&self) -> u64 {
        self.missing
    }

    /// The load generator's last report on itself, and when.
    pub const fn generator(&self) -> Option<&(SessionTime, GeneratorHealth)> {
        self.generator.as_ref()
    }

    /// What each worker last said of itself.
    pub const fn workers(&self) -> &LastHeard {
        &self.workers
    }

    /// What the agent's worker last said of itself.
    pub fn agent(&self) -> Option<&AgentHealth> {
        self.agent.as_ref().map(|(_, health)| health)
    }

    /// How a soak drifts so far, without the nights before it; `None` for any other session, and for one of very many runs.
    pub fn drift(&self, snapshot: &LiveSnapshot) -> Option<SoakAnalysis> {
        let folded = &snapshot.folded;
        let data = self.soak.clone()?.finish(folded);
        let criteria = SoakCriteria::of(folded.opening.profile.soak);
        let delivered = snapshot.verdict.validity.holds();
        Some(SoakAnalysis::of(data, folded, criteria, delivered, &History::default()))
    }

    /// The session as it stands, of which so many runs are forecast; `None` before its first event.
    pub fn snapshot(&self, criterion: Criterion, forecast: Option<u64>) -> Option<LiveSnapshot> {
        let mut folded = self.fold.snapshot()?;
        folded.forecast = forecast;
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
            workers: self.workers.clone(),
            agent: self.agent.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::live_drift;
    use crate::session::test_sessions::{Fate, SessionBuilder};
    use rushhour_core::units::Micros;

    /// A session whose steps take longer and longer, and which has not ended.
    fn growing(more: &str) -> SessionBuilder {
        let mut builder = SessionBuilder::chat(more);
        for run in 0..600 {
            let completes = Fate::Completes(Micros::from_millis(100 + run));
            builder.run(SessionTime(run * 1_000_000), Micros::ZERO, completes);
        }
        builder
    }

    fn drift(mut fold: LiveFold, session: &SessionBuilder) -> Option<(LiveSnapshot, SoakAnalysis)> {
        for event in session.events() {
            fold.add(event).expect("the events are those of one session");
        }
        let snapshot = fold.snapshot(Criterion::Interval, None)?;
        let drift = fold.drift(&snapshot)?;
        Some((snapshot, drift))
    }

    #[test]
    fn a_snapshot_counts_runs_in_flight_as_a_report_does_and_copies_neither_them_nor_histograms() {
        let mut builder = growing("");
        for run in 0..3 {
            builder.run(SessionTime(700_000_000 + run), Micros::ZERO, Fate::StaysOpen);
        }
        let mut fold = LiveFold::default();
        for event in builder.events() {
            fold.add(event).expect("the events are those of one session");
        }
        let running = fold.snapshot(Criterion::Interval, None).unwrap().folded;
        let (killed, _) = builder.killed();
        assert_eq!((killed.open.len(), running.open.len()), (3, 0));
        assert_eq!((&running.funnel, &running.bill), (&killed.funnel, &killed.bill));
        let counts = |folded: &FoldedSession| -> Vec<u64> {
            folded.unfinished.iter().map(|(.., latencies)| latencies.count()).collect()
        };
        assert!(!counts(&running).is_empty() && counts(&running) == counts(&killed));
        let own = fold.so_far().unwrap();
        assert!(own.latencies.iter().count() > 0);
        for ((.., own), (.., drawn)) in own.latencies.iter().zip(running.latencies.iter()) {
            assert!(std::ptr::eq(own, drawn), "they are shared");
        }
    }

    #[test]
    fn a_soak_says_how_it_drifts_so_far() {
        let (snapshot, found) = drift(LiveFold::with_drift(), &growing("[soak]\n")).unwrap();
        assert!(!snapshot.folded.closed);
        assert!(found.series.iter().any(|series| series.finding.is_worse()), "{found:?}");
        let html = live_drift(&found, &snapshot.folded);
        assert!(html.contains("Drift so far") && html.contains("<svg"), "{html}");
    }

    #[test]
    fn other_sessions_and_those_without_a_page_collect_nothing_for_it() {
        assert!(drift(LiveFold::with_drift(), &growing("")).is_none());
        assert!(drift(LiveFold::default(), &growing("[soak]\n")).is_none());
    }
}
