//! `rushhour compare`: two sessions, or two parts of one, held against each other, from journals alone.

use std::path::Path;
use std::thread;

use crate::arguments::{CompareArguments, ComparisonFormat};
use crate::exit::{CliError, Exit};
use crate::folder::JOURNAL;
use crate::journal_reader::read_session;
use crate::print;
use crate::report_writer::session_folder;
use rushhour_core::event::EventKind;
use rushhour_report::compare::{
    Arm, ArmBuilder, ComparisonCriteria, Conclusion, SessionComparison,
};
use rushhour_report::render::{comparison_csv, comparison_markdown, comparison_text};

pub(crate) fn compare(arguments: &CompareArguments) -> Result<Exit, CliError> {
    let (baseline, candidate) = match &arguments.arms {
        Some(split) => arm(&arguments.baseline)?.split(split).map_err(CliError::usage)?,
        None => two_sessions(&arguments.baseline, arguments.candidate.as_deref())?,
    };
    let question = question(arguments);
    let comparison =
        SessionComparison::of(&baseline, &candidate, &question).map_err(CliError::usage)?;
    print(&comparison, arguments.format)?;
    Ok(exit_of(comparison.conclusion, arguments.require_decision))
}

fn two_sessions(baseline: &Path, candidate: Option<&Path>) -> Result<(Arm, Arm), CliError> {
    let candidate = candidate.ok_or_else(|| CliError::usage("name a second session, or --arms"))?;
    thread::scope(|scope| {
        let baseline = scope.spawn(|| arm(baseline));
        let candidate = arm(candidate);
        let baseline =
            baseline.join().unwrap_or_else(|_| Err(CliError::internal("a thread panicked")));
        Ok((baseline?, candidate?))
    })
}

fn arm(path: &Path) -> Result<Arm, CliError> {
    let folder = session_folder(path)?;
    let mut builder = ArmBuilder::default();
    let folded = read_session(&folder.join(JOURNAL), |event, told| {
        if let EventKind::Opened(opening) = &event.kind {
            builder.begin(opening);
        }
        builder.add(told);
        Ok(())
    })?;
    Ok(builder.finish(folded))
}

fn question(arguments: &CompareArguments) -> ComparisonCriteria {
    let usual = ComparisonCriteria::default();
    ComparisonCriteria {
        seed: arguments.seed,
        resamples: usual.resamples,
        tolerance: arguments.tolerance,
        failure_tolerance: arguments.failure_tolerance,
        metrics: asked(&arguments.metrics, usual.metrics),
        percentiles: asked(&arguments.percentiles, usual.percentiles),
        across_modes: arguments.across_modes,
    }
}

fn asked<T: Copy>(list: &[T], usual: Vec<T>) -> Vec<T> {
    if list.is_empty() { usual } else { list.to_vec() }
}

fn print(comparison: &SessionComparison, format: ComparisonFormat) -> Result<(), CliError> {
    let text = match format {
        ComparisonFormat::Text => comparison_text(comparison, print::out_style()),
        ComparisonFormat::Markdown => comparison_markdown(comparison),
        ComparisonFormat::Json => {
            serde_json::to_string_pretty(comparison).map_err(CliError::internal)?
        }
        ComparisonFormat::Csv => {
            let mut bytes = Vec::new();
            comparison_csv(comparison, &mut bytes).map_err(CliError::internal)?;
            String::from_utf8_lossy(bytes.trim_ascii_end()).into_owned()
        }
    };
    print::out(&text);
    Ok(())
}

const fn exit_of(conclusion: Conclusion, require_decision: bool) -> Exit {
    match conclusion {
        Conclusion::Invalid => Exit::Invalid,
        Conclusion::Regression => Exit::ThresholdFailed,
        Conclusion::NotEnoughData => Exit::Undecided,
        Conclusion::NoRegressionShown if require_decision => Exit::Undecided,
        Conclusion::NoRegressionShown | Conclusion::NoRegression => Exit::Passed,
    }
}
