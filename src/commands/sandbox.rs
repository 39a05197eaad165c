//! `rushhour sandbox`: serves the stand-ins for LiveKit and Cekura to other clients, until interrupted.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::arguments::{help_with_list, parse_share, parse_unit};
use crate::credentials::from_environment;
use crate::error::CliError;
use crate::exit::Exit;
use crate::print;
use crate::signals::interrupted;
use rushhour_core::units::{Percent, PositiveDuration};
use rushhour_report::render::counted;
use rushhour_sandbox::{DelayDistribution, Fault, RoomOwnership, Sandbox, SandboxConfig, TruthLog};

const HELP: &str = "\
Examples:
  rushhour sandbox --fault submit_429_seconds=2% --fault dispatch_lost=1%

It prints the addresses and the keys to use, and serves until you press Ctrl-C.

Faults:";

/// Serve stand-ins for LiveKit's control plane and Cekura: the sandbox.
#[derive(Debug, Args)]
#[command(after_long_help = help())]
pub(crate) struct SandboxArgs {
    /// The port on 127.0.0.1; 0 for any free one.
    #[arg(long, default_value_t = 7881)]
    port: u16,
    /// The seed of everything random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Inject a fault at this rate, such as `submit_500_after=2%`; may be repeated.
    #[arg(long = "fault", value_name = "NAME=SHARE", value_parser = parse_share::<Fault>)]
    faults: Vec<(Fault, Percent)>,
    /// How long each conversation lasts, such as `20s`; random if not given.
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = parse_unit::<PositiveDuration>
    )]
    conversation: Option<PositiveDuration>,
    /// The most conversations at once; more are queued.
    #[arg(long, value_name = "RUNS", default_value_t = 2_000)]
    concurrency: u32,
    /// Log what truly happens to FILE, one JSON object per line.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    truth: Option<PathBuf>,
    /// Stand in for Cekura only, with rooms on a real LiveKit server.
    ///
    /// Rooms are assumed to exist, and tokens are checked with LIVEKIT_API_KEY and LIVEKIT_API_SECRET.
    #[arg(long)]
    rooms_elsewhere: bool,
}

fn help() -> String {
    help_with_list(HELP, Fault::ALL.iter().map(|fault| (fault.name(), fault.about())))
}

pub(crate) fn sandbox(arguments: &SandboxArgs) -> Result<Exit, CliError> {
    let sandbox =
        Sandbox::start(config(arguments)?, arguments.port).map_err(CliError::from_usage)?;
    let cekura =
        format!("CEKURA_API_URL={}\nCEKURA_API_KEY={}", sandbox.url(), SandboxConfig::CEKURA_KEY);
    print::stdout_with_secrets(&if arguments.rooms_elsewhere {
        format!("Serving a stand-in for Cekura on this machine, until Ctrl-C.\n\n{cekura}")
    } else {
        format!(
            "Serving stand-ins for LiveKit's control plane and Cekura on this machine, until Ctrl-C.\n\n\
             LIVEKIT_URL={}\nLIVEKIT_API_KEY={}\nLIVEKIT_API_SECRET={}\n{cekura}",
            sandbox.livekit_url(),
            SandboxConfig::API_KEY,
            SandboxConfig::API_SECRET,
        )
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::from_internal)?;
    runtime.block_on(interrupted()).map_err(CliError::from_internal)?;
    let truth = sandbox.stop();
    print::stderr(&format!(
        "Submissions served: {}, with {} in all. Rooms still open: {}.",
        truth.counts.submissions,
        counted(truth.counts.entries, "run"),
        truth.rooms_open.len()
    ));
    Ok(Exit::Passed)
}

fn config(arguments: &SandboxArgs) -> Result<SandboxConfig, CliError> {
    let mut config = SandboxConfig { seed: arguments.seed, ..SandboxConfig::default() };
    for (fault, share) in &arguments.faults {
        config.faults = config.faults.with(*fault, *share);
    }
    if let Some(duration) = arguments.conversation {
        config.times.cekura.voice = DelayDistribution::Fixed(duration.micros());
        config.times.cekura.chat = DelayDistribution::Fixed(duration.micros());
    }
    config.plan.voice_runs = arguments.concurrency;
    config.plan.chat_runs = arguments.concurrency;
    if let Some(path) = &arguments.truth {
        config.truth_log = TruthLog::File(path.clone());
    }
    if arguments.rooms_elsewhere {
        config.rooms = RoomOwnership::Elsewhere;
        from_environment("LIVEKIT_API_KEY")?.expose().clone_into(&mut config.api_key);
        config.api_secret = from_environment("LIVEKIT_API_SECRET")?;
    }
    Ok(config)
}
