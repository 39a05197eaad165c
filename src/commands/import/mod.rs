//! `rushhour import`: a structured test of Cekura as a script. `structured_test` decides what fits.

mod command;
mod structured_test;

pub(crate) use command::{ImportArgs, import};
