//! `rushhour plan`: what a profile would do, without doing any of it.

use super::judge;
use crate::arguments::PlanArguments;
use crate::exit::{CliError, Exit};
use crate::forecast_text;
use crate::load_profile::load_profile;
use crate::print;
use rushhour_core::plan::{Forecast, Plan};

pub(crate) fn plan(arguments: &PlanArguments) -> Result<Exit, CliError> {
    let loaded = load_profile(&arguments.profile)?;
    let plan = Plan::new(loaded.profile.clone());
    if arguments.runs {
        list_runs(&plan)?;
        return Ok(Exit::Passed);
    }
    let forecast = Forecast::new(&plan);
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    print::out(forecast_text::full(&loaded, &forecast, today).trim_end());
    if let Some(words) = judge::outlook(&loaded.profile, forecast.runs) {
        print::out(&words);
    }
    Ok(Exit::Passed)
}

fn list_runs(plan: &Plan) -> Result<(), CliError> {
    let profile = plan.profile();
    let scenarios = profile.mix.scenarios();
    let mut csv = csv::Writer::from_writer(std::io::stdout().lock());
    let written = (|| {
        csv.write_record(["run", "intended_us", "stage", "scenario", "copy", "mode", "pair"])?;
        for run in plan.schedule() {
            csv.write_record([
                &run.index.to_string(),
                &run.intended.0.to_string(),
                &profile.stages[run.stage as usize].name,
                scenarios[run.scenario as usize].id.as_str(),
                &run.copy.to_string(),
                run.mode.name(),
                &run.pair.map_or(String::new(), |pair| pair.to_string()),
            ])?;
        }
        csv.flush()
    })();
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CliError::internal(error))
        }
        _ => Ok(()),
    }
}
