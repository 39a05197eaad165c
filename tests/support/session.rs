//! A session's folder, read as a user's script would.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::leaks::assert_none_below;
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

    #[track_caller]
    pub(crate) fn number(&self, column: &str) -> Option<u64> {
        let text = self.text(column);
        (!text.is_empty()).then(|| text.parse().unwrap_or_else(|_| panic!("{column}: {text}")))
    }
}

impl Session {
    /// Opens a session's folder, and checks that no secret is in any of its files, and that nobody else
    /// may read them.
    pub(crate) fn open(folder: &Path) -> Self {
        assert_none_below(folder, &|_| false);
        for entry in fs::read_dir(folder).expect("the folder is there") {
            let entry = entry.expect("an entry can be read");
            let mode = entry.metadata().expect("it is there").permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{}", entry.path().display());
        }
        let summary = fs::read(folder.join("summary.json")).expect("there is a summary");
        Self {
            folder: folder.to_owned(),
            summary: serde_json::from_slice(&summary).expect("it is JSON"),
            runs: rows(&folder.join("runs.csv")),
        }
    }

    /// How many runs have which value in a column.
    pub(crate) fn tally(&self, column: &str) -> BTreeMap<String, u64> {
        let mut tally = BTreeMap::new();
        for run in &self.runs {
            *tally.entry(run.text(column).to_owned()).or_default() += 1;
        }
        tally
    }

    /// Holds it to the stand-ins' log: every planned run has one outcome, what was accepted is known or said
    /// to be unknown, nothing was sent twice, and rooms that are left are told.
    pub(crate) fn check(&self, planned: u64) {
        self.check_against(&self.truth(), planned);
    }

    /// The same, where the stand-ins kept their log elsewhere.
    pub(crate) fn check_against(&self, truth: &Truth, planned: u64) {
        assert_eq!(self.runs.len() as u64, planned, "every planned run has a line");
        let names: HashSet<&str> = self.runs.iter().map(|run| run.text("run")).collect();
        assert_eq!(names.len() as u64, planned, "and only one");
        let outcomes = self.tally("outcome");
        let count = |word: &str| outcomes.get(word).copied().unwrap_or(0);
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
        let left: Vec<String> =
            truth.rooms_left().difference(&self.rooms_told()).cloned().collect();
        assert!(left.is_empty(), "rooms are left, and nobody says so: {left:?}");
        let accepted: HashSet<String> =
            truth.entries().into_iter().map(|entry| entry.room).collect();
        for run in &self.runs {
            let was_accepted = accepted.contains(run.text("room"));
            let known_accepted = !run.text("evaluator_run").is_empty();
            let may_be = known_accepted || run.text("failure_class") == "submit_unknown";
            assert!(!known_accepted || was_accepted, "{run:?} was accepted");
            assert!(!was_accepted || may_be, "{run:?} was accepted and nobody knows");
        }
    }

    /// The rooms of which the journal says that they could not be deleted.
    fn rooms_told(&self) -> HashSet<String> {
        let journal = fs::read_to_string(self.folder.join("journal.jsonl")).expect("it is there");
        let runs: HashSet<String> = journal
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"))
            .filter_map(|line| Some(line.pointer("/e/room_left/run")?.to_string()))
            .collect();
        let of = self.runs.iter().filter(|run| runs.contains(run.text("run")));
        of.map(|run| run.text("room").to_owned()).collect()
    }

    #[track_caller]
    pub(crate) fn count(&self, pointer: &str) -> u64 {
        let value = self.summary.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"));
        value.as_u64().unwrap_or_else(|| panic!("{pointer} is {value}"))
    }

    /// What the stand-ins say of it.
    pub(crate) fn truth(&self) -> Truth {
        Truth::read(&self.folder.join("sandbox.jsonl"))
    }

    /// The names and contents of everything that was written of it.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        fs::read_dir(&self.folder)
            .expect("the folder is there")
            .map(|entry| {
                let path = entry.expect("an entry can be read").path();
                let name = path.file_name().expect("a file has a name").to_string_lossy();
                (name.into_owned(), fs::read(&path).expect("a file can be read"))
            })
            .collect()
    }
}

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
