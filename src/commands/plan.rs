//! `rushhour plan`: shows what a profile would do, without doing any of it.

use std::io;

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::arguments::ProfileArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::load_profile::load_profile;
use crate::print;
use crate::session::forecast_text;
use crate::session::judging::forecast_judging;
use rushhour_core::plan::{Forecast, Plan};

const HELP: &str = "\
Examples:
  rushhour plan my-agent.toml
  rushhour plan my-agent.toml --set stage.steady.rate=2/s
  rushhour plan my-agent.toml --runs > runs.csv

It shows the runs of each stage, how many are in flight, the rates of requests, the cost, and \
where each setting came from. The same profile and seed give the same plan.";

/// Show what a profile would do and cost, without doing any of it.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    profile: ProfileArgs,
    /// List every run with its intended start, as CSV.
    #[arg(long)]
    runs: bool,
}

pub(crate) fn plan(arguments: &PlanArgs) -> Result<Exit, CliError> {
    let loaded = load_profile(&arguments.profile)?;
    let plan = Plan::new(loaded.profile.clone());
    if arguments.runs {
        list_runs(&plan)?;
        return Ok(Exit::Passed);
    }
    let forecast = Forecast::new(&plan);
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    print::stdout(forecast_text::plan(&loaded, &forecast, today).trim_end());
    if let Some(judging) = forecast_judging(&loaded.profile, forecast.most_calls) {
        print::stdout(&judging);
    }
    Ok(Exit::Passed)
}

fn list_runs(plan: &Plan) -> Result<(), CliError> {
    match write_runs(plan, io::stdout().lock()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::internal("cannot write to standard output").caused_by(error))
        }
        _ => Ok(()),
    }
}

fn write_runs(plan: &Plan, to: impl io::Write) -> io::Result<()> {
    let profile = plan.profile();
    let scenarios = profile.mix.scenarios();
    let mut csv = csv::Writer::from_writer(to);
    csv.write_record([
        "run",
        "intended_us",
        "stage",
        "scenario",
        "copy",
        "mode",
        "pair",
        "network",
    ])?;
    for run in plan.schedule() {
        csv.write_record([
            &run.index.to_string(),
            &run.intended.0.to_string(),
            &profile.stages[run.stage as usize].name,
            scenarios[run.scenario as usize].id.as_str(),
            &run.copy.to_string(),
            run.mode.name(),
            &run.pair.map_or(String::new(), |pair| pair.to_string()),
            &run.network.map_or_else(String::new, |at| profile.networks[at as usize].name.clone()),
        ])?;
    }
    csv.flush()
}
