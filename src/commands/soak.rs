//! `rushhour soak`: a session held and judged, or one that was held already: does the agent stay well.

use std::path::Path;

use super::run::{self, CompletedSession};
use crate::arguments::{RunArguments, SoakArguments};
use crate::exit::{CliError, Exit};
use crate::folder::JOURNAL;
use crate::history_file;
use crate::journal_reader::read_session;
use crate::load_profile::load_profile;
use crate::print;
use crate::report_writer::{exit_of, json, replace, session_folder};
use crate::spending;
use rushhour_core::profile::SoakSettings;
use rushhour_report::report::{
    Criterion, SessionVerdict, agent_health_csv, soak_csv, soak_page, soak_text,
};
use rushhour_report::soak::{
    NightlyRun, SoakAnalysis, SoakBuilder, SoakCriteria, SoakSummary, SoakVerdict,
};

pub(crate) fn soak(arguments: &SoakArguments) -> Result<Exit, CliError> {
    let judgement = arguments.run.judgement();
    let target = &arguments.run.profile.profile;
    if target.is_dir() || target.file_name().is_some_and(|name| name == JOURNAL) {
        return judge(&session_folder(target)?, judgement);
    }
    let held = held(&arguments.run, judgement)?;
    // A session that could not go on has said why; what was held of it is judged all the same.
    let judged = judge(&held.folder, judgement)?;
    Ok(if held.exit == Exit::Internal { Exit::Internal } else { judged })
}

fn held(arguments: &RunArguments, judgement: Criterion) -> Result<CompletedSession, CliError> {
    let mut loaded = load_profile(&arguments.profile)?;
    // What is left behind is looked at after every soak, also where the profile leaves its judging as usual.
    loaded.profile.soak.get_or_insert_with(SoakSettings::usual);
    let forecast = run::within_cloud_limits(&loaded.profile, arguments.accept_cloud_limits)?;
    spending::agree(&loaded.profile, forecast.runs, arguments.yes)?;
    let wanted = run::RunRequest {
        profile_path: &arguments.profile.profile,
        out: &arguments.out,
        quiet: arguments.quiet,
        judgement,
        summary: true,
    };
    run::hold(&loaded, &wanted)
}

/// Judges the session of a folder, writes what it comes to beside its journal, and prints the answer.
fn judge(folder: &Path, judgement: Criterion) -> Result<Exit, CliError> {
    // Its name and its parent, also where it was named as `.`.
    let folder = &folder.canonicalize().map_err(CliError::internal)?;
    let mut builder = SoakBuilder::default();
    let folded = read_session(&folder.join(JOURNAL), |event, told| {
        builder.add(event, told);
        Ok(())
    })?;
    let overall = SessionVerdict::of(&folded, judgement);
    let question = SoakCriteria::of(folded.opening.profile.soak);
    let gathered = builder.finish(&folded);
    let reports = folder.parent().unwrap_or(folder);
    let history = history_file::read(reports)?;
    let delivered = overall.validity.holds();
    let soak = SoakAnalysis::of(gathered, &folded, question, delivered, &history);
    let write = |name: &str, render: &dyn Fn(&mut Vec<u8>) -> Result<(), String>| {
        let mut bytes = Vec::new();
        render(&mut bytes).map_err(CliError::internal)?;
        replace(&folder.join(name), &bytes)
    };
    let csv_words = |error: csv::Error| error.to_string();
    write("soak.json", &|to| json(&SoakSummary::of(&soak), to))?;
    write("soak.csv", &|to| soak_csv(&soak, to).map_err(csv_words))?;
    write("soak.html", &|to| {
        to.extend(soak_page(&soak, &folded, &overall, judgement).into_bytes());
        Ok(())
    })?;
    if folded.opening.profile.agent_health.is_some() {
        write("agent_health.csv", &|to| agent_health_csv(&soak, to).map_err(csv_words))?;
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    history_file::keep(reports, &NightlyRun::of(&soak, &name), &history)?;
    print::out("");
    print::out(&soak_text(&soak, &overall, print::out_style()));
    Ok(combined(exit_of(&folded, &overall), soak.verdict))
}

/// How the process ends: as the session did where that says more than its thresholds, else as the soak did.
const fn combined(session: Exit, soak: SoakVerdict) -> Exit {
    match (session, soak) {
        (Exit::Passed | Exit::Undecided | Exit::ThresholdFailed, SoakVerdict::Drifts) => {
            Exit::ThresholdFailed
        }
        (Exit::Passed, SoakVerdict::NotEnoughData) => Exit::Undecided,
        (session, _) => session,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_decides_and_how_the_session_ended_comes_first() {
        for (session, soak, exit) in [
            (Exit::Passed, SoakVerdict::Steady, Exit::Passed),
            (Exit::Passed, SoakVerdict::Drifts, Exit::ThresholdFailed),
            (Exit::Undecided, SoakVerdict::Drifts, Exit::ThresholdFailed),
            (Exit::ThresholdFailed, SoakVerdict::Steady, Exit::ThresholdFailed),
            (Exit::Passed, SoakVerdict::NotEnoughData, Exit::Undecided),
            (Exit::Undecided, SoakVerdict::Steady, Exit::Undecided),
            (Exit::ThresholdFailed, SoakVerdict::NotEnoughData, Exit::ThresholdFailed),
            (Exit::Invalid, SoakVerdict::Invalid, Exit::Invalid),
            (Exit::Stopped, SoakVerdict::Drifts, Exit::Stopped),
            (Exit::Budget, SoakVerdict::Steady, Exit::Budget),
            (Exit::Internal, SoakVerdict::NotEnoughData, Exit::Internal),
        ] {
            assert_eq!(combined(session, soak), exit, "{session:?} and {soak:?}");
        }
    }
}
