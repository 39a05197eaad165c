//! Cekura's API: manual LiveKit runs, polls, results, ended calls, billing.
//!
//! Paths are served with and without their last slash, in versions 1 and 2, and under their `-external` names:
//! Cekura's own documentation uses one form and its own SDK the other.

mod billing;
mod polls;
mod routes;
mod submit;
mod views;

pub(crate) use routes::answer;
