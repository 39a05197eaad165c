//! `rushhour doctor`: checks everything that a session needs, before it costs anything.
//!
//! `rules` decide what a measurement means, without clock or socket; `machine`, `network`, `livekit`, `dispatch` and
//! `cekura` measure; a `finding` is the result of one check; `command` makes all checks, whatever each of them finds.

mod cekura;
mod command;
mod dispatch;
mod finding;
mod livekit;
mod machine;
mod network;
mod rules;

pub(crate) use command::{DoctorArgs, doctor};
