//! `[[stage]]` as written.

use schemars::JsonSchema;

use crate::profile::diagnostic::Diagnostics;
use crate::profile::from_node::FromNode;
use crate::profile::node::{Node, NodeValue};
use crate::profile::settings::stage::Arrivals;
use crate::profile::table::raw_table;
use crate::units::{PositiveDuration, Rate};

raw_table! {
    /// A period with one kind of load.
    RawStage {
        /// Its name in reports.
        name: String,
        /// Whether its runs count in the figures; false for a warm-up.
        measured: bool,
        /// The rate of starts: constant, a ramp, or steps.
        rate: RawRate,
        /// Whether starts are evenly spaced or random.
        arrivals: Arrivals,
        /// Keeps this many runs in flight, including those of earlier stages: each run that ends is followed by the next.
        hold: u32,
        /// How fast that number is reached, such as "10/s"; by default at once.
        ramp: Rate,
        /// Starts this many runs at the same instant.
        burst: u32,
        /// How long the stage lasts; the last stage may leave it out if the scenarios have copies.
        lasts: PositiveDuration,
    }
}

raw_table! {
    /// A rate that changes.
    RawRamp {
        /// The rate at the beginning of the stage.
        from: Rate,
        /// The rate at its end.
        to: Rate,
        /// The number of steps; by default the rate changes linearly.
        steps: u32,
    }
}

/// The rate of starts: constant, a ramp, or steps.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum RawRate {
    /// One rate throughout.
    Constant(Rate),
    /// A rate that changes.
    Ramp(RawRamp),
}

impl FromNode for RawRate {
    fn from_node(node: &Node, diagnostics: &mut Diagnostics) -> Option<Self> {
        match node.value {
            NodeValue::Table(_) => RawRamp::from_node(node, diagnostics).map(Self::Ramp),
            _ => Rate::from_node(node, diagnostics).map(Self::Constant),
        }
    }
}
