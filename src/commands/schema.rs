//! `rushhour schema`: prints the JSON Schema of a file that Rushhour reads or writes.

use clap::Args;

use crate::exit::Exit;
use crate::print;
use crate::profile_reference::profile_reference;
use rushhour_core::profile::json_schema;
use rushhour_report::compare::comparison_schema;
use rushhour_report::render::{capacity_schema, soak_schema};
use rushhour_report::session::summary_schema;

const HELP: &str = "\
Examples:
  rushhour schema > profile.schema.json
  rushhour schema summary
  rushhour schema reference > profile.md";

/// Print the JSON Schema of a profile, or of a report.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub(crate) struct SchemaArgs {
    /// What the schema describes.
    #[arg(value_enum, default_value_t = SchemaOf::Profile)]
    of: SchemaOf,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum SchemaOf {
    /// A profile.
    Profile,
    /// A session's summary.json.
    Summary,
    /// The output of `compare --format json`.
    Comparison,
    /// A capacity search's capacity.json.
    Capacity,
    /// A session's soak.json.
    Soak,
    /// Every key of a profile with its type, default and meaning, as Markdown instead of a schema.
    Reference,
}

pub(crate) fn schema(arguments: &SchemaArgs) -> Exit {
    let schema = match arguments.of {
        SchemaOf::Profile => json_schema(),
        SchemaOf::Summary => summary_schema(),
        SchemaOf::Comparison => comparison_schema(),
        SchemaOf::Capacity => capacity_schema(),
        SchemaOf::Soak => soak_schema(),
        SchemaOf::Reference => {
            print::stdout(profile_reference().trim_end());
            return Exit::Passed;
        }
    };
    print::stdout(&format!("{schema:#}"));
    Exit::Passed
}
