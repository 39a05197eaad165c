//! `rushhour agent`: the calibration agent, until interrupted.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueHint};
use tokio::sync::mpsc::unbounded_channel;

use crate::credentials::{CredentialRequest, find};
use crate::exit::{CliError, Exit};
use crate::{print, signals};
use rushhour_agent::behaviour::{AgentGreeting, Behaviour, JobFault, JobFaults};
use rushhour_agent::{AgentConfig, AgentEvent, run};
use rushhour_callers::audio::Clip;
use rushhour_core::units::{AgentName, ParseUnitError, Percent, PositiveDuration};
use rushhour_livekit::TokenSigner;

pub(crate) const HELP: &str = "\
Examples:
  rushhour agent --url ws://127.0.0.1:7880 --name echo
      answers every turn 300 ms after it ended, chat where the dispatch says \"text_mode\": true
  rushhour agent --url ws://127.0.0.1:7880 --name echo --turn-delay 'lognormal 400ms..1.2s'
      half of the answers within 400 ms, nineteen in twenty within 1.2 s
  rushhour agent --url ws://127.0.0.1:7880 --name echo --join-delay 'uniform 0s..3s' \\
      --fault drop=5% --fault crash_after_turns=2% --truth agent.jsonl
      joins late, lets some callers down, and writes down which ones and by how much
  rushhour agent --url ws://127.0.0.1:7880 --name echo --slow-above 200 --capacity 500
      slower in proportion above 200 sessions, declines above 500
  rushhour agent --url ws://127.0.0.1:7880 --name echo --drift 10% --leak 1MB --port 8081
      10% slower every hour and 1 MB larger with every session; curl 127.0.0.1:8081/metrics

Faults, of which a job has one at most, by the seed and its room's name:
  reject             the job is declined
  drop               the job is accepted, and no agent ever joins
  crash_at_join      the agent leaves without a word right after joining
  crash_after_turns  the agent leaves without a word once it has answered some turns
  mute               the agent joins, listens, and never answers
  stale_segment      before each answer comes an old text once more, under its old segment
  swapped_segments   an answer has two segments, and the second comes first
  endless_text       an answer goes on for ever

LIVEKIT_API_KEY and LIVEKIT_API_SECRET come from the environment. Ctrl-C once takes no more
jobs and ends with the last session; twice ends the sessions.";

#[derive(Debug, Args)]
pub(crate) struct AgentArguments {
    /// The LiveKit server, `ws://` or `wss://`; LIVEKIT_URL where left out.
    #[arg(long)]
    url: Option<String>,
    /// The name that the worker registers, and that dispatches ask for.
    #[arg(long)]
    name: String,
    /// The source of everything random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// From the end of what the caller says to the answer: `300ms`, `uniform 0s..3s` (shortest and longest) or `lognormal 300ms..900ms` (median and 95th percentile); so are all delays written.
    #[arg(long, value_name = "DELAY", default_value = "300ms", help_heading = "Delays")]
    turn_delay: String,
    /// From the first word of a written answer to its last.
    #[arg(long, value_name = "DELAY", default_value = "50ms", help_heading = "Delays")]
    final_delay: String,
    /// From the assignment of a job to joining its room.
    #[arg(long, value_name = "DELAY", default_value = "0s", help_heading = "Delays")]
    join_delay: String,
    /// From open data channels to the state `listening`.
    #[arg(long, value_name = "DELAY", default_value = "0s", help_heading = "Delays")]
    ready_delay: String,
    /// From the caller's barging in to silence.
    #[arg(long, value_name = "DELAY", default_value = "200ms", help_heading = "Delays")]
    yield_delay: String,
    /// What the agent says by itself once it listens; nothing where left out.
    #[arg(long, value_name = "TEXT")]
    greeting: Option<String>,
    /// From listening to the greeting.
    #[arg(long, value_name = "DELAY", default_value = "100ms", help_heading = "Delays")]
    greeting_delay: String,
    /// A fault and which share of the jobs has it, such as `drop=5%`; listed below.
    #[arg(long = "fault", value_name = "NAME=SHARE", help_heading = "Faults")]
    faults: Vec<String>,
    /// After how many answered turns an agent with the fault crash_after_turns leaves.
    #[arg(long, value_name = "TURNS", default_value_t = 2, help_heading = "Faults")]
    crash_after_turns: u32,
    /// Sessions at once; more are declined.
    #[arg(long, value_name = "SESSIONS", default_value_t = 10_000, help_heading = "Limits")]
    capacity: usize,
    /// With more sessions than this, turn delays grow in proportion: twice as many, twice as slow.
    #[arg(long, value_name = "SESSIONS", help_heading = "Limits")]
    slow_above: Option<usize>,
    /// By how much the turn delay grows in an hour, such as `10%`.
    #[arg(long, value_name = "SHARE", default_value = "0%", help_heading = "Limits")]
    drift: String,
    /// What each session leaves in memory for good, such as `64kB` or `1MB`.
    #[arg(long, value_name = "SIZE", default_value = "0kB", help_heading = "Limits")]
    leak: String,
    /// How long a voice agent speaks in each turn; it hums.
    #[arg(long, value_name = "LENGTH", default_value = "1s", conflicts_with = "clip")]
    speech: String,
    /// What a voice agent says in each turn instead, a WAV or Ogg Opus file of at most a minute.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    clip: Option<PathBuf>,
    /// Do not tell the parts of each turn on `lk.agent.session`.
    #[arg(long)]
    no_metrics: bool,
    /// Do not send, in the caller's name, that a caller was heard to speak.
    #[arg(long)]
    no_user_transcription: bool,
    /// Write what truly happened to this file, one JSON object a line.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    truth: Option<PathBuf>,
    /// Tell on this port of 127.0.0.1 how the agent is, at /worker and /metrics; 0 for any that is free.
    #[arg(long)]
    port: Option<u16>,
    /// Threads that carry the sessions.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

const AT_A_SIGNAL: [&str; 3] = [
    "no more jobs are taken, the end comes with the last session; once more ends the sessions",
    "sessions are ended",
    "ending at once",
];

pub(crate) fn agent(arguments: &AgentArguments) -> Result<Exit, CliError> {
    let url = match (&arguments.url, std::env::var("LIVEKIT_URL")) {
        (Some(url), _) => url.clone(),
        (None, Ok(url)) if !url.trim().is_empty() => url.trim().to_owned(),
        (None, _) => {
            return Err(CliError::usage(
                "no server is named; pass --url ws://127.0.0.1:7880, or set LIVEKIT_URL",
            ));
        }
    };
    let wanted =
        |variable| find(&CredentialRequest { variable, file: None, setting: "" }, Path::new("."));
    let mint = TokenSigner::new(wanted("LIVEKIT_API_KEY")?, wanted("LIVEKIT_API_SECRET")?);
    let config = AgentConfig {
        url: url.clone(),
        token_signer: mint,
        agent: AgentName::new(&arguments.name),
        behaviour: behaviour(arguments)?,
        speech: speech(arguments)?,
        truth: arguments.truth.clone(),
        port: arguments.port,
        threads: arguments.threads,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(CliError::internal)?;
    let name = &arguments.name;
    runtime.block_on(async {
        let (stop, stops) = unbounded_channel();
        signals::pass_on(stop, || (), AT_A_SIGNAL)?;
        print::out(&format!("Agent `{name}` of {url}, seed {}, until Ctrl-C.", arguments.seed));
        let told = |notice| match notice {
            AgentEvent::Serving(address) => print::out(&format!("Status: http://{address}/worker")),
            AgentEvent::Registered(true) => print::out(&format!("Registered as `{name}`.")),
            AgentEvent::Registered(false) => {
                print::err("the server is gone; sessions go on, and it is tried again");
            }
        };
        run(config, stops, told).await.map_err(CliError::usage)
    })?;
    Ok(Exit::Passed)
}

fn behaviour(arguments: &AgentArguments) -> Result<Behaviour, CliError> {
    let mut faults = JobFaults::NONE;
    for text in &arguments.faults {
        let (name, share) = text.split_once('=').ok_or_else(|| {
            CliError::usage(format!("--fault {text}: write a name and a share, such as drop=5%"))
        })?;
        let fault: JobFault = name.trim().parse().map_err(CliError::usage)?;
        let share: Percent = read("--fault", share)?;
        faults = faults.with(fault, share).map_err(CliError::usage)?;
    }
    let greeting_delay = read("--greeting-delay", &arguments.greeting_delay)?;
    if arguments.capacity == 0 {
        return Err(CliError::usage(
            "--capacity 0: a worker without room takes no job; write 1 or more",
        ));
    }
    Ok(Behaviour {
        seed: arguments.seed,
        faults,
        join_delay: read("--join-delay", &arguments.join_delay)?,
        ready_delay: read("--ready-delay", &arguments.ready_delay)?,
        greeting: arguments
            .greeting
            .clone()
            .map(|text| AgentGreeting { text, delay: greeting_delay }),
        turn_delay: read("--turn-delay", &arguments.turn_delay)?,
        final_delay: read("--final-delay", &arguments.final_delay)?,
        yield_delay: read("--yield-delay", &arguments.yield_delay)?,
        crash_after_turns: arguments.crash_after_turns,
        capacity: arguments.capacity,
        slow_above: arguments.slow_above,
        drift_per_hour: growth(&arguments.drift)?,
        leak_per_session: size(&arguments.leak)?,
        user_transcription: !arguments.no_user_transcription,
        metrics: !arguments.no_metrics,
    })
}

fn read<T: FromStr<Err = ParseUnitError>>(flag: &str, text: &str) -> Result<T, CliError> {
    text.parse()
        .map_err(|error: T::Err| CliError::usage(format!("{flag} {text}: {error}; {}", error.hint)))
}

/// A growth in an hour, which may be more than all of it: a trial of some minutes wants to see something.
fn growth(text: &str) -> Result<f64, CliError> {
    /// A hundredfold.
    const MOST: f64 = 10_000.0;
    let wrong = || {
        CliError::usage(format!(
            "--drift {text}: write a share such as \"10%\" or \"600%\", at most {MOST}%"
        ))
    };
    let number = text.trim().strip_suffix('%').ok_or_else(wrong)?;
    let percent: f64 = number.trim().parse().map_err(|_| wrong())?;
    if (0.0..=MOST).contains(&percent) { Ok(percent / 100.0) } else { Err(wrong()) }
}

fn size(text: &str) -> Result<usize, CliError> {
    let wrong =
        || CliError::usage(format!("--leak {text}: write a size, such as \"64kB\" or \"1MB\""));
    let (number, unit) = if let Some(number) = text.strip_suffix("kB") {
        (number, 1_000)
    } else {
        (text.strip_suffix("MB").ok_or_else(wrong)?, 1_000_000)
    };
    let number: usize = number.trim().parse().map_err(|_| wrong())?;
    number.checked_mul(unit).ok_or_else(wrong)
}

fn speech(arguments: &AgentArguments) -> Result<Clip, CliError> {
    let Some(path) = &arguments.clip else {
        let length: PositiveDuration = read("--speech", &arguments.speech)?;
        return Clip::tone(length.micros()).map_err(CliError::internal);
    };
    let shown = path.display();
    let bytes = std::fs::read(path).map_err(|error| {
        CliError::usage(format!("--clip {shown}: {error}; name a file of yours"))
    })?;
    Clip::from_bytes(&bytes).map_err(|error| CliError::usage(format!("--clip {shown}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_explains_every_fault() {
        for fault in JobFault::ALL {
            let line = format!("  {:<18} ", fault.name());
            assert!(HELP.contains(&line), "{fault}");
        }
    }

    #[test]
    fn sizes_are_read_with_their_unit() {
        assert_eq!(size("64kB").unwrap(), 64_000);
        assert_eq!(size("1 MB").unwrap(), 1_000_000);
        for wrong in ["64", "MB", "-1kB", "1GB"] {
            assert!(size(wrong).unwrap_err().message.contains("write a size"), "{wrong}");
        }
    }
}
