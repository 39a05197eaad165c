//! A session's folder, read as a user's script would read it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::events::count_events;
use super::schema::{Schema, assert_valid};
use super::secrets::assert_none_below;
use super::truth::Truth;

/// A session's folder.
pub(crate) struct Session {
    pub(crate) folder: PathBuf,
    pub(crate) summary: Value,
    pub(crate) runs: Vec<Row>,
}

/// One line of a CSV file by its column names.
#[derive(Debug, Clone)]
pub(crate) struct Row(HashMap<String, String>);

impl Row {
    #[track_caller]
    pub(crate) fn text(&self, column: &str) -> &str {
        self.0.get(column).unwrap_or_else(|| panic!("no column {column}"))
    }

    /// The number in a column; `None` where the cell is empty.
    #[track_caller]
    pub(crate) fn number(&self, column: &str) -> Option<u64> {
        let text = self.text(column);
        (!text.is_empty()).then(|| text.parse().unwrap_or_else(|_| panic!("{column}: {text}")))
    }
}

impl Session {
    /// Opens a session's folder. Checks that no file holds a secret, that only the owner may read them, and that
    /// the summary is valid against its schema.
    #[track_caller]
    pub(crate) fn open(folder: &Path) -> Self {
        assert_none_below(folder, &|_| false);
        for entry in fs::read_dir(folder).expect("the folder exists") {
            let entry = entry.expect("an entry can be read");
            let metadata = entry.metadata().expect("the file exists");
            if metadata.is_dir() {
                continue;
            }
            let mode = metadata.permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{}", entry.path().display());
        }
        let summary = fs::read(folder.join("summary.json")).expect("there is a summary");
        let summary = serde_json::from_slice(&summary).expect("it is JSON");
        assert_valid(Schema::Summary, &summary, &folder.display().to_string());
        Self { folder: folder.to_owned(), summary, runs: rows(&folder.join("runs.csv")) }
    }

    /// How many runs have which value in a column.
    pub(crate) fn tally(&self, column: &str) -> BTreeMap<String, u64> {
        let mut tally = BTreeMap::new();
        for run in &self.runs {
            *tally.entry(run.text(column).to_owned()).or_default() += 1;
        }
        tally
    }

    /// Compares the session with the sandbox's log: every planned run has one outcome, accepted runs are known or
    /// reported as unknown, nothing was submitted twice, and rooms that are left are reported.
    #[track_caller]
    pub(crate) fn check(&self, planned: u64) {
        self.check_against(&self.truth(), planned);
    }

    /// The same for a sandbox whose log is elsewhere.
    #[track_caller]
    pub(crate) fn check_against(&self, truth: &Truth, planned: u64) {
        assert_eq!(self.runs.len() as u64, planned, "every planned run has a line");
        let names: HashSet<&str> = self.runs.iter().map(|run| run.text("run")).collect();
        assert_eq!(names.len() as u64, planned, "and only one");
        let outcomes = self.tally("outcome");
        let count = |outcome: &str| outcomes.get(outcome).copied().unwrap_or(0);
        assert_eq!(count("open"), 0, "every run has an outcome");
        for outcome in ["completed", "failed", "not_started", "skipped"] {
            assert_eq!(self.count(&format!("/runs/{outcome}")), count(outcome));
        }
        let mut classes = self.tally("failure_class");
        classes.remove("");
        classes.remove("cancelled");
        classes.remove("budget_stopped");
        for (class, number) in classes {
            assert_eq!(self.count(&format!("/runs/failed_by_class/{class}")), number, "{class}");
        }
        assert_eq!(truth.submitted_twice(), [] as [String; 0], "nothing paid is sent twice");
        let left: Vec<String> = truth
            .rooms_left()
            .difference(&self.rooms_reported_left())
            .filter(|room| !self.may_be_made_anew(room))
            .cloned()
            .collect();
        assert!(
            left.is_empty(),
            "rooms are left and not reported: {left:?}\n{}",
            self.lines_about(&left)
        );
        let accepted: HashSet<String> =
            truth.entries().into_iter().map(|entry| entry.room).collect();
        for run in &self.runs {
            let was_accepted = accepted.contains(run.text("room"));
            let known_accepted = !run.text("evaluator_run").is_empty();
            let may_be = known_accepted || run.text("failure_class") == "submit_unknown";
            assert!(!known_accepted || was_accepted, "{run:?} was not accepted");
            assert!(!was_accepted || may_be, "{run:?} was accepted, and is not reported as such");
        }
    }

    /// Whether the evaluator's caller may have come into the deleted room, and made it anew: with a second interrupt
    /// nobody waits for the caller of a submission whose answer cannot be read. The outcome says to look for it.
    pub(crate) fn may_be_made_anew(&self, room: &str) -> bool {
        let is_unknown =
            |run: &Row| run.text("room") == room && run.text("failure_class") == "submit_unknown";
        count_events(&self.folder, "stopping") >= 2 && self.runs.iter().any(is_unknown)
    }

    /// What journal and sandbox say of these rooms and of their runs.
    fn lines_about(&self, rooms: &[String]) -> String {
        let read = |name: &str| fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        let of = |room: &String| self.runs.iter().find(|run| run.text("room") == room);
        let runs: Vec<String> = rooms
            .iter()
            .filter_map(of)
            .map(|run| format!("\"run\":{},", run.text("run")))
            .collect();
        let (journal, sandbox) = (read("journal.jsonl"), read("sandbox.jsonl"));
        let is_about = |line: &&str| {
            rooms.iter().chain(&runs).any(|name| line.contains(name.as_str()))
                || line.contains("rooms_listed")
        };
        journal.lines().chain(sandbox.lines()).filter(is_about).collect::<Vec<_>>().join("\n")
    }

    /// The rooms that the journal reports as not deleted.
    fn rooms_reported_left(&self) -> HashSet<String> {
        let journal = fs::read_to_string(self.folder.join("journal.jsonl")).expect("it exists");
        let runs: HashSet<String> = journal
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"))
            .filter_map(|line| Some(line.pointer("/e/room_left/run")?.to_string()))
            .collect();
        let left = self.runs.iter().filter(|run| runs.contains(run.text("run")));
        left.map(|run| run.text("room").to_owned()).collect()
    }

    /// The number at a JSON pointer into the summary.
    #[track_caller]
    pub(crate) fn count(&self, pointer: &str) -> u64 {
        let value = self.summary.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"));
        value.as_u64().unwrap_or_else(|| panic!("{pointer} is {value}"))
    }

    /// The start of the session's clock, in microseconds since 1970.
    pub(crate) fn start_unix_us(&self) -> u64 {
        let text = fs::read(self.folder.join("session.json")).expect("it was written");
        let session: Value = serde_json::from_slice(&text).expect("it is JSON");
        let started = session["started"].as_str().expect("it is a text");
        let started: jiff::Timestamp = started.parse().expect("it is a timestamp");
        u64::try_from(started.as_microsecond()).expect("it is after 1970")
    }

    /// The log of the embedded sandbox.
    pub(crate) fn truth(&self) -> Truth {
        Truth::read(&self.folder.join("sandbox.jsonl"))
    }

    /// The names and contents of all files in the folder.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        fs::read_dir(&self.folder)
            .expect("the folder exists")
            .map(|entry| entry.expect("an entry can be read").path())
            .filter(|path| path.is_file())
            .map(|path| {
                let name = path.file_name().expect("a file has a name").to_string_lossy();
                (name.into_owned(), fs::read(&path).expect("a file can be read"))
            })
            .collect()
    }
}

/// The lines of a CSV file.
pub(crate) fn rows(path: &Path) -> Vec<Row> {
    let mut csv =
        csv::Reader::from_path(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let names = csv.headers().expect("there is a header").clone();
    csv.records()
        .map(|record| {
            let record = record.expect("every line has its columns");
            let cells = names.iter().zip(record.iter());
            Row(cells.map(|(name, cell)| (name.to_owned(), cell.to_owned())).collect())
        })
        .collect()
}
