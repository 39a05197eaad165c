//! What voice and chat cost, and what the difference is made of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fold::{PairedRun, RunPair};
use rushhour_core::profile::PriceItem;
use rushhour_core::units::Usd;

/// What the difference in cost is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Premium {
    /// Pairs of which both runs came to an end of their own.
    pub pairs: u64,
    /// How much more a spoken run costs than a written one, on average. The parts add up to it.
    pub difference_usd: f64,
    /// The parts, the largest first.
    pub parts: Vec<PremiumPart>,
}

/// One part of the difference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PremiumPart {
    /// What is charged.
    pub part: String,
    /// What a spoken run costs of it, on average.
    pub voice_usd: f64,
    /// What a written run costs of it, on average.
    pub chat_usd: f64,
    /// The one less the other.
    pub difference_usd: f64,
    /// Its share of the whole difference, as a fraction; none where the modes cost the same. A part that
    /// chat costs more of has one below zero where voice is dearer.
    pub share: Option<f64>,
}

/// Items that are one thing to whoever compares voice with chat.
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
    /// The difference between both runs of pairs that came to an end; none where nothing was charged.
    ///
    /// Sums are of whole millionths of a dollar, so that the parts add up to the difference.
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
