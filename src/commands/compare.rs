//! `rushhour compare`: compares two sessions, or two parts of one, from their journals alone.

use std::path::{Path, PathBuf};
use std::thread;

use clap::{Args, ValueHint};

use crate::arguments::parse_unit;
use crate::error::CliError;
use crate::exit::Exit;
use crate::print;
use crate::reports::journal::read_session;
use crate::reports::locate::session_folder;
use crate::reports::session_reports::{rendered, to_text};
use crate::session::folder::JOURNAL;
use rushhour_core::event::EventKind;
use rushhour_core::units::{Metric, Percent, Percentile};
use rushhour_report::compare::{
    Arm, ArmBuilder, ComparisonCriteria, Conclusion, SessionComparison, Split,
};
use rushhour_report::render::{comparison_csv, comparison_markdown, comparison_text};

const HELP: &str = "\
Examples:
  rushhour compare reports/20261122T213015Z-desk reports/20261123T213011Z-desk
  # Allow 10 %, and summarise for a pull request
  rushhour compare main/ branch/ --tolerance 10% --format markdown
  # Judge one figure, and fail unless it is decided
  rushhour compare A B --metric agent_join --percentile p95 --require-decision
  # Compare two parts of one session
  rushhour compare A --arms scenario=booking,refund
  # What a deployment changed that was marked while the session ran
  rushhour compare A --arms mark=before,after

Exit codes:
  0    no regression was shown
  2    a journal cannot be read, or the sessions cannot be compared
  99   something is worse beyond --tolerance or --failure-tolerance
  111  nothing could be judged; or a figure is open, with --require-decision
  112  invalid: a load generator did not deliver its load";

/// Compare two sessions: what got slower, and what fails more often.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub(crate) struct CompareArgs {
    /// The baseline: a session's folder, or its journal.
    #[arg(value_name = "A", value_hint = ValueHint::AnyPath)]
    baseline: PathBuf,
    /// The session to compare with the baseline.
    #[arg(value_name = "B", value_hint = ValueHint::AnyPath, required_unless_present = "arms")]
    candidate: Option<PathBuf>,
    /// Compare two parts of A, the baseline first: `scenario=X,Y`, `stage=X,Y`, `mode=chat,voice`, `network=none,X`
    /// or `mark=before,after`; with several marks, `mark TEXT=before,after`.
    #[arg(long, value_name = "KIND=X,Y", conflicts_with = "candidate")]
    arms: Option<Split>,
    /// How much longer a latency may be before it counts as a regression.
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = parse_unit::<Percent>)]
    tolerance: Percent,
    /// By how many percentage points more runs may fail, or more words be misheard, before it counts as a regression.
    #[arg(long, value_name = "POINTS", default_value = "0%", value_parser = parse_unit::<Percent>)]
    failure_tolerance: Percent,
    /// Judge only this latency; may be repeated.
    #[arg(long = "metric", value_name = "NAME")]
    metrics: Vec<Metric>,
    /// Judge only this percentile; may be repeated.
    #[arg(long = "percentile", value_name = "P")]
    percentiles: Vec<Percentile>,
    /// Exit with 111 unless every judged figure shows that there is no regression.
    #[arg(long)]
    require_decision: bool,
    /// Compare a voice session with a chat session, in what both measure.
    #[arg(long)]
    across_modes: bool,
    /// The seed of the bootstrap resampling.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The output format.
    #[arg(long, value_enum, default_value_t = ComparisonFormat::Text)]
    format: ComparisonFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ComparisonFormat {
    /// Tables for a terminal.
    Text,
    /// One JSON object; see `rushhour schema comparison`.
    Json,
    /// A summary for a pull request.
    Markdown,
    /// One row per figure.
    Csv,
}

pub(crate) fn compare(arguments: &CompareArgs) -> Result<Exit, CliError> {
    let (baseline, candidate) = match &arguments.arms {
        Some(split) => read_arm(&arguments.baseline)?.split(split).map_err(CliError::from_usage)?,
        None => read_both(&arguments.baseline, arguments.candidate.as_deref())?,
    };
    let comparison = SessionComparison::of(&baseline, &candidate, &criteria(arguments))
        .map_err(CliError::from_usage)?;
    print(&comparison, arguments.format)?;
    Ok(exit_of(comparison.conclusion, arguments.require_decision))
}

fn read_both(baseline: &Path, candidate: Option<&Path>) -> Result<(Arm, Arm), CliError> {
    let candidate = candidate.ok_or_else(|| {
        CliError::usage("there is nothing to compare with")
            .with_hint("name a second session, or two parts of the first with --arms")
    })?;
    thread::scope(|scope| {
        let baseline = scope.spawn(|| read_arm(baseline));
        let candidate = read_arm(candidate);
        let baseline = baseline
            .join()
            .unwrap_or_else(|_| Err(CliError::internal("the thread that read A panicked")));
        Ok((baseline?, candidate?))
    })
}

fn read_arm(path: &Path) -> Result<Arm, CliError> {
    let folder = session_folder(path)?;
    let mut builder = ArmBuilder::default();
    let folded = read_session(&folder.join(JOURNAL), |event, ended| {
        if let EventKind::Opened(header) = &event.kind {
            builder.begin(header);
        }
        builder.add(ended);
        Ok(())
    })?;
    Ok(builder.finish(folded))
}

fn criteria(arguments: &CompareArgs) -> ComparisonCriteria {
    let default = ComparisonCriteria::default();
    ComparisonCriteria {
        seed: arguments.seed,
        resamples: default.resamples,
        tolerance: arguments.tolerance,
        failure_tolerance: arguments.failure_tolerance,
        metrics: given_or(&arguments.metrics, default.metrics),
        percentiles: given_or(&arguments.percentiles, default.percentiles),
        across_modes: arguments.across_modes,
    }
}

fn given_or<T: Copy>(given: &[T], default: Vec<T>) -> Vec<T> {
    if given.is_empty() { default } else { given.to_vec() }
}

fn print(comparison: &SessionComparison, format: ComparisonFormat) -> Result<(), CliError> {
    let text = match format {
        ComparisonFormat::Text => comparison_text(comparison, print::stdout_style()),
        ComparisonFormat::Markdown => comparison_markdown(comparison),
        ComparisonFormat::Json => {
            serde_json::to_string_pretty(comparison).map_err(CliError::from_internal)?
        }
        ComparisonFormat::Csv => {
            to_text(rendered(|to| comparison_csv(comparison, to))?.trim_ascii_end())
        }
    };
    print::stdout(&text);
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
