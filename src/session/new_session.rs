//! Runs a new session: creates its folder, drives it to its end, and writes its reports.

use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::clients::{Clients, Keys};
use super::control::Control;
use super::drive::ReadySession;
use super::folder::{self, JOURNAL, NewFolder, TRUTH_LOG};
use super::forecast_text;
use super::late_stop::{LateStop, StopListener};
use super::progress::ProgressSink;
use crate::error::CliError;
use crate::exit::Exit;
use crate::print;
use crate::profile_files::ProfileFiles;
use crate::reports::session_reports::{write_and_print_reports, write_reports};
use rushhour_core::event::{Event, EventKind, EventSink, FORMAT_VERSION, SessionHeader};
use rushhour_core::plan::{CLOUD_ROOMS, Forecast, Plan, cloud_excess};
use rushhour_core::profile::{LiveKitTarget, LoadedProfile, Profile};
use rushhour_core::units::{SessionId, SessionTime};
use rushhour_driver::{DriverSettings, RoomNaming, Session, SessionClock};
use rushhour_live::{LiveFeed, LiveSession};
use rushhour_report::journal::Journal;
use rushhour_report::session::Criterion;

/// How to run a session, apart from what its profile says.
#[derive(Clone, Copy)]
pub(crate) struct SessionOptions<'a> {
    /// Where the files that the profile names are.
    pub(crate) files: &'a ProfileFiles,
    /// Where the session's folder is created.
    pub(crate) out: &'a Path,
    /// Whether to show no progress.
    pub(crate) quiet: bool,
    /// Whether to print the forecast before the session and its results after it.
    pub(crate) print_summary: bool,
    /// What decides whether a threshold passed.
    pub(crate) criterion: Criterion,
    /// Who follows it while it runs.
    pub(crate) live: Option<&'a LiveFeed>,
    /// Whoever takes stops for it until it listens itself.
    pub(crate) stopped_by: Option<&'a StopListener>,
}

/// A session that has ended and has reports.
pub(crate) struct CompletedSession {
    pub(crate) folder: PathBuf,
    pub(crate) exit: Exit,
    /// Takes stops that come after its runs.
    pub(crate) listener: StopListener,
}

/// The forecast of a profile.
///
/// # Errors
/// Where LiveKit has to agree to so many rooms, and `accepted` does not say that it did.
pub(crate) fn forecast_within_cloud_limits(
    profile: &Profile,
    accepted: bool,
) -> Result<Forecast, CliError> {
    let forecast = Forecast::new(&Plan::new(profile.clone()));
    match cloud_excess(profile, &forecast) {
        Some(excess) if !accepted => {
            Err(CliError::usage(forecast_text::cloud_warning(&excess)).with_hint(format!(
                "ask LiveKit first, and then run it with --accept-cloud-limits; or set limits.in_flight to {CLOUD_ROOMS} or less"
            )))
        }
        _ => Ok(forecast),
    }
}

/// Runs a session from its first start to its reports. The user has agreed to its cost.
pub(crate) fn run_session(
    loaded: &LoadedProfile,
    options: &SessionOptions<'_>,
) -> Result<CompletedSession, CliError> {
    let name = &loaded.profile.name;
    run_session_in(loaded, options, |start| folder::create(options.out, name, start))
}

/// Runs a session in the folder that `create_folder` creates for a session that begins at the given time.
pub(crate) fn run_session_in(
    loaded: &LoadedProfile,
    options: &SessionOptions<'_>,
    create_folder: impl FnOnce(Timestamp) -> Result<NewFolder, CliError>,
) -> Result<CompletedSession, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CliError::from_internal)?;
    let start = Timestamp::now();
    let keys = Keys::find(&loaded.profile, options.files)?;
    let folder = create_folder(start)?;
    let truth_log = folder.path.join(TRUTH_LOG);
    let clients = Clients::new(&loaded.profile, keys, &truth_log, options.files);
    let clients = clients.and_then(|clients| {
        // The sandbox is reachable, and a fault may make it refuse the first request.
        if loaded.profile.livekit.target != LiveKitTarget::Sandbox {
            runtime.block_on(clients.check_connectivity())?;
        }
        #[cfg(feature = "fleet")]
        runtime.block_on(clients.gather_workers(super::worker_callers::Gathering {
            session: folder.session.clone(),
            epoch: 1,
            finish_only: false,
            resumed: rushhour_fleet::ResumedRuns::default(),
        }))?;
        Ok(clients)
    });
    let clients = clients.inspect_err(|_| folder::remove_unused(&folder.path))?;
    let path = folder.path.clone();
    let new_session = NewSession { loaded, clients: &clients, folder, start };
    let driven = runtime.block_on(new_session.drive(options));
    // The sandbox completes its log when it is dropped.
    drop(clients);
    let driven = driven.map(|(late_stop, control)| StopListener::new(late_stop, control, runtime));
    if let Err(error) = &driven {
        print::error(error);
    }
    let reported = if options.print_summary {
        write_and_print_reports(&path, options.criterion)
    } else {
        write_reports(&path, options.criterion).map(|reported| reported.exit)
    };
    let error = match driven {
        Ok(listener) => return Ok(CompletedSession { folder: path, exit: reported?, listener }),
        Err(error) => error,
    };
    if let Err(error) = &reported {
        print::error(error);
    }
    Ok(CompletedSession { folder: path, exit: error.exit(), listener: StopListener::default() })
}

struct NewSession<'a> {
    loaded: &'a LoadedProfile,
    clients: &'a Clients,
    folder: NewFolder,
    start: Timestamp,
}

impl NewSession<'_> {
    async fn drive(
        self,
        options: &SessionOptions<'_>,
    ) -> Result<(LateStop, Option<Control>), CliError> {
        let Self { loaded, clients, folder, start } = self;
        let plan = Plan::new(loaded.profile.clone());
        let forecast = Forecast::new(&plan);
        let show_progress = !options.quiet;
        if options.print_summary && show_progress {
            let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
            print::stderr(&forecast_text::summary(&loaded.profile, &forecast, today));
        }
        let path = folder.path.join(JOURNAL);
        let journal = Journal::create(&path).map_err(|error| {
            CliError::usage(format!("cannot create {}", path.display()))
                .caused_by(error)
                .with_hint("make room, or choose another folder with --out")
        })?;
        let recordings = clients.record(&folder.path, &loaded.profile)?;
        let sink = ProgressSink::new(journal, &loaded.profile).observed_by(recordings);
        let sink = sink.followed_by(options.live.cloned());
        let sink = Arc::new(sink);
        let profile = Arc::new(loaded.profile.clone());
        let settings = Arc::new(DriverSettings::new(&profile, clients.evaluator()?.capabilities()));
        let names = RoomNaming::new(room_name_stem(&profile, start));
        // Both clocks are read at once: time between them would be added to every time of a server.
        let anchor = Timestamp::now();
        let clock = SessionClock::start(anchor.as_millisecond());
        if let Some(callers) = &clients.callers {
            callers.start(clock)?;
        }
        if let Some(live) = options.live {
            let (runs, last_start) = (forecast.runs, forecast.last_start);
            live.begin(LiveSession { now: Box::new(move || clock.now()), runs, last_start });
        }
        let header = session_header(loaded, &forecast, clients, &folder.session, anchor);
        let opened = EventKind::Opened(Box::new(header));
        sink.record(Event { at: SessionTime::START, kind: opened });
        let session = Session::new((*settings).clone(), plan.schedule(), names.clone());
        let services = clients.driver_services(&sink, folder.session, names, profile, settings)?;
        let progress = show_progress.then_some(&forecast);
        let folder = folder.path.as_path();
        let stopped_by = options.stopped_by;
        ReadySession { session, services, clients, clock, sink, progress, folder, stopped_by }
            .drive()
            .await
    }
}

fn session_header(
    loaded: &LoadedProfile,
    forecast: &Forecast,
    clients: &Clients,
    session: &SessionId,
    anchor: Timestamp,
) -> SessionHeader {
    SessionHeader {
        format: FORMAT_VERSION,
        rushhour: env!("CARGO_PKG_VERSION").to_owned(),
        session: session.clone(),
        anchor: format!("{anchor:.6}"),
        profile_hash: profile_hash(&loaded.profile),
        profile: loaded.profile.clone(),
        settings: loaded.settings.clone(),
        livekit_url: clients.livekit_url.clone(),
        evaluator_url: clients.evaluator_url.clone(),
        planned: forecast.planned(&loaded.profile),
        cores: std::thread::available_parallelism()
            .map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX)),
    }
}

fn profile_hash(profile: &Profile) -> String {
    let json = serde_json::to_vec(profile).unwrap_or_default();
    Sha256::digest(json).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the names of a session's rooms begin with. It differs from that of every other session, even one that another
/// machine begins in the same second.
pub(crate) fn room_name_stem(profile: &Profile, start: Timestamp) -> String {
    // The standard library keys its hashers with randomness of the operating system.
    let random = std::hash::RandomState::new().build_hasher().finish() & 0xffff;
    format!("{}{}-{random:04x}", profile.livekit.room_prefix, start.strftime("%y%m%d%H%M%S"))
}
