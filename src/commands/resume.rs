//! `rushhour resume`: resumes a session whose process died, from its journal, and brings it to its end.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;
use tracing::info;

use crate::arguments::{CriterionArgs, InteractionArgs, ProfileFilesArgs, SessionArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::print;
use crate::reports::journal::{read_events, unreadable};
use crate::reports::locate::session_folder;
use crate::reports::session_reports::{SUMMARY, notice_text, write_and_print_reports};
use crate::session::clients::{Clients, Keys};
use crate::session::cost::CostCheck;
use crate::session::drive::ReadySession;
use crate::session::folder::{JOURNAL, TRUTH_LOG};
use crate::session::journal_hosts::{AskedServices, TrustArgs, confirm_hosts};
use crate::session::judging::{notify_settings, rewrite_judged_session};
use crate::session::live::{self, LastScrape, LiveArgs, LiveView};
use crate::session::marked_rooms::{ClaimedCalls, MarkedCalls, MarkedRooms};
use crate::session::new_session::room_name_stem;
use crate::session::notify::{notify_resumed, summary_file};
use crate::session::progress::ProgressSink;
use rushhour_core::event::{Event, SessionHeader};
use rushhour_core::plan::{Forecast, Plan};
use rushhour_core::profile::{EvaluatorSettings, LiveKitTarget, Profile};
#[cfg(feature = "fleet")]
use rushhour_core::units::RunIndex;
use rushhour_core::units::{Micros, SessionTime};
use rushhour_driver::{
    DriverSettings, EvaluatorLifetime, ReplayedSession, Resumption, RoomNaming, Services, Session,
    SessionClock,
};
use rushhour_live::{LiveFeed, LiveSession};
use rushhour_report::fold::MAX_RUNS;
use rushhour_report::journal::{JournalError, OrphanedJournal, OrphanedJournalError};

const HELP: &str = "\
Examples:
  rushhour resume reports/20261122T213015Z-launch
  # Start nothing more
  rushhour resume reports/20261122T213015Z-launch --finish-only

The journal says what was sent, and nothing that may cost money is sent twice. Conversations \
that were accepted are followed to their end, those that may have been accepted are looked for \
in their rooms, and rooms are deleted. The rest of the plan is shifted by the time during which \
no process watched. The credentials come from the environment again, and go to the \
hosts that LIVEKIT_URL and CEKURA_API_URL name; to others that the journal names only with \
--trust-hosts.

Ctrl-C and the exit codes are those of `rushhour run`. With --finish-only the exit code is 105 \
if runs were left to start.";

/// Resume a session whose process died, and bring it to its end.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    session: SessionArgs,
    /// Start no more runs; only finish those that were in flight.
    #[arg(long)]
    finish_only: bool,
    #[command(flatten)]
    files: ProfileFilesArgs,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    criterion: CriterionArgs,
    #[command(flatten)]
    interaction: InteractionArgs,
    #[command(flatten)]
    live: LiveArgs,
}

/// A session whose process died, as its journal tells it.
struct OrphanedSession {
    folder: PathBuf,
    journal: OrphanedJournal,
    replayed: ReplayedSession,
    header: SessionHeader,
    calls: ClaimedCalls,
    /// The bytes of an incomplete last line.
    torn_bytes: u64,
}

pub(crate) fn resume(arguments: &ResumeArgs) -> Result<Exit, CliError> {
    let folder = session_folder(&arguments.session.session)?;
    let Some(orphan) = find_orphan(folder)? else { return Ok(Exit::Passed) };
    let profile = &orphan.header.profile;
    refuse_endless(profile)?;
    let asked = AskedServices { cekura: profile.evaluator.cekura(), worker: true };
    confirm_hosts(profile, asked, arguments.trust)?;
    confirm_rest(&orphan, arguments)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CliError::from_internal)?;
    let files = arguments.files.files();
    let keys = Keys::find(profile, &files)?;
    let truth_log = unused_truth_log(&orphan.folder);
    let clients = Clients::new(profile, keys, &truth_log, &files)?;
    if profile.livekit.target != LiveKitTarget::Sandbox {
        runtime.block_on(clients.check_connectivity())?;
    }
    let folder = orphan.folder.clone();
    let profile = profile.clone();
    let is_judging = profile.judges.is_some();
    let is_to_be_judged = profile.judging.is_some();
    let live = arguments.live.start(arguments.criterion.criterion())?;
    let feed = live.as_ref().map(LiveView::feed);
    let driven = runtime.block_on(drive(orphan, &clients, arguments, feed));
    drop(clients);
    runtime.shutdown_background();
    if let Err(error) = &driven {
        print::error(error);
    }
    let criterion = arguments.criterion.criterion();
    let reported = write_and_print_reports(&folder, criterion);
    let judged = rewrite_judged_session(&folder, is_judging, criterion)?;
    if is_to_be_judged {
        print::stderr(&format!(
            "No run was judged. `rushhour judge {}` judges them.",
            folder.display()
        ));
    }
    let last_scrape = live::close(live, &folder, || None);
    // The session that was judged is the one that somebody waits for; its judging has no webhook of its own.
    let (ended, notify) = match &judged {
        Some(judged) => (judged, notify_settings(judged)),
        None => (&folder, profile.notify.clone()),
    };
    let profile = Profile { notify, ..profile };
    if reported.is_ok() {
        let summary = || summary_file(&ended.join(SUMMARY));
        notify_resumed(&profile, arguments.trust, summary, || notice_text(ended, criterion));
    }
    last_scrape.into_iter().for_each(LastScrape::wait);
    let Err(error) = driven else { return reported };
    if let Err(error) = &reported {
        print::error(error);
    }
    Ok(error.exit())
}

/// Each run that does not start any more gets a line in the reports, so whoever wrote the journal could fill the disk.
fn refuse_endless(profile: &Profile) -> Result<(), CliError> {
    let runs = Forecast::new(&Plan::new(profile.clone())).runs;
    if runs > MAX_RUNS {
        return Err(CliError::usage(format!(
            "the journal's profile plans {runs} runs, and a session has at most {MAX_RUNS}"
        ))
        .with_hint("`rushhour sweep` deletes the rooms that the session left behind"));
    }
    Ok(())
}

/// Makes sure that the user agrees to the cost of the runs that are still to start.
fn confirm_rest(orphan: &OrphanedSession, arguments: &ResumeArgs) -> Result<(), CliError> {
    if arguments.finish_only || orphan.replayed.is_stopped() {
        return Ok(());
    }
    let profile = &orphan.header.profile;
    let replayed = &orphan.replayed;
    let forecast = Forecast::new(&Plan::new(profile.clone()));
    let left = forecast.calls_left(replayed.runs_passed(), replayed.redials_to_come());
    // The profile in the journal cannot be changed any more.
    let alternative = "start nothing more with --finish-only";
    CostCheck { alternative, ..CostCheck::new(profile, left, arguments.interaction.yes) }.confirm()
}

/// Locks and reads the journal; none if its session has ended.
fn find_orphan(folder: PathBuf) -> Result<Option<OrphanedSession>, CliError> {
    let path = folder.join(JOURNAL);
    let shown = path.display();
    let mut journal = OrphanedJournal::lock(&path).map_err(|error| match error {
        OrphanedJournalError::Locked => {
            CliError::usage(format!("the session of {shown} is running: another process writes it"))
                .with_hint("wait for its end, or interrupt it")
        }
        OrphanedJournalError::Io(error) => {
            CliError::usage(format!("cannot open {shown} for writing")).caused_by(error)
        }
    })?;
    let (mut replayed, mut calls) = (ReplayedSession::default(), ClaimedCalls::default());
    let mut add = |event: &Event| {
        replayed.add(event);
        calls.add(event);
    };
    let torn_bytes = journal.read(&mut add).map_err(|error| {
        let is_damaged = matches!(error, JournalError::Damaged { .. });
        let error = unreadable(&path, error);
        if !is_damaged {
            return error;
        }
        error.with_hint(
            "restore it from a backup; `rushhour sweep` deletes the rooms that its session left behind",
        )
    })?;
    if replayed.is_closed() {
        print::stdout(&format!(
            "The session has ended: there is nothing to resume. `rushhour report {}` regenerates its reports.",
            folder.display()
        ));
        return Ok(None);
    }
    let header = replayed
        .header()
        .map_err(|error| {
            CliError::usage(format!("the session of {shown} cannot be resumed")).caused_by(error)
        })?
        .clone();
    Ok(Some(OrphanedSession { folder, journal, replayed, header, calls, torn_bytes }))
}

async fn drive(
    orphan: OrphanedSession,
    clients: &Clients,
    arguments: &ResumeArgs,
    live: Option<&LiveFeed>,
) -> Result<(), CliError> {
    let OrphanedSession { folder, journal, replayed, header, calls, torn_bytes } = orphan;
    let path = folder.join(JOURNAL);
    let journal = journal.resume().map_err(|error| {
        CliError::usage(format!("cannot continue {}", path.display())).caused_by(error)
    })?;
    let recordings = clients.record(&folder, &header.profile)?;
    let sink = ProgressSink::new(journal, &header.profile).observed_by(recordings);
    let sink = sink.followed_by(live.cloned());
    // The view's clock goes on from the journal's end until the session has one.
    let forecast = Forecast::new(&Plan::new(header.profile.clone()));
    let last = replayed.last_event_time();
    let begin = |now: Box<dyn Fn() -> SessionTime + Send>| LiveSession {
        now,
        runs: forecast.runs,
        last_start: forecast.last_start,
    };
    if let Some(live) = live {
        live.replay(begin(Box::new(move || last)));
    }
    read_events(&path, |event| {
        live.into_iter().for_each(LiveFeed::wait_for_room);
        sink.replay(&event);
        Ok(())
    })?;
    let sink = Arc::new(sink);
    let profile = Arc::new(header.profile.clone());
    #[cfg(feature = "fleet")]
    let held = attach_to_workers(clients, &replayed, &header, arguments.finish_only).await?;
    #[cfg(not(feature = "fleet"))]
    let held = BTreeSet::new();
    let settings = DriverSettings::new(&profile, clients.evaluator()?.capabilities());
    let wall = Timestamp::now();
    let now = session_time(&header, wall, replayed.last_event_time())?;
    let clock = SessionClock::resume(now, wall.as_millisecond());
    if let Some(live) = live {
        live.go_on(begin(Box::new(move || clock.now())));
    }
    if let Some(callers) = &clients.callers {
        callers.start(clock)?;
    }
    let lifetime = evaluator_lifetime(&profile);
    let names = replayed
        .any_room()
        .and_then(|(room, run)| RoomNaming::from_room(room, run))
        .unwrap_or_else(|| RoomNaming::new(room_name_stem(&profile, wall)));
    let unwatched = now.since(replayed.last_event_time());
    info!(session = %header.session, %unwatched, torn_bytes, "resuming");
    print::stderr(&resuming(&header, unwatched, torn_bytes));
    let resumption = Resumption {
        wall_clock: format!("{wall:.6}"),
        truncated_bytes: torn_bytes,
        evaluator: lifetime,
        held,
        finish_only: arguments.finish_only,
    };
    let session = Session::resume(settings.clone(), names.clone(), replayed, resumption, now)
        .map_err(|error| {
            CliError::usage(format!("the session of {} cannot be resumed", path.display()))
                .caused_by(error)
        })?;
    let mark = header.session.clone();
    let services =
        clients.driver_services(&sink, header.session, names, profile, Arc::new(settings))?;
    // The journal names the rooms, and whoever wrote it may have named somebody else's.
    let control = Arc::new(MarkedRooms::new(clients.livekit.clone(), mark.clone()));
    let services = Services { control, ..services };
    let services = if lifetime == EvaluatorLifetime::Independent && !calls.is_empty() {
        let listed = clients.livekit.list_rooms(Vec::new()).await.map_err(|error| {
            CliError::usage("cannot list the rooms of the session").caused_by(error)
        })?;
        let unproven = calls.unproven(&mark, &listed.rooms);
        let evaluator = Arc::new(MarkedCalls::new(services.evaluator.clone(), unproven));
        Services { evaluator, ..services }
    } else {
        services
    };
    let progress = (!arguments.interaction.quiet).then_some(&forecast);
    let folder = folder.as_path();
    let stopped_by = None;
    let ready =
        ReadySession { session, services, clients, clock, sink, progress, folder, stopped_by };
    ready.drive().await.map(drop)
}

/// The runs that workers still hold, or whose last updates they have.
#[cfg(feature = "fleet")]
async fn attach_to_workers(
    clients: &Clients,
    replayed: &ReplayedSession,
    header: &SessionHeader,
    finish_only: bool,
) -> Result<BTreeSet<RunIndex>, CliError> {
    let mut resumed = rushhour_fleet::ResumedRuns::default();
    for (run, updates, has_audio) in replayed.recorded_updates() {
        resumed.events.insert(run, updates);
        if has_audio {
            resumed.audio.insert(run);
        }
    }
    let (session, epoch) = (header.session.clone(), replayed.epoch());
    let finish_only = finish_only || replayed.is_stopped();
    let gathering = crate::session::worker_callers::Gathering {
        session,
        epoch: epoch + 1,
        finish_only,
        resumed,
    };
    clients.gather_workers(gathering).await
}

/// The session's time now: by the wall clock, but not before the journal's last event, whatever happened to that clock.
fn session_time(
    header: &SessionHeader,
    wall: Timestamp,
    last: SessionTime,
) -> Result<SessionTime, CliError> {
    let anchor: Timestamp = header.anchor.parse().map_err(|error| {
        CliError::usage(
            "the journal does not say when its session began, so its clock cannot continue",
        )
        .caused_by(error)
    })?;
    let elapsed = wall.as_microsecond().saturating_sub(anchor.as_microsecond());
    Ok(SessionTime(u64::try_from(elapsed).unwrap_or(0)).max(last))
}

/// Whether the evaluator's runs outlived the session's process.
fn evaluator_lifetime(profile: &Profile) -> EvaluatorLifetime {
    let is_service = match &profile.evaluator {
        EvaluatorSettings::Cekura(settings) => settings.url.is_some(),
        EvaluatorSettings::Native(_) => false,
    };
    if is_service && profile.livekit.target != LiveKitTarget::Sandbox {
        EvaluatorLifetime::Independent
    } else {
        EvaluatorLifetime::InProcess
    }
}

fn resuming(header: &SessionHeader, unwatched: Micros, torn_bytes: u64) -> String {
    let torn = if torn_bytes > 0 {
        format!(" An incomplete last line of {torn_bytes} bytes was cut off its journal.")
    } else {
        String::new()
    };
    format!("Resuming {} after {unwatched} without a process.{torn}", header.session)
}

/// A name for the sandbox's log; those of earlier processes stay as they are.
fn unused_truth_log(folder: &Path) -> PathBuf {
    let numbered = (2..).map(|number| folder.join(format!("sandbox-{number}.jsonl")));
    std::iter::once(folder.join(TRUTH_LOG))
        .chain(numbered)
        .find(|path| !path.exists())
        .unwrap_or_else(|| folder.join(TRUTH_LOG))
}
