//! `rushhour merge`: the sessions of several machines as one, with a journal of its own.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::arguments::MergeArguments;
use crate::exit::{CliError, Exit};
use crate::folder::{JOURNAL, PARTS};
use crate::journal_reader::{named, open, read_events};
use crate::print;
use crate::report_writer::{render, replace, session_folder};
use rushhour_core::event::{Event, EventKind, EventSink};
use rushhour_core::units::{RoomName, SessionId, SessionTime};
use rushhour_report::fold::{JournalExtent, Merge};
use rushhour_report::journal::Journal;
use rushhour_report::report::Criterion;

/// Events that may wait for the disk.
const MOST_WAITING: usize = 50_000;

pub(crate) fn merge(arguments: &MergeArguments) -> Result<Exit, CliError> {
    let journals = arguments
        .sessions
        .iter()
        .map(|session| Ok(session_folder(session)?.join(JOURNAL)))
        .collect::<Result<Vec<PathBuf>, CliError>>()?;
    let extents = extents(&journals)?;
    let into = &arguments.into;
    let merge = Merge::of(&extents, name_of(into)?, arguments.force).map_err(CliError::usage)?;
    if merge.shares_seed {
        print::err(
            "note: some parts have the same seed: their runs were meant to start at the same offsets; give each machine its own with --set seed=N",
        );
    }
    make(into)?;
    write(&journals, &merge, into).inspect_err(|_| {
        let _ = fs::remove_dir_all(into);
    })?;
    let judgement =
        if arguments.point_estimate { Criterion::PointEstimate } else { Criterion::Interval };
    render(into, judgement)
}

/// Goes through every journal once: what it holds, and that no run is in two of them.
fn extents(journals: &[PathBuf]) -> Result<Vec<JournalExtent>, CliError> {
    let mut rooms: HashSet<RoomName> = HashSet::new();
    let mut extents = Vec::new();
    for journal in journals {
        let mut extent = JournalExtent::default();
        read_events(journal, |event| {
            extent.add(&event);
            match event.kind {
                EventKind::RunStarted { room, .. } if !rooms.insert(room.clone()) => {
                    let words =
                        format!("room {room} is in another part too: its run would count twice");
                    Err(named(journal, &words))
                }
                _ => Ok(()),
            }
        })?;
        if extent.opening.is_none() {
            return Err(named(journal, &"the journal does not begin with a session"));
        }
        extents.push(extent);
    }
    Ok(extents)
}

fn name_of(into: &Path) -> Result<SessionId, CliError> {
    let name = into.file_name().and_then(|name| name.to_str());
    let name = name
        .ok_or_else(|| CliError::usage(format!("{} is no name for a session", into.display())))?;
    Ok(SessionId::new(name))
}

fn make(into: &Path) -> Result<(), CliError> {
    let refused = |error: &dyn std::fmt::Display| {
        CliError::usage(format!(
            "cannot make the folder {}: {error}; name one that does not exist with --into",
            into.display()
        ))
    };
    if let Some(parent) = into.parent() {
        fs::create_dir_all(parent).map_err(|error| refused(&error))?;
    }
    fs::create_dir(into).map_err(|error| refused(&error))
}

/// Writes all events in the order of their times, and where the parts came from.
fn write(journals: &[PathBuf], merge: &Merge, into: &Path) -> Result<(), CliError> {
    let refused = |error: &dyn std::fmt::Display| {
        CliError::usage(format!("cannot write in {}: {error}", into.display()))
    };
    let runtime =
        tokio::runtime::Builder::new_current_thread().build().map_err(CliError::internal)?;
    let merged = Journal::create(&into.join(JOURNAL)).map_err(|error| refused(&error))?;
    let opened = EventKind::Opened(Box::new(merge.opening.clone()));
    merged.record(Event { at: SessionTime::START, kind: opened });
    let mut parts = journals
        .iter()
        .map(|journal| Ok((open(journal)?, journal.as_path())))
        .collect::<Result<Vec<_>, CliError>>()?;
    let mut heads = vec![None; parts.len()];
    let next = |index: usize, parts: &mut Vec<(_, &Path)>| -> Result<Option<Event>, CliError> {
        let (reader, journal): &mut (rushhour_report::journal::JournalReader<_>, &Path) =
            &mut parts[index];
        while let Some(event) = reader.next_event().map_err(|error| named(journal, &error))? {
            if let Some(event) = merge.placements[index].relocate(event) {
                return Ok(Some(event));
            }
        }
        Ok(None)
    };
    for (index, head) in heads.iter_mut().enumerate() {
        *head = next(index, &mut parts)?;
    }
    let mut waiting = 0;
    // The earliest head goes next; a part's own order is kept.
    while let Some(index) = (0..heads.len())
        .filter(|index| heads[*index].is_some())
        .min_by_key(|index| heads[*index].as_ref().map(|event| event.at))
    {
        if let Some(event) = heads[index].take() {
            merged.record(event);
        }
        heads[index] = next(index, &mut parts)?;
        waiting += 1;
        if waiting == MOST_WAITING {
            runtime.block_on(merged.flush()).map_err(|error| refused(&error))?;
            waiting = 0;
        }
    }
    if merge.closed {
        merged.record(Event { at: merge.last, kind: EventKind::Closed });
    }
    runtime.block_on(merged.flush()).map_err(|error| refused(&error))?;
    let parts = parts_json(merge);
    replace(&into.join(PARTS), format!("{parts:#}\n").as_bytes())
}

fn parts_json(merge: &Merge) -> serde_json::Value {
    let part = |placement: &rushhour_report::fold::MergePlacement| {
        serde_json::json!({
            "session": placement.session.as_str(),
            "began_later_us": placement.offset.0,
            "first_run": placement.first_run,
            "first_request": placement.first_request,
        })
    };
    serde_json::json!({ "parts": merge.placements.iter().map(part).collect::<Vec<_>>() })
}
