//! What travels over the data channels: data streams of text and bytes, the metrics that agents publish in them, calls
//! by RPC, and keys of a telephone.
//!
//! [`DataReceiver`] decodes packets into [`DataEvent`]s, and the encoder for outgoing streams numbers them.
//! `message` reads answers that are no streams.
//! `agent_session` reads and writes the messages of LiveKit's agent framework on the topic `lk.agent.session`, and
//! `session_request` what is asked and answered there, `rtc_stats` its WebRTC statistics.

mod agent_session;
mod data_event;
mod message;
mod receiver;
mod rpc;
mod rtc_stats;
mod sender;
mod session_request;

pub(crate) use agent_session::decode_model_usage;
#[cfg(test)]
pub(crate) use agent_session::encode_item_metrics;
#[cfg(test)]
pub(crate) use agent_session::encode_model_usage;
pub use agent_session::{AGENT_SESSION_TOPIC, decode_turn_metrics, encode_turn_metrics};
pub(crate) use agent_session::{ItemMetrics, MeasuredItem, decode_item_metrics};
pub use data_event::DataEvent;
pub use receiver::DataReceiver;
pub use rpc::RpcFailure;
pub(crate) use sender::DataSender;
#[cfg(test)]
pub(crate) use session_request::testing as session_messages;
pub(crate) use session_request::{SessionQuestion, SessionReport};
