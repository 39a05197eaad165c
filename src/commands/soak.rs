//! `rushhour soak`: judges whether an agent stays stable, in a session that it runs or that was run before.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use serde_json::{Map, Value};

use crate::arguments::{FurtherFilesArgs, NewSessionArgs, OnWorkersArgs, ProfileArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::load_profile::load_profile;
use crate::print;
use crate::profile_files::ProfileFiles;
use crate::reports::history_file;
use crate::reports::journal::read_session;
use crate::reports::locate::session_folder;
use crate::reports::output_file::{to_json, write_atomically};
use crate::reports::session_reports::{JUNIT, SUMMARY, exit_of, rendered};
use crate::reports::soak_file::SOAK;
use crate::session::cost::CostCheck;
use crate::session::folder::JOURNAL;
use crate::session::live::{self, LastScrape, LiveView};
use crate::session::new_session::{CompletedSession, forecast_within_cloud_limits, run_session};
use crate::session::notify::{notify, notify_failure, summary_file};
use rushhour_core::profile::LoadedProfile;
use rushhour_report::render::{
    PageParts, SoakSummary, agent_health_csv, junit, soak_and_session_parts, soak_csv, soak_notice,
    soak_page, soak_text,
};
use rushhour_report::session::{Criterion, SessionVerdict};
use rushhour_report::soak::{NightlyRun, SoakAnalysis, SoakBuilder, SoakCriteria, SoakVerdict};

const HELP: &str = "\
Examples:
  # Run a soak, and judge it
  rushhour soak profiles/native-soak.toml
  # Judge a session that was run before
  rushhour soak reports/20261122T213015Z-soak

The reports of the same session are the same bytes each time.

The measured stages are divided into windows. A latency, the failures or the agent's memory \
drift if the confidence interval of their slope excludes zero and the change is material: 10 %, \
or what [soak] in the profile says. All series are tested as one family, so that a steady \
session is called drifting at most once in twenty. With [agent_health] in the profile, the \
agent's worker is polled throughout: its memory, its load, and whether its jobs and processes \
end.

Exit codes:
  0    steady
  99   something drifts, steps up or is left behind; a threshold failed
  111  too short, or too few runs, to decide
  112  invalid: the load generator did not deliver the load
Others are those of `rushhour run`.";

/// Run a long session, and judge whether the agent stays stable.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub(crate) struct SoakArgs {
    /// A profile to run, or the folder or journal of a session to judge.
    #[arg(value_name = "PROFILE|SESSION", value_hint = ValueHint::AnyPath)]
    target: PathBuf,
    /// Override one setting, such as `limits.in_flight=50` or `stage.steady.rate=2/s`.
    ///
    /// Takes precedence over the profile and the environment. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    workers: OnWorkersArgs,
    #[command(flatten)]
    files: FurtherFilesArgs,
    #[command(flatten)]
    session: NewSessionArgs,
}

pub(crate) fn soak(arguments: &SoakArgs) -> Result<Exit, CliError> {
    let (target, criterion) = (&arguments.target, arguments.session.criterion());
    if target.is_dir() || target.file_name().is_some_and(|name| name == JOURNAL) {
        return Ok(judge(&session_folder(target)?, criterion)?.exit);
    }
    let given = ProfileArgs {
        profile: target.clone(),
        set: arguments.set.clone(),
        workers: arguments.workers.clone(),
        files: arguments.files.clone(),
    };
    let mut loaded = load_profile(&given)?;
    // Every soak checks what it left behind, even where the profile has no [soak].
    loaded.profile.soak.get_or_insert_default();
    let profile = &loaded.profile;
    let ran = run(&arguments.session, &loaded, &given.files());
    let (completed, live) = ran.inspect_err(|error| notify_failure(profile, error))?;
    // A session that failed has said why; what it recorded is judged all the same.
    let judged = judge(&completed.folder, criterion);
    let judged = judged.inspect_err(|error| notify_failure(profile, error))?;
    let folder = &completed.folder;
    let last_scrape = live::close(live, folder, || Some(Ok(judged.page)));
    notify(profile, || notice_summary(folder, &judged.summary), || Ok(judged.notice));
    last_scrape.into_iter().for_each(LastScrape::wait);
    Ok(if completed.exit == Exit::Internal { Exit::Internal } else { judged.exit })
}

/// Runs the session to its reports; whoever follows it goes on to do so.
fn run(
    session: &NewSessionArgs,
    loaded: &LoadedProfile,
    files: &ProfileFiles,
) -> Result<(CompletedSession, Option<LiveView>), CliError> {
    let live = session.start_live()?;
    let forecast =
        forecast_within_cloud_limits(&loaded.profile, session.cloud.accept_cloud_limits)?;
    CostCheck::new(&loaded.profile, forecast.calls(), session.interaction.yes).confirm()?;
    let completed = run_session(loaded, &session.options(files, live.as_ref()))?;
    Ok((completed, live))
}

/// What programs are told: the session's summary, and beside it how the soak was judged.
fn notice_summary(folder: &Path, soak: &SoakSummary) -> Result<Vec<u8>, CliError> {
    let summary = summary_file(&folder.join(SUMMARY))?;
    let mut summary: Map<String, Value> =
        serde_json::from_slice(&summary).map_err(CliError::from_internal)?;
    let soak = serde_json::to_value(soak).map_err(CliError::from_internal)?;
    summary.insert("soak".to_owned(), soak);
    to_json(&summary)
}

/// A soak that was judged and whose reports were written.
struct JudgedSoak {
    exit: Exit,
    summary: SoakSummary,
    /// What its end is told as.
    notice: String,
    /// What those see who watched it.
    page: PageParts,
}

/// Judges the session in `folder`, writes the soak's reports next to its journal, and prints the answer.
fn judge(folder: &Path, criterion: Criterion) -> Result<JudgedSoak, CliError> {
    // Its name and its parent, even if the user named it as `.`.
    let folder = &folder.canonicalize().map_err(CliError::from_internal)?;
    let mut builder = SoakBuilder::default();
    let folded = read_session(&folder.join(JOURNAL), |event, ended| {
        builder.add(event, ended);
        Ok(())
    })?;
    let verdict = SessionVerdict::of(&folded, criterion);
    let criteria = SoakCriteria::of(folded.opening.profile.soak);
    let measured = builder.finish(&folded);
    let reports = folder.parent().unwrap_or(folder);
    let history = history_file::read(reports)?;
    let delivered = verdict.validity.holds();
    let soak = SoakAnalysis::of(measured, &folded, criteria, delivered, &history);
    let write = |name: &str, bytes: &[u8]| write_atomically(&folder.join(name), bytes);
    let summary = SoakSummary::of(&soak);
    write(SOAK, &to_json(&summary)?)?;
    write(JUNIT, &rendered(|to| junit(&folded, &verdict, Some(&summary), to))?)?;
    write("soak.csv", &rendered(|to| soak_csv(&soak, to))?)?;
    write("soak.html", soak_page(&soak, &folded, &verdict, criterion).as_bytes())?;
    if folded.opening.profile.agent_health.is_some() {
        write("agent_health.csv", &rendered(|to| agent_health_csv(&soak, to))?)?;
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    history_file::append(reports, &NightlyRun::of(&soak, &name), &history)?;
    print::stdout("");
    print::stdout(&soak_text(&soak, &verdict, print::stdout_style()));
    Ok(JudgedSoak {
        exit: combined(exit_of(&folded, &verdict), soak.verdict),
        summary,
        notice: soak_notice(&soak, &folded, &verdict, criterion),
        page: soak_and_session_parts(&soak, &folded, &verdict, criterion),
    })
}

/// The exit code of the session where it says more than its thresholds, else that of the soak.
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
    fn the_sessions_end_comes_first_and_then_the_soaks_verdict() {
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
