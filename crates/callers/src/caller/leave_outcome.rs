//! What it means for a run that its caller left the room before the conversation was over.

use crate::engine::{ConnectError, LeaveReason};
use crate::participant::DisconnectError;
use rushhour_core::event::{FailureClass, Outcome};

/// The outcome of a run whose caller left the room, or could not join, before the conversation was over.
pub(super) fn outcome_of(reason: &LeaveReason) -> Outcome {
    match reason {
        LeaveReason::JoinFailed(error) => {
            let (class, detail) = match error {
                ConnectError::Refused { status: 401 | 403, .. } => {
                    (FailureClass::TokenRejected, error.to_string())
                }
                ConnectError::OutOfFiles(_) => (
                    FailureClass::GeneratorFault,
                    format!(
                        "{error}; raise the limit of open files (`ulimit -n`), or lower limits.in_flight"
                    ),
                ),
                error if error.is_local_fault() => {
                    (FailureClass::GeneratorFault, error.to_string())
                }
                error => {
                    (FailureClass::RoomFailed, format!("the room could not be joined: {error}"))
                }
            };
            Outcome::failed(class, detail)
        }
        LeaveReason::ClientInitiated => {
            Outcome::failed(FailureClass::Cancelled, "the session was stopped")
        }
        LeaveReason::Disconnected(DisconnectError::RoomDeleted) => Outcome::failed(
            FailureClass::RoomFailed,
            "the room was deleted during the conversation",
        ),
        LeaveReason::Disconnected(error) if error.is_lost_connection() => {
            Outcome::failed(FailureClass::ConnectionLost, error.to_string())
        }
        LeaveReason::Disconnected(error) => {
            Outcome::failed(FailureClass::RoomFailed, format!("the connection was lost: {error}"))
        }
    }
}
