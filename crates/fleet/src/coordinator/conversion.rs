//! Times of a worker's clock on the session's.

use rushhour_core::evaluator::UpdateKind;
use rushhour_core::units::SessionTime;

/// A time that another clock shows, which is so far behind.
pub(super) const fn moved(at: SessionTime, shift: i64) -> SessionTime {
    SessionTime(at.0.saturating_add_signed(shift))
}

/// An update's own times on the session's clock.
pub(super) fn on_session_clock(kind: UpdateKind, shift: i64) -> UpdateKind {
    let clock = |at| moved(at, shift);
    match kind {
        UpdateKind::Turn(turn) => UpdateKind::Turn(Box::new(turn.on_clock(clock))),
        UpdateKind::Reconnected(reconnect) => UpdateKind::Reconnected(reconnect.on_clock(clock)),
        UpdateKind::Conversation(summary) => UpdateKind::Conversation(summary.on_clock(clock)),
        kind @ (UpdateKind::Joined
        | UpdateKind::AgentJoined { .. }
        | UpdateKind::AgentReady
        | UpdateKind::HiddenAgent
        | UpdateKind::Greeted
        | UpdateKind::MediaPath(_)
        | UpdateKind::ModelUsage(_)
        | UpdateKind::RpcCalls(_)
        | UpdateKind::Ended { .. }) => kind,
    }
}
