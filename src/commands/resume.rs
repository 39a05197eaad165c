//! `rushhour resume`: a session whose process died, taken up from its journal and brought to its end.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::judge;
use super::run::room_stem;
use crate::arguments::ResumeArguments;
use crate::exit::{CliError, Exit};
use crate::folder::{self, JOURNAL};
use crate::journal_reader::{named, read_events};
use crate::print;
use crate::progress::ProgressSink;
use crate::report_writer::{render, session_folder};
use crate::services::{Clients, keys, services};
use crate::session_runner::{conduct, greet, outside};
use crate::spending;
use rushhour_core::event::SessionHeader;
use rushhour_core::plan::{Forecast, Plan};
use rushhour_core::profile::{EvaluatorSettings, LiveKitTarget, Profile};
use rushhour_core::units::{Micros, SessionTime};
use rushhour_driver::{
    DriverSettings, EvaluatorFate, ReplayedSession, Resumption, RoomNames, Session, SessionClock,
};
use rushhour_report::journal::{OrphanedJournal, OrphanedJournalError};
use rushhour_report::report::Criterion;

/// What was found in a session's folder.
struct OrphanedSession {
    folder: PathBuf,
    orphan: OrphanedJournal,
    carried: ReplayedSession,
    opening: SessionHeader,
    torn: u64,
}

pub(crate) fn resume(arguments: &ResumeArguments) -> Result<Exit, CliError> {
    let folder = session_folder(&arguments.session)?;
    let Some(found) = find(folder)? else { return Ok(Exit::Passed) };
    let profile = &found.opening.profile;
    if !arguments.finish_only && !found.carried.is_stopped() {
        let planned = Forecast::new(&Plan::new(profile.clone())).runs;
        let left = planned.saturating_sub(found.carried.drawn());
        // The profile in the journal cannot be changed.
        spending::agree_or(profile, left, arguments.yes, "start nothing more with --finish-only")?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CliError::internal)?;
    // Files that a profile names are looked for beside it.
    let beside = arguments.files.join("profile.toml");
    let keys = keys(profile, &beside)?;
    let truth = free_truth(&found.folder);
    let services = services(profile, keys, &truth, &beside)?;
    if profile.livekit.target != LiveKitTarget::Sandbox {
        runtime.block_on(greet(&services))?;
    }
    let folder = found.folder.clone();
    let is_judging = found.opening.profile.judges.is_some();
    let wants_judging = found.opening.profile.judging.is_some();
    let kept = runtime.block_on(carry_out(found, &services, arguments));
    drop(services);
    runtime.shutdown_background();
    if let Err(trouble) = &kept {
        print::trouble(&trouble.message);
    }
    let judgement =
        if arguments.point_estimate { Criterion::PointEstimate } else { Criterion::Interval };
    let rendered = render(&folder, judgement);
    judge::render_judged(&folder, is_judging, judgement)?;
    if wants_judging {
        print::err(&format!(
            "None of its runs was judged: `rushhour judge {}` does it.",
            folder.display()
        ));
    }
    let Err(trouble) = kept else { return rendered };
    if let Err(trouble) = &rendered {
        print::trouble(&trouble.message);
    }
    Ok(trouble.exit)
}

/// Takes hold of the journal and reads it; nothing where its session came to its end.
fn find(folder: PathBuf) -> Result<Option<OrphanedSession>, CliError> {
    let journal = folder.join(JOURNAL);
    let mut orphan = OrphanedJournal::lock(&journal).map_err(|error| match error {
        OrphanedJournalError::Locked => CliError::usage(format!(
            "{}: {error}; wait for its end, or interrupt it",
            journal.display()
        )),
        OrphanedJournalError::Io(_) => named(&journal, &error),
    })?;
    let mut carried = ReplayedSession::default();
    let torn = orphan.read(|event| carried.add(event)).map_err(|error| {
        CliError::usage(format!(
            "{}: {error}; nothing was changed: what a damaged journal says cannot be built upon (`rushhour sweep` deletes what its session left behind)",
            journal.display()
        ))
    })?;
    if carried.is_closed() {
        print::out(&format!(
            "The session came to its end: there is nothing to resume. `rushhour report {}` makes its reports again.",
            folder.display()
        ));
        return Ok(None);
    }
    let opening = carried.opening().map_err(|error| named(&journal, &error))?.clone();
    Ok(Some(OrphanedSession { folder, orphan, carried, opening, torn }))
}

async fn carry_out(
    found: OrphanedSession,
    services: &Clients,
    arguments: &ResumeArguments,
) -> Result<(), CliError> {
    let OrphanedSession { folder, orphan, carried, opening, torn } = found;
    let path = folder.join(JOURNAL);
    let journal = orphan.resume().map_err(|error| named(&path, &error))?;
    let watched = ProgressSink::new(journal, &opening.profile);
    read_events(&path, |event| {
        watched.recall(&event);
        Ok(())
    })?;
    let watched = Arc::new(watched);
    let profile = Arc::new(opening.profile.clone());
    let settings = DriverSettings::new(&profile, services.evaluator.capabilities());
    let wall = Timestamp::now();
    let now = session_time(&opening, wall, carried.last())?;
    let clock = SessionClock::going_on(now, wall.as_millisecond());
    if let Some(callers) = &services.callers {
        callers.begin(clock)?;
    }
    let names = carried
        .any_room()
        .and_then(|(room, run)| RoomNames::of_room(room, run))
        .unwrap_or_else(|| RoomNames::new(room_stem(&profile, wall)));
    let unwatched = now.since(carried.last());
    print::err(&taken_up(&opening, unwatched, torn));
    let how = Resumption {
        wall: format!("{wall:.6}"),
        torn,
        fate: fate(&profile),
        finish_only: arguments.finish_only,
    };
    let session = Session::resumed(settings.clone(), names.clone(), carried, how, now)
        .map_err(|error| named(&path, &error))?;
    let forecast = Forecast::new(&Plan::new(opening.profile));
    let outside =
        outside(services, &watched, (opening.session, names), profile, Arc::new(settings));
    let shown = (!arguments.quiet).then_some(&forecast);
    conduct(session, outside, clock, &watched, (shown, services)).await
}

/// The session's time now: by the wall clock, and not before the journal's last event, whatever was done
/// to that clock.
fn session_time(
    opening: &SessionHeader,
    wall: Timestamp,
    last: SessionTime,
) -> Result<SessionTime, CliError> {
    let anchor: Timestamp = opening.anchor.parse().map_err(|_| {
        CliError::usage("the session began at no time that can be read; its clock cannot go on")
    })?;
    let since = wall.as_microsecond().saturating_sub(anchor.as_microsecond());
    Ok(SessionTime(u64::try_from(since).unwrap_or(0)).max(last))
}

/// Whether the evaluator's runs outlived the session's process.
fn fate(profile: &Profile) -> EvaluatorFate {
    let is_a_service = match &profile.evaluator {
        EvaluatorSettings::Cekura(settings) => settings.url.is_some(),
        EvaluatorSettings::Native(_) => false,
    };
    if is_a_service && profile.livekit.target != LiveKitTarget::Sandbox {
        EvaluatorFate::LivedOn
    } else {
        EvaluatorFate::DiedToo
    }
}

fn taken_up(opening: &SessionHeader, unwatched: Micros, torn: u64) -> String {
    let half = if torn > 0 {
        format!("; {torn} bytes of half a line were cut off its journal")
    } else {
        String::new()
    };
    format!("Taking up {}: nobody watched it for {unwatched}{half}.", opening.session)
}

/// The stand-ins' log of an earlier process stays as it is.
fn free_truth(folder: &Path) -> PathBuf {
    let numbered = (2..).map(|number| folder.join(format!("sandbox-{number}.jsonl")));
    std::iter::once(folder.join(folder::TRUTH))
        .chain(numbered)
        .find(|path| !path.exists())
        .unwrap_or_else(|| folder.join(folder::TRUTH))
}
