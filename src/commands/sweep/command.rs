//! The command: finds rooms and calls, shows them, and deletes them where `--yes` was given.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::{Args, ValueHint};
use jiff::Timestamp;

use super::calls::{OpenCall, OpenCalls, end_calls, find_open_calls};
use super::decision::{RoomDecision, SessionLiveness, decide};
use super::local_sessions::{JournalLock, SessionTrail, liveness, lock_state, read_trail};
use super::table::{Row, calls_table, rooms_table};
use crate::arguments::{FurtherFilesArgs, OnWorkersArgs, ProfileArgs};
use crate::credentials::{CredentialRequest, find};
use crate::error::CliError;
use crate::exit::Exit;
use crate::load_profile::load_profile;
use crate::print;
use crate::profile_files::ProfileFiles;
use crate::reports::journal::unreadable;
use crate::reports::locate::session_folder;
use crate::session::folder::JOURNAL;
use crate::session::journal_hosts::{AskedServices, TrustArgs, confirm_hosts};
use crate::session::trust::livekit_trust;
use rushhour_core::profile::{LiveKitSettings, parse_livekit_url};
use rushhour_core::units::{Micros, RoomName, RunIndex, SessionId};
use rushhour_livekit::{
    ControlPlane, LiveKitClient, LiveKitErrorKind, RoomInfo, RoomList, parse_room_owner,
};
use rushhour_report::render::counted;

/// How long one request may take, where no profile says so.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The attempts to delete one room.
const ATTEMPTS: u32 = 3;
/// The longest wait for a server that refuses requests because there are too many: LiveKit Cloud's window.
const LONGEST_WAIT: Micros = Micros::from_secs(60);

/// What the names of Rushhour's rooms begin with, where no profile says so.
const DEFAULT_PREFIX: &str = "rushhour-";

/// The shortest prefix: one of one or two letters would match everybody's rooms.
const SHORTEST_PREFIX: usize = 3;

const HELP: &str = "\
Examples:
  # Show what is left on the server that LIVEKIT_URL names
  rushhour sweep
  # Delete what is left on a profile's server
  rushhour sweep my-agent.toml --yes
  # Clean up after one session, its calls at Cekura too
  rushhour sweep reports/20261122T213015Z-launch --yes

Nothing is deleted without --yes. A room is deleted only if its metadata names a session of \
Rushhour that is dead: its journal is on this machine and no process holds it, or the room is \
half an hour past its planned end. A call is ended only if its room is there and names its \
session and its run; others only with --end-calls.";

/// Delete the rooms that dead sessions left behind, and end their calls.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub(crate) struct SweepArgs {
    /// A session's folder, or a profile; without it, the server that LIVEKIT_URL names.
    #[arg(value_name = "SESSION|PROFILE", value_hint = ValueHint::AnyPath)]
    target: Option<PathBuf>,
    /// Override one setting of the profile; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    files: FurtherFilesArgs,
    #[command(flatten)]
    trust: TrustArgs,
    /// What the rooms' names begin with; by default the profile's prefix, or `rushhour-`.
    #[arg(long, value_name = "TEXT", value_parser = parse_prefix)]
    prefix: Option<String>,
    /// The folder with the sessions' folders: a session whose journal a process holds there is alive.
    #[arg(long, value_name = "FOLDER", default_value = "reports", value_hint = ValueHint::DirPath)]
    reports: PathBuf,
    /// Delete the rooms and end the calls.
    #[arg(long)]
    yes: bool,
    /// With --yes, also end calls that only the journal says are the session's.
    ///
    /// A call carries no mark. Its room does, while the call is open; where that is gone, or is not the session's, the
    /// call is listed and left alone.
    #[arg(long, requires = "yes")]
    end_calls: bool,
}

fn parse_prefix(text: &str) -> Result<String, &'static str> {
    if text.len() < SHORTEST_PREFIX {
        Err("write 3 characters or more")
    } else {
        Ok(text.to_owned())
    }
}

/// Where to sweep, and how far.
struct SweepScope {
    url: String,
    /// What the names of Rushhour's rooms begin with.
    prefix: String,
    key_file: Option<String>,
    secret_file: Option<String>,
    ca_file: Option<String>,
    /// Where these files are.
    files: ProfileFiles,
    /// The one session to clean up after, where one was named.
    trail: Option<SessionTrail>,
}

pub(crate) fn sweep(arguments: &SweepArgs) -> Result<Exit, CliError> {
    let Some(scope) = scope(arguments)? else {
        print::stdout(
            "The rooms were in the embedded sandbox, which ended with its session: there is nothing to sweep.",
        );
        return Ok(Exit::Passed);
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::from_internal)?;
    runtime.block_on(sweep_scope(arguments, &scope))
}

/// Decides where to sweep from what was named: a session, a profile, or nothing. None for the sandbox.
fn scope(arguments: &SweepArgs) -> Result<Option<SweepScope>, CliError> {
    match &arguments.target {
        None => {
            let url = std::env::var("LIVEKIT_URL").ok().filter(|url| !url.trim().is_empty());
            let url = url.ok_or_else(|| {
                CliError::usage("LIVEKIT_URL is not set")
                    .with_hint("set it, or name a profile or the folder of a session")
            })?;
            let url = parse_livekit_url(&url).map_err(|problem| {
                let hint = problem.hint.clone();
                CliError::usage("LIVEKIT_URL cannot be used").caused_by(problem).with_hint(hint)
            })?;
            Ok(Some(SweepScope {
                url,
                prefix: arguments.prefix.clone().unwrap_or_else(|| DEFAULT_PREFIX.to_owned()),
                key_file: None,
                secret_file: None,
                ca_file: None,
                files: ProfileFiles::none(),
                trail: None,
            }))
        }
        Some(path) if path.extension().is_some_and(|extension| extension == "toml") => {
            let profile = ProfileArgs {
                profile: path.clone(),
                set: arguments.set.clone(),
                workers: OnWorkersArgs::default(),
                files: arguments.files.clone(),
            };
            let settings = load_profile(&profile)?.profile.livekit;
            Ok(scope_of_settings(arguments, &settings, profile.files(), None))
        }
        Some(path) => {
            let journal = session_folder(path)?.join(JOURNAL);
            let lock = lock_state(&journal).map_err(|error| unreadable(&journal, error.into()))?;
            if lock == JournalLock::Held {
                return Err(CliError::usage(format!(
                    "{} is being written: its session is running",
                    journal.display()
                ))
                .with_hint("interrupt the session; it deletes its rooms itself"));
            }
            let trail = read_trail(&journal).map_err(|error| unreadable(&journal, error))?;
            let profile = &trail.header.profile;
            let cekura = profile.evaluator.cekura().filter(|_| !trail.calls.is_empty());
            confirm_hosts(profile, AskedServices { cekura, worker: false }, arguments.trust)?;
            let settings = profile.livekit.clone();
            let files = arguments.files.files_of_journal();
            Ok(scope_of_settings(arguments, &settings, files, Some(trail)))
        }
    }
}

fn scope_of_settings(
    arguments: &SweepArgs,
    settings: &LiveKitSettings,
    files: ProfileFiles,
    trail: Option<SessionTrail>,
) -> Option<SweepScope> {
    let url = settings.server_api()?.to_owned();
    Some(SweepScope {
        url,
        prefix: arguments.prefix.clone().unwrap_or_else(|| settings.room_prefix.clone()),
        key_file: settings.key_file.clone(),
        secret_file: settings.secret_file.clone(),
        ca_file: settings.ca_file.clone(),
        files,
        trail,
    })
}

async fn sweep_scope(arguments: &SweepArgs, scope: &SweepScope) -> Result<Exit, CliError> {
    let livekit = client(scope)?;
    let listed = livekit.list_rooms(Vec::new()).await.map_err(|error| {
        CliError::usage(format!("cannot list the rooms of {}", scope.url)).caused_by(error)
    })?;
    let marked = scope.trail.as_ref().map(|trail| marked_runs(&trail.header.session, &listed));
    let (decisions, kept) = decide_all(arguments, scope, listed);
    let mut rows = Vec::with_capacity(decisions.len());
    for decision in decisions {
        let dispatches = if decision.verdict.is_dead() {
            // Shown for information only: they are deleted with the room.
            livekit.dispatches(&decision.room.room).await.unwrap_or_default()
        } else {
            Vec::new()
        };
        rows.push(Row { decision, dispatches });
    }
    let calls = match &scope.trail {
        Some(trail) => find_open_calls(trail, &marked.unwrap_or_default()).await,
        None => Ok(OpenCalls::None(None)),
    };
    show(scope, &rows, &kept);
    let mut exit = Exit::Passed;
    let (cekura, open) = match calls {
        Ok(OpenCalls::AtCekura(cekura, open)) => (Some(cekura), open),
        Ok(OpenCalls::None(why)) => {
            if let Some(why) = why {
                print::stdout(&format!("note: {why}"));
            }
            (None, Vec::new())
        }
        // The rooms are swept all the same.
        Err(error) => {
            print::error(&error);
            exit = error.exit();
            (None, Vec::new())
        }
    };
    if !open.is_empty() {
        print::stdout(calls_table(&open).trim_end());
    }
    let dead: Vec<&RoomDecision> = rows
        .iter()
        .map(|row| &row.decision)
        .filter(|decision| decision.verdict.is_dead())
        .collect();
    if dead.is_empty() && open.is_empty() {
        print::stdout("There is nothing to sweep.");
        return Ok(exit);
    }
    let is_ended = |call: &&OpenCall| call.is_proven || arguments.end_calls;
    let (ending, others): (Vec<&OpenCall>, Vec<&OpenCall>) = open.iter().partition(is_ended);
    if !others.is_empty() {
        print::stdout(&format!(
            "note: only the journal says that {} of its session; end them with --yes --end-calls",
            if others.len() == 1 {
                "1 call is".to_owned()
            } else {
                format!("{} calls are", others.len())
            }
        ));
    }
    if !arguments.yes {
        print::stdout(&would_sweep(&dead, &ending));
        return Ok(exit);
    }
    let ended = match &cekura {
        Some(cekura) => end_calls(&**cekura, &ending).await,
        None => 0,
    };
    let deleted = delete_rooms(&livekit, &dead).await;
    let (rooms, calls) = (counted(deleted as u64, "room"), counted(ended as u64, "call"));
    print::stdout(&format!("{rooms} deleted, {calls} ended"));
    if deleted < dead.len() || ended < ending.len() {
        return Err(CliError::internal("some rooms or calls are left").with_hint("run it again"));
    }
    Ok(exit)
}

/// Rooms that are no session's by their metadata, and so are kept.
#[derive(Default)]
struct KeptRooms {
    /// Those that the journal names.
    claimed: Vec<RoomName>,
    /// How many others are called like ours.
    unmarked: usize,
}

/// The runs of a session whose rooms carry its mark.
fn marked_runs(session: &SessionId, listed: &RoomList) -> HashSet<RunIndex> {
    let owners = listed.rooms.iter().filter_map(|room| parse_room_owner(&room.metadata));
    owners.filter(|owner| owner.session == *session).map(|owner| owner.run).collect()
}

fn would_sweep(dead: &[&RoomDecision], open: &[&OpenCall]) -> String {
    format!(
        "{} would be deleted and {} ended; run it again with --yes",
        counted(dead.len() as u64, "room"),
        counted(open.len() as u64, "call")
    )
}

fn client(scope: &SweepScope) -> Result<LiveKitClient, CliError> {
    let get = |variable, file: &Option<String>, setting| {
        let file = file.as_deref();
        let setting = file.map(|_| setting);
        find(&CredentialRequest { variable, file, setting }, &scope.files)
    };
    let key = get("LIVEKIT_API_KEY", &scope.key_file, "livekit.key_file")?;
    let secret = get("LIVEKIT_API_SECRET", &scope.secret_file, "livekit.secret_file")?;
    let trust = livekit_trust(scope.ca_file.as_deref(), &scope.files)?;
    LiveKitClient::with_trust(&scope.url, &key, &secret, TIMEOUT, &trust)
        .map_err(CliError::from_usage)
}

/// Decides about every room whose name begins as ours do. Counts those among them that no session marked.
fn decide_all(
    arguments: &SweepArgs,
    scope: &SweepScope,
    listed: RoomList,
) -> (Vec<RoomDecision>, KeptRooms) {
    #[expect(clippy::disallowed_methods, reason = "a room's age is on the wall clock")]
    let now = listed.server_clock.unwrap_or_else(SystemTime::now);
    let now_ms = Timestamp::try_from(now).map_or(0, Timestamp::as_millisecond);
    let mut sessions: HashMap<SessionId, SessionLiveness> = HashMap::new();
    let mut decisions = Vec::new();
    let mut kept = KeptRooms::default();
    for room in listed.rooms {
        if is_claimed(scope, &room) {
            kept.claimed.push(room.room);
            continue;
        }
        if !room.room.as_str().starts_with(&scope.prefix) {
            continue;
        }
        let session_liveness = |session: &SessionId| {
            let known = sessions.entry(session.clone());
            known.or_insert_with(|| liveness_here(arguments, scope, session)).clone()
        };
        match decide(room, session_liveness, now_ms) {
            Some(decision) => {
                let trail = scope.trail.as_ref();
                if trail.is_none_or(|trail| trail.header.session == decision.session) {
                    decisions.push(decision);
                }
            }
            None => kept.unmarked += 1,
        }
    }
    decisions.sort_by(|a, b| a.room.room.cmp(&b.room.room));
    (decisions, kept)
}

/// What this machine knows of a session: from the journal that was named, or from its folder.
fn liveness_here(
    arguments: &SweepArgs,
    scope: &SweepScope,
    session: &SessionId,
) -> SessionLiveness {
    match (&scope.trail, liveness(&arguments.reports, session)) {
        // A copy of a journal, or a forged one, does not end a session that runs here.
        (_, SessionLiveness::Running) => SessionLiveness::Running,
        (Some(trail), _) if trail.header.session == *session => {
            SessionLiveness::Ended(trail.rooms.clone())
        }
        (_, here) => here,
    }
}

/// Whether the journal that was named says that the session made a room, which nothing in the room itself confirms. Whoever
/// wrote the journal may have named anybody's room, so it stays.
fn is_claimed(scope: &SweepScope, room: &RoomInfo) -> bool {
    let is_named = |trail: &SessionTrail| trail.rooms.contains(&room.room);
    scope.trail.as_ref().is_some_and(is_named) && parse_room_owner(&room.metadata).is_none()
}

fn show(scope: &SweepScope, rows: &[Row], kept: &KeptRooms) {
    if !rows.is_empty() {
        print::stdout(rooms_table(rows).trim_end());
    }
    if !kept.claimed.is_empty() {
        let names: Vec<&str> = kept.claimed.iter().map(RoomName::as_str).collect();
        print::stdout(&format!(
            "note: the journal names {} without the mark of its session, which are left alone: {}",
            counted(names.len() as u64, "room"),
            names.join(", ")
        ));
    }
    let unmarked = kept.unmarked;
    if unmarked > 0 {
        let rooms = if unmarked == 1 { "room names" } else { "rooms name" };
        print::stdout(&format!(
            "note: {unmarked} {rooms} no session in the metadata, although called {}...: left alone",
            scope.prefix
        ));
    }
    let sessions: HashSet<&SessionId> = rows.iter().map(|row| &row.decision.session).collect();
    if sessions.len() > 1 {
        let rooms = counted(rows.len() as u64, "room");
        print::stdout(&format!("{rooms} of {} sessions", sessions.len()));
    }
}

/// Deletes rooms, and returns how many it deleted.
async fn delete_rooms(livekit: &LiveKitClient, dead: &[&RoomDecision]) -> usize {
    let mut deleted = 0;
    for decision in dead {
        let room = &decision.room.room;
        let mut attempt = 1;
        loop {
            match livekit.delete_room(room.clone()).await {
                Ok(()) => {
                    deleted += 1;
                    break;
                }
                Err(error) if attempt == ATTEMPTS => {
                    print::stderr(&format!("cannot delete room {room}: {error}"));
                    break;
                }
                Err(error) => {
                    if let LiveKitErrorKind::RateLimited { retry_after } = error.kind {
                        let wait = retry_after.unwrap_or(Micros::from_secs(u64::from(attempt)));
                        tokio::time::sleep(wait.min(LONGEST_WAIT).as_duration()).await;
                    }
                    attempt += 1;
                }
            }
        }
    }
    deleted
}
