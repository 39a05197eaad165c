//! `rushhour judge`, and `run` where the profile asks for it: runs of our own callers held again by Cekura,
//! in a session of their own within the session that is judged.

use std::path::Path;

use super::run::{CompletedSession, RunRequest, hold_in};
use crate::arguments::JudgeArguments;
use crate::exit::{CliError, Exit};
use crate::folder::{self, JOURNAL, JUDGED};
use crate::journal_reader::read_session;
use crate::print;
use crate::report_writer::{render_judging, session_folder};
use crate::services::cekura_key;
use crate::spending;
use rushhour_core::bill::BillForecast;
use rushhour_core::event::{EventKind, SessionHeader};
use rushhour_core::plan::draw_selection;
use rushhour_core::profile::{JudgingSelection, LoadedProfile, Profile};
use rushhour_report::fold::{Candidates, EndedRuns, StageNames};
use rushhour_report::report::Criterion;

pub(crate) fn judge(arguments: &JudgeArguments) -> Result<Exit, CliError> {
    let folder = session_folder(&arguments.session)?;
    let drawn = draw(&folder)?;
    let count = drawn.selection.count();
    // Files that a profile names are looked for beside it.
    let beside = arguments.files.join("profile.toml");
    agree(&drawn.opening.profile, &beside, count, arguments.yes)?;
    let judgement =
        if arguments.point_estimate { Criterion::PointEstimate } else { Criterion::Interval };
    let wanted = RunRequest {
        profile_path: &beside,
        out: &folder,
        quiet: arguments.quiet,
        judgement,
        summary: true,
    };
    hold_again(&folder, &drawn, &wanted)
}

/// Judges the runs of a session that has just been held, unless it was stopped; tells how both ended.
pub(crate) fn after(held: &CompletedSession, wanted: &RunRequest<'_>) -> Result<Exit, CliError> {
    if matches!(held.exit, Exit::Stopped | Exit::Usage | Exit::Internal) {
        print::err(&format!(
            "No run was judged, because the session was stopped: `rushhour judge {}` does it.",
            held.folder.display()
        ));
        return Ok(held.exit);
    }
    let judged = draw(&held.folder).and_then(|drawn| hold_again(&held.folder, &drawn, wanted));
    match judged {
        _ if held.exit == Exit::Passed => judged,
        // What the session itself came to is the verdict.
        Ok(_) => Ok(held.exit),
        Err(trouble) => {
            print::trouble(&trouble.message);
            Ok(held.exit)
        }
    }
}

/// Shows what judging so many runs will cost at the most, and makes sure that it is agreed to and that
/// there is a key; before anything is started.
pub(crate) fn agree(
    profile: &Profile,
    profile_path: &Path,
    runs: u64,
    yes: bool,
) -> Result<(), CliError> {
    let Some((forecast, most)) = at_the_most(profile, runs) else { return Ok(()) };
    print::err(&forecast_words(&forecast, most));
    spending::agree(&forecast, most, yes).map_err(|trouble| in_judgings_words(&trouble))?;
    cekura_key(&forecast, profile_path)?;
    Ok(())
}

/// What judging would come to where so many runs are planned, in a sentence; none where the profile asks
/// for none.
pub(crate) fn outlook(profile: &Profile, runs: u64) -> Option<String> {
    at_the_most(profile, runs).map(|(forecast, most)| forecast_words(&forecast, most))
}

/// The judging session at its largest, and how many runs it then has.
fn at_the_most(profile: &Profile, runs: u64) -> Option<(Profile, u64)> {
    let most = runs.min(u64::from(profile.judging.as_ref()?.most));
    Some((profile.judging_forecast(u32::try_from(most).unwrap_or(u32::MAX))?, most))
}

fn forecast_words(forecast: &Profile, most: u64) -> String {
    let bill = BillForecast::new(forecast, most);
    let words = bill
        .map_or("nothing is charged for it".to_owned(), |bill| spending::brief(forecast, &bill));
    format!("Judging of {most} runs at the most afterwards: {words}.")
}

/// The limits of the judging session stand in `[judging]`.
fn in_judgings_words(trouble: &CliError) -> CliError {
    let words = trouble.message.replace("limits.", "judging.");
    CliError { message: format!("judging: {words}"), exit: trouble.exit }
}

/// Writes the reports of the session again whose judging, in `folder`, was taken up.
pub(crate) fn render_judged(
    folder: &Path,
    is_judging: bool,
    judgement: Criterion,
) -> Result<(), CliError> {
    let parent = folder.canonicalize().ok().and_then(|path| Some(path.parent()?.to_owned()));
    match parent.filter(|parent| is_judging && parent.join(JOURNAL).is_file()) {
        Some(parent) => render_judging(&parent, judgement),
        None => Ok(()),
    }
}

/// A session, and which of its runs are judged.
struct JudgingPlan {
    opening: SessionHeader,
    selection: JudgingSelection,
}

/// Draws the runs of a session that came to its end and was not judged yet.
fn draw(folder: &Path) -> Result<JudgingPlan, CliError> {
    let judging = folder.join(JUDGED);
    if judging.join(JOURNAL).is_file() {
        return Err(CliError::usage(format!(
            "{} was judged before, or begun to be: nothing is judged twice; `rushhour resume {}` brings what was begun to its end",
            folder.display(),
            judging.display()
        )));
    }
    let mut candidates = Candidates::default();
    let mut names = None;
    let folded = read_session(&folder.join(JOURNAL), |event, told| {
        if let EventKind::Opened(opening) = &event.kind {
            names = Some(StageNames::of(opening));
        }
        if let (EndedRuns::Run(record), Some(names)) = (told, &names) {
            candidates.add(record, names);
        }
        Ok(())
    })?;
    let profile = &folded.opening.profile;
    let Some(settings) = &profile.judging else {
        return Err(CliError::usage(format!(
            "the profile of {} has no [judging]: add it, and run the profile again",
            folder.display()
        )));
    };
    if !folded.closed {
        return Err(CliError::usage(format!(
            "{} did not come to its end; `rushhour resume` first",
            folder.display()
        )));
    }
    let of = (candidates.runs.as_slice(), candidates.not_judgeable);
    let session = folded.opening.session.clone();
    let selection = draw_selection(session, profile.seed, settings, of);
    Ok(JudgingPlan { opening: folded.opening, selection })
}

/// Holds the drawn runs again, and writes the reports of the session that they are of once more.
fn hold_again(
    folder: &Path,
    drawn: &JudgingPlan,
    wanted: &RunRequest<'_>,
) -> Result<Exit, CliError> {
    let selection = &drawn.selection;
    let Some(profile) = drawn.opening.profile.judging_session(selection) else {
        print::err(
            "No run was judged: none of them passed, and none failed that can be run again.",
        );
        return Ok(Exit::Passed);
    };
    print::err(&format!(
        "\nJudging {} of {} runs: they are held again, at most {} at once.",
        selection.count(),
        selection.passed + selection.failed,
        profile.limits.in_flight
    ));
    // Its journal holds the choice before anything is sent, so that no run is ever judged twice.
    let loaded = LoadedProfile { profile, settings: drawn.opening.settings.clone() };
    let make = |_| folder::make_judging(folder, &drawn.opening.session);
    let held = hold_in(&loaded, wanted, make)?;
    render_judging(folder, wanted.judgement)?;
    Ok(match held.exit {
        exit @ (Exit::Stopped | Exit::Usage | Exit::Internal | Exit::Budget) => exit,
        _ => Exit::Passed,
    })
}
