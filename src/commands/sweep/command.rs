//! Finding, showing, and deleting where `--yes` was given.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use super::calls::{Call, Calls, held_calls};
use super::decision::{RoomDecision, SessionLiveness, SweepVerdict, judge};
use super::sessions::{JournalLock, SessionTrail, follow, held, known};
use super::table::{Row, calls_table, rooms_table};
use crate::arguments::{ProfileArguments, SweepArguments};
use crate::credentials::{CredentialRequest, find};
use crate::exit::{CliError, Exit};
use crate::folder::JOURNAL;
use crate::load_profile::load_profile;
use crate::print;
use crate::report_writer::session_folder;
use rushhour_core::evaluator::Evaluator;
use rushhour_core::profile::{DispatchMethod, LiveKitSettings, LiveKitTarget};
use rushhour_core::units::SessionId;
use rushhour_livekit::{ControlPlane, LiveKitClient, RoomInfo, RoomList};

/// How long one request may take where no profile says.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A room is asked to go this often.
const ATTEMPTS: u32 = 3;

/// Where to sweep, and how far.
struct SweepScope {
    url: String,
    prefix: String,
    /// Files with the key and the secret, and what they are relative to.
    files: (Option<String>, Option<String>, PathBuf),
    /// The one session that is swept up after, where one was named.
    trail: Option<SessionTrail>,
}

pub(crate) fn sweep(arguments: &SweepArguments) -> Result<Exit, CliError> {
    let ground = ground(arguments)?;
    let Some(ground) = ground else {
        print::out(
            "The session's rooms were in the embedded stand-in, which ended with it: there is nothing to sweep.",
        );
        return Ok(Exit::Passed);
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::internal)?;
    runtime.block_on(carry_out(arguments, &ground))
}

/// Decides where to sweep from what was named: a session, a profile, or nothing.
fn ground(arguments: &SweepArguments) -> Result<Option<SweepScope>, CliError> {
    match &arguments.target {
        None => {
            let url = std::env::var("LIVEKIT_URL").ok().filter(|url| !url.trim().is_empty());
            let url = url.ok_or_else(|| {
                CliError::usage(
                    "LIVEKIT_URL is not set; set it, or name a profile or a session's folder",
                )
            })?;
            let prefix = arguments.prefix.clone().unwrap_or_else(|| "rushhour-".to_owned());
            let files = (None, None, PathBuf::from("."));
            Ok(Some(SweepScope { url, prefix, files, trail: None }))
        }
        Some(path) if path.extension().is_some_and(|end| end == "toml") => {
            let asked = ProfileArguments { profile: path.clone(), set: arguments.set.clone() };
            let settings = load_profile(&asked)?.profile.livekit;
            Ok(of_settings(arguments, &settings, path, None))
        }
        Some(path) => {
            let journal = session_folder(path)?.join(JOURNAL);
            let refused = |error: &dyn std::fmt::Display| {
                CliError::usage(format!("{}: {error}", journal.display()))
            };
            match held(&journal).map_err(|error| refused(&error))? {
                JournalLock::Yes => {
                    return Err(CliError::usage(format!(
                        "{} is being written: its session is running; interrupt it, and it deletes its rooms itself",
                        journal.display()
                    )));
                }
                JournalLock::No | JournalLock::Unknown => {}
            }
            let trail = follow(&journal).map_err(|error| refused(&error))?;
            let settings = trail.opening.profile.livekit.clone();
            Ok(of_settings(arguments, &settings, Path::new("."), Some(trail)))
        }
    }
}

fn of_settings(
    arguments: &SweepArguments,
    settings: &LiveKitSettings,
    path: &Path,
    trail: Option<SessionTrail>,
) -> Option<SweepScope> {
    let LiveKitTarget::Url(url) = &settings.target else { return None };
    let prefix = arguments.prefix.clone().unwrap_or_else(|| settings.room_prefix.clone());
    let files = (settings.key_file.clone(), settings.secret_file.clone(), path.to_owned());
    Some(SweepScope { url: url.clone(), prefix, files, trail })
}

async fn carry_out(arguments: &SweepArguments, ground: &SweepScope) -> Result<Exit, CliError> {
    let livekit = server(ground)?;
    let listed = livekit
        .list_rooms(Vec::new())
        .await
        .map_err(|error| CliError::usage(format!("{}: {error}", ground.url)))?;
    let (judged, strangers) = judge_all(arguments, ground, listed);
    let mut rows = Vec::with_capacity(judged.len());
    for judged in judged {
        let dispatches = if judged.verdict.is_dead() {
            // Shown for the reader alone: the room takes them with it.
            livekit.dispatches(&judged.sight.room).await.unwrap_or_default()
        } else {
            Vec::new()
        };
        rows.push(Row { judged, dispatches });
    }
    let calls = match &ground.trail {
        Some(trail) => held_calls(trail).await,
        None => Ok(Calls::Nothing(None)),
    };
    show(ground, &rows, strangers);
    let mut exit = Exit::Passed;
    let (cekura, open) = match calls {
        Ok(Calls::Held(cekura, open)) => (Some(cekura), open),
        Ok(Calls::Nothing(why)) => {
            if let Some(why) = why {
                print::out(&format!("note: {why}"));
            }
            (None, Vec::new())
        }
        // The rooms are swept all the same.
        Err(trouble) => {
            print::trouble(&trouble.message);
            exit = trouble.exit;
            (None, Vec::new())
        }
    };
    if !open.is_empty() {
        print::out(calls_table(&open).trim_end());
    }
    let dead: Vec<&RoomDecision> =
        rows.iter().map(|row| &row.judged).filter(|judged| judged.verdict.is_dead()).collect();
    if dead.is_empty() && open.is_empty() {
        print::out("There is nothing to sweep.");
        return Ok(exit);
    }
    if !arguments.yes {
        print::out(&format!(
            "{} rooms would be deleted and {} calls ended; run it again with --yes",
            dead.len(),
            open.len()
        ));
        return Ok(exit);
    }
    let ended = match &cekura {
        Some(cekura) => end_calls(&**cekura, &open).await,
        None => 0,
    };
    let deleted = delete_rooms(&livekit, &dead).await;
    print::out(&format!("{deleted} rooms deleted, {ended} calls ended"));
    if deleted < dead.len() || ended < open.len() {
        print::trouble("not all of it could be swept; run it again");
        exit = Exit::Internal;
    }
    Ok(exit)
}

fn server(ground: &SweepScope) -> Result<LiveKitClient, CliError> {
    let (key_file, secret_file, beside) = &ground.files;
    let wanted =
        |variable, file, setting| find(&CredentialRequest { variable, file, setting }, beside);
    let (key_setting, secret_setting) = match ground.trail {
        None if key_file.is_some() => ("livekit.key_file", "livekit.secret_file"),
        _ => ("", ""),
    };
    let key = wanted("LIVEKIT_API_KEY", key_file.as_deref(), key_setting)?;
    let secret = wanted("LIVEKIT_API_SECRET", secret_file.as_deref(), secret_setting)?;
    LiveKitClient::new(&ground.url, &key, &secret, TIMEOUT).map_err(CliError::usage)
}

/// Judges every room whose name begins as ours do; counts those of strangers among them.
fn judge_all(
    arguments: &SweepArguments,
    ground: &SweepScope,
    listed: RoomList,
) -> (Vec<RoomDecision>, usize) {
    #[expect(clippy::disallowed_methods, reason = "a room's age is on the wall clock")]
    let now = listed.server_clock.unwrap_or_else(SystemTime::now);
    let now_ms = Timestamp::try_from(now).map_or(0, Timestamp::as_millisecond);
    let mut sessions: HashMap<SessionId, SessionLiveness> = HashMap::new();
    let mut judged = Vec::new();
    let mut strangers = 0;
    for sight in listed.rooms {
        if let Some(named) = named_by_journal(ground, &sight) {
            judged.push(named);
            continue;
        }
        if !sight.room.as_str().starts_with(&ground.prefix) {
            continue;
        }
        let look = |session: &SessionId| {
            let known = sessions.entry(session.clone());
            known.or_insert_with(|| known_here(arguments, ground, session)).clone()
        };
        match judge(sight, look, now_ms) {
            Some(one) => {
                let wanted = ground.trail.as_ref().is_none_or(|t| t.opening.session == one.session);
                if wanted {
                    judged.push(one);
                }
            }
            None => strangers += 1,
        }
    }
    judged.sort_by(|a, b| a.sight.room.cmp(&b.sight.room));
    (judged, strangers)
}

/// What this machine knows of a session: from the journal that was named, or from its folder.
fn known_here(
    arguments: &SweepArguments,
    ground: &SweepScope,
    session: &SessionId,
) -> SessionLiveness {
    match &ground.trail {
        Some(trail) if trail.opening.session == *session => {
            SessionLiveness::Over(trail.rooms.clone())
        }
        _ => known(&arguments.reports, session),
    }
}

/// A room that a token made carries no mark; the journal of its session names it all the same, and no
/// other session's room is called like it.
fn named_by_journal(ground: &SweepScope, sight: &RoomInfo) -> Option<RoomDecision> {
    let trail = ground.trail.as_ref()?;
    let by_token = trail.opening.profile.livekit.dispatch.method() == DispatchMethod::Token;
    (by_token && sight.metadata.is_empty() && trail.rooms.contains(&sight.room)).then(|| {
        RoomDecision {
            sight: sight.clone(),
            session: trail.opening.session.clone(),
            age: None,
            verdict: SweepVerdict::Over,
        }
    })
}

fn show(ground: &SweepScope, rows: &[Row], strangers: usize) {
    if !rows.is_empty() {
        print::out(rooms_table(rows).trim_end());
    }
    if strangers > 0 {
        print::out(&format!(
            "note: {strangers} rooms are called {}... and carry no mark of a session: they are not touched",
            ground.prefix
        ));
    }
    let sessions: HashSet<&SessionId> = rows.iter().map(|row| &row.judged.session).collect();
    if sessions.len() > 1 {
        print::out(&format!("{} rooms of {} sessions", rows.len(), sessions.len()));
    }
}

async fn delete_rooms(livekit: &LiveKitClient, dead: &[&RoomDecision]) -> usize {
    let mut deleted = 0;
    for judged in dead {
        let mut attempt = 1;
        loop {
            match livekit.delete_room(judged.sight.room.clone()).await {
                Ok(()) => {
                    deleted += 1;
                    break;
                }
                Err(error) if attempt == ATTEMPTS => {
                    print::err(&format!("{}: {error}", judged.sight.room));
                    break;
                }
                Err(_) => attempt += 1,
            }
        }
    }
    deleted
}

async fn end_calls(evaluator: &impl Evaluator, calls: &[Call]) -> usize {
    let mut ended = 0;
    for call in calls {
        match evaluator.end_call(call.run.clone()).await {
            Ok(()) => ended += 1,
            Err(error) => print::err(&format!("call {}: {error}", call.run)),
        }
    }
    ended
}
