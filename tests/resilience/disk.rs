//! Full disks, folders that are read-only or deleted: what was recorded stays, and the error says so.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::quick_profile;
use crate::support::{RunningCommand, SandboxProcess, Session, TestDir, Truth, wait_for_events};

/// A sandbox in a process of its own, whose log is not on the failing disk, and a profile of 200 runs for it.
struct Fixture {
    dir: TestDir,
    sandbox: SandboxProcess,
}

impl Fixture {
    fn new() -> Self {
        let dir = TestDir::new();
        let options = ["--truth", "truth.jsonl", "--conversation", "500ms"];
        let sandbox = SandboxProcess::start(&dir, &options);
        let profile = quick_profile(200, "20/s", "");
        let profile = profile.split("[sandbox]").next().expect("split returns at least one");
        dir.write("profile.toml", &sandbox.profile(profile));
        Self { dir, sandbox }
    }

    /// Starts the session from a shell that has run `script`.
    fn start(&self, script: &str) -> RunningCommand {
        let arguments = ["run", "profile.toml", "--yes"];
        self.sandbox.rushhour(&self.dir, &arguments, &[]).after_shell(script).start()
    }

    /// Stops the sandbox, so that its log is complete, and reads the log.
    fn end(self) -> (TestDir, Truth) {
        let Self { dir, sandbox } = self;
        sandbox.stop();
        let truth = Truth::read(&dir.path().join("truth.jsonl"));
        (dir, truth)
    }
}

fn report(dir: &TestDir, folder: &Path, exit: i32) {
    let folder = folder.to_str().expect("a temporary folder's name is text");
    dir.rushhour(&["report", folder]).run().expect_exit_unless_busy(exit);
}

#[test]
fn a_journal_that_cannot_grow_ends_the_session_and_keeps_what_was_written() {
    let fixture = Fixture::new();
    // No file may exceed sixty kilobytes, which is about forty runs.
    fixture
        .start("ulimit -f 60")
        .finish()
        .expect_exit(1)
        .expect_stderr("the journal cannot be written: File too large")
        .expect_stderr("no more runs will start, and the runs in flight will be finished");
    let (dir, truth) = fixture.end();
    assert!(truth.rooms_left().is_empty(), "{:?}", truth.rooms_left());
    assert_eq!(truth.submitted_twice(), [] as [String; 0]);
    let entries = truth.entries();
    assert!((5..100).contains(&entries.len()), "it stopped starting: {}", entries.len());
    // Everything that may have cost money is in the journal, and the journal has no torn line.
    let folder = dir.sessions().remove(0);
    let journal = fs::read_to_string(folder.join("journal.jsonl")).expect("it exists");
    assert!(journal.ends_with('\n') && journal.len() <= 60 * 1024, "{}", journal.len());
    // The journal has no end.
    report(&dir, &folder, 105);
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
fn a_deleted_folder_is_written_again_and_the_session_ends() {
    let fixture = Fixture::new();
    let running = fixture.start("true");
    wait_for_events(&fixture.dir.wait_for_session(), "run_started", 60);
    fs::remove_dir_all(fixture.dir.path().join("reports")).expect("it exists");
    let ran = running.finish().expect_exit(1).expect_stderr("was deleted during the session");
    assert!(ran.stderr.contains("no more runs will start"), "{}", ran.stderr);
    let (dir, truth) = fixture.end();
    let session = dir.session();
    session.check_against(&truth, 200);
    assert!(truth.rooms_left().is_empty(), "{:?}", truth.rooms_left());
    let outcomes = session.tally("outcome");
    assert!(outcomes["completed"] > 20 && outcomes["not_started"] > 60, "{outcomes:?}");
}

#[test]
fn a_folder_that_becomes_read_only_keeps_the_journal_and_reports_can_be_written_later() {
    let fixture = Fixture::new();
    // Without this capability, permissions apply to the superuser too.
    let drop_capability =
        "[ $EUID = 0 ] && exec setpriv --bounding-set=-dac_override \"$0\" \"$@\"";
    let running = fixture.start(drop_capability);
    let folder = fixture.dir.wait_for_session();
    wait_for_events(&folder, "ended", 1);
    let allow = |mode| {
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    allow(0o500);
    running
        .finish()
        .expect_exit(2)
        .expect_stderr("everything that was measured is safe in the journal")
        .expect_stderr("run `rushhour report`");
    allow(0o700);
    let (dir, truth) = fixture.end();
    let entries = fs::read_dir(&folder).expect("it exists");
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    // The socket for marks and stops cannot be removed from such a folder; nobody listens there any longer.
    let names: Vec<String> = names.filter(|name| name != "control.sock").collect();
    assert_eq!(names, ["journal.jsonl"]);
    report(&dir, &folder, 0);
    let session = dir.session();
    session.check_against(&truth, 200);
    assert_eq!(session.tally("outcome")["completed"], 200);
    assert!(truth.rooms_left().is_empty(), "{:?}", truth.rooms_left());
}
