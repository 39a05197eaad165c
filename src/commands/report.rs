//! `rushhour report`: the reports of a session once more, from its journal alone.

use super::capacity;
use crate::arguments::ReportArguments;
use crate::exit::{CliError, Exit};
use crate::report_writer::{print_one, render, session_folder};
use rushhour_report::session::Criterion;

pub(crate) fn report(arguments: &ReportArguments) -> Result<Exit, CliError> {
    if let Some(folder) = capacity::search_folder(&arguments.session) {
        return capacity::report(&folder, arguments.format);
    }
    let folder = session_folder(&arguments.session)?;
    let judgement =
        if arguments.point_estimate { Criterion::PointEstimate } else { Criterion::Interval };
    match arguments.format {
        None => render(&folder, judgement),
        Some(format) => print_one(&folder, judgement, format),
    }
}
