//! Both logs of a session on one clock: what the callers reported of each turn, and what the agent did in it.

use std::collections::HashMap;

use serde_json::Value;

use super::behaviours::{find, journal};
use super::native_rig::Measured;

/// What the agent did so soon after the last that was heard of a turn belongs to it, in microseconds. The caller's next
/// turn begins later.
const SLACK: u64 = 200_000;

/// A turn as its caller reported it.
pub(super) struct ReportedTurn {
    room: String,
    number: u64,
    /// The last that is known of it, in microseconds since 1970.
    ends: u64,
    report: Value,
}

impl ReportedTurn {
    fn of(room: &str, anchor: u64, report: &Value) -> Self {
        let ends = ["said", "first", "last", "done"].iter().filter_map(|at| report[at].as_u64());
        Self {
            room: room.to_owned(),
            number: report["number"].as_u64().unwrap_or(0),
            ends: anchor + ends.max().unwrap_or(0),
            report: report.clone(),
        }
    }

    /// A number of the journal's `sound` or `taking`; what is zero is not written.
    pub(super) fn number_of(&self, part: &str, name: &str) -> u64 {
        self.report[part][name].as_u64().unwrap_or(0)
    }

    /// How the agent sounded, as the journal has it.
    pub(super) fn sound(&self) -> &Value {
        &self.report["sound"]
    }

    /// How long after the caller's turn the agent had finished, in microseconds.
    pub(super) fn done_after(&self) -> Option<u64> {
        self.report["done"].as_u64()?.checked_sub(self.report["said"].as_u64()?)
    }

    pub(super) fn talked_over(&self) -> bool {
        self.report["taking"]["talked_over"].as_bool().unwrap_or(false)
    }

    pub(super) fn yielded(&self) -> Option<u64> {
        self.report["yielded"].as_u64()
    }

    /// Words that were misheard: heard as others, not heard, and not said.
    pub(super) fn misheard(&self) -> Option<u64> {
        let heard = self.report["heard"].as_object()?;
        let count = |name: &str| heard.get(name).and_then(Value::as_u64).unwrap_or(0);
        Some(["substitutions", "deletions", "insertions"].map(count).iter().sum())
    }

    /// By which the agent's log names it.
    pub(super) fn key(&self) -> (String, u64) {
        (self.room.clone(), self.number)
    }
}

/// What callers and agent wrote of a session.
pub(super) struct SessionLogs<'a> {
    measured: &'a Measured,
    pub(super) turns: Vec<ReportedTurn>,
    /// For how many back-channels the agent stopped, by room.
    pub(super) false_interruptions: HashMap<String, u64>,
    /// When the agent's log begins, in microseconds since 1970.
    agent_began: u64,
}

impl<'a> SessionLogs<'a> {
    pub(super) fn of(measured: &'a Measured) -> Self {
        let (mut anchor, mut rooms) = (0, HashMap::new());
        let (mut turns, mut false_interruptions) = (Vec::new(), HashMap::new());
        for line in journal(measured) {
            let event = &line["e"];
            if let Some(text) = event["opened"]["anchor"].as_str() {
                let at: jiff::Timestamp = text.parse().expect("an anchor is a timestamp");
                anchor = u64::try_from(at.as_microsecond()).unwrap_or(0);
            }
            let started = &event["run_started"];
            if let (Some(run), Some(room)) = (started["run"].as_u64(), started["room"].as_str()) {
                rooms.insert(run, room.to_owned());
            }
            let of_run = |event: &Value| rooms.get(&event["run"].as_u64()?).cloned();
            if let Some(room) = of_run(&event["turn"]) {
                turns.push(ReportedTurn::of(&room, anchor, &event["turn"]["turn"]));
            }
            if let Some(room) = of_run(&event["conversation"]) {
                let count = find(&event["conversation"], "false_interruptions").unwrap_or(0);
                false_interruptions.insert(room, count);
            }
        }
        let began = measured.truth.iter().find_map(|line| line["wall_unix_us"].as_u64());
        Self { measured, turns, false_interruptions, agent_began: began.unwrap_or(0) }
    }

    /// Facts of this kind.
    pub(super) fn facts(&self, fact: &'static str) -> impl Iterator<Item = &'a Value> {
        self.measured.truth.iter().filter(move |line| line["fact"] == fact)
    }

    /// A number of each fact of this kind, by room and turn.
    pub(super) fn by_key(&self, fact: &'static str, name: &str) -> HashMap<(String, u64), u64> {
        let number = |line: &Value| {
            let room = line["room"].as_str()?.to_owned();
            Some(((room, line["turn"].as_u64()?), line[name].as_u64()?))
        };
        self.facts(fact).filter_map(number).collect()
    }

    /// What the agent wrote down of each turn, by room and turn.
    pub(super) fn transcripts(&self) -> HashMap<(String, u64), &'a str> {
        let text = |line: &'a Value| {
            let room = line["room"].as_str()?.to_owned();
            Some(((room, line["turn"].as_u64()?), line["text"].as_str()?))
        };
        self.facts("transcribed").filter_map(text).collect()
    }

    /// How many facts of this kind there are of each room.
    pub(super) fn by_room(&self, fact: &'static str) -> HashMap<&'a str, u64> {
        let mut counts = HashMap::new();
        for room in self.facts(fact).filter_map(|line| line["room"].as_str()) {
            *counts.entry(room).or_default() += 1;
        }
        counts
    }

    /// A number of each fact of this kind, by the position of the turn in which it was, in the order of time; and how many
    /// facts were in no turn that was reported.
    pub(super) fn by_turn(&self, fact: &'static str, name: &str) -> (Vec<Vec<u64>>, u64) {
        let mut of_turns = vec![Vec::new(); self.turns.len()];
        let mut lost = 0;
        for line in self.facts(fact) {
            let at = self.agent_began + line["at_us"].as_u64().unwrap_or(0);
            let is_in = |turn: &ReportedTurn| line["room"] == *turn.room && at <= turn.ends + SLACK;
            match self.turns.iter().position(is_in) {
                Some(turn) => of_turns[turn].push(line[name].as_u64().unwrap_or(0)),
                None => lost += 1,
            }
        }
        (of_turns, lost)
    }

    /// A figure of `summary.json`, by the path to it.
    pub(super) fn summary(&self, path: &[&str]) -> f64 {
        let value = path.iter().fold(&self.measured.summary, |value, name| &value[name]);
        value.as_f64().unwrap_or(f64::NAN)
    }

    pub(super) fn completed(&self) -> u64 {
        self.measured.runs.iter().filter(|run| run["outcome"] == "completed").count() as u64
    }
}
