//! `[bill]` as written.

use crate::profile::settings::prices::PriceItem;
use crate::profile::table::raw_table;
use crate::units::Usd;

raw_table! {
    /// What is charged, and how much of it a conversation is assumed to use.
    RawBill {
        /// If the forecast is above this, `run` asks for confirmation, or requires --yes.
        ask_above: Usd,
        /// Messages that the evaluator writes in a conversation, unless it reports the number; chat.
        messages: u32,
        /// The most messages that it may write, for the worst cost of a run; chat.
        most_messages: u32,
        /// Metrics that the evaluator charges for each conversation.
        metrics: u32,
        /// Items of the price file that are charged although the URLs do not imply it, such as the models of an agent on a server of your own.
        with: Vec<PriceItem>,
        /// Items of the price file that are not charged.
        without: Vec<PriceItem>,
    }
}
