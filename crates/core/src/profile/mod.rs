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
mod diagnostic;
mod explain;
mod judging;
mod load;
mod model;
mod node;
mod prices;
mod raw;
mod raw_capacity;
mod read;
mod redaction;
mod schema;
mod script;
mod soak_settings;
mod template;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod threshold;

pub use capacity::CapacitySettings;
pub use check::{ResolvedSetting, SANDBOX_FAULTS};
pub use check_livekit::{TargetKind, target_kind};
pub use diagnostic::{Diagnostic, Origin, SourceId, SourceSpan, SourceText};
pub use explain::explain;
pub use judging::{
    CallersVerdict, JudgingCandidate, JudgingSelection, JudgingSettings, SelectedRun,
    SelectedScenario,
};
pub use load::{ENVIRONMENT, InvalidProfile, LoadedProfile, ProfileInput, load, no_files};
pub use model::{
    AgentDispatch, ArrivalRate, Arrivals, BillSettings, CekuraSettings, DispatchMethod,
    EvaluatorSettings, LatencyModel, Limits, LiveKitSettings, LiveKitTarget, NativeSettings,
    Profile, SandboxSettings, Scenario, ScenarioMix, SessionMode, Stage, StageLoad, TextMode,
    WhenFull,
};
pub use prices::{Price, PriceDate, PriceItem, PriceUnit, Prices, Rounding};
pub use schema::json_schema;
pub use script::{ExpectedGreeting, Script, ScriptTurn};
pub use soak_settings::{AgentHealthSettings, SoakSettings};
pub use template::starting_profile;
pub use threshold::{RunShare, Threshold, ThresholdBound, ThresholdMeasure, ThresholdOperator};
