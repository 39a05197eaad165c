//! What a sweep found, as tables: a line for each room and each call.

use std::fmt::Write;

use super::calls::OpenCall;
use super::decision::{RoomDecision, SweepVerdict};
use rushhour_livekit::DispatchInfo;

/// A room with its dispatches, which are listed for dead rooms only.
pub(crate) struct Row {
    pub(crate) decision: RoomDecision,
    pub(crate) dispatches: Vec<DispatchInfo>,
}

/// The table of rooms, dead ones first.
pub(crate) fn rooms_table(rows: &[Row]) -> String {
    let header = ["room", "session", "age", "participants", "dispatches", "verdict"];
    let mut lines = vec![header.map(str::to_owned)];
    let (dead, kept): (Vec<&Row>, Vec<&Row>) =
        rows.iter().partition(|row| row.decision.verdict.is_dead());
    for Row { decision, dispatches } in dead.into_iter().chain(kept) {
        lines.push([
            decision.room.room.to_string(),
            decision.session.to_string(),
            decision.age.map_or_else(|| "?".to_owned(), |age| age.to_string()),
            decision.room.participants.to_string(),
            dispatches_text(dispatches),
            verdict_text(decision.verdict),
        ]);
    }
    aligned(&lines)
}

/// The table of calls that are still open.
pub(crate) fn calls_table(calls: &[OpenCall]) -> String {
    let mut lines = vec![["call", "state", "room"].map(str::to_owned)];
    lines.extend(calls.iter().map(|call| {
        let room =
            if call.is_proven { "carries the session's mark" } else { "gone, or not marked" };
        [call.run.to_string(), call.state.clone(), room.to_owned()]
    }));
    aligned(&lines)
}

/// Columns as wide as their widest cell; the last one is ragged. Names come from a server: control characters
/// are left out.
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

fn dispatches_text(dispatches: &[DispatchInfo]) -> String {
    let listed: Vec<String> = dispatches
        .iter()
        .map(|dispatch| {
            let name = match dispatch.agent.as_str() {
                "" => "(nameless)",
                name => name,
            };
            format!("{name} ({} jobs)", dispatch.jobs)
        })
        .collect();
    if listed.is_empty() { "-".to_owned() } else { listed.join(", ") }
}

fn verdict_text(verdict: SweepVerdict) -> String {
    match verdict {
        SweepVerdict::SessionEnded => {
            "dead: its journal is here, and no process holds it".to_owned()
        }
        SweepVerdict::PastItsEnd(by) => format!("dead: {by} past its planned end"),
        SweepVerdict::SessionRunning => "kept: its session is running on this machine".to_owned(),
        SweepVerdict::MayBeInUse(left) => {
            format!("kept: its session may be running elsewhere; dead in {left} at the latest")
        }
        SweepVerdict::AgeUnknown => {
            "kept: its session may be running elsewhere, and the server reports no age".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_core::units::{AgentName, Micros, RoomName, SessionId};
    use rushhour_livekit::RoomInfo;

    fn row(name: &str, verdict: SweepVerdict) -> Row {
        let room = RoomInfo {
            room: RoomName::new(name),
            metadata: String::new(),
            created_at_ms: None,
            empty_timeout: Micros::ZERO,
            participants: 2,
        };
        let age = Some(Micros::from_secs(600));
        Row {
            decision: RoomDecision { room, session: SessionId::new("s\u{1b}[2J"), age, verdict },
            dispatches: vec![DispatchInfo { agent: AgentName::new("echo"), jobs: 1 }],
        }
    }

    #[test]
    fn dead_rooms_come_first_and_names_cannot_control_the_terminal() {
        let rows = [
            row("rushhour-kept", SweepVerdict::SessionRunning),
            row("rushhour-dead", SweepVerdict::PastItsEnd(Micros::from_secs(7_200))),
        ];
        let text = rooms_table(&rows);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "room           session  age     participants  dispatches     verdict"
        );
        assert_eq!(
            lines[1],
            "rushhour-dead  s[2J     10m00s  2             echo (1 jobs)  dead: 2h00m past its planned end"
        );
        assert!(lines[2].ends_with("kept: its session is running on this machine"), "{text}");
    }
}
