//! What a caller's being put out of the room means for its run.

use crate::engine::Left;
use rushhour_core::event::{FailureClass, Outcome};

/// What it means that a caller was out of the room before it was done.
pub(super) fn outcome_of(why: Left) -> Outcome {
    match why {
        Left::Refused { words, status: Some(401 | 403) } => {
            Outcome::failed(FailureClass::TokenRejected, words)
        }
        Left::Refused { words, .. } => Outcome::failed(
            FailureClass::RoomFailed,
            format!("the room could not be joined: {words}"),
        ),
        Left::OurFault(words) => {
            let words = format!(
                "{words}; raise the limit of open files (`ulimit -n`), or lower limits.in_flight"
            );
            Outcome::failed(FailureClass::GeneratorFault, words)
        }
        Left::ByItself => Outcome::failed(FailureClass::Cancelled, "the session was stopped"),
        Left::RoomDeleted => Outcome::failed(
            FailureClass::RoomFailed,
            "the room was deleted during the conversation",
        ),
        Left::Lost(words) => {
            Outcome::failed(FailureClass::RoomFailed, format!("the connection was lost: {words}"))
        }
    }
}
