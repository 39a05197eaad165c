//! `rushhour schema`: the JSON Schemas of what is read and written.

use crate::arguments::{SchemaArguments, SchemaOf};
use crate::exit::Exit;
use crate::print;
use rushhour_core::profile::json_schema;
use rushhour_report::compare::comparison_schema;
use rushhour_report::render::{capacity_schema, soak_schema};
use rushhour_report::session::summary_schema;

pub(crate) fn schema(arguments: &SchemaArguments) -> Exit {
    let schema = match arguments.of {
        SchemaOf::Profile => json_schema(),
        SchemaOf::Summary => summary_schema(),
        SchemaOf::Comparison => comparison_schema(),
        SchemaOf::Capacity => capacity_schema(),
        SchemaOf::Soak => soak_schema(),
    };
    print::out(&format!("{schema:#}"));
    Exit::Passed
}
