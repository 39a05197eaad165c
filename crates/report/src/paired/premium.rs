//! The difference in cost between voice and chat, split into its parts.

use schemars::JsonSchema;
use serde::Serialize;

use crate::fold::{PairedRun, RunPair};
use rushhour_core::profile::PriceItem;
use rushhour_core::units::Usd;

/// The difference in cost, split into its parts.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Premium {
    /// Pairs of which both runs completed or failed.
    pub pairs: u64,
    /// The mean cost of a voice run minus that of a chat run. The parts add up to it.
    pub difference_usd: f64,
    /// The parts, the largest first.
    pub parts: Vec<PremiumPart>,
}

/// One part of the difference.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PremiumPart {
    /// What is charged.
    pub part: String,
    /// The mean cost in a voice run.
    pub voice_usd: f64,
    /// The mean cost in a chat run.
    pub chat_usd: f64,
    /// Voice minus chat.
    pub difference_usd: f64,
    /// Its share of the whole difference, as a fraction; null if the modes cost the same. Negative if the part is
    /// cheaper in the mode that is more expensive as a whole.
    pub share: Option<f64>,
}

/// The parts, and the price items of each.
const PARTS: [(&str, &[PriceItem]); 7] = [
    ("agent minutes", &[PriceItem::AgentSession]),
    ("the caller's connection", &[PriceItem::Participant]),
    ("speech to text", &[PriceItem::SpeechToText]),
    ("text to speech", &[PriceItem::TextToSpeech]),
    ("the language model", &[PriceItem::ModelInput, PriceItem::ModelOutput]),
    (
        "evaluator minutes (messages in chat)",
        &[PriceItem::EvaluatorVoice, PriceItem::EvaluatorChat],
    ),
    ("evaluator metrics", &[PriceItem::EvaluatorMetric]),
];

impl Premium {
    /// The difference over pairs of which both runs ended; `None` if nothing was charged.
    ///
    /// Sums are whole millionths of a dollar, so that the parts add up to the difference.
    pub(super) fn of<'a>(pairs: impl Iterator<Item = &'a RunPair>) -> Option<Self> {
        let ended: Vec<(&PairedRun, &PairedRun)> = pairs.filter_map(RunPair::ended).collect();
        let n = ended.len();
        let sum = |runs: &dyn Fn(usize) -> &'a PairedRun, items: &[PriceItem]| -> Usd {
            let charges = (0..n).flat_map(|pair| &runs(pair).charges);
            charges.filter(|(item, _)| items.contains(item)).map(|(_, cost)| *cost).sum()
        };
        let is_charged = |items: &[PriceItem]| {
            let charges =
                ended.iter().flat_map(|(voice, chat)| voice.charges.iter().chain(&chat.charges));
            charges.into_iter().any(|(item, _)| items.contains(item))
        };
        let each = |sum: i128| sum as f64 / 1e6 / n as f64;
        let mut sums = Vec::new();
        for (part, items) in PARTS.into_iter().filter(|(_, items)| is_charged(items)) {
            let voice = micros(sum(&|pair| ended[pair].0, items));
            let chat = micros(sum(&|pair| ended[pair].1, items));
            sums.push((part, voice, chat));
        }
        if sums.is_empty() {
            return None;
        }
        let whole: i128 = sums.iter().map(|(_, voice, chat)| voice - chat).sum();
        sums.sort_by_key(|(_, voice, chat)| std::cmp::Reverse((voice - chat) * whole.signum()));
        let parts = sums.into_iter().map(|(part, voice, chat)| PremiumPart {
            part: part.to_owned(),
            voice_usd: each(voice),
            chat_usd: each(chat),
            difference_usd: each(voice - chat),
            share: (whole != 0).then(|| (voice - chat) as f64 / whole as f64),
        });
        Some(Self { pairs: n as u64, difference_usd: each(whole), parts: parts.collect() })
    }
}

fn micros(usd: Usd) -> i128 {
    i128::from(usd.micros())
}
