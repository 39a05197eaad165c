//! What a caller's being put out of the room means for its run.

use crate::engine::LeaveReason;
use rushhour_core::event::{FailureClass, Outcome};

/// What it means that a caller was out of the room before it was done.
pub(super) fn outcome_of(why: LeaveReason) -> Outcome {
    match why {
        LeaveReason::Refused { words, status: Some(401 | 403) } => {
            Outcome::failed(FailureClass::TokenRejected, words)
        }
        LeaveReason::Refused { words, .. } => Outcome::failed(
            FailureClass::RoomFailed,
            format!("the room could not be joined: {words}"),
        ),
        LeaveReason::OurFault(words) => {
            let words = format!(
                "{words}; raise the limit of open files (`ulimit -n`), or lower limits.in_flight"
            );
            Outcome::failed(FailureClass::GeneratorFault, words)
        }
        LeaveReason::ByItself => {
            Outcome::failed(FailureClass::Cancelled, "the session was stopped")
        }
        LeaveReason::RoomDeleted => Outcome::failed(
            FailureClass::RoomFailed,
            "the room was deleted during the conversation",
        ),
        LeaveReason::Lost(words) => {
            Outcome::failed(FailureClass::RoomFailed, format!("the connection was lost: {words}"))
        }
    }
}
