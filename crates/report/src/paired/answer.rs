//! The conclusion of a paired comparison, and what its reader must know.

use super::comparison::PairedComparison;
use super::difference::{PairedFinding, PairedMeasure};
use super::premium::PremiumPart;
use crate::fold::FoldedSession;
use crate::session::{CostEach, Estimated, estimated_heard, estimated_quality};
use rushhour_core::bill::{BillRow, Provenance};
use rushhour_core::profile::{HeardShare, PriceItem, QualityMeasure};

/// The conclusion.
#[derive(Debug, Clone, PartialEq)]
pub enum PairedAnswer {
    /// The load generator did not deliver the load.
    Invalid,
    /// A mode has no completed conversation.
    NothingToCompare {
        /// Completed runs of voice.
        voice: u64,
        /// Completed runs of chat.
        chat: u64,
    },
    /// Nothing is charged, so only the mean durations of a conversation are compared, in microseconds.
    Durations {
        /// Voice.
        voice_us: f64,
        /// Chat.
        chat_us: f64,
    },
    /// The mean cost and duration of a completed task.
    Costs {
        /// Voice, in US dollars.
        voice_usd: f64,
        /// Voice, in microseconds.
        voice_us: f64,
        /// Chat, in US dollars.
        chat_usd: f64,
        /// Chat, in microseconds.
        chat_us: f64,
        /// Where the difference in cost comes from.
        reason: CostReason,
        /// Whether agent and evaluator were stand-ins, so that nothing was charged.
        rehearsal: bool,
    },
}

/// Where the difference in cost comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum CostReason {
    /// The largest part of the difference.
    LargestPart {
        /// The part.
        part: String,
        /// Its share of the difference, from 0 to 1.
        share: f64,
    },
    /// The difference is not significant.
    NoDifference,
    /// There are too few pairs for an interval.
    TooFewPairs(u64),
}

impl PairedAnswer {
    pub(super) fn of(
        comparison: &PairedComparison,
        folded: &FoldedSession,
        is_valid: bool,
    ) -> Self {
        if !is_valid {
            return Self::Invalid;
        }
        let (voice, chat) = (&comparison.voice, &comparison.chat);
        let (Some(voice_us), Some(chat_us)) = (voice.conversation_us, chat.conversation_us) else {
            return Self::NothingToCompare { voice: voice.completed, chat: chat.completed };
        };
        let each = |cost: &Option<CostEach>| cost.as_ref().and_then(|cost| cost.per_completed_usd);
        let (Some(voice_usd), Some(chat_usd)) = (each(&voice.list), each(&chat.list)) else {
            return Self::Durations { voice_us, chat_us };
        };
        let reason = CostReason::of(comparison);
        let rehearsal = folded.opening.profile.bill.rehearsal;
        Self::Costs { voice_usd, voice_us, chat_usd, chat_us, reason, rehearsal }
    }
}

impl CostReason {
    fn of(comparison: &PairedComparison) -> Self {
        let cost = comparison.difference(PairedMeasure::CostOfRun);
        let largest = comparison.premium.as_ref().and_then(|premium| premium.parts.first());
        match (cost.and_then(|cost| cost.finding), largest) {
            (
                Some(PairedFinding::VoiceMore | PairedFinding::ChatMore),
                Some(PremiumPart { part, share, .. }),
            ) => Self::LargestPart { part: part.clone(), share: share.unwrap_or_default() },
            (Some(_), _) => Self::NoDifference,
            (None, _) => Self::TooFewPairs(cost.map_or(0, |cost| cost.pairs)),
        }
    }
}

/// What the reader of a paired comparison must know.
#[derive(Debug, Clone, PartialEq)]
pub enum PairedNote {
    /// Pairs of which one run was completed and the other one failed.
    OneCompleted {
        /// Only chat was completed.
        only_chat: u64,
        /// Only voice was completed.
        only_voice: u64,
    },
    /// Pairs of which both runs failed.
    BothFailed(u64),
    /// Pairs that are left out, because a run was not started, is unmeasured, or has no outcome.
    Incomplete {
        /// How many.
        pairs: u64,
        /// Whether the session was stopped.
        stopped: bool,
    },
    /// Charged quantities that are assumptions.
    Assumed {
        /// The items.
        items: Vec<PriceItem>,
        /// Whether the agent reported the usage of its models.
        usage_reported: bool,
    },
    /// How voice sounded, was heard and took turns, of which chat has nothing; at least one is known.
    VoiceQuality {
        /// Gaps in each minute of the agent's speech.
        gaps: Option<Estimated>,
        /// The word error rate.
        word_errors: Option<Estimated>,
        /// The share of turns in which the agent talked over the caller.
        talk_over: Option<Estimated>,
    },
}

pub(super) fn notes(comparison: &PairedComparison, folded: &FoldedSession) -> Vec<PairedNote> {
    let pairs = &comparison.pairs;
    let (only_chat, only_voice) = (pairs.only_chat, pairs.only_voice);
    let mut notes = Vec::new();
    if only_voice + only_chat > 0 {
        notes.push(PairedNote::OneCompleted { only_chat, only_voice });
    }
    if pairs.failed > 0 {
        notes.push(PairedNote::BothFailed(pairs.failed));
    }
    if pairs.half > 0 {
        let stopped = folded.tally.not_started > 0;
        notes.push(PairedNote::Incomplete { pairs: pairs.half, stopped });
    }
    let is_assumed = |row: &&BillRow| row.provenance == Provenance::Assumed && row.quantity() > 0.0;
    let items: Vec<PriceItem> =
        folded.bill.rows.iter().filter(is_assumed).map(|row| row.item).collect();
    if comparison.premium.is_some() && !items.is_empty() {
        let usage_reported = comparison.difference(PairedMeasure::TokensRead).is_some();
        notes.push(PairedNote::Assumed { items, usage_reported });
    }
    let gaps = estimated_quality(&folded.quality, QualityMeasure::Gaps);
    let talk_over = estimated_quality(&folded.quality, QualityMeasure::TalkOver);
    let word_errors = estimated_heard(&folded.heard, HeardShare::WordErrors);
    if [gaps, talk_over, word_errors].iter().any(Option::is_some) {
        notes.push(PairedNote::VoiceQuality { gaps, word_errors, talk_over });
    }
    notes
}
