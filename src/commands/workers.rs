//! `rushhour workers`: lists the workers of a namespace, or drains one.

use clap::Args;

use crate::commands::worker::refuse_address;
use crate::error::CliError;
use crate::exit::Exit;
use crate::nats_login::nats_config;
use crate::print;
use rushhour_core::profile::WorkersSettings;
use rushhour_core::units::{ForeignText, WorkerId};
use rushhour_fleet::{PresentWorker, WorkerState, call_roll, drain_worker};

const HELP: &str = "\
Examples:
  rushhour workers nats://10.0.0.5:4222
  # Let one finish what it holds, and exit
  rushhour workers nats://10.0.0.5:4222 --drain 3f09ac12

Late ticks are those of all sessions of the worker: a caller that is served late hears and speaks \
late. The clock says how exactly a moment on that machine can be told on this one: half of the \
shortest round trip.

Exit codes:
  0    workers answered
  2    none did, or the NATS server cannot be used";

/// The namespace of workers.
#[derive(Debug, Args)]
pub(crate) struct NamespaceArgs {
    /// The namespace: sessions find workers of the same one (workers.namespace).
    #[arg(long, default_value = WorkersSettings::NAMESPACE, value_parser = parse_namespace)]
    pub(crate) namespace: String,
}

/// List the workers that wait for sessions on a NATS server.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub(crate) struct WorkersArgs {
    /// The NATS server, such as `nats://10.0.0.5:4222`.
    #[arg(value_name = "NATS")]
    nats: String,
    #[command(flatten)]
    namespace: NamespaceArgs,
    /// Let this worker take no more conversations, and exit after the last one.
    #[arg(long, value_name = "ID")]
    drain: Option<WorkerId>,
}

pub(crate) fn workers(arguments: &WorkersArgs) -> Result<Exit, CliError> {
    let WorkersArgs { nats, namespace, drain } = arguments;
    refuse_address(nats)?;
    let config = nats_config(nats, &namespace.namespace)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::from_internal)?;
    let unusable = |error: rushhour_fleet::NatsError| {
        let hint = error.hint();
        CliError::usage("cannot ask the workers").caused_by(error).with_hint(hint)
    };
    if let Some(worker) = drain {
        runtime.block_on(drain_worker(&config, *worker)).map_err(|error| {
            CliError::usage(format!("cannot drain the worker {worker}"))
                .caused_by(error)
                .with_hint("list those that are there with `rushhour workers`")
        })?;
        print::stdout(&format!("Worker {worker} takes no more conversations."));
        return Ok(Exit::Passed);
    }
    let roll = runtime.block_on(call_roll(&config)).map_err(unusable)?;
    for foreign in &roll.foreign {
        print::stderr(&format!("A worker answered that cannot be used: {foreign}."));
    }
    if roll.workers.is_empty() {
        return Err(CliError::usage(format!(
            "no worker answers on {nats} in the namespace {}",
            namespace.namespace
        ))
        .with_hint(format!("start `rushhour worker {nats}` on each machine")));
    }
    print::stdout(&table(&roll.workers));
    Ok(Exit::Passed)
}

/// The workers, one line each, in columns.
fn table(workers: &[PresentWorker]) -> String {
    let head =
        ["worker", "machine", "state", "callers", "late ticks", "clock", "round trip", "session"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(workers.iter().map(row));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..head.len()).map(|column| width(column).unwrap_or(0)).collect();
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn row(worker: &PresentWorker) -> [String; 8] {
    let report = &worker.report;
    let late = if report.ticks == 0 {
        "-".to_owned()
    } else {
        format!("{:.2} %", report.late_ticks as f64 / report.ticks as f64 * 100.0)
    };
    let state = match &report.state {
        WorkerState::Failed(why) => format!("failed: {why}"),
        state => state.name().to_owned(),
    };
    let unknown = || "-".to_owned();
    [
        report.worker.to_string(),
        report.host.to_string(),
        state,
        format!("{} of {}", report.held, report.capacity),
        late,
        worker.clock_within.map_or_else(unknown, |within| format!("within {within}")),
        worker.round_trip.map_or_else(unknown, |time| time.to_string()),
        report
            .session
            .as_ref()
            .map_or_else(unknown, |(session, _)| ForeignText::from(session.as_str()).to_string()),
    ]
}

fn parse_namespace(text: &str) -> Result<String, &'static str> {
    if WorkersSettings::is_namespace(text) {
        Ok(text.to_owned())
    } else {
        Err("use 1 to 32 letters, digits, `-` or `_`")
    }
}
