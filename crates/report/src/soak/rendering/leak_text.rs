//! Whether one resource leaked, in a sentence.

use crate::soak::{LeakCheck, LeakFinding, Resource};
use rushhour_core::units::Micros;

/// Whether a resource leaked, without a full stop.
pub(crate) fn leak_sentence(leak: &LeakCheck) -> String {
    let name = match leak.resource {
        Resource::Jobs => "jobs",
        Resource::Processes => "processes",
        Resource::Rooms => return rooms_sentence(leak),
    };
    let moment = leak
        .after_runs
        .map_or_else(|| "after the last run".to_owned(), |runs| format!("after {runs} runs"));
    match (leak.before, leak.after) {
        (Some(before), Some(after)) => {
            let observed_for = leak.observed_for.unwrap_or(Micros::ZERO);
            match leak.finding {
                LeakFinding::Released => {
                    format!("{name} {moment}: {after}, {before} before the first run; released")
                }
                LeakFinding::Leaked => format!(
                    "{name} {moment}: still {after} after {observed_for}, {before} before the first run"
                ),
                LeakFinding::NotObserved => format!(
                    "{name} {moment}: {after}; observed for only {observed_for}, too short to tell"
                ),
            }
        }
        (None, Some(_)) => format!("{name}: not observed before the first run"),
        (_, None) if leak.observed_for.is_some() => {
            format!("{name}: not observed, the worker does not report them")
        }
        (_, None) => format!("{name}: not observed {moment}"),
    }
}

fn rooms_sentence(leak: &LeakCheck) -> String {
    match (leak.after, leak.deleted_again) {
        (None, _) => "rooms: not checked after the end".to_owned(),
        (Some(0), 0) => "rooms: the server lists none".to_owned(),
        (Some(0), again) => format!(
            "rooms: the server lists none; it still listed {again} after their deletion, which were deleted again"
        ),
        (Some(rooms), _) => {
            format!("rooms: the server still lists {rooms}; `rushhour sweep` deletes them")
        }
    }
}
