//! `rushhour doctor`: everything that a session needs, looked at before it costs anything.
//!
//! `finding` is what a check comes to and how it is shown; `judgement` holds the rules, without any
//! clock or socket; `network`, `server`, `worker`, `account` and `machine` look at the world; `command`
//! goes through them all, whatever each comes to.

mod account;
mod command;
mod finding;
mod judgement;
mod machine;
mod network;
mod server;
mod worker;

pub(crate) use command::doctor;
