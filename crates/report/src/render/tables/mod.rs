//! The tables of reports, each defined once for all formats.

pub(crate) mod bill;
pub(crate) mod capacity;
pub(crate) mod comparison;
pub(crate) mod failures;
pub(crate) mod funnel;
pub(crate) mod judged;
pub(crate) mod latencies;
pub(crate) mod nightly;
pub(crate) mod paired;
pub(crate) mod soak;
pub(crate) mod thresholds;
pub(crate) mod validity;

/// The anchor of a definition on a page.
pub(crate) fn definition_anchor(name: &str) -> String {
    format!("is-{name}")
}

fn definition_address(name: &str) -> String {
    format!("#{}", definition_anchor(name))
}
