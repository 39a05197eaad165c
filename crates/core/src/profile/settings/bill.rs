//! What a session is charged for.

use serde::{Deserialize, Serialize};

use super::prices::{PriceItem, Prices};
use crate::units::Usd;

/// What is charged, and how much of it a conversation is assumed to use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillSettings {
    /// The prices.
    pub prices: Prices,
    /// What a run of this profile is charged for; each item has a price.
    pub charged: Vec<PriceItem>,
    /// Whether both services are stand-ins: the bill shows what the session would cost, and nothing is charged.
    pub rehearsal: bool,
    /// Ask for confirmation if the forecast is above this.
    pub ask_above: Usd,
    /// Messages that the evaluator writes in a conversation, unless it reports the number.
    pub messages: u32,
    /// The most messages that it may write; at least `messages`.
    pub most_messages: u32,
    /// Metrics that the evaluator charges for each conversation.
    pub metrics: u32,
}
