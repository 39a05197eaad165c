//! The funnel, row by row: how many runs reached each step, and why the others did not.

use super::dispatch_stall::StalledJoins;
use crate::fold::{FoldedSession, FunnelStep, Latencies, Scope};
use rushhour_core::event::FailureClass;
use rushhour_core::profile::{DispatchMethod, Profile};
use rushhour_core::units::Mode;

/// One row of the funnel.
pub(crate) struct FunnelRow<'a> {
    /// `None` for the first row, which counts all planned runs.
    pub(crate) step: Option<FunnelStep>,
    pub(crate) runs: u64,
    /// Runs that got no further, by reason, most frequent first.
    pub(crate) lost: Vec<(Loss, u64)>,
    /// Whether a run must reach the step to continue.
    pub(crate) is_required: bool,
    /// The latency that ends with the step, in a session of one mode.
    pub(crate) latencies: Option<&'a Latencies>,
    /// Whether the step belongs to sessions of this profile.
    pub(crate) applies: bool,
    /// How many of the runs the server's dispatcher held back before.
    pub(crate) stalled: u64,
}

/// Why a run got no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    Failed(FailureClass),
    Skipped,
    NotStarted,
    Open,
}

/// The mode of all runs. `None` in a paired session: its steps count the runs of both modes, which have different
/// latencies.
pub(crate) fn single_mode(folded: &FoldedSession) -> Option<Mode> {
    match folded.opening.profile.mode.modes() {
        [mode] => Some(*mode),
        _ => None,
    }
}

/// Every step, starting with the planned runs.
pub(crate) fn funnel_rows(folded: &FoldedSession) -> Vec<FunnelRow<'_>> {
    let tally = &folded.tally;
    let stalled = StalledJoins::of_session(folded).map_or(0, |found| found.held());
    let mode = single_mode(folded);
    let mut before = vec![(Loss::Skipped, tally.skipped), (Loss::NotStarted, tally.not_started)];
    before.retain(|(_, count)| *count > 0);
    let planned = FunnelRow {
        step: None,
        runs: folded.planned(),
        lost: before,
        is_required: true,
        latencies: None,
        applies: true,
        stalled: 0,
    };
    let step_row = |step: &FunnelStep| {
        let stayed = folded.funnel.stopped_at(*step);
        let mut lost: Vec<(Loss, u64)> =
            stayed.map(|(class, count)| (class.map_or(Loss::Open, Loss::Failed), count)).collect();
        lost.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let runs = folded.funnel.reached(*step);
        let metric = mode.and_then(|mode| Some((step.metric(mode)?, mode)));
        FunnelRow {
            step: Some(*step),
            runs,
            lost,
            is_required: is_required(*step, folded),
            latencies: metric
                .and_then(|(metric, mode)| folded.latencies.get(metric, mode, Scope::Measured)),
            applies: runs > 0 || applies(*step, folded),
            stalled: if *step == FunnelStep::AgentSeen { stalled } else { 0 },
        }
    };
    std::iter::once(planned).chain(folded.funnel.steps().iter().map(step_row)).collect()
}

/// Whether a step that no run reached belongs to the session all the same.
fn applies(step: FunnelStep, folded: &FoldedSession) -> bool {
    let profile = &folded.opening.profile;
    match step {
        FunnelStep::Dispatched => matches!(
            profile.livekit.dispatch.method(),
            DispatchMethod::Explicit | DispatchMethod::ExplicitFresh
        ),
        FunnelStep::AgentSeen => waits_for_agent(profile),
        FunnelStep::AgentReady => false,
        FunnelStep::Passed => folded.tally.judged_failed > 0,
        FunnelStep::Greeted => waits_for_greeting(folded),
        FunnelStep::Started
        | FunnelStep::RoomCreated
        | FunnelStep::Submitted
        | FunnelStep::Accepted
        | FunnelStep::Running
        | FunnelStep::CallerJoined
        | FunnelStep::Assigned
        | FunnelStep::Turn(_)
        | FunnelStep::Completed => true,
    }
}

/// Rushhour's own callers always wait, because they cannot talk to an agent that is not there.
fn waits_for_agent(profile: &Profile) -> bool {
    profile.livekit.wait_for_agent || profile.evaluator.cekura().is_none()
}

/// Whether runs go on only once the agent has greeted. Where more answered the first turn than were greeted, it did not
/// hold them up.
fn waits_for_greeting(folded: &FoldedSession) -> bool {
    let funnel = &folded.funnel;
    funnel.reached(FunnelStep::Greeted) >= funnel.reached(FunnelStep::Turn(1))
}

fn is_required(step: FunnelStep, folded: &FoldedSession) -> bool {
    match step {
        FunnelStep::AgentSeen => waits_for_agent(&folded.opening.profile),
        FunnelStep::Greeted => waits_for_greeting(folded),
        FunnelStep::AgentReady => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_sessions::{Fate, SessionBuilder};
    use rushhour_core::event::StopReason;
    use rushhour_core::units::{Micros, SessionTime};

    #[test]
    fn what_is_planned_is_what_is_forecast_and_not_every_copy() {
        let mut builder = SessionBuilder::chat("");
        builder.run(SessionTime(0), Micros::ZERO, Fate::StaysOpen);
        let (mut folded, _) = builder.killed();
        folded.opening.planned = Some(100_000);
        folded.forecast = Some(960);
        let planned = |folded: &FoldedSession| funnel_rows(folded)[0].runs;
        assert_eq!(planned(&folded), 960);
        folded.tally.skipped = 970;
        assert_eq!(planned(&folded), 971, "a forecast may be too low");
        // Without one it is the most that there can be; after a stop and at the end, what became of them.
        folded.forecast = None;
        assert_eq!(planned(&folded), 100_000);
        folded.stops.push((StopReason::Drain, String::new()));
        assert_eq!(planned(&folded), 971);
        folded.stops.clear();
        folded.closed = true;
        assert_eq!(planned(&folded), 971);
    }
}
