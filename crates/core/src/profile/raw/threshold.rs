//! `[thresholds]` as written.

use schemars::JsonSchema;

use crate::profile::diagnostic::Diagnostics;
use crate::profile::from_node::FromNode;
use crate::profile::node::{Node, NodeValue};
use crate::profile::table::raw_table;
use crate::units::PositiveDuration;

raw_table! {
    /// A bound that may stop the session early.
    RawThresholdTable {
        /// The bound, such as "< 10%".
        bound: String,
        /// Whether to stop the session once the whole confidence interval is beyond the bound.
        abort: bool,
        /// How long after the session's start at the earliest; by default 1 s.
        after: PositiveDuration,
    }
}

/// What must hold: a bound, or a bound that may stop the session early.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum RawThreshold {
    /// Checked at the end.
    Bound(String),
    /// Checked at the end, and possibly before.
    Table(RawThresholdTable),
}

impl FromNode for RawThreshold {
    fn from_node(node: &Node, diagnostics: &mut Diagnostics) -> Option<Self> {
        match node.value {
            NodeValue::Table(_) => RawThresholdTable::from_node(node, diagnostics).map(Self::Table),
            _ => String::from_node(node, diagnostics).map(Self::Bound),
        }
    }
}
