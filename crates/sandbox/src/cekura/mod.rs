//! Cekura's API: LiveKit runs, polls, results, ended calls, billing.
//!
//! It serves each path with and without a trailing slash, in versions 1 and 2, and under its `-external` name:
//! Cekura's documentation and its SDK use different forms.

mod billing;
mod polls;
mod routes;
mod submit;
mod views;

pub(crate) use routes::handle;
