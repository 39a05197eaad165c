//! Voice against chat in sentences and figures for people.

use super::super::money::CostEach;
use super::comparison::{COST, PairedComparison};
use super::difference::PairedDifference;
use crate::fold::FoldedSession;
use rushhour_core::units::Micros;

/// Why latencies of the two modes are not one thing.
pub(in super::super) const DIFFERENT_LATENCIES: &str = "A heard answer is timed to the first frame that sounds, and is still being spoken then; a written one to its first chunk, of which little can be read yet, and to its last, when all of it is there: each is right on its own terms, and no two of them are the same moment.";

/// The answer in one sentence.
pub(super) fn answer(
    comparison: &PairedComparison,
    folded: &FoldedSession,
    is_valid: bool,
) -> String {
    if !is_valid {
        return "Nothing is said of voice against chat, because the generator did not deliver the load as asked.".to_owned();
    }
    let (voice, chat) = (&comparison.voice, &comparison.chat);
    let (Some(spoken), Some(written)) = (voice.conversation_us, chat.conversation_us) else {
        let which = match (voice.completed, chat.completed) {
            (0, 0) => "no conversation was completed in either mode",
            (0, _) => "no spoken conversation was completed",
            _ => "no written conversation was completed",
        };
        return format!("Voice cannot be held against chat: {which}.");
    };
    let each = |cost: &Option<CostEach>| cost.as_ref().and_then(|cost| cost.per_completed_usd);
    let (Some(voice_usd), Some(chat_usd)) = (each(&voice.list), each(&chat.list)) else {
        return format!(
            "Chat takes {} per completed task, voice {}; nothing is charged for.",
            seconds(written),
            seconds(spoken)
        );
    };
    let bill = &folded.opening.profile.bill;
    let nothing_charged =
        if bill.rehearsal { " Both sides were stand-ins: nothing was charged." } else { "" };
    format!(
        "Chat costs {} and {} per completed task, voice {} and {}; {}.{nothing_charged}",
        usd(chat_usd),
        seconds(written),
        usd(voice_usd),
        seconds(spoken),
        reason(comparison)
    )
}

/// Where the difference in cost comes from, as far as there is one.
fn reason(comparison: &PairedComparison) -> String {
    let cost = comparison.difference(COST);
    let largest = comparison.premium.as_ref().and_then(|premium| premium.parts.first());
    match (cost.and_then(|cost| cost.finding.as_deref()), largest) {
        (Some("voice is more" | "chat is more"), Some(part)) => {
            let share = part.share.unwrap_or_default() * 100.0;
            format!("of the difference per run {share:.0} % is {}", part.part)
        }
        (Some(_), _) => "that the one costs more than the other is not shown".to_owned(),
        (None, _) => {
            let pairs = cost.map_or(0, |cost| cost.pairs);
            format!("{pairs} pairs are too few to say how surely")
        }
    }
}

/// What the reader has to know of the pairs.
pub(super) fn notes(comparison: &PairedComparison, folded: &FoldedSession) -> Vec<String> {
    let pairs = &comparison.pairs;
    let mut notes = Vec::new();
    if pairs.only_voice + pairs.only_chat > 0 {
        notes.push(format!(
            "Of {} only the written run was completed, of {} only the spoken one: costs and shares count them, times do not.",
            count(pairs.only_chat, "pair"),
            count(pairs.only_voice, "pair")
        ));
    }
    if pairs.failed > 0 {
        notes.push(format!("Of {} both runs failed.", count(pairs.failed, "pair")));
    }
    let never = folded.tally.not_started;
    if pairs.half > 0 {
        let stop = if never > 0 { ", for the session was stopped" } else { "" };
        notes.push(format!(
            "Of {} one run was not started, is of an unmeasured stage or has no outcome{stop}: in no difference.",
            count(pairs.half, "pair")
        ));
    }
    if comparison.premium.is_some() {
        let assumed: Vec<&str> = folded
            .bill
            .rows
            .iter()
            .filter(|row| {
                row.known == rushhour_core::bill::Provenance::Assumed && row.quantity() > 0.0
            })
            .map(|row| row.item.word())
            .collect();
        if !assumed.is_empty() {
            let models = if comparison.difference("tokens read").is_none() {
                " (the agent reported no usage of its models)"
            } else {
                ""
            };
            notes.push(format!("Quantities that are assumed: {}{models}.", assumed.join(", ")));
        }
    }
    notes
}

fn count(of: u64, what: &str) -> String {
    if of == 1 { format!("1 {what}") } else { format!("{of} {what}s") }
}

/// The comparison in sentences: the answer first, then what it rests on.
pub(in super::super) fn pairs_words(comparison: &PairedComparison) -> Vec<String> {
    let pairs = &comparison.pairs;
    let mut words = vec![format!(
        "{} of {} completed in both modes.",
        pairs.completed,
        count(pairs.seen, "pair")
    )];
    words.extend(comparison.notes.iter().cloned());
    words
}

/// A row for each measure: its name, chat, voice, and the difference with its interval.
pub(in super::super) fn table_rows(comparison: &PairedComparison) -> Vec<[String; 5]> {
    comparison.differences.iter().map(row).collect()
}

fn row(one: &PairedDifference) -> [String; 5] {
    let value = |value: f64| figure_words(value, &one.unit);
    let signed = |number: f64| match one.unit.as_str() {
        "share" => format!("{:+.1}", number * 100.0),
        _ if number < 0.0 => format!("-{}", value(-number)),
        _ => format!("+{}", value(number)),
    };
    let points = if one.unit == "share" { " points" } else { "" };
    let difference = match (one.difference_low, one.difference_high) {
        (Some(low), Some(high)) => {
            format!("{} [{}, {}]{points}", signed(one.difference), signed(low), signed(high))
        }
        _ => format!("{}{points}", signed(one.difference)),
    };
    let ratio = match (one.ratio, one.ratio_low, one.ratio_high) {
        (Some(ratio), Some(low), Some(high)) => format!("{ratio:.2} [{low:.2}, {high:.2}]"),
        _ => one.note.clone().unwrap_or_default(),
    };
    [one.measure.clone(), value(one.chat), value(one.voice), difference, ratio]
}

/// A figure in its unit.
pub(in super::super) fn figure_words(value: f64, unit: &str) -> String {
    match unit {
        "USD" => usd(value),
        "us" => micros(value).to_string(),
        "share" => format!("{:.1} %", value * 100.0),
        _ => format!("{value:.1}"),
    }
}

/// An amount to the cent, and smaller ones to two figures.
fn usd(value: f64) -> String {
    if value != 0.0 && value.abs() < 0.1 {
        format!("{value:.4} USD")
    } else {
        format!("{value:.2} USD")
    }
}

fn seconds(us: f64) -> String {
    let seconds = us / 1e6;
    if seconds < 10.0 { format!("{seconds:.1} s") } else { format!("{seconds:.0} s") }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "means of times are not negative, and far below 2^63"
)]
fn micros(us: f64) -> Micros {
    Micros(us.abs().round() as u64)
}
