//! `rushhour worker --measure`: how many callers of a profile this machine holds.

use std::path::PathBuf;

use crate::arguments::ProfileArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::load_profile::load_profile;
use crate::print;
use crate::session::native_callers::{SessionCallers, caller_threads, prepare};
use rushhour_callers::engine::{
    EngineClock, FILES_PER_PARTICIPANT, NetworkAccess, raise_file_limit,
};
use rushhour_core::evaluator::ConversationRequest;
use rushhour_core::profile::{MediaTransport, Profile};
use rushhour_core::units::{RoomName, RunIndex, Secret};
use rushhour_fleet::{
    CapacityMeasure, CapacityMeasured, LevelFigures, LoopbackServer, MeasuredLimit,
};

/// Open files for everything but callers and their agents.
const OTHER_FILES: u64 = 200;
/// Open files of an agent: its signal connection, and its media.
const FILES_PER_AGENT: u64 = 2;

/// Measures, and prints what to start the worker with.
pub(super) fn measure(profile: PathBuf, joins: u32) -> Result<Exit, CliError> {
    let arguments = ProfileArgs::of_file(profile);
    let mut profile = load_profile(&arguments)?.profile;
    profile.workers = None;
    let Some(SessionCallers::Here { callers, network }) = prepare(&profile, &arguments.files())?
    else {
        return Err(CliError::usage("a worker holds native callers, and this profile has none")
            .with_hint("name a profile with evaluator.kind = \"native\""));
    };
    let threads = caller_threads();
    let cores = u32::try_from(threads).unwrap_or(1);
    let files = raise_file_limit().saturating_sub(OTHER_FILES);
    let most = u32::try_from(files / (FILES_PER_PARTICIPANT + FILES_PER_AGENT)).unwrap_or(u32::MAX);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CliError::from_internal)?;
    let server = LoopbackServer::start().map_err(CliError::from_internal)?;
    print::stdout(&format!(
        "Measuring how many callers of {} this machine holds. It takes up to two minutes.",
        profile.name
    ));
    let measured = runtime.block_on(async {
        // Whatever the profile says: there is no relay here.
        let network = NetworkAccess { transport: MediaTransport::Any, ..network };
        callers.start(EngineClock::start(), threads, network).map_err(|error| {
            CliError::internal("cannot start the callers' threads").caused_by(error)
        })?;
        let measure = CapacityMeasure { callers: &*callers, cores, most: most.max(1), joins };
        let measured = measure.run(
            |run| conversation(&profile, run, &server.url()),
            |level| print::stdout(&level_text(level, cores)),
        );
        measured.await.map_err(|error| CliError::usage("the callers cannot begin").caused_by(error))
    });
    runtime.shutdown_background();
    let measured = measured?;
    let Some(text) = conclusion(&measured) else {
        return Err(CliError::usage(
            "ticks were late even with the fewest callers: stop other programs on this machine, or use a larger one",
        ));
    };
    print::stdout(&text);
    Ok(Exit::Passed)
}

/// The conversation of a run: scenarios and modes take turns.
fn conversation(profile: &Profile, run: RunIndex, url: &str) -> ConversationRequest {
    let (scenarios, modes) = (profile.mix.scenarios(), profile.mode.modes());
    let (number, of) = (usize::try_from(run.0).unwrap_or(0), scenarios.len().max(1));
    let kinds = modes.len().max(1);
    // Where their numbers fit, each scenario would always have the same mode.
    let shift = if of.is_multiple_of(kinds) { number / of } else { 0 };
    ConversationRequest {
        run,
        scenario: scenarios[number % of].id.clone(),
        mode: modes[(number + shift) % kinds],
        network: profile.network_of(run, None),
        livekit_url: url.to_owned(),
        room: RoomName::new(format!("measure-{run}")),
        // The server in this process asks for none.
        token: Secret::new("none"),
    }
}

fn level_text(level: &LevelFigures, cores: u32) -> String {
    let used = match (level.callers_cores, level.process_cores) {
        (Some(callers), Some(all)) => {
            format!(", {callers:.2} of {cores} cores for them and {all:.2} with their agents")
        }
        _ => String::new(),
    };
    format!(
        "  {} callers: {:.2} % of their ticks more than 5 ms late, the latest {}{used}",
        level.callers,
        100.0 * level.late,
        level.latest
    )
}

/// What follows from it; `None` where nobody can be held.
fn conclusion(measured: &CapacityMeasured) -> Option<String> {
    let (capacity, limit) = measured.capacity()?;
    let cores = measured.cores;
    let why = match (limit, measured.cost()) {
        (MeasuredLimit::Processor, Some(cost)) => format!(
            "one costs {:.3} % of a core, and half of {cores} cores is for them",
            100.0 * cost
        ),
        (MeasuredLimit::Ticks, _) => "with more, ticks were late".to_owned(),
        (MeasuredLimit::Processor | MeasuredLimit::Tried, _) => {
            "more were not tried, since this system does not say what a caller costs".to_owned()
        }
    };
    let failed = match (&measured.first_failure, measured.failed) {
        (Some(first), failed) => format!(
            "\n{failed} of {} conversations failed against an agent that only answers, the first as {first}: a caller that ends early costs less.",
            measured.ended
        ),
        (None, _) => String::new(),
    };
    Some(format!(
        "This machine holds {capacity} callers of this profile: {why}. Start it with `--capacity {capacity}`.{failed}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_core::units::Micros;

    #[test]
    fn the_capacity_is_said_with_its_reason() {
        let level = LevelFigures {
            callers: 80,
            late: 0.001,
            latest: Micros::from_millis(6),
            callers_cores: Some(0.2),
            process_cores: Some(0.61),
        };
        let mut measured = CapacityMeasured {
            cores: 2,
            levels: vec![level],
            ended: 30,
            failed: 0,
            first_failure: None,
        };
        let text = conclusion(&measured).unwrap();
        assert!(text.contains("holds 400 callers of this profile: one costs 0.250 % of a core"));
        assert!(text.ends_with("`--capacity 400`."), "{text}");
        measured.failed = 3;
        measured.first_failure = Some("turn_timeout: turn 1".to_owned());
        let text = conclusion(&measured).unwrap();
        assert!(text.contains("3 of 30 conversations failed") && text.contains("turn_timeout"));
        measured.levels[0].late = 0.2;
        assert_eq!(conclusion(&measured), None);
        let shown = level_text(&level, 2);
        assert!(shown.contains("80 callers: 0.10 % of their ticks"), "{shown}");
        assert!(shown.ends_with("0.20 of 2 cores for them and 0.61 with their agents"), "{shown}");
    }
}
