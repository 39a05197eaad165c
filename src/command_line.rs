//! The command line as a whole: the commands, and the flags that all of them take.

use clap::{Parser, Subcommand};

#[cfg(feature = "native")]
use crate::commands::agent::AgentArgs;
use crate::commands::capacity::CapacityArgs;
use crate::commands::compare::CompareArgs;
use crate::commands::completions::CompletionsArgs;
use crate::commands::doctor::DoctorArgs;
use crate::commands::history::HistoryArgs;
use crate::commands::import::ImportArgs;
use crate::commands::init::InitArgs;
use crate::commands::judge::JudgeArgs;
use crate::commands::man::ManArgs;
use crate::commands::mark::MarkArgs;
use crate::commands::merge::MergeArgs;
use crate::commands::plan::PlanArgs;
use crate::commands::report::ReportArgs;
use crate::commands::resume::ResumeArgs;
use crate::commands::run::RunArgs;
use crate::commands::sandbox::SandboxArgs;
use crate::commands::schema::SchemaArgs;
use crate::commands::soak::SoakArgs;
use crate::commands::stop::StopArgs;
use crate::commands::sweep::SweepArgs;
use crate::commands::validate::ValidateArgs;
#[cfg(feature = "fleet")]
use crate::commands::worker::WorkerArgs;
#[cfg(feature = "fleet")]
use crate::commands::workers::WorkersArgs;
use crate::logging::LogArgs;

/// The widest that help is shown, in columns.
const WIDEST: usize = 100;

// A paragraph is one line, continued with backslashes: clap wraps it at the terminal's width.
const HELP: &str = "\
Examples:
  # Run a first session against the embedded sandbox
  rushhour run profiles/quickstart.toml
  # Write a commented profile, and show what it would do and cost
  rushhour init my-agent.toml
  rushhour plan my-agent.toml
  # Run it with another limit
  rushhour run my-agent.toml --set limits.in_flight=50
  # Find how many conversations the agent handles at once
  rushhour capacity my-agent.toml
  # Regenerate the reports of a session
  rushhour report reports/20261122T213015Z-my-agent

Environment:
  LIVEKIT_API_KEY, LIVEKIT_API_SECRET  credentials of the LiveKit server
  CEKURA_API_KEY                       key of Cekura
  SPEECH_API_KEY                       key of the service that [speech] names, if it needs one
  LIVEKIT_URL, CEKURA_API_URL          addresses that take precedence over the profile's
  NATS_USER, NATS_PASSWORD, ...        how to log in to NATS: see `rushhour worker --help`
  RUSHHOUR_LIVE_TOKEN                  token of the page that --live serves
  RUSHHOUR_NOTIFY_URL                  webhook that takes precedence over the profile's [notify]
  RUSHHOUR_NOTIFY_AUTHORIZATION        what to send it in the header Authorization
  RUSHHOUR_PROMETHEUS_AUTHORIZATION    the same for the server of [agent_health.prometheus]
  OTEL_EXPORTER_OTLP_ENDPOINT, ...     collector that metrics are pushed to: see docs/live.md
  RUSHHOUR_CACHE                       folder for speech that [speech] made
  RUSHHOUR_LOG                         what to log, such as `debug`
A profile can also name files that hold the credentials.

Exit codes:
  0    passed
  1    internal error
  2    a wrong argument, missing credentials, an unreadable file
  99   a threshold failed
  104  the profile is not valid
  105  stopped by a signal
  111  too few samples to decide
  112  invalid: the load generator did not deliver the load
  113  the budget was reached";

/// Load-test AI agents that run on LiveKit.
#[derive(Debug, Parser)]
#[command(name = "rushhour", version, after_long_help = HELP, max_term_width = WIDEST)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

/// The commands, in the order of their listing. Each is documented next to its arguments.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(RunArgs),
    Capacity(CapacityArgs),
    Soak(SoakArgs),
    Plan(PlanArgs),
    Validate(ValidateArgs),
    Doctor(DoctorArgs),
    Mark(MarkArgs),
    Stop(StopArgs),
    Report(ReportArgs),
    Compare(CompareArgs),
    History(HistoryArgs),
    Resume(ResumeArgs),
    Judge(JudgeArgs),
    Merge(MergeArgs),
    Sweep(SweepArgs),
    Sandbox(SandboxArgs),
    #[cfg(feature = "native")]
    Agent(Box<AgentArgs>),
    #[cfg(feature = "fleet")]
    Worker(WorkerArgs),
    #[cfg(feature = "fleet")]
    Workers(WorkersArgs),
    Init(InitArgs),
    Import(ImportArgs),
    Schema(SchemaArgs),
    Completions(CompletionsArgs),
    #[command(hide = true)]
    Man(ManArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn each(command: &clap::Command, check: &mut impl FnMut(&clap::Command)) {
        check(command);
        command.get_subcommands().for_each(|one| each(one, check));
    }

    #[test]
    fn every_command_has_a_one_line_summary() {
        CommandLine::command().debug_assert();
        each(&CommandLine::command(), &mut |command| {
            let name = command.get_name();
            let about = command.get_about().expect(name).to_string();
            assert!(!about.contains('\n') && about.len() <= 75, "{name}: {about}");
        });
    }

    #[test]
    fn the_help_is_wrapped_once_and_by_clap_alone() {
        each(&CommandLine::command(), &mut |command| {
            let name = command.get_name();
            let Some(help) = command.get_after_long_help() else { return };
            let help = help.to_string();
            let lines: Vec<&str> = help.lines().collect();
            let is_prose = |line: &str| !line.is_empty() && !line.starts_with(' ');
            for pair in lines.windows(2) {
                let is_broken = is_prose(pair[0]) && is_prose(pair[1]);
                assert!(!is_broken, "{name}: a paragraph is broken by hand: {pair:?}");
            }
            let narrow = command.clone().term_width(50).render_long_help().to_string();
            // clap wraps neither the usage nor single words.
            let wraps = |line: &&str| !line.starts_with("Usage:") && line.trim().contains(' ');
            for line in narrow.lines().filter(wraps) {
                assert!(line.chars().count() <= 50, "{name}: {line}");
            }
            // A list that wraps loses its columns.
            for line in lines.iter().filter(|line| line.starts_with(' ')) {
                assert!(line.chars().count() <= WIDEST, "{name}: {line}");
            }
        });
    }
}
