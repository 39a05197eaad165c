//! When the number of the agent's workers changed, counted from the stage that was under way.

use crate::fold::{FoldedSession, WorkersChange};
use rushhour_core::units::Micros;

/// A change of the number of workers, and how long after a stage's start it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScaleOut {
    /// The change.
    pub(crate) change: WorkersChange,
    /// The stage that had begun last; none before the first run.
    pub(crate) stage: Option<StageElapsed>,
}

/// The time since the start of a stage; an interval, because a change lies between two polls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StageElapsed {
    /// The stage's name.
    pub(crate) name: String,
    /// At least.
    pub(crate) least: Micros,
    /// At most.
    pub(crate) most: Micros,
}

/// The changes of a session, in order.
pub(crate) fn scale_outs(folded: &FoldedSession) -> Vec<ScaleOut> {
    let stage_name = |stage: u32| {
        let name = folded.names.stages.get(stage as usize);
        name.map_or_else(String::new, |(name, _)| name.clone())
    };
    let of_change = |change: &WorkersChange| {
        let begun = folded.stage_starts.iter().filter(|(_, start)| **start <= change.seen.to);
        let stage = begun.max_by_key(|(_, start)| **start).map(|(stage, start)| StageElapsed {
            name: stage_name(*stage),
            least: change.seen.from.since(*start),
            most: change.seen.to.since(*start),
        });
        ScaleOut { change: *change, stage }
    };
    folded.agent_workers.changes().iter().map(of_change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::TimeSpan;
    use crate::session::test_sessions::{Fate, SessionBuilder};
    use rushhour_core::units::SessionTime;

    #[test]
    fn a_new_worker_is_counted_from_the_start_of_the_stage() {
        let mut builder = SessionBuilder::chat("");
        builder.agent_workers(SessionTime(2_000_000), 1);
        let completes = Fate::Completes(Micros::from_millis(250));
        builder.run(SessionTime(5_000_000), Micros::ZERO, completes);
        builder.agent_workers(SessionTime(12_000_000), 2);
        builder.agent_workers(SessionTime(22_000_000), 2);
        let (folded, _) = builder.closed();
        let [found] = &scale_outs(&folded)[..] else { panic!("one change") };
        let seen = TimeSpan { from: SessionTime(2_000_000), to: SessionTime(12_000_000) };
        assert_eq!(found.change, WorkersChange { seen, from: 1, to: 2 });
        let stage = found.stage.as_ref().unwrap();
        assert_eq!(stage.name, "first");
        // The first of the two polls came before the stage began.
        assert_eq!((stage.least, stage.most), (Micros::ZERO, Micros::from_secs(7)));
    }
}
