//! `rushhour schema`: the JSON Schemas of what is read and written.

use super::arguments::{SchemaArguments, SchemaOf};
use super::exit::Exit;
use super::print;
use crate::capacity::capacity_schema;
use crate::profile::json_schema;
use crate::report::{comparison_schema, soak_schema, summary_schema};

pub(super) fn schema(arguments: &SchemaArguments) -> Exit {
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
