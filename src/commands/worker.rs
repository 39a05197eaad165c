//! `rushhour worker`: holds callers for sessions of other machines, until interrupted.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tokio::sync::mpsc::unbounded_channel;

use crate::commands::worker_measure;
use crate::commands::workers::NamespaceArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::nats_login::nats_config;
use crate::print;
use crate::session::native_callers::{caller_threads, check_file_limit};
use crate::signals::{self, SignalMessages};
use rushhour_callers::engine::EngineClock;
use rushhour_core::profile::{parse_livekit_url, parse_nats_url};
use rushhour_fleet::{
    AllowedHost, AllowedHosts, NativeFactory, StopRequest, WorkerConfig, WorkerEvent,
    WorkerLifetime, run_worker,
};

/// Callers that a core holds well within its ticks, in voice.
const CALLERS_PER_CORE: u32 = 100;
/// Joins per second that leave half of a core to those that are there: a join costs some 10 ms of one.
const JOINS_PER_CORE: u32 = 50;

const HELP: &str = "\
Examples:
  # On each machine, for a LiveKit server on another one
  rushhour worker nats://10.0.0.5:4222 --capacity 300 --allow-host livekit.example.com
  # Measure how many callers of a profile this machine holds
  rushhour worker --measure my-agent.toml
  # On the machine of the session
  rushhour run my-agent.toml --workers nats://10.0.0.5:4222

A worker waits for a session that names the same NATS server and namespace. It fetches the scripts \
and clips of the session, holds as many of its callers as it may, and waits for the next session \
afterwards. It gets a token for one room with each conversation, and no key: the session creates \
the rooms, dispatches the agents and writes the journal.

Whoever may send it commands chooses whom it calls, so it calls LiveKit servers on this machine \
only, and those that --allow-host names.

If it hears nothing of its session for the time of its lease (workers.lease), it ends its callers.

How to log in to NATS comes from the environment, as for NATS' own command line: NATS_USER and \
NATS_PASSWORD, NATS_TOKEN, NATS_NKEY (a file with a seed), NATS_CREDS (a file); for TLS NATS_CA, \
NATS_CERT and NATS_KEY (files).

Interrupt it once to take no more conversations and to exit after the last one, twice to end them \
now. `rushhour workers --drain` does the former from elsewhere.";

const SIGNALS: SignalMessages = [
    "the worker takes no more conversations, and exits after the last one; interrupt again to end them now",
    "ending the conversations",
    "already ending; it takes a few seconds",
];

/// Hold callers for sessions of other machines, over NATS.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub(crate) struct WorkerArgs {
    /// The NATS server, such as `nats://10.0.0.5:4222`, or `tls://` to insist on TLS.
    #[arg(value_name = "NATS", required_unless_present = "measure")]
    nats: Option<String>,
    /// The most callers to hold; 100 for each core if not given.
    #[arg(long, value_name = "CALLERS", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    capacity: Option<u32>,
    #[command(flatten)]
    namespace: NamespaceArgs,
    /// Call LiveKit servers on this host too, not only on this machine. May be repeated.
    #[arg(long = "allow-host", value_name = "HOST")]
    allow_hosts: Vec<AllowedHost>,
    /// Exit once a session that it held callers for is over, for jobs of Kubernetes.
    #[arg(long)]
    once: bool,
    /// Reach the LiveKit server at this address, whatever the session's; its host is allowed.
    #[arg(long, value_name = "URL")]
    livekit_url: Option<String>,
    /// Measure how many callers of this profile this machine holds, in up to two minutes, and exit.
    ///
    /// The callers are real, with their scripts and media, and talk to an agent in this process. It needs no key and no
    /// other machine, except for a service that `[speech]` of the profile names.
    #[arg(
        long,
        value_name = "PROFILE",
        conflicts_with_all = ["nats", "capacity", "allow_hosts", "once", "livekit_url"]
    )]
    measure: Option<PathBuf>,
}

pub(crate) fn worker(arguments: &WorkerArgs) -> Result<Exit, CliError> {
    let WorkerArgs { capacity, namespace, allow_hosts, once, livekit_url, .. } = arguments;
    let threads = caller_threads();
    let cores = u32::try_from(threads).unwrap_or(1);
    let joins = JOINS_PER_CORE.saturating_mul(cores);
    if let Some(profile) = &arguments.measure {
        return worker_measure::measure(profile.clone(), joins);
    }
    let nats = arguments.nats.as_deref().unwrap_or_default();
    refuse_address(nats)?;
    let mut hosts = allow_hosts.clone();
    if let Some(url) = livekit_url {
        let url = parse_livekit_url(url).map_err(|problem| {
            CliError::usage(format!("--livekit-url: {problem}")).with_hint(problem.hint.clone())
        })?;
        let parsed = url::Url::parse(&url).ok();
        let host = parsed.as_ref().and_then(url::Url::host_str);
        hosts.extend(host.and_then(|host| host.parse().ok()));
    }
    let capacity = capacity.unwrap_or(CALLERS_PER_CORE.saturating_mul(cores));
    check_file_limit(capacity).map_err(|error| {
        error.with_hint("raise the limit with `ulimit -n`, or hold fewer with --capacity")
    })?;
    let clock = EngineClock::start();
    let config = WorkerConfig {
        nats: nats_config(nats, &namespace.namespace)?,
        capacity,
        joins,
        lifetime: if *once { WorkerLifetime::OneSession } else { WorkerLifetime::UntilStopped },
        host: machine_name(),
        allowed: AllowedHosts::new(hosts),
        livekit_url: livekit_url.clone(),
        clock,
        factory: Arc::new(NativeFactory { clock, threads }),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CliError::from_internal)?;
    let result = runtime.block_on(serve(config));
    runtime.shutdown_background();
    result.map(|()| Exit::Passed)
}

async fn serve(config: WorkerConfig) -> Result<(), CliError> {
    let (capacity, url) = (config.capacity, config.nats.url.clone());
    let (stop, stops) = unbounded_channel();
    signals::forward(stop, || StopRequest::Stop, SIGNALS, || SIGNALS[2])?;
    let (events, mut told) = unbounded_channel();
    let printing = tokio::spawn(async move {
        while let Some(event) = told.recv().await {
            print::stdout(&in_words(&event, capacity, &url));
        }
    });
    let ended = run_worker(config, stops, events).await;
    // The worker has dropped its end: the last words are printed.
    let _ = printing.await;
    ended.map_err(|error| {
        let hint = error.hint();
        CliError::usage("the worker cannot work").caused_by(error).with_hint(hint)
    })
}

fn in_words(event: &WorkerEvent, capacity: u32, url: &str) -> String {
    match event {
        WorkerEvent::Waiting { worker } => {
            format!("Worker {worker} waits on {url} and holds up to {capacity} callers.")
        }
        WorkerEvent::Attached { session } => format!("Preparing the session {session}."),
        WorkerEvent::Ready => "Ready.".to_owned(),
        WorkerEvent::Failed { why } => format!("The session cannot be prepared: {why}."),
        WorkerEvent::LeaseOver { callers } => {
            format!("Nothing was heard of the session for its lease: ending {callers} callers.")
        }
        WorkerEvent::Released => "The session is over.".to_owned(),
        WorkerEvent::Draining => "Draining: takes no more conversations.".to_owned(),
    }
}

/// Makes sure that an address is one of NATS, and holds no password.
pub(crate) fn refuse_address(nats: &str) -> Result<(), CliError> {
    parse_nats_url(nats)
        .map(|_| ())
        .map_err(|problem| CliError::usage(problem.to_string()).with_hint(problem.hint.clone()))
}

/// The name of this machine, for people.
fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.chars().filter(char::is_ascii_graphic).take(64).collect()
}
