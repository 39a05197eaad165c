//! Which run starts when: a profile and its seed determine every run with its intended start, computed
//! lazily.
//!
//! `curve` turns a rate into numbers of starts, `arrivals` into start times. `scenario_sampler` draws the
//! scenarios, `pairing` adds the mode, `schedule` goes through the stages, and `forecast` adds it all up.
//! `redials` adds the calls that follow from calls before, while the session runs. After a session, `judging_selection`
//! draws the runs to judge.

mod arrivals;
mod bounds;
mod cloud_limit;
mod curve;
mod dispatch_stall;
mod forecast;
mod judging_selection;
mod pairing;
mod redials;
mod scenario_sampler;
mod schedule;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod unfinished_recordings;

pub(crate) use bounds::conversation_bound;
pub use bounds::{preparation_bound, room_lifetime, token_lifetime};
pub use cloud_limit::{
    CLOUD_REQUESTS_PER_MINUTE, CLOUD_ROOMS, CloudExcess, CloudQuotaExcess, cloud_excess,
    cloud_quota_excess,
};
pub use dispatch_stall::StageStart;
pub use forecast::{Forecast, PlanWarning, StageForecast};
pub use judging_selection::draw_selection;
pub use redials::Redials;
pub use schedule::{HoldStage, Plan, PlannedRun, Schedule, ScheduleStep};
