//! Quantities and ids, each with its own type.

mod as_text;
mod bandwidth;
mod byte_size;
mod dtmf_key;
mod duration;
mod foreign_text;
mod ids;
mod metric;
mod mode;
mod money;
mod parse_error;
mod percent;
mod rate;
mod redact;
mod secret;
mod sound_level;
mod time;
mod worker_id;

pub use bandwidth::Bandwidth;
pub use byte_size::{ByteSize, format_bytes};
pub use dtmf_key::DtmfKey;
pub use duration::PositiveDuration;
pub(crate) use duration::{format_duration, parse_duration};
pub use foreign_text::{ForeignText, MAX_FOREIGN_BYTES, is_invisible, shortened, visible};
pub use ids::{
    AgentName, DispatchId, EvaluatorRunId, Identity, PairId, ResultId, RoomName, RunIndex,
    ScenarioId, SessionId,
};
pub use metric::{Metric, Percentile};
pub use mode::Mode;
pub use money::Usd;
pub use parse_error::ParseUnitError;
pub use percent::Percent;
pub use rate::Rate;
pub use redact::{redact, redact_json, remember_secret};
pub use secret::Secret;
pub use sound_level::{Decibels, SoundLevel};
pub use time::{Micros, SessionTime, TimeOutOfRange};
pub use worker_id::{InvalidWorkerId, WorkerId};
