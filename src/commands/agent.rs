//! `rushhour agent`: runs the calibration agent until interrupted.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use tokio::sync::mpsc::unbounded_channel;

use crate::arguments::{help_with_list, parse_share, parse_unit};
use crate::credentials::from_environment;
use crate::error::CliError;
use crate::exit::Exit;
use crate::print;
use crate::session::native_callers::read_clip;
use crate::signals::{self, SignalMessages};
use rushhour_agent::behaviour::{
    AgentFiller, AgentGreeting, AgentNoise, Behaviour, Breaks, HandOff, JobFault, JobFaults,
    TalkOver,
};
use rushhour_agent::{AgentConfig, AgentEvent, run};
use rushhour_callers::audio::Clip;
use rushhour_core::rng::DelayDistribution;
use rushhour_core::units::{AgentName, Percent, PositiveDuration, Rate, SoundLevel};
use rushhour_livekit::TokenSigner;

/// The most that `--drift` may be, in percent: a hundredfold.
const MOST_DRIFT: f64 = 10_000.0;

/// What `--late-greeting` says without `--greeting`.
const LATE_GREETING: &str = "Sorry to keep you waiting.";

const HELP: &str = "\
Examples:
  # Answer each turn after 300 ms
  rushhour agent --url ws://127.0.0.1:7880 --name echo
  # Half of the answers within 400 ms, 95 % within 1.2 s
  rushhour agent --url ws://127.0.0.1:7880 --name echo \\
      --turn-delay 'lognormal 400ms..1.2s'
  # Join late, fail some callers, and log which ones and by how much
  rushhour agent --url ws://127.0.0.1:7880 --name echo \\
      --join-delay 'uniform 0s..3s' --fault drop=5% \\
      --fault crash_after_turns=2% --truth agent.jsonl
  # Slow down in proportion above 200 sessions, decline jobs above 500
  rushhour agent --url ws://127.0.0.1:7880 --name echo \\
      --slow-above 200 --capacity 500
  # Get 10 % slower per hour and 1 MB larger per session; serve metrics
  rushhour agent --url ws://127.0.0.1:7880 --name echo \\
      --drift 10% --leak 1MB --port 8081
  # Behave like many real agents: noise beneath the voice, a filler, a tool
  rushhour agent --url ws://127.0.0.1:7880 --name echo \\
      --ambience -40dBFS --filler 'One moment.' --tool-delay 4s
  # Break up: cuts of a slow synthesiser, stalls of a busy machine
  rushhour agent --url ws://127.0.0.1:7880 --name echo --speech 5s \\
      --cuts 6/min --stalls 2/min --talk-over 20%
  # Speak through an avatar, and hand over to another agent after two turns
  rushhour agent --url ws://127.0.0.1:7880 --name echo --avatar --handoff 2

The agent writes if the dispatch metadata contains \"text_mode\": true, and speaks otherwise. \
Delays are written `300ms`, `uniform 0s..3s` (shortest and longest) or `lognormal 300ms..900ms` \
(median and 95th percentile).

LIVEKIT_API_KEY and LIVEKIT_API_SECRET come from the environment. Press Ctrl-C once to take no \
more jobs and end with the last session, twice to end the sessions now.

Faults; each job has at most one, chosen by the seed and the room's name:";

/// Run the calibration agent: a worker with known delays and faults.
#[derive(Debug, Args)]
#[command(after_long_help = help())]
pub(crate) struct AgentArgs {
    /// The LiveKit server, `ws://` or `wss://`; LIVEKIT_URL if not given.
    #[arg(long)]
    url: Option<String>,
    /// The agent name to register; dispatches name it.
    #[arg(long)]
    name: String,
    /// The seed of everything random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What the agent says by itself once it listens; nothing if not given.
    #[arg(long, value_name = "TEXT")]
    greeting: Option<String>,
    /// How long a voice agent speaks in each turn; it hums.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "1s",
        conflicts_with = "clip",
        value_parser = parse_unit::<PositiveDuration>
    )]
    speech: PositiveDuration,
    /// What a voice agent says in each turn instead: a WAV or Ogg Opus file of at most a minute.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    clip: Option<PathBuf>,
    /// Do not report the timing of each turn on the topic `lk.agent.session`.
    #[arg(long)]
    no_metrics: bool,
    /// Do not send transcriptions of what the caller says.
    #[arg(long)]
    no_user_transcription: bool,
    /// What a voice agent's transcription says that it heard, in each turn, then from the first again.
    ///
    /// It understands no speech, so that without this no transcription is final.
    #[arg(long, value_name = "TEXT", conflicts_with = "no_user_transcription")]
    hears: Vec<String>,
    /// Log what truly happens to FILE, one JSON object per line.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    truth: Option<PathBuf>,
    /// Serve the agent's status on this port of 127.0.0.1, at /worker and /metrics; 0 for any free one.
    #[arg(long)]
    port: Option<u16>,
    /// The threads that run the sessions.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    #[command(flatten)]
    delays: DelayArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    habits: HabitArgs,
    #[command(flatten)]
    breakup: SpeechArgs,
    #[command(flatten)]
    faults: FaultArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Delays")]
#[expect(clippy::struct_field_names, reason = "each is the name of its flag")]
struct DelayArgs {
    /// From the end of the caller's turn to the answer.
    #[arg(
        long,
        value_name = "DELAY",
        default_value = "300ms",
        value_parser = parse_unit::<DelayDistribution>
    )]
    turn_delay: DelayDistribution,
    /// From the first to the last chunk of a written answer.
    #[arg(
        long,
        value_name = "DELAY",
        default_value = "50ms",
        value_parser = parse_unit::<DelayDistribution>
    )]
    final_delay: DelayDistribution,
    /// From the assignment of a job to joining its room.
    #[arg(
        long,
        value_name = "DELAY",
        default_value = "0s",
        value_parser = parse_unit::<DelayDistribution>
    )]
    join_delay: DelayDistribution,
    /// From open data channels to the state `listening`.
    #[arg(
        long,
        value_name = "DELAY",
        default_value = "0s",
        value_parser = parse_unit::<DelayDistribution>
    )]
    ready_delay: DelayDistribution,
    /// From the caller's interruption to silence.
    #[arg(
        long,
        value_name = "DELAY",
        default_value = "200ms",
        value_parser = parse_unit::<DelayDistribution>
    )]
    yield_delay: DelayDistribution,
    /// From the caller's last sound to the moment at which its turn is over, from which the turn delay then counts; without
    /// it, 200 ms of silence end a turn, and the turn delay counts from the last sound.
    #[arg(long, value_name = "DURATION", value_parser = parse_unit::<PositiveDuration>)]
    end_of_turn_delay: Option<PositiveDuration>,
    /// From the state `listening` to the greeting.
    #[arg(
        long,
        value_name = "DELAY",
        default_value = "100ms",
        value_parser = parse_unit::<DelayDistribution>
    )]
    greeting_delay: DelayDistribution,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
struct LimitArgs {
    /// The most sessions at once; further jobs are declined.
    #[arg(
        long,
        value_name = "SESSIONS",
        default_value_t = 10_000,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    capacity: u32,
    /// Above this many sessions, turn delays grow in proportion: twice as many, twice as slow.
    #[arg(long, value_name = "SESSIONS")]
    slow_above: Option<usize>,
    /// How much the turn delay grows per hour, such as `10%`.
    #[arg(long, value_name = "SHARE", default_value = "0%", value_parser = parse_drift)]
    drift: f64,
    /// How much memory each session leaks, such as `64kB` or `1MB`.
    #[arg(long, value_name = "SIZE", default_value = "0kB", value_parser = parse_size)]
    leak: usize,
}

/// What real agents do that makes it hard to tell what an answer is.
#[derive(Debug, Args)]
#[command(next_help_heading = "Habits")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
struct HabitArgs {
    /// Mix noise of this level into the agent's own voice track, such as `-40dBFS`.
    #[arg(
        long,
        value_name = "LEVEL",
        allow_hyphen_values = true,
        value_parser = parse_unit::<SoundLevel>
    )]
    ambience: Option<SoundLevel>,
    /// Let keys be heard on the voice track while the agent thinks.
    #[arg(long)]
    typing: bool,
    /// Publish loud background noise as a second track, `background_audio`, whose source is unknown.
    #[arg(long)]
    two_tracks: bool,
    /// Say this before each answer, then call a tool; a voice agent hums for 0.6 s.
    #[arg(long, value_name = "TEXT")]
    filler: Option<String>,
    /// From the end of the filler to the answer.
    #[arg(
        long,
        value_name = "DELAY",
        default_value = "3s",
        requires = "filler",
        value_parser = parse_unit::<DelayDistribution>
    )]
    tool_delay: DelayDistribution,
    /// Greet this long after the state `listening`, even if the caller was first; after an answer that is in progress.
    #[arg(
        long,
        value_name = "DELAY",
        conflicts_with = "greeting_delay",
        value_parser = parse_unit::<DelayDistribution>
    )]
    late_greeting: Option<DelayDistribution>,
    /// Publish no state: no attribute `lk.agent.state`.
    #[arg(long)]
    no_state: bool,
    /// Let a second participant, an avatar, publish the voice on the agent's behalf (`lk.publish_on_behalf`).
    #[arg(long)]
    avatar: bool,
    /// After so many answered turns, let another agent join and take over; the first leaves once the other listens.
    #[arg(long, value_name = "TURNS", value_parser = clap::value_parser!(u32).range(1..))]
    handoff: Option<u32>,
    /// Leave first; the agent that takes over joins this long afterwards.
    #[arg(
        long,
        value_name = "DELAY",
        requires = "handoff",
        value_parser = parse_unit::<DelayDistribution>
    )]
    handoff_gap: Option<DelayDistribution>,
}

/// How the agent's speech breaks up, and whether it talks over the caller.
#[derive(Debug, Args)]
#[command(next_help_heading = "Speech")]
struct SpeechArgs {
    /// Cut the speech by digital silence this often while the agent speaks, such as `6/min`, as a synthesiser does that is
    /// too slow.
    #[arg(long, value_name = "RATE", value_parser = parse_unit::<Rate>)]
    cuts: Option<Rate>,
    /// How long each cut is, in steps of 20 ms.
    #[arg(
        long,
        value_name = "DELAY",
        default_value = "uniform 60ms..300ms",
        requires = "cuts",
        value_parser = parse_unit::<DelayDistribution>
    )]
    cut_length: DelayDistribution,
    /// Send nothing this often while the agent speaks, and then all at once, as a machine does that is too busy.
    #[arg(long, value_name = "RATE", value_parser = parse_unit::<Rate>)]
    stalls: Option<Rate>,
    /// How long each stall is, in steps of 20 ms.
    #[arg(
        long,
        value_name = "DELAY",
        default_value = "uniform 200ms..500ms",
        requires = "stalls",
        value_parser = parse_unit::<DelayDistribution>
    )]
    stall_length: DelayDistribution,
    /// Lose packets this often while the agent speaks: their sequence numbers are missing, as a bad network leaves them.
    #[arg(long, value_name = "RATE", value_parser = parse_unit::<Rate>)]
    losses: Option<Rate>,
    /// How much speech is lost each time, in steps of 20 ms.
    #[arg(
        long,
        value_name = "DELAY",
        default_value = "uniform 40ms..200ms",
        requires = "losses",
        value_parser = parse_unit::<DelayDistribution>
    )]
    loss_length: DelayDistribution,
    /// Go on with this share of the answers although the caller speaks, as an agent does that takes it for a back-channel.
    #[arg(long, value_name = "SHARE", value_parser = parse_unit::<Percent>)]
    no_yield: Option<Percent>,
    /// Speak while the caller does, in this share of the turns, until the caller has ended.
    #[arg(long, value_name = "SHARE", value_parser = parse_unit::<Percent>)]
    talk_over: Option<Percent>,
    /// How long after the caller began.
    #[arg(
        long,
        value_name = "DELAY",
        default_value = "500ms",
        requires = "talk_over",
        value_parser = parse_unit::<DelayDistribution>
    )]
    talk_over_after: DelayDistribution,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Faults")]
struct FaultArgs {
    /// Inject a fault into this share of the jobs, such as `drop=5%`; may be repeated.
    #[arg(long = "fault", value_name = "NAME=SHARE", value_parser = parse_share::<JobFault>)]
    faults: Vec<(JobFault, Percent)>,
    /// After how many answered turns an agent with the fault crash_after_turns leaves.
    #[arg(long, value_name = "TURNS", default_value_t = 2)]
    crash_after_turns: u32,
}

fn help() -> String {
    help_with_list(HELP, JobFault::ALL.iter().map(|fault| (fault.name(), fault.about())))
}

const SIGNALS: SignalMessages = [
    "no more jobs are taken, and the agent ends with its last session; interrupt again to end the sessions now",
    "ending the sessions",
    "already ending",
];

pub(crate) fn agent(arguments: &AgentArgs) -> Result<Exit, CliError> {
    let url = server_url(arguments)?;
    let config = AgentConfig {
        url: url.clone(),
        token_signer: TokenSigner::new(
            from_environment("LIVEKIT_API_KEY")?,
            from_environment("LIVEKIT_API_SECRET")?,
        ),
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
        .map_err(CliError::from_internal)?;
    let name = &arguments.name;
    runtime.block_on(async {
        let (stop, stops) = unbounded_channel();
        signals::forward(stop, || (), SIGNALS, || SIGNALS[2])?;
        print::stdout(&format!(
            "Running the agent `{name}` on {url} with seed {}, until Ctrl-C.",
            arguments.seed
        ));
        let print_event = |event| match event {
            AgentEvent::Serving(address) => {
                print::stdout(&format!("Status: http://{address}/worker"));
            }
            AgentEvent::Registered(true) => print::stdout(&format!("Registered as `{name}`.")),
            AgentEvent::Registered(false) => {
                print::stderr(
                    "lost the connection to the server; sessions go on, and reconnecting",
                );
            }
        };
        run(config, stops, print_event).await.map_err(CliError::from_usage)
    })?;
    Ok(Exit::Passed)
}

fn server_url(arguments: &AgentArgs) -> Result<String, CliError> {
    let environment = || std::env::var("LIVEKIT_URL").ok().map(|url| url.trim().to_owned());
    let url = arguments.url.clone().or_else(environment).filter(|url| !url.is_empty());
    url.ok_or_else(|| {
        CliError::usage("no LiveKit server is given")
            .with_hint("pass --url ws://127.0.0.1:7880, or set LIVEKIT_URL")
    })
}

fn behaviour(arguments: &AgentArgs) -> Result<Behaviour, CliError> {
    let mut faults = JobFaults::NONE;
    for (fault, share) in &arguments.faults.faults {
        faults = faults.with(*fault, *share).map_err(CliError::from_usage)?;
    }
    let AgentArgs { delays, limits, habits, breakup, .. } = arguments;
    let breaks = |rate: Option<Rate>, length| rate.map(|rate| Breaks { rate, length });
    Ok(Behaviour {
        seed: arguments.seed,
        faults,
        join_delay: delays.join_delay,
        ready_delay: delays.ready_delay,
        greeting: greeting(arguments),
        end_of_turn_delay: delays.end_of_turn_delay.map(PositiveDuration::micros),
        turn_delay: delays.turn_delay,
        final_delay: delays.final_delay,
        yield_delay: delays.yield_delay,
        crash_after_turns: arguments.faults.crash_after_turns,
        capacity: limits.capacity as usize,
        slow_above: limits.slow_above,
        drift_per_hour: limits.drift,
        leak_per_session: limits.leak,
        user_transcription: !arguments.no_user_transcription,
        hears: arguments.hears.clone(),
        metrics: !arguments.no_metrics,
        states: !habits.no_state,
        filler: habits
            .filler
            .clone()
            .map(|text| AgentFiller { text, tool_delay: habits.tool_delay }),
        noise: AgentNoise {
            ambience: habits.ambience,
            typing: habits.typing,
            background_track: habits.two_tracks,
        },
        avatar: habits.avatar,
        hand_off: habits
            .handoff
            .map(|after_turns| HandOff { after_turns, gap: habits.handoff_gap }),
        cuts: breaks(breakup.cuts, breakup.cut_length),
        stalls: breaks(breakup.stalls, breakup.stall_length),
        losses: breaks(breakup.losses, breakup.loss_length),
        no_yield: breakup.no_yield,
        talk_over: breakup
            .talk_over
            .map(|share| TalkOver { share, after: breakup.talk_over_after }),
    })
}

fn greeting(arguments: &AgentArgs) -> Option<AgentGreeting> {
    let text = arguments.greeting.clone();
    match arguments.habits.late_greeting {
        Some(delay) => {
            let text = text.unwrap_or_else(|| LATE_GREETING.to_owned());
            Some(AgentGreeting { text, delay, insists: true })
        }
        None => text.map(|text| AgentGreeting {
            text,
            delay: arguments.delays.greeting_delay,
            insists: false,
        }),
    }
}

/// Parses a growth per hour as a fraction. It may exceed 100%: a trial of some minutes has to show something.
fn parse_drift(text: &str) -> Result<f64, String> {
    let percent = text.trim().strip_suffix('%').and_then(|number| number.trim().parse().ok());
    percent
        .filter(|percent| (0.0..=MOST_DRIFT).contains(percent))
        .map(|percent: f64| percent / 100.0)
        .ok_or_else(|| format!("write a share such as `10%` or `600%`, at most {MOST_DRIFT}%"))
}

/// Parses a size in bytes.
fn parse_size(text: &str) -> Result<usize, &'static str> {
    let units = [("kB", 1_000_usize), ("MB", 1_000_000)];
    let size = units.iter().find_map(|(unit, bytes)| {
        let number: usize = text.strip_suffix(unit)?.trim().parse().ok()?;
        number.checked_mul(*bytes)
    });
    size.ok_or("write a size such as `64kB` or `1MB`")
}

fn speech(arguments: &AgentArgs) -> Result<Clip, CliError> {
    let Some(path) = &arguments.clip else {
        return Clip::tone(arguments.speech.micros()).map_err(CliError::from_internal);
    };
    read_clip(path).map_err(|error| error.context("--clip"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_drifts_are_read_with_their_unit() {
        assert_eq!(parse_size("64kB"), Ok(64_000));
        assert_eq!(parse_size("1 MB"), Ok(1_000_000));
        for invalid in ["64", "MB", "-1kB", "1GB"] {
            assert!(parse_size(invalid).is_err(), "{invalid}");
        }
        assert_eq!(parse_drift("600%"), Ok(6.0));
        for invalid in ["6", "-1%", "10001%", "%"] {
            assert!(parse_drift(invalid).is_err(), "{invalid}");
        }
    }
}
