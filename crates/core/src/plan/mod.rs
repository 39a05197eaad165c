//! Which run, when: a profile and its seed become every run with its intended start, drawn lazily.
//!
//! The way through: `curve` (how many starts by when), `arrivals` (each start's moment), `deck`
//! (whose turn it is), `pairing` (in which mode), `walk` (stage after stage), `forecast` (what that will come to).
//! Of a session that is over, `selection` draws the runs that are judged.

mod arrivals;
mod curve;
mod deck;
mod forecast;
mod guard;
mod pairing;
mod random;
mod selection;
#[cfg(any(test, feature = "testing"))]
pub mod tests_support;
mod walk;

pub use forecast::{
    Forecast, PlanWarning, StageForecast, conversation_bound, preparation_bound, room_lifetime,
    token_lifetime,
};
pub use guard::{CLOUD_ROOMS, CloudExcess, cloud_excess};
pub use selection::draw_selection;
pub use walk::{HoldStage, Plan, PlannedRun, Schedule, ScheduleStep};
