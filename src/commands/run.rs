//! `rushhour run`: a profile carried out, followed to its end, and reported.

use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::judge;
use crate::arguments::RunArguments;
use crate::exit::{CliError, Exit};
use crate::folder::{self, JOURNAL};
use crate::forecast_text;
use crate::load_profile::load_profile;
use crate::print;
use crate::progress::ProgressSink;
use crate::report_writer::{render, write_reports};
use crate::services::{Clients, keys, services};
use crate::session_runner::{conduct, greet, outside};
use crate::spending;
use rushhour_core::event::{Event, EventKind, EventSink, FORMAT_VERSION, SessionHeader};
use rushhour_core::plan::{CLOUD_ROOMS, Forecast, Plan, cloud_excess};
use rushhour_core::profile::{LiveKitTarget, LoadedProfile, Profile};
use rushhour_core::units::{SessionId, SessionTime};
use rushhour_driver::{DriverSettings, RoomNames, Session, SessionClock};
use rushhour_report::journal::Journal;
use rushhour_report::report::Criterion;

pub(crate) fn run(arguments: &RunArguments) -> Result<Exit, CliError> {
    let loaded = load_profile(&arguments.profile)?;
    let forecast = within_cloud_limits(&loaded.profile, arguments.accept_cloud_limits)?;
    spending::agree(&loaded.profile, forecast.runs, arguments.yes)?;
    let judging = !arguments.no_judging && loaded.profile.judging.is_some();
    if judging {
        judge::agree(&loaded.profile, &arguments.profile.profile, forecast.runs, arguments.yes)?;
    }
    let judgement = arguments.judgement();
    let wanted = RunRequest {
        profile_path: &arguments.profile.profile,
        out: &arguments.out,
        quiet: arguments.quiet,
        summary: true,
        judgement,
    };
    let held = hold(&loaded, &wanted)?;
    if judging { judge::after(&held, &wanted) } else { Ok(held.exit) }
}

/// The forecast of a profile, where it keeps to what LiveKit Cloud allows unasked.
pub(crate) fn within_cloud_limits(profile: &Profile, accepted: bool) -> Result<Forecast, CliError> {
    let forecast = Forecast::new(&Plan::new(profile.clone()));
    match cloud_excess(profile, &forecast) {
        Some(excess) if !accepted => Err(CliError::usage(format!(
            "{}; ask LiveKit first, then run it with --accept-cloud-limits, or keep to {CLOUD_ROOMS} with limits.in_flight",
            forecast_text::cloud_words(&excess)
        ))),
        _ => Ok(forecast),
    }
}

/// How a session is to be held, beside what its profile says.
pub(crate) struct RunRequest<'a> {
    /// Where the profile is: files that it names are relative to it.
    pub(crate) profile_path: &'a Path,
    /// Where the session's folder is made.
    pub(crate) out: &'a Path,
    /// Whether nothing is shown while it is held.
    pub(crate) quiet: bool,
    /// Whether what it will come to is told before it, and what it came to after it.
    pub(crate) summary: bool,
    /// How thresholds are judged.
    pub(crate) judgement: Criterion,
}

/// A session that was held and reported.
pub(crate) struct CompletedSession {
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// How it ended.
    pub(crate) exit: Exit,
}

/// Holds one session from its first start to its reports. What it costs was agreed to before.
pub(crate) fn hold(
    loaded: &LoadedProfile,
    wanted: &RunRequest<'_>,
) -> Result<CompletedSession, CliError> {
    let name = &loaded.profile.name;
    hold_in(loaded, wanted, |start| folder::make(wanted.out, name, start))
}

/// The same, in a folder that `make` makes for a session that begins then.
pub(crate) fn hold_in(
    loaded: &LoadedProfile,
    wanted: &RunRequest<'_>,
    make: impl FnOnce(Timestamp) -> Result<(PathBuf, SessionId), CliError>,
) -> Result<CompletedSession, CliError> {
    let plan = Plan::new(loaded.profile.clone());
    let forecast = Forecast::new(&plan);
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CliError::internal)?;
    let start = Timestamp::now();
    let keys = keys(&loaded.profile, wanted.profile_path)?;
    let (folder, session) = make(start)?;
    let truth = folder.join(folder::TRUTH);
    let begun = services(&loaded.profile, keys, &truth, wanted.profile_path).and_then(|services| {
        // The stand-ins need no greeting, and may have been asked to refuse one.
        if loaded.profile.livekit.target != LiveKitTarget::Sandbox {
            runtime.block_on(greet(&services))?;
        }
        Ok(services)
    });
    let services = begun.inspect_err(|_| folder::unmake(&folder))?;
    if wanted.summary && !wanted.quiet {
        print::err(&forecast_text::brief(&loaded.profile, &forecast, today));
    }
    let kept = runtime.block_on(carry_out(
        loaded,
        &plan,
        &forecast,
        &services,
        (&folder, session, start),
        wanted.quiet,
    ));
    // The stand-ins write their log of the truth to its end.
    drop(services);
    runtime.shutdown_background();
    if let Err(trouble) = &kept {
        print::trouble(&trouble.message);
    }
    let rendered = if wanted.summary {
        render(&folder, wanted.judgement)
    } else {
        write_reports(&folder, wanted.judgement).map(|reported| reported.exit)
    };
    let Err(trouble) = kept else { return Ok(CompletedSession { folder, exit: rendered? }) };
    if let Err(trouble) = &rendered {
        print::trouble(&trouble.message);
    }
    Ok(CompletedSession { folder, exit: trouble.exit })
}

async fn carry_out(
    loaded: &LoadedProfile,
    plan: &Plan,
    forecast: &Forecast,
    services: &Clients,
    (folder, session, start): (&Path, SessionId, Timestamp),
    quiet: bool,
) -> Result<(), CliError> {
    let journal = Journal::create(&folder.join(JOURNAL)).map_err(|error| {
        CliError::usage(format!("cannot write a journal in {}: {error}", folder.display()))
    })?;
    let watched = Arc::new(ProgressSink::new(journal, &loaded.profile));
    let profile = Arc::new(loaded.profile.clone());
    let settings = Arc::new(DriverSettings::new(&profile, services.evaluator.capabilities()));
    let names = RoomNames::new(room_stem(&profile, start));
    // Both clocks are read at once: what lies between them would be added to every server's time.
    let anchor = Timestamp::now();
    let clock = SessionClock::anchored(anchor.as_millisecond());
    if let Some(callers) = &services.callers {
        callers.begin(clock)?;
    }
    watched.record(Event {
        at: SessionTime::START,
        kind: EventKind::Opened(Box::new(opening(loaded, plan, services, &session, anchor))),
    });
    let outside = outside(services, &watched, (session, names.clone()), profile, settings.clone());
    let session = Session::new((*settings).clone(), plan.walk(), names);
    conduct(session, outside, clock, &watched, ((!quiet).then_some(forecast), services)).await
}

fn opening(
    loaded: &LoadedProfile,
    plan: &Plan,
    services: &Clients,
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
        livekit_url: services.livekit_url.clone(),
        evaluator_url: services.evaluator_url.clone(),
        planned: plan.profile().runs(),
        cores: std::thread::available_parallelism()
            .map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX)),
    }
}

fn profile_hash(profile: &Profile) -> String {
    let json = serde_json::to_vec(profile).unwrap_or_default();
    Sha256::digest(json).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the names of a session's rooms begin with: unlike any other session's, also of another machine
/// that began in the same second.
pub(crate) fn room_stem(profile: &Profile, start: Timestamp) -> String {
    // The standard library keys its hashers from the operating system's randomness.
    let random = std::hash::RandomState::new().build_hasher().finish() & 0xffff;
    format!("{}{}-{random:04x}", profile.livekit.room_prefix, start.strftime("%y%m%d%H%M%S"))
}
