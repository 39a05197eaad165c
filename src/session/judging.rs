//! Has runs of a session judged by Cekura, in a session of its own inside the judged session's folder.

use std::path::{Path, PathBuf};

use tracing::info;

use super::clients::cekura_key;
use super::cost::{self, CostCheck};
use super::folder::{self, JOURNAL, JUDGED};
use super::new_session::{CompletedSession, SessionOptions, run_session_in};
use crate::error::CliError;
use crate::exit::Exit;
use crate::print;
use crate::profile_files::ProfileFiles;
use crate::reports::journal::{self, read_session};
use crate::reports::session_reports::rewrite_after_judging;
use rushhour_core::bill::BillForecast;
use rushhour_core::event::{EventKind, SessionHeader};
use rushhour_core::plan::draw_selection;
use rushhour_core::profile::{JudgingSelection, LoadedProfile, NotifySettings, Profile};
use rushhour_report::fold::{Candidates, EndedRuns, StageNames};
use rushhour_report::render::counted;
use rushhour_report::session::Criterion;

/// A session, and which of its runs are to be judged.
pub(crate) struct JudgingPlan {
    header: SessionHeader,
    selection: JudgingSelection,
}

impl JudgingPlan {
    /// The profile of the session to be judged.
    pub(crate) const fn profile(&self) -> &Profile {
        &self.header.profile
    }

    /// How many runs are to be judged.
    pub(crate) fn runs(&self) -> u64 {
        self.selection.count()
    }
}

/// Shows what judging at most `runs` runs will cost, and makes sure that the user agrees and that there is a key,
/// before anything is started.
pub(crate) fn confirm_judging(
    profile: &Profile,
    files: &ProfileFiles,
    runs: u64,
    agreed: bool,
) -> Result<(), CliError> {
    let Some((forecast, most)) = largest_judging(profile, runs) else { return Ok(()) };
    print::stderr(&judging_cost(&forecast, most));
    CostCheck { section: "judging", ..CostCheck::new(&forecast, most, agreed) }
        .confirm()
        .map_err(|error| error.context("judging"))?;
    cekura_key(&forecast, files)?;
    Ok(())
}

/// What judging would cost where `runs` are planned, as a sentence; none where the profile asks for no judging.
pub(crate) fn forecast_judging(profile: &Profile, runs: u64) -> Option<String> {
    largest_judging(profile, runs).map(|(forecast, most)| judging_cost(&forecast, most))
}

/// The judging session at its largest, and how many runs it then has.
fn largest_judging(profile: &Profile, runs: u64) -> Option<(Profile, u64)> {
    let most = runs.min(u64::from(profile.judging.as_ref()?.most));
    Some((profile.judging_forecast(u32::try_from(most).unwrap_or(u32::MAX))?, most))
}

fn judging_cost(forecast: &Profile, most: u64) -> String {
    let cost = BillForecast::new(forecast, most)
        .map_or("nothing is charged for it".to_owned(), |bill| cost::summary(forecast, &bill));
    format!("Judging at most {} afterwards: {cost}.", counted(most, "run"))
}

/// Judges the runs of a session that has just ended, unless it was stopped. Returns the exit code of both.
pub(crate) fn judge_completed(
    completed: &CompletedSession,
    options: &SessionOptions<'_>,
) -> Result<Exit, CliError> {
    let forgone = || {
        print::stderr(&format!(
            "No run was judged, because the session was stopped. `rushhour judge {}` judges them.",
            completed.folder.display()
        ));
        Ok(completed.exit)
    };
    if matches!(completed.exit, Exit::Stopped | Exit::Usage | Exit::Internal) {
        return forgone();
    }
    let plan = plan_judging(&completed.folder);
    // Before anything is created: what was begun cannot be judged a second time. A stop from here on ends the judging.
    if completed.listener.is_stop_requested() {
        return forgone();
    }
    let options = &SessionOptions { stopped_by: Some(&completed.listener), ..*options };
    let judged = plan.and_then(|plan| judge_session(&completed.folder, &plan, options));
    match judged {
        _ if completed.exit == Exit::Passed => judged,
        // The session's own verdict comes first.
        Ok(_) => Ok(completed.exit),
        Err(error) => {
            print::error(&error);
            Ok(completed.exit)
        }
    }
}

/// Selects the runs to judge of a session that has ended and was not judged before.
pub(crate) fn plan_judging(folder: &Path) -> Result<JudgingPlan, CliError> {
    let (shown, judging) = (folder.display(), folder.join(JUDGED));
    if judging.join(JOURNAL).is_file() {
        return Err(CliError::usage(format!(
            "{shown} was judged before, or its judging has begun; nothing is judged twice"
        ))
        .with_hint(format!(
            "finish a judging that was interrupted with `rushhour resume {}`",
            judging.display()
        )));
    }
    let mut candidates = Candidates::default();
    let mut names = None;
    let folded = read_session(&folder.join(JOURNAL), |event, ended| {
        if let EventKind::Opened(header) = &event.kind {
            names = Some(StageNames::of(header));
        }
        if let (EndedRuns::Run(record), Some(names)) = (ended, &names) {
            candidates.add(record, names);
        }
        Ok(())
    })?;
    let profile = &folded.opening.profile;
    let Some(settings) = &profile.judging else {
        return Err(CliError::usage(format!("the profile of {shown} has no [judging]"))
            .with_hint("add it to the profile, and run the profile again"));
    };
    if !folded.closed {
        return Err(CliError::usage(format!("the session in {shown} has not ended"))
            .with_hint(format!("finish it with `rushhour resume {shown}` first")));
    }
    let session = folded.opening.session.clone();
    let selection =
        draw_selection(session, profile.seed, settings, &candidates.runs, candidates.not_judgeable);
    Ok(JudgingPlan { header: folded.opening, selection })
}

/// Runs the selected conversations again with Cekura, and rewrites the reports of the session that they are of.
pub(crate) fn judge_session(
    folder: &Path,
    plan: &JudgingPlan,
    options: &SessionOptions<'_>,
) -> Result<Exit, CliError> {
    let selection = &plan.selection;
    let Some(profile) = plan.header.profile.judging_profile(selection) else {
        print::stderr(
            "No run was judged: none passed, and none failed in a way that can be run again.",
        );
        return Ok(Exit::Passed);
    };
    info!(folder = %folder.display(), runs = selection.count(), "judging");
    let beginning = format!(
        "Judging {} of {} runs: Cekura runs them again, at most {} at once.",
        selection.count(),
        selection.passed + selection.failed,
        profile.limits.in_flight
    );
    print::stderr(&format!("\n{beginning}"));
    if let Some(live) = options.live {
        live.judging(format!("{beginning} What it finds is shown when it has ended."));
    }
    // The journal holds the selection before anything is submitted, so that no run is ever judged twice.
    let loaded = LoadedProfile { profile, settings: plan.header.settings.clone() };
    let create = |_| folder::create_judging(folder, &plan.header.session);
    // Who follows the session that is judged goes on to see that one.
    let options = &SessionOptions { live: None, ..*options };
    let completed = run_session_in(&loaded, options, create)?;
    rewrite_after_judging(folder, options.criterion)?;
    Ok(match completed.exit {
        exit @ (Exit::Stopped | Exit::Usage | Exit::Internal | Exit::Budget) => exit,
        _ => Exit::Passed,
    })
}

/// Rewrites the reports of the session whose judging session, in `folder`, was resumed. Returns the folder of that
/// session, if there is one.
pub(crate) fn rewrite_judged_session(
    folder: &Path,
    is_judging: bool,
    criterion: Criterion,
) -> Result<Option<PathBuf>, CliError> {
    // A folder of another name is not where a judging session was made.
    let path = folder.canonicalize().ok().filter(|path| path.ends_with(JUDGED));
    let parent = path.and_then(|path| Some(path.parent()?.to_owned()));
    let judged = parent.filter(|parent| is_judging && parent.join(JOURNAL).is_file());
    if let Some(judged) = &judged {
        rewrite_after_judging(judged, criterion)?;
    }
    Ok(judged)
}

/// Who is told of the end of the session in a folder, as its journal says.
pub(crate) fn notify_settings(folder: &Path) -> Option<NotifySettings> {
    let first = journal::open(&folder.join(JOURNAL)).ok()?.next_event().ok()??;
    match first.kind {
        EventKind::Opened(header) => header.profile.notify,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_core::event::EventSink;
    use rushhour_core::profile::NoticeFormat;
    use rushhour_core::profile::testing::{opened_with, profile_of};
    use rushhour_report::journal::Journal;

    #[test]
    fn the_journal_of_a_session_says_who_is_told_of_its_end() {
        let text = "mode = \"chat\"\n[livekit]\nurl = \"sandbox\"\nagent = \"front-desk\"\n[[scenario]]\nid = 30\ncopies = 1\n[[stage]]\nrate = \"10/s\"\n[notify]\nformat = \"slack\"\n";
        let opened = opened_with(profile_of(text));
        let session = tempfile::tempdir().unwrap();
        assert_eq!(notify_settings(session.path()), None, "there is no journal");
        let journal = Journal::create(&session.path().join(JOURNAL)).unwrap();
        journal.record(opened);
        drop(journal);
        let found = notify_settings(session.path());
        assert_eq!(found, Some(NotifySettings { url: None, format: NoticeFormat::Slack }));
    }
}
