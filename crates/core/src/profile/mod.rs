//! What is wanted: from a TOML file, the environment and flags to a [`Profile`] that is valid by
//! construction, or to all its mistakes at once, each with the place to underline.
//!
//! The way through: `source` and `node` (texts as trees that know their places), `read` and `raw`
//! (every key, typed, nothing judged), `check` (every setting decided), `model` (the result).

mod capacity;
mod check;
mod check_bill;
mod check_capacity;
mod check_evaluator;
mod check_judging;
mod check_livekit;
mod check_load;
mod check_soak;
mod explain;
mod judging;
mod load;
mod mask;
mod model;
mod node;
mod prices;
mod raw;
mod raw_capacity;
mod read;
mod schema;
mod script;
mod soak_settings;
mod source;
mod template;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod threshold;

pub use capacity::CapacitySettings;
pub use check::{SANDBOX_FAULTS, Setting};
pub use check_livekit::{TargetKind, target_kind};
pub use explain::explain;
pub use judging::{CallersVerdict, Candidate, Chosen, ChosenScenario, JudgingSettings, Selection};
pub use load::{ENVIRONMENT, Input, Loaded, Refused, load, no_files};
pub use model::{
    Arrivals, BillSettings, CekuraSettings, Curve, Dispatch, DispatchMethod, EvaluatorSettings,
    LatencyModel, Limits, LiveKitSettings, LiveKitTarget, Load, Mix, NativeSettings, Profile,
    SandboxSettings, Scenario, SessionMode, Stage, TextMode, WhenFull,
};
pub use prices::{Day, Item, Price, PriceUnit, Prices, Rounding};
pub use schema::json_schema;
pub use script::{Greeting, Script, ScriptTurn};
pub use soak_settings::{AgentHealthSettings, SoakSettings};
pub use source::{Fault, Origin, Place, Source, SourceId};
pub use template::starting_profile;
pub use threshold::{Bound, Comparison, Measure, Share, Threshold};
