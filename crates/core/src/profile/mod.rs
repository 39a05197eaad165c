//! Profiles: from a TOML file, environment variables and flags to a valid [`Profile`], or to all
//! mistakes at once, each with the place to underline.
//!
//! `node` parses texts into trees with spans, and `overrides` overlays them. `from_node`, `table` and
//! `raw` turn a tree into typed tables, in which nothing is checked but types. `resolve` checks every
//! setting and fills in the defaults. `settings` holds the result.

mod address;
mod diagnostic;
mod explain;
mod from_node;
mod livekit_address;
mod load;
mod node;
mod overrides;
mod raw;
mod redaction;
mod resolve;
mod schema;
mod settings;
mod sources;
mod table;
mod target_kind;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use address::{AddressProblem, CEKURA_URL, check_addresses, parse_nats_url};
pub use diagnostic::{Diagnostic, DiagnosticKind, Origin, SourceId, SourceSpan, SourceText};
pub use explain::explain;
pub use livekit_address::parse_livekit_url;
pub use load::{LoadedProfile, ProfileError, ProfileInput, load};
pub use overrides::ENVIRONMENT_VARIABLES;
pub use redaction::is_secret_name;
pub use resolve::ResolvedSetting;
pub use schema::{json_schema, starting_profile};
pub use settings::bill::BillSettings;
pub use settings::caller::{CallerKind, CallerSettings};
pub use settings::capacity::CapacitySettings;
pub use settings::evaluator::{
    CallerPatience, CekuraSettings, EvaluatorSettings, HearTrack, NativeSettings, ReconnectMode,
    ReconnectSettings, SpeechSettings,
};
pub use settings::judging::{
    CallersVerdict, JudgingCandidate, JudgingSelection, JudgingSettings, SelectedRun,
    SelectedScenario,
};
pub use settings::limits::{Limits, WhenFull};
pub use settings::livekit::{
    AgentDispatch, DispatchMethod, LiveKitSettings, LiveKitTarget, MediaTransport, TextMode,
};
pub use settings::network::{NO_NETWORK, NetworkConditions, NetworkDirection};
pub use settings::notify::{NoticeFormat, NotifySettings};
pub use settings::prices::{Price, PriceDate, PriceItem, PriceUnit, Prices, Rounding};
pub use settings::profile::Profile;
pub use settings::recording::{KeepRecordings, RecordingSettings};
pub use settings::sandbox::{Fault, LatencyModel, SandboxSettings, UnknownFault};
pub use settings::scenario::{Scenario, ScenarioMix};
pub use settings::script::{
    Abandonment, Backchannel, ExpectedGreeting, Redial, RuleAction, Script, ScriptLine, ScriptRule,
    ScriptTurn,
};
pub use settings::session_mode::SessionMode;
pub use settings::soak::{AgentHealthSettings, PrometheusQueries, SoakSettings, WorkerFigure};
pub use settings::stage::{ArrivalRate, Arrivals, Stage, StageLoad};
pub use settings::template::{Metadata, RunVariables, Template};
pub use settings::threshold::{
    HeardShare, QualityMeasure, RunShare, Threshold, ThresholdBound, ThresholdMeasure,
    ThresholdOperator,
};
pub use settings::voice::{SpeechSource, SynthesisSettings, VoiceBand, VoiceConditions};
pub use settings::workers::WorkersSettings;
pub use sources::{ReadFile, no_files};
pub use target_kind::{TargetKind, target_kind};
