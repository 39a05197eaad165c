//! Times of a worker's clock on the session's.

use rushhour_core::evaluator::UpdateKind;
use rushhour_core::event::Turn;
use rushhour_core::units::SessionTime;

/// A time that another clock shows, which is so far behind.
pub(super) const fn moved(at: SessionTime, shift: i64) -> SessionTime {
    SessionTime(at.0.saturating_add_signed(shift))
}

/// An update's own times on the session's clock.
pub(super) fn on_session_clock(kind: UpdateKind, shift: i64) -> UpdateKind {
    let moved = |at| moved(at, shift);
    match kind {
        UpdateKind::Turn(turn) => UpdateKind::Turn(Box::new(Turn {
            said: moved(turn.said),
            first: turn.first.map(moved),
            last: turn.last.map(moved),
            done: turn.done.map(moved),
            ..*turn
        })),
        UpdateKind::Reconnected(mut reconnect) => {
            reconnect.lost = moved(reconnect.lost);
            reconnect.back = moved(reconnect.back);
            UpdateKind::Reconnected(reconnect)
        }
        UpdateKind::Conversation(mut summary) => {
            summary.last_active = summary.last_active.map(moved);
            UpdateKind::Conversation(summary)
        }
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
