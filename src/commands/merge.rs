//! `rushhour merge`: merges the sessions of several machines into one, with a journal of its own.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::arguments::CriterionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::print;
use crate::reports::journal::{open, read_events, unreadable};
use crate::reports::locate::session_folder;
use crate::reports::output_file::write_atomically;
use crate::reports::session_reports::write_and_print_reports;
use crate::session::folder::{self, JOURNAL, PARTS};
use rushhour_core::event::{Event, EventKind, EventSink};
use rushhour_core::units::{RoomName, SessionId, SessionTime};
use rushhour_report::fold::{JournalExtent, Merge, MergePlacement};
use rushhour_report::journal::{Journal, JournalReader};

/// The most events that wait to be written.
const MOST_PENDING: usize = 50_000;

const HELP: &str = "\
Examples:
  rushhour merge eu/20261122T213015Z-launch us/20261122T213015Z-launch \\
      --into reports/launch-merged

Every run counts: percentiles are computed from all of them, not averaged. The sessions are \
aligned by the wall clocks of their machines. Give each machine a seed of its own, with --set \
seed=2, or their runs start in step.";

/// Merge the sessions of several machines into one.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub(crate) struct MergeArgs {
    /// The sessions' folders, or their journals.
    #[arg(value_name = "SESSION", required = true, num_args = 2.., value_hint = ValueHint::AnyPath)]
    sessions: Vec<PathBuf>,
    /// The folder of the merged session; it must not exist.
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    into: PathBuf,
    /// Merge sessions of different profiles, as long as stages and scenarios have the same names.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    criterion: CriterionArgs,
}

pub(crate) fn merge(arguments: &MergeArgs) -> Result<Exit, CliError> {
    let journals = arguments
        .sessions
        .iter()
        .map(|session| Ok(session_folder(session)?.join(JOURNAL)))
        .collect::<Result<Vec<PathBuf>, CliError>>()?;
    let extents = extents(&journals)?;
    let into = &arguments.into;
    let merge =
        Merge::of(&extents, session_name(into)?, arguments.force).map_err(CliError::from_usage)?;
    if merge.shares_seed {
        print::stderr(
            "note: some sessions have the same seed, so their runs were planned at the same offsets; give each machine its own with --set seed=N",
        );
    }
    create_folder(into)?;
    MergedJournal::create(into)
        .and_then(|journal| journal.write(&journals, &merge))
        .and_then(|()| {
            write_atomically(&into.join(PARTS), format!("{:#}\n", parts(&merge)).as_bytes())
        })
        .inspect_err(|_| {
            let _ = fs::remove_dir_all(into);
        })?;
    write_and_print_reports(into, arguments.criterion.criterion())
}

/// Reads every journal once: what it contains, and that no run is in two of them.
fn extents(journals: &[PathBuf]) -> Result<Vec<JournalExtent>, CliError> {
    let mut rooms: HashSet<RoomName> = HashSet::new();
    let mut extents = Vec::new();
    for journal in journals {
        let mut extent = JournalExtent::default();
        read_events(journal, |event| {
            extent.add(&event);
            match event.kind {
                EventKind::RunStarted { room, .. } if !rooms.insert(room.clone()) => {
                    Err(CliError::usage(format!(
                        "room {room} of {} is in another session too: its run would count twice",
                        journal.display()
                    ))
                    .with_hint("name each session once, and not together with one merged from it"))
                }
                _ => Ok(()),
            }
        })?;
        if extent.opening.is_none() {
            return Err(CliError::usage(format!(
                "{} does not begin with a session",
                journal.display()
            )));
        }
        extents.push(extent);
    }
    Ok(extents)
}

fn session_name(into: &Path) -> Result<SessionId, CliError> {
    let name = into.file_name().and_then(|name| name.to_str());
    name.map(SessionId::new).ok_or_else(|| {
        CliError::usage(format!("{} cannot be the name of a session", into.display()))
            .with_hint("name a folder with --into, such as reports/launch-merged")
    })
}

fn create_folder(into: &Path) -> Result<(), CliError> {
    let cannot_create = |error: io::Error| {
        CliError::usage(format!("cannot create the folder {}", into.display()))
            .caused_by(error)
            .with_hint("name one that does not exist with --into")
    };
    if let Some(parent) = into.parent() {
        folder::create_folders(parent).map_err(cannot_create)?;
    }
    folder::create_folder(into).map_err(cannot_create)
}

/// The journal of the merged session, which is being written.
struct MergedJournal<'a> {
    folder: &'a Path,
    journal: Journal,
    runtime: Runtime,
    pending: usize,
}

impl<'a> MergedJournal<'a> {
    fn create(folder: &'a Path) -> Result<Self, CliError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .map_err(CliError::from_internal)?;
        let journal = Journal::create(&folder.join(JOURNAL)).map_err(|error| {
            CliError::usage(format!("cannot write in {}", folder.display())).caused_by(error)
        })?;
        Ok(Self { folder, journal, runtime, pending: 0 })
    }

    /// Writes the events of all parts in the order of their times. Events of one part keep their order.
    fn write(mut self, journals: &[PathBuf], merge: &Merge) -> Result<(), CliError> {
        let opened = EventKind::Opened(Box::new(merge.opening.clone()));
        self.add(Event { at: SessionTime::START, kind: opened })?;
        let mut parts = journals
            .iter()
            .zip(&merge.placements)
            .map(|(journal, placement)| Part::open(journal, placement))
            .collect::<Result<Vec<_>, CliError>>()?;
        let earliest = |parts: &[Part<'_>]| {
            let heads = parts.iter().enumerate();
            let times = heads.filter_map(|(index, part)| Some((part.head.as_ref()?.at, index)));
            times.min().map(|(_, index)| index)
        };
        while let Some(index) = earliest(&parts) {
            if let Some(event) = parts[index].next()? {
                self.add(event)?;
            }
        }
        if merge.closed {
            self.add(Event { at: merge.last, kind: EventKind::Closed })?;
        }
        self.flush()
    }

    fn add(&mut self, event: Event) -> Result<(), CliError> {
        self.journal.record(event);
        self.pending += 1;
        if self.pending == MOST_PENDING { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), CliError> {
        self.pending = 0;
        self.runtime.block_on(self.journal.flush()).map_err(|error| {
            CliError::usage(format!("cannot write in {}", self.folder.display())).caused_by(error)
        })
    }
}

/// One of the sessions to merge, and its next event.
struct Part<'a> {
    path: &'a Path,
    reader: JournalReader<BufReader<File>>,
    placement: &'a MergePlacement,
    head: Option<Event>,
}

impl<'a> Part<'a> {
    fn open(path: &'a Path, placement: &'a MergePlacement) -> Result<Self, CliError> {
        let mut part = Self { path, reader: open(path)?, placement, head: None };
        part.next()?;
        Ok(part)
    }

    /// Takes the next event, and reads the one after it.
    fn next(&mut self) -> Result<Option<Event>, CliError> {
        let next = self.head.take();
        while let Some(event) =
            self.reader.next_event().map_err(|error| unreadable(self.path, error))?
        {
            self.head = self.placement.relocate(event);
            if self.head.is_some() {
                break;
            }
        }
        Ok(next)
    }
}

/// Where each part of the merged session came from.
fn parts(merge: &Merge) -> serde_json::Value {
    let part = |placement: &MergePlacement| {
        json!({
            "session": placement.session.as_str(),
            "began_later_us": placement.offset.0,
            "first_run": placement.first_run,
            "first_request": placement.first_request,
        })
    };
    json!({ "parts": merge.placements.iter().map(part).collect::<Vec<_>>() })
}
