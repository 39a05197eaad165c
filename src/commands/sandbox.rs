//! `rushhour sandbox`: the stand-ins, served for other clients until interrupted.

use std::path::Path;

use crate::arguments::SandboxArguments;
use crate::credentials::{CredentialRequest, find};
use crate::exit::{CliError, Exit};
use crate::print;
use crate::signals::interrupted;
use rushhour_core::units::{ParseUnitError, Percent, PositiveDuration};
use rushhour_sandbox::{DelayDistribution, Fault, RoomOwnership, Sandbox, SandboxConfig, TruthLog};

pub(crate) fn sandbox(arguments: &SandboxArguments) -> Result<Exit, CliError> {
    let mut config = SandboxConfig { seed: arguments.seed, ..SandboxConfig::default() };
    for text in &arguments.faults {
        let (name, share) = text.split_once('=').ok_or_else(|| {
            CliError::usage(format!(
                "--fault {text}: write a name and a share, such as submit_slow=2%"
            ))
        })?;
        let fault: Fault = name.trim().parse().map_err(CliError::usage)?;
        let share: Percent = share.parse().map_err(|error: ParseUnitError| {
            CliError::usage(format!("--fault {text}: {error}; {}", error.hint))
        })?;
        config.faults = config.faults.with(fault, share);
    }
    if let Some(text) = &arguments.conversation {
        let length: PositiveDuration = text.parse().map_err(|error: ParseUnitError| {
            CliError::usage(format!("--conversation {text}: {error}; {}", error.hint))
        })?;
        config.times.cekura.voice = DelayDistribution::Fixed(length.micros());
        config.times.cekura.chat = DelayDistribution::Fixed(length.micros());
    }
    config.plan.voice_runs = arguments.concurrency;
    config.plan.chat_runs = arguments.concurrency;
    if let Some(path) = &arguments.truth {
        config.truth_log = TruthLog::File(path.clone());
    }
    if arguments.rooms_elsewhere {
        let wanted = |variable| {
            find(&CredentialRequest { variable, file: None, setting: "" }, Path::new("."))
        };
        config.rooms = RoomOwnership::Elsewhere;
        wanted("LIVEKIT_API_KEY")?.expose().clone_into(&mut config.api_key);
        config.api_secret = wanted("LIVEKIT_API_SECRET")?;
    }
    let sandbox = Sandbox::start(config, arguments.port).map_err(CliError::usage)?;
    let cekura =
        format!("CEKURA_API_URL={}\nCEKURA_API_KEY={}", sandbox.url(), SandboxConfig::CEKURA_KEY);
    print::out(&if arguments.rooms_elsewhere {
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
        .map_err(CliError::internal)?;
    runtime.block_on(interrupted()).map_err(CliError::internal)?;
    let truth = sandbox.stop();
    print::err(&format!(
        "served {} submissions with {} entries; {} rooms are still open",
        truth.counts.submissions,
        truth.counts.entries,
        truth.rooms_open.len()
    ));
    Ok(Exit::Passed)
}
