//! What was found, for a reader: a line for each room and each call.

use std::fmt::Write;

use super::calls::Call;
use super::decision::{Judged, Verdict};
use rushhour_livekit::DispatchSight;

/// A room that is judged, with its dispatches where it is dead.
pub(crate) struct Row {
    pub(crate) judged: Judged,
    pub(crate) dispatches: Vec<DispatchSight>,
}

/// The table of rooms, dead ones first; empty where there are none.
pub(crate) fn rooms_table(rows: &[Row]) -> String {
    let mut lines = vec![[
        "room".to_owned(),
        "session".to_owned(),
        "age".to_owned(),
        "inside".to_owned(),
        "dispatches".to_owned(),
        "verdict".to_owned(),
    ]];
    let (dead, kept): (Vec<&Row>, Vec<&Row>) =
        rows.iter().partition(|row| row.judged.verdict.is_dead());
    for row in dead.into_iter().chain(kept) {
        lines.push([
            row.judged.sight.room.to_string(),
            row.judged.session.to_string(),
            row.judged.age.map_or_else(|| "?".to_owned(), |age| age.to_string()),
            row.judged.sight.participants.to_string(),
            dispatch_words(&row.dispatches),
            verdict_words(row.judged.verdict),
        ]);
    }
    aligned(&lines)
}

/// The table of calls that are still held.
pub(crate) fn calls_table(calls: &[Call]) -> String {
    let mut lines = vec![["call".to_owned(), "state".to_owned()]];
    lines.extend(calls.iter().map(|call| [call.run.to_string(), call.word.clone()]));
    aligned(&lines)
}

/// Columns as wide as their widest cell; the last is ragged. Names come from a server, so control
/// characters are left out.
fn aligned<const N: usize>(lines: &[[String; N]]) -> String {
    let clean: Vec<Vec<String>> = lines
        .iter()
        .map(|line| {
            line.iter().map(|cell| cell.chars().filter(|c| !c.is_control()).collect()).collect()
        })
        .collect();
    let width = |column: usize| {
        clean.iter().map(|line| line[column].chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut text = String::new();
    for line in &clean {
        for (cell, width) in line.iter().zip(&widths).take(N - 1) {
            let _ = write!(text, "{cell:<width$}  ");
        }
        let _ = writeln!(text, "{}", line[N - 1]);
    }
    text
}

fn dispatch_words(dispatches: &[DispatchSight]) -> String {
    let words: Vec<String> = dispatches
        .iter()
        .map(|dispatch| {
            let name = match dispatch.agent.as_str() {
                "" => "(nameless)",
                name => name,
            };
            format!("{name} ({} jobs)", dispatch.jobs)
        })
        .collect();
    if words.is_empty() { "-".to_owned() } else { words.join(", ") }
}

fn verdict_words(verdict: Verdict) -> String {
    match verdict {
        Verdict::Over => "dead: its journal is here, and no process holds it".to_owned(),
        Verdict::PastItsEnd(by) => format!("dead: {by} past its planned end"),
        Verdict::Running => "kept: its session is running on this machine".to_owned(),
        Verdict::MayBeWanted(left) => {
            format!("kept: its session may run elsewhere; dead in {left} at the latest")
        }
        Verdict::AgeUnknown => {
            "kept: its session may run elsewhere, and the server tells no age".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_core::units::{AgentName, Micros, RoomName, SessionId};
    use rushhour_livekit::RoomSight;

    fn row(name: &str, verdict: Verdict) -> Row {
        let sight = RoomSight {
            room: RoomName::new(name),
            metadata: String::new(),
            made_at_ms: None,
            empty_timeout: Micros::ZERO,
            participants: 2,
        };
        let age = Some(Micros::from_secs(600));
        Row {
            judged: Judged { sight, session: SessionId::new("s\u{1b}[2J"), age, verdict },
            dispatches: vec![DispatchSight { agent: AgentName::new("echo"), jobs: 1 }],
        }
    }

    #[test]
    fn dead_rooms_come_first_and_names_cannot_write_on_the_terminal() {
        let rows = [
            row("rushhour-kept", Verdict::Running),
            row("rushhour-dead", Verdict::PastItsEnd(Micros::from_secs(7_200))),
        ];
        let text = rooms_table(&rows);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "room           session  age     inside  dispatches     verdict");
        assert_eq!(
            lines[1],
            "rushhour-dead  s[2J     10m00s  2       echo (1 jobs)  dead: 2h00m past its planned end"
        );
        assert!(lines[2].ends_with("kept: its session is running on this machine"), "{text}");
    }
}
