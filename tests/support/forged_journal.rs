//! Journals that a stranger wrote: any content, with checksums that match.

use std::fs;
use std::path::{Path, PathBuf};

use rushhour_core::event::{
    AcceptedRun, Event, EventKind, EventSink, FORMAT_VERSION, RunMapping, SessionHeader,
};
use rushhour_core::profile::{Profile, ProfileInput, load, no_files};
use rushhour_core::units::{EvaluatorRunId, Mode, RoomName, RunIndex, SessionId, SessionTime};
use rushhour_report::journal::Journal;

/// A journal to forge.
pub(crate) struct ForgedJournal {
    header: SessionHeader,
    events: Vec<Event>,
}

impl ForgedJournal {
    /// The journal of a session with this profile that began, and recorded nothing else.
    pub(crate) fn new(profile: &str) -> Self {
        let input = ProfileInput {
            file: "forged",
            bytes: profile.as_bytes(),
            environment: &[],
            flags: &[],
            read_file: &no_files,
        };
        let profile = load(input).unwrap_or_else(|_| panic!("it is valid: {profile}")).profile;
        let header = SessionHeader {
            format: FORMAT_VERSION,
            rushhour: "forged".into(),
            session: SessionId::new("20260101T000000Z-forged"),
            anchor: "2026-01-01T00:00:00Z".into(),
            profile_hash: "0".repeat(64),
            planned: profile.runs(),
            profile,
            settings: Vec::new(),
            livekit_url: String::new(),
            evaluator_url: String::new(),
            cores: 2,
        };
        Self { header, events: Vec::new() }
    }

    /// Changes what no profile on this machine could say.
    pub(crate) fn with_profile(mut self, change: impl FnOnce(&mut Profile)) -> Self {
        change(&mut self.header.profile);
        self
    }

    /// Changes the header.
    pub(crate) fn with_header(mut self, change: impl FnOnce(&mut SessionHeader)) -> Self {
        change(&mut self.header);
        self
    }

    /// Adds an event.
    pub(crate) fn with(mut self, kind: EventKind) -> Self {
        let at = SessionTime(1_000_000 * (self.events.len() as u64 + 1));
        self.events.push(Event { at, kind });
        self
    }

    /// Adds a run that started in this room.
    pub(crate) fn with_run(self, run: u64, room: &str) -> Self {
        let at = SessionTime(1_000_000);
        self.with(EventKind::RunStarted {
            run: RunIndex(run),
            stage: 0,
            scenario: 0,
            copy: u32::try_from(run).expect("it is small"),
            mode: Mode::Chat,
            pair: None,
            network: None,
            redial_of: None,
            intended: at,
            free: at,
            room: RoomName::new(room),
        })
    }

    /// Adds the acceptance of a run by the evaluator.
    pub(crate) fn with_accepted(self, run: u64, id: &str) -> Self {
        let at = SessionTime(2_000_000);
        let accepted = AcceptedRun {
            run: RunIndex(run),
            evaluator_run: EvaluatorRunId::new(id),
            ready: at,
            worker: None,
        };
        self.with(EventKind::Submitted {
            request: run,
            admitted: at,
            sent: at,
            answered: at,
            result: None,
            accepted: vec![accepted],
            mapping: RunMapping::Proven,
        })
    }

    /// Writes the journal into a folder of this name, and returns the folder.
    pub(crate) fn write(&self, within: &Path, name: &str) -> PathBuf {
        let folder = within.join(name);
        fs::create_dir_all(&folder).expect("a folder can be created");
        let journal = Journal::create(&folder.join("journal.jsonl")).expect("a new file");
        let opened = EventKind::Opened(Box::new(self.header.clone()));
        journal.record(Event { at: SessionTime::START, kind: opened });
        for event in &self.events {
            journal.record(event.clone());
        }
        folder
    }
}
