//! Disks that are full, folders that may not be written or are deleted: what was recorded stays, and it is said.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use super::quick;
use crate::support::{Running, Served, Session, Truth, Workplace};

/// Stand-ins whose own log is not where the trouble is, and a session of 200 runs in them.
struct Apart {
    workplace: Workplace,
    served: Served,
}

impl Apart {
    fn new() -> Self {
        let workplace = Workplace::new();
        let served =
            Served::start(&workplace, &["--truth", "truth.jsonl", "--conversation", "500ms"]);
        let profile = quick(200, "20/s", "");
        let profile = profile.split("[sandbox]").next().expect("it has a beginning");
        workplace.write("profile.toml", &served.profile(profile));
        Self { workplace, served }
    }

    /// Begins the session from a shell that did this before.
    fn start(&self, script: &str) -> Running {
        let words = ["run", "profile.toml", "--yes"];
        self.served.rushhour(&self.workplace, &words, &[]).after(script).start()
    }

    /// The truth, once the stand-ins have written all of it.
    fn truth(self) -> (Workplace, Truth) {
        let Self { workplace, served } = self;
        served.stop();
        let truth = Truth::read(&workplace.path().join("truth.jsonl"));
        (workplace, truth)
    }
}

fn report(workplace: &Workplace, folder: &Path, exit: i32) {
    let shown = folder.to_str().expect("a temporary folder's name is text");
    workplace.rushhour(&["report", shown]).run().ended_with(exit);
}

#[test]
fn a_journal_that_may_not_grow_ends_the_session_and_keeps_what_was_written() {
    let apart = Apart::new();
    // Sixty kilobytes for every file: some forty runs.
    let ran = apart.start("ulimit -f 60").finish().ended_with(1);
    let ran = ran
        .complaining("the journal cannot be written: File too large")
        .complaining("no more runs will start, and the runs in flight will be finished");
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    let (workplace, truth) = apart.truth();
    assert!(truth.rooms_left().is_empty(), "{:?}", truth.rooms_left());
    assert_eq!(truth.submitted_twice(), [] as [String; 0]);
    let entries = truth.entries();
    assert!((5..100).contains(&entries.len()), "it stopped starting: {}", entries.len());
    // What may have cost money is in the journal, and the journal is whole as far as it goes.
    let folder = workplace.sessions().remove(0);
    let journal = fs::read_to_string(folder.join("journal.jsonl")).expect("it is there");
    assert!(journal.ends_with('\n') && journal.len() <= 60 * 1024, "{}", journal.len());
    // Its journal does not tell of an end.
    report(&workplace, &folder, 105);
    let session = Session::open(&folder);
    let intended: HashSet<u64> = journal
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a line is JSON"))
        .filter_map(|line| line.pointer("/e/submit_intent/runs").cloned())
        .flat_map(|runs| runs.as_array().cloned().expect("it is a list"))
        .map(|run| run.as_u64().expect("it is a number"))
        .collect();
    for entry in entries {
        let run = session.runs.iter().find(|run| run.text("room") == entry.room);
        let run = run.unwrap_or_else(|| panic!("{} was paid for and not recorded", entry.room));
        assert!(intended.contains(&run.number("run").expect("it has a number")), "{run:?}");
    }
}

#[test]
fn a_folder_that_is_deleted_is_put_back_and_the_session_ends() {
    let apart = Apart::new();
    let running = apart.start("true");
    std::thread::sleep(Duration::from_secs(3));
    fs::remove_dir_all(apart.workplace.path().join("reports")).expect("it is there");
    let ran = running.finish().ended_with(1).complaining("was deleted while it was written");
    assert!(ran.err.contains("no more runs will start"), "{}", ran.err);
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    let (workplace, truth) = apart.truth();
    let session = workplace.session();
    session.check_against(&truth, 200);
    assert!(truth.rooms_left().is_empty(), "{:?}", truth.rooms_left());
    let outcomes = session.tally("outcome");
    assert!(outcomes["completed"] > 20 && outcomes["not_started"] > 60, "{outcomes:?}");
}

#[test]
fn a_folder_that_becomes_read_only_keeps_the_journal_and_the_reports_can_be_made_later() {
    let apart = Apart::new();
    // The superuser is bound by permissions once this capability is gone.
    let bound = "[ $EUID = 0 ] && exec setpriv --bounding-set=-dac_override \"$0\" \"$@\"";
    let running = apart.start(bound);
    std::thread::sleep(Duration::from_secs(3));
    let folder = apart.workplace.sessions().remove(0);
    let allow = |mode| {
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    allow(0o500);
    running
        .finish()
        .ended_with(2)
        .complaining("everything that was measured is safe in the journal")
        .complaining("run `rushhour report`");
    allow(0o700);
    let (workplace, truth) = apart.truth();
    let names: Vec<_> = fs::read_dir(&folder).expect("it is there").collect();
    assert_eq!(names.len(), 1, "the journal alone: {names:?}");
    report(&workplace, &folder, 0);
    let session = workplace.session();
    session.check_against(&truth, 200);
    assert_eq!(session.tally("outcome")["completed"], 200);
    assert!(truth.rooms_left().is_empty(), "{:?}", truth.rooms_left());
}
