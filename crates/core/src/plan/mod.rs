//! Which run, when: a profile and its seed become every run with its intended start, drawn lazily.
//!
//! The way through: `curve` (how many starts by when), `arrivals` (each start's moment), `deck`
//! (whose turn it is), `pairing` (in which mode), `walk` (stage after stage), `forecast` (what that will come to).
//! Of a session that is over, `selection` draws the runs that are judged.

mod arrivals;
mod cloud_limit;
mod curve;
mod forecast;
mod judging_selection;
mod pairing;
mod rng;
mod scenario_sampler;
mod schedule;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use cloud_limit::{CLOUD_ROOMS, CloudExcess, cloud_excess};
pub use forecast::{
    Forecast, PlanWarning, StageForecast, conversation_bound, preparation_bound, room_lifetime,
    token_lifetime,
};
pub use judging_selection::draw_selection;
pub use schedule::{HoldStage, Plan, PlannedRun, Schedule, ScheduleStep};
