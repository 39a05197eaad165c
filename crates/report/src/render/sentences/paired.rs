//! Voice compared with chat.

use std::fmt;

use super::{capitalised, counted, listed};
use crate::paired::{
    CostReason, DifferenceNote, PairedAnswer, PairedComparison, PairedFinding, PairedMeasure,
    PairedNote, PairedUnit,
};
use crate::render::table::{Number, Unit};
use crate::session::Estimated;

/// Why the latencies of the two modes are not the same thing.
pub(crate) const DIFFERENT_LATENCIES: &str = "Latencies of answers end at different moments. A voice answer is timed to its first audible frame, when most of it is still to be spoken. A chat answer is timed to its first chunk, when little of it can be read yet, and to its last chunk, when all of it is there.";

impl fmt::Display for PairedAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid => f.write_str(
                "Voice is not compared with chat, because the load generator did not deliver the requested load.",
            ),
            Self::NothingToCompare { voice, chat } => {
                let which = match (voice, chat) {
                    (0, 0) => "no conversation was completed in either mode",
                    (0, _) => "no voice conversation was completed",
                    _ => "no chat conversation was completed",
                };
                write!(f, "Voice cannot be compared with chat: {which}.")
            }
            Self::Durations { voice_us, chat_us } => write!(
                f,
                "Chat takes {} per completed task, voice {}; nothing is charged.",
                seconds(*chat_us),
                seconds(*voice_us)
            ),
            Self::Costs { voice_usd, voice_us, chat_usd, chat_us, reason, rehearsal } => {
                write!(
                    f,
                    "Chat costs {} and {} per completed task, voice {} and {}; {reason}.",
                    usd(*chat_usd),
                    seconds(*chat_us),
                    usd(*voice_usd),
                    seconds(*voice_us),
                )?;
                if *rehearsal {
                    f.write_str(" Agent and evaluator were stand-ins: nothing was charged.")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for CostReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LargestPart { part, share } => {
                write!(f, "of the difference per run {:.0} % is {part}", share * 100.0)
            }
            Self::NoDifference => f.write_str("no difference in cost is shown"),
            Self::TooFewPairs(pairs) => write!(f, "{pairs} pairs are too few for an interval"),
        }
    }
}

impl fmt::Display for PairedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = |count: &u64| counted(*count, "pair");
        match self {
            Self::OneCompleted { only_chat, only_voice } => {
                let completed = |mode, count: &u64| {
                    let count = (*count > 0).then(|| pairs(count))?;
                    Some(format!("only the {mode} run was completed in {count}"))
                };
                let modes = [completed("chat", only_chat), completed("voice", only_voice)];
                let modes: Vec<String> = modes.into_iter().flatten().collect();
                let completed = capitalised(&modes.join("; "));
                write!(f, "{completed}. Costs and shares include these runs, durations do not.")
            }
            Self::BothFailed(count) => write!(f, "In {} both runs failed.", pairs(count)),
            Self::Incomplete { pairs: count, stopped } => {
                let why = if *stopped { ", because the session was stopped" } else { "" };
                write!(
                    f,
                    "In {} a run was not started, is of an unmeasured stage, or has no outcome{why}. These pairs are left out.",
                    pairs(count)
                )
            }
            Self::Assumed { items, usage_reported } => {
                let items: Vec<&str> = items.iter().map(|item| item.name()).collect();
                let why = match usage_reported {
                    true => "",
                    false => " (the agent reported no usage of its models)",
                };
                write!(f, "Quantities that are assumed: {}{why}.", items.join(", "))
            }
            Self::VoiceQuality { gaps, word_errors, talk_over } => {
                let figure = |found: &Estimated, number: fn(f64) -> String| {
                    let Estimated { value, low, high } = *found;
                    format!("{} [{}, {}]", number(value), number(low), number(high))
                };
                let percent = |found| figure(found, |value| format!("{:.1} %", value * 100.0));
                let gaps = gaps.as_ref().map(|found| {
                    let times = figure(found, |value| format!("{value:.2}"));
                    format!("the agent's speech broke up {times} times a minute")
                });
                let word_errors = word_errors
                    .as_ref()
                    .map(|found| format!("it misheard {} of what callers said", percent(found)));
                let talk_over = talk_over
                    .as_ref()
                    .map(|found| format!("it talked over callers in {} of turns", percent(found)));
                let known: Vec<String> =
                    [gaps, word_errors, talk_over].into_iter().flatten().collect();
                write!(f, "In voice {}; nothing of this happens in chat.", listed(&known))
            }
        }
    }
}

impl fmt::Display for PairedFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl fmt::Display for PairedMeasure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for PairedUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for DifferenceNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFewPairs { pairs, needs } => {
                write!(f, "{pairs} pairs, an interval needs {needs}")
            }
            Self::NothingToDivideBy => f.write_str("some resamples have nothing to divide by"),
        }
    }
}

impl PairedMeasure {
    /// The measure's name for people.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::AnswerToFirst => "answer: voice heard, chat's first chunk",
            Self::AnswerToLast => "answer: voice heard, chat's last chunk",
            _ => self.name(),
        }
    }
}

/// How many pairs were completed, and what the reader must know.
pub(crate) fn paired_notes(comparison: &PairedComparison) -> Vec<String> {
    let pairs = &comparison.pairs;
    let completed =
        format!("{} of {} completed in both modes.", pairs.completed, counted(pairs.seen, "pair"));
    let notes = comparison.notes.iter().map(ToString::to_string);
    std::iter::once(completed).chain(notes).collect()
}

fn usd(value: f64) -> Number {
    Number::new(value, Unit::Usd)
}

fn seconds(us: f64) -> String {
    let seconds = us / 1e6;
    if seconds < 10.0 { format!("{seconds:.1} s") } else { format!("{seconds:.0} s") }
}
