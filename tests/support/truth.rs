//! The sandbox's log: what really happened.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

/// The facts that the sandbox logged.
pub(crate) struct Truth {
    facts: Vec<Value>,
}

/// An entry of a submission that was accepted.
pub(crate) struct AcceptedEntry {
    pub(crate) room: String,
    pub(crate) run: u64,
    pub(crate) mode: String,
    pub(crate) submission: u64,
    pub(crate) received_us: u64,
    pub(crate) token_ttl_s: u64,
    pub(crate) grants: Vec<String>,
}

impl Truth {
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("the sandbox wrote a log");
        let facts = text.lines().map(|line| serde_json::from_str(line).expect("it is JSON lines"));
        Self { facts: facts.collect() }
    }

    fn facts(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.facts.iter().filter(move |fact| fact["fact"] == kind)
    }

    /// The start of the sandbox's clock, in microseconds since 1970.
    pub(crate) fn start_unix_us(&self) -> u64 {
        let anchor = self.facts("anchor").next().expect("the log starts with its anchor");
        number(&anchor["unix_us"])
    }

    pub(crate) fn entries(&self) -> Vec<AcceptedEntry> {
        self.facts("entry_accepted")
            .map(|fact| AcceptedEntry {
                room: text(&fact["room"]),
                run: number(&fact["run"]),
                mode: text(&fact["mode"]),
                submission: number(&fact["submission"]),
                received_us: number(&fact["received_us"]),
                token_ttl_s: number(&fact["token_ttl_s"]),
                grants: fact["grants"].as_array().into_iter().flatten().map(text).collect(),
            })
            .collect()
    }

    /// Rooms whose entry was accepted more than once.
    pub(crate) fn submitted_twice(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        self.entries()
            .into_iter()
            .map(|entry| entry.room)
            .filter(|room| !seen.insert(room.clone()))
            .collect()
    }

    /// Rooms that still exist.
    pub(crate) fn rooms_left(&self) -> HashSet<String> {
        let mut rooms = HashSet::new();
        for fact in &self.facts {
            if fact["fact"] == "room_made" {
                rooms.insert(text(&fact["room"]));
            } else if fact["fact"] == "room_closed" {
                rooms.remove(fact["room"].as_str().expect("a room has a name"));
            }
        }
        rooms
    }

    /// How long each submission really took, from its receipt to its answer, in microseconds by run.
    pub(crate) fn submission_times(&self) -> HashMap<u64, u64> {
        let mut times = HashMap::new();
        for fact in self.facts("submission_answered") {
            let took = number(&fact["answered_us"]) - number(&fact["received_us"]);
            for run in fact["runs"].as_array().into_iter().flatten() {
                times.insert(number(run), took);
            }
        }
        times
    }

    /// When each run really ended, in microseconds of the sandbox's clock, by run.
    pub(crate) fn ends(&self) -> HashMap<u64, u64> {
        self.facts("run_status")
            .filter(|fact| fact["over"] == true)
            .map(|fact| (number(&fact["run"]), number(&fact["at_us"])))
            .collect()
    }

    /// The rooms of the runs that ended with a status.
    pub(crate) fn rooms_with_status(&self, status: &str) -> Vec<String> {
        self.facts("run_status")
            .filter(|fact| fact["over"] == true && fact["status"] == status)
            .map(|fact| text(&fact["room"]))
            .collect()
    }

    /// The faults that struck.
    pub(crate) fn faults(&self) -> HashSet<String> {
        self.facts("fault_struck").map(|fact| text(&fact["fault"])).collect()
    }

    /// The metadata of every dispatch of an agent.
    pub(crate) fn dispatch_metadata(&self, agent: &str) -> Vec<Value> {
        self.facts("dispatch_made")
            .filter(|fact| fact["agent"] == agent)
            .map(|fact| {
                let text = fact["metadata"].as_str().expect("metadata is a text");
                serde_json::from_str(text).expect("metadata is JSON")
            })
            .collect()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text")).to_owned()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is not a number"))
}
