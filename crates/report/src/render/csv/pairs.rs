//! `pairs.csv`: one line per pair, with both runs.

use std::io::Write;

use crate::fold::{FoldedSession, PairTable, PairedEnd, PairedRun, RunPair};
use crate::render::csv::write_record;
use rushhour_core::units::{Micros, Mode};

/// The columns of each run, which are prefixed with its mode.
const EACH: [&str; 9] = [
    "run",
    "outcome",
    "judged",
    "intended_us",
    "conversation_us",
    "turns",
    "turn_first_us",
    "turn_last_us",
    "cost_usd",
];

/// Writes one line per pair, in the order in which they were planned; only the header in a session of one mode. Runs of
/// unmeasured stages are left out, and missing figures are empty. Times of turns are means over the run's answers, from
/// the end of what the caller said to the first and to the last frame or chunk of the answer.
///
/// # Errors
/// If writing fails.
pub fn pairs_csv(folded: &FoldedSession, to: impl Write) -> csv::Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    let of_mode = |mode: Mode| EACH.map(move |column| format!("{mode}_{column}"));
    let head = ["pair", "scenario", "first", "cost_difference_usd"].map(str::to_owned);
    let [voice, chat] = Mode::ALL.map(of_mode);
    write_record(&mut csv, head.into_iter().chain(voice).chain(chat))?;
    for (number, pair) in folded.pairs.iter().flat_map(PairTable::iter) {
        let scenario = folded.names.scenarios.get(pair.scenario as usize);
        let head = [
            number.to_string(),
            scenario.cloned().unwrap_or_default(),
            first(pair).map_or("", Mode::name).to_owned(),
            difference(pair),
        ];
        let [voice, chat] = Mode::ALL.map(|mode| columns(pair.run(mode)));
        write_record(&mut csv, head.into_iter().chain(voice).chain(chat))?;
    }
    csv.flush()?;
    Ok(())
}

fn first(pair: &RunPair) -> Option<Mode> {
    let (voice, chat) = pair.voice.as_ref().zip(pair.chat.as_ref())?;
    Some(if voice.run < chat.run { Mode::Voice } else { Mode::Chat })
}

fn difference(pair: &RunPair) -> String {
    match pair.ended() {
        Some((voice, chat)) if !voice.charges.is_empty() => {
            format!("{:.6}", voice.cost().dollars() - chat.cost().dollars())
        }
        _ => String::new(),
    }
}

fn columns(run: Option<&PairedRun>) -> [String; EACH.len()] {
    let Some(run) = run else { return Default::default() };
    let (outcome, judged) = match run.end {
        PairedEnd::Completed { judged: Some(true) } => ("completed", "passed"),
        PairedEnd::Completed { judged: Some(false) } => ("completed", "failed"),
        PairedEnd::Completed { judged: None } => ("completed", ""),
        PairedEnd::Failed => ("failed", ""),
        PairedEnd::Skipped => ("skipped", ""),
        PairedEnd::Open => ("open", ""),
    };
    let micros = |time: Option<Micros>| time.map_or(String::new(), |time| time.0.to_string());
    let cost = (!run.charges.is_empty()).then(|| format!("{:.6}", run.cost().dollars()));
    [
        run.run.to_string(),
        outcome.to_owned(),
        judged.to_owned(),
        run.intended.0.to_string(),
        micros(run.conversation),
        run.turns.map_or(String::new(), |turns| turns.to_string()),
        micros(run.mean_first_response),
        micros(run.mean_last_response),
        cost.unwrap_or_default(),
    ]
}
