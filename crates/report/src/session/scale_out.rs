//! When the number of the agent's workers changed, counted from the stage that was under way.

use crate::fold::{FoldedSession, WorkersChange};
use rushhour_core::units::{Micros, SessionTime};

/// A change of the number of workers, and how long after a stage's start it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScaleOut {
    /// The change.
    pub(crate) change: WorkersChange,
    /// The stage that had begun last before the change may have come, or else the first that began before it was seen;
    /// none before the first run.
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
        let begun_by =
            |at: SessionTime| folded.stage_starts.iter().filter(move |(_, start)| **start <= at);
        let under_way = begun_by(change.seen.from).max_by_key(|(_, start)| **start);
        let stage = under_way.or_else(|| begun_by(change.seen.to).min_by_key(|(_, start)| **start));
        let stage = stage.map(|(stage, start)| StageElapsed {
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

    #[test]
    fn a_stage_that_began_between_the_polls_is_not_taken_for_the_cause() {
        let mut builder = SessionBuilder::chat("");
        let completes = Fate::Completes(Micros::from_millis(250));
        builder.run(SessionTime(5_000_000), Micros::ZERO, completes);
        builder.agent_workers(SessionTime(10_000_000), 1);
        builder.agent_workers(SessionTime(20_000_000), 2);
        let (mut folded, _) = builder.closed();
        folded.stage_starts.insert(1, SessionTime(19_000_000));
        let [found] = &scale_outs(&folded)[..] else { panic!("one change") };
        let stage = found.stage.as_ref().unwrap();
        assert_eq!(stage.name, "first");
        assert_eq!((stage.least, stage.most), (Micros::from_secs(5), Micros::from_secs(15)));
    }
}
