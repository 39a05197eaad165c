//! `rushhour doctor`: checks everything that a session needs, before it costs anything.
//!
//! `rules` decide what a measurement means, without clock or socket; `machine`, `network`, `livekit`, `dispatch`,
//! `workers` and `cekura` measure; `listener` listens to the agent by a `listening_participant`, which notes in `heard` and `agent_texts` what it hears and says a `first_turn`, and `traits` says what that means; a `finding` is the result of one check; `command` makes all checks, whatever each of them finds.

#[cfg(feature = "native")]
mod agent_texts;
mod cekura;
mod command;
mod dispatch;
mod finding;
#[cfg(feature = "native")]
mod first_turn;
#[cfg(feature = "native")]
mod heard;
#[cfg(feature = "native")]
mod listener;
#[cfg(feature = "native")]
mod listening_participant;
mod livekit;
mod machine;
mod network;
mod rules;
#[cfg(feature = "native")]
mod traits;
#[cfg(feature = "fleet")]
mod workers;

pub(crate) use command::{DoctorArgs, doctor};
