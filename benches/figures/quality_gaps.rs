//! How often the agent's speech breaks up, and how much of it is not heard: rows of the table of `quality`.

use super::quality_logs::SessionLogs;
use super::quality_table::{Matched, Table};

/// A listener's jitter buffer and the shortest gap that it does not hide, in microseconds (docs/metrics.md).
const JITTER_BUFFER: u64 = 100_000;
const SHORTEST_GAP: u64 = 30_000;

/// A way in which the agent's speech breaks up.
pub(super) struct Breakage {
    fact: &'static str,
    /// How the callers' journal calls gaps of this cause, those of others, and what is not heard of speech because of it.
    cause: &'static str,
    others: [&'static str; 2],
    unheard: &'static str,
    /// What a listener does not hear of each, where they come one after the other in one answer.
    heard_as: fn(&[u64]) -> Vec<u64>,
    /// Missed and false gaps, in percent.
    bounds: (f64, f64),
}

pub(super) const CUTS: Breakage = Breakage {
    fact: "speech_cut",
    cause: "starved",
    others: ["late", "lost"],
    unheard: "silent",
    heard_as: <[u64]>::to_vec,
    bounds: (10.0, 2.0),
};

/// Two that are less than 200 ms apart are found as one.
pub(super) const LONG_CUTS: Breakage = Breakage { bounds: (25.0, 2.0), ..CUTS };

pub(super) const CUTS_IN_A_VOICE: Breakage = Breakage { bounds: (50.0, 5.0), ..CUTS };

pub(super) const STALLS: Breakage = Breakage {
    fact: "speech_stalled",
    cause: "late",
    others: ["starved", "lost"],
    unheard: "concealed",
    heard_as: after_jitter_buffer,
    bounds: (5.0, 5.0),
};

pub(super) const LOSSES: Breakage = Breakage {
    fact: "speech_lost",
    cause: "lost",
    others: ["starved", "late"],
    unheard: "concealed",
    heard_as: <[u64]>::to_vec,
    bounds: (5.0, 1.0),
};

/// The buffer hides as much of a stall as it holds, and grows by the rest.
fn after_jitter_buffer(stalls: &[u64]) -> Vec<u64> {
    let mut holds = JITTER_BUFFER;
    let late = stalls.iter().map(|stall| {
        let late = stall.saturating_sub(holds);
        holds += late;
        late
    });
    late.collect()
}

/// What was truly not heard of the agent, in microseconds where it is a time.
pub(super) struct TrueGaps {
    count: u64,
    unheard: u64,
    spoken: u64,
}

/// Gaps one by one, as far as the journal tells: how many there were in each turn, how long they were together, and the
/// longest of them.
pub(super) fn gap_rows(logs: &SessionLogs<'_>, table: &mut Table, breakage: &Breakage) -> TrueGaps {
    let Breakage { fact, cause, others, unheard, heard_as, bounds } = *breakage;
    let (by_turn, lost) = logs.by_turn(fact, "length_us");
    let mut matched = Matched { missed: lost, ..Matched::default() };
    let mut of_others = 0;
    let (mut all_unheard, mut longest) = (Vec::new(), Vec::new());
    let mut truth = TrueGaps { count: 0, unheard: 0, spoken: spoken(logs) };
    for (turn, breaks) in logs.turns.iter().zip(&by_turn) {
        let lengths = heard_as(breaks);
        let gaps = lengths.iter().filter(|length| **length >= SHORTEST_GAP).count() as u64;
        let found = turn.number_of("sound", cause);
        let sum = lengths.iter().sum::<u64>();
        matched.add(gaps, found);
        truth.count += gaps;
        truth.unheard += sum;
        of_others += others.iter().map(|other| turn.number_of("sound", other)).sum::<u64>();
        if gaps != found {
            println!("  {fact} in {:?}: {lengths:?}, {}", turn.key(), turn.sound());
        }
        if gaps > 0 && gaps == found {
            all_unheard.push((turn.number_of("sound", unheard), sum));
            let of_truth = lengths.iter().copied().max().unwrap_or(0);
            longest.push((turn.number_of("sound", "longest_gap"), of_truth));
        }
    }
    table.events(&format!("speech.gaps, {cause}"), matched, bounds);
    table.count("speech.gaps of other causes", 0, of_others, 2);
    table.times("what is not heard of an answer whose gaps were found", &all_unheard, 20.0);
    table.times("speech.longest_gap of such an answer", &longest, 20.0);
    truth
}

/// How long the agent spoke in all its answers, gaps of any length included, in microseconds.
fn spoken(logs: &SessionLogs<'_>) -> u64 {
    let began = logs.by_key("first_audible", "at_us");
    let ended = logs.by_key("spoken", "at_us");
    let answers = ended.iter().filter_map(|(key, ended)| Some(ended - began.get(key)?));
    answers.sum()
}

/// The figures of the whole session, which the gaps that are missed make too small.
pub(super) fn rate_rows(logs: &SessionLogs<'_>, table: &mut Table, truth: &TrueGaps, bound: f64) {
    let seconds = truth.spoken as f64 / 1e6;
    let counted = logs.summary(&["quality", "speech_us"]) / 1e6;
    table.amount("speech that counts", " s", (seconds, counted), 2.0);
    let rate = truth.count as f64 / (seconds / 60.0);
    let found = logs.summary(&["quality", "gaps_per_minute", "value"]);
    table.amount("speech.gaps, a minute", "", (rate, found), bound);
    let share = truth.unheard as f64 / truth.spoken as f64 * 100.0;
    let found = logs.summary(&["quality", "concealed", "value"]) * 100.0;
    table.amount("speech.concealed", " %", (share, found), bound);
}
