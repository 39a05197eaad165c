//! A price file as written.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::profile::diagnostic::Diagnostics;
use crate::profile::from_node::FromNode;
use crate::profile::node::Node;
use crate::profile::settings::prices::{PriceDate, PriceItem, PriceUnit, Rounding};
use crate::profile::table::raw_table;
use crate::units::Usd;

raw_table! {
    /// List prices of the services.
    RawPrices {
        /// The rows, one for each item.
        item: Vec<RawPrice>,
    }
}

raw_table! {
    /// The price of one item.
    RawPrice {
        /// What is charged.
        item: PriceItem,
        /// The price of one unit.
        usd: RawUsd,
        /// The unit; it is fixed for each item.
        unit: PriceUnit,
        /// How a quantity is rounded before it is charged.
        rounding: Rounding,
        /// Units per month that a base fee covers.
        included: u64,
        /// The service, its tier, the model.
        tier: String,
        /// The day on which the source stated the price.
        as_of: PriceDate,
        /// Where the price was published.
        source: String,
    }
}

/// A price above zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RawUsd(pub(crate) Usd);

impl FromNode for RawUsd {
    fn from_node(node: &Node, diagnostics: &mut Diagnostics) -> Option<Self> {
        let usd = Usd::from_node(node, diagnostics)?;
        if usd == Usd::ZERO {
            let hint = "list the item in bill.without if it costs nothing";
            diagnostics.invalid(&node.span, "a price must be above zero", hint);
            return None;
        }
        Some(Self(usd))
    }
}

impl JsonSchema for RawUsd {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Usd::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Usd::json_schema(generator)
    }
}
