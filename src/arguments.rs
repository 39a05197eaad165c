//! The words of the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

use rushhour_core::units::{Metric, Percent, Percentile};
use rushhour_report::report::{Criterion, Split};

const EXAMPLES: &str = "\
Examples:
  rushhour run profiles/quickstart.toml        a first session against the embedded stand-ins
  rushhour init my-agent.toml                  write a commented profile to start from
  rushhour plan my-agent.toml                  what it would do, and what that comes to
  rushhour run my-agent.toml --set limits.in_flight=50
  rushhour capacity my-agent.toml              how many conversations it holds at once
  rushhour report reports/20261122T213015Z-my-agent

Secrets come from LIVEKIT_API_KEY, LIVEKIT_API_SECRET and CEKURA_API_KEY, or from files
that the profile names.

Exit codes:
  0 passed  1 internal error  2 usage  99 a threshold failed  104 profile invalid
  105 stopped by a signal  111 too few samples to say  112 the generator did not deliver
  the load, so nothing is said of the agent  113 budget reached";

const COMPARE: &str = "\
Examples:
  rushhour compare reports/20261122T213015Z-front-desk reports/20261123T213011Z-front-desk
  rushhour compare main/ branch/ --tolerance 10% --format markdown >> $GITHUB_STEP_SUMMARY
  rushhour compare A B --metric agent_join --percentile p95 --require-decision
  rushhour compare A --arms scenario=booking,refund   two parts of one session; also stage=, mode=

Exit codes:
  0    no regression shown
  99   something is slower beyond --tolerance, or fails more beyond --failure-tolerance
  111  nothing could be judged; with --require-decision also: a judged figure leaves it open
  112  a generator did not deliver its load, so nothing is said
  2    a journal cannot be read, the two cannot be compared, or --arms names what is not there";

const SOAK: &str = "\
Examples:
  rushhour soak profiles/native-soak.toml              hold it and judge it
  rushhour soak reports/20261122T213015Z-soak          judge a session that was held; the same bytes each time

The measured stages are cut into windows. A latency, the failures or the agent's memory drift where the slope's
interval leaves out zero and the change matters: [soak] material in the profile, 10 % where left out. All series
are one family: a steady session is called drifting at most once in twenty. With [agent_health] in the profile
the agent's worker is looked at throughout: memory, load, and whether its jobs and processes go.

Exit codes:
  0    steady
  99   something drifts, steps up or is left behind, or a threshold failed
  111  too short, or too few runs, to say
  112  the generator did not deliver the load, so nothing is said of the agent
  others as for `rushhour run`";
const CAPACITY: &str = "\
Examples:
  rushhour capacity profiles/native-capacity.toml
  rushhour capacity my-agent.toml --set capacity.needed=60 --set limits.budget='20 USD'

The profile's stages are left aside: [capacity] says where to begin, how far to go and how long to hold.
What is held to be inside and outside is said by the profile's thresholds.

Exit codes:
  0    found, or as many as allowed are held; with capacity.needed: so many are held
  99   capacity.needed are not held, or not even one conversation is
  105  stopped by a signal; what is known was written
  111  it cannot be said
  112  the generator was the limit
  113  a cap on money, runs or minutes was reached";

/// Load tester for AI agents that run on LiveKit.
#[derive(Debug, Parser)]
#[command(name = "rushhour", version, about, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a profile: plan, dispatch, submit, follow, report.
    #[command(after_help = "\
Examples:
  rushhour run profiles/quickstart.toml
  LIVEKIT_API_KEY=.. LIVEKIT_API_SECRET=.. CEKURA_API_KEY=.. rushhour run launch.toml
  rushhour run launch.toml --set stage.steady.rate=2/s --set seed=7 --out /tmp/reports

What it will cost at list prices is told first. Above bill.ask_above it asks, or wants --yes where nobody
can be asked. limits.budget, max_runs and max_minutes are never exceeded: exit code 113.

Ctrl-C once starts nothing more and finishes the runs under way; twice ends them now.
Either way every planned run has one outcome, rooms are deleted and reports are written.")]
    Run(RunArguments),
    /// Find how many conversations the agent holds at once: one level after the other, each a session.
    #[command(after_help = CAPACITY)]
    Capacity(CapacityArguments),
    /// Take up a session whose process died, and bring it to its end.
    #[command(after_help = "\
Examples:
  rushhour resume reports/20261122T213015Z-launch
  rushhour resume reports/20261122T213015Z-launch --finish-only    start nothing more

The journal says what was sent: nothing that may cost money is sent twice. Accepted conversations are
followed to their end, what may or may not have been accepted is looked for in its room, rooms are
deleted, and the rest of the plan starts as much later as nobody watched. Keys come from the
environment again. Ctrl-C and exit codes are those of `run`; with --finish-only it ends with 105 where
something was left to be started.")]
    Resume(ResumeArguments),
    /// Hold a session and judge whether the agent stays well through it; or judge one that was held.
    #[command(after_help = SOAK)]
    Soak(SoakArguments),
    /// Have the runs of a session of our own callers judged by Cekura, as its profile's `[judging]` says.
    #[command(after_help = "\
Examples:
  rushhour run hybrid.toml --no-judging && rushhour judge reports/20261122T213015Z-hybrid

A seeded sample of the runs that passed, and the failures, are held again by Cekura in rooms of their
own, under the rate and the budget of [judging]. It is a session of its own in the folder `judged` of
the first: a judging that was killed is taken up with `rushhour resume SESSION/judged`. The reports of
the session then weigh the sample back.")]
    Judge(JudgeArguments),
    /// List the nights that `soak` judged, and draw them.
    #[command(after_help = "\
Examples:
  rushhour history                                     every night of every profile
  rushhour history soak --html                         those of one profile, drawn in reports/history.html

A line of history.jsonl is written by each `rushhour soak`; none is ever changed. Nights of profiles that differ
in anything are not compared.")]
    History(HistoryArguments),
    /// Show what a profile would do: runs, in flight, requests, the bill, and where each setting came from.
    Plan(PlanArguments),
    /// Check a profile; all mistakes are told at once.
    Validate(ProfileArguments),
    /// Check everything that a session needs, before it costs anything: keys, clocks, the agent, limits.
    #[command(after_help = "\
Examples:
  rushhour doctor my-agent.toml
  rushhour doctor my-agent.toml --no-dispatch --format json

One agent is sent for, into a room of its own that is deleted afterwards; nothing is submitted to the
evaluator. Exit code 0 where nothing failed, 2 where something did.")]
    Doctor(DoctorArguments),
    /// Make the reports of a session again from its journal.
    #[command(after_help = "\
Examples:
  rushhour report reports/20261122T213015Z-quickstart
  rushhour report reports/20261122T213015Z-quickstart --point-estimate
  rushhour report reports/20261122T213015Z-quickstart --format markdown > comment.md

Without --format all files are written beside the journal; with it nothing is written.")]
    Report(ReportArguments),
    /// Make one session of several machines': each run counts, no percentile is averaged.
    #[command(after_help = "\
Examples:
  rushhour merge eu/20261122T213015Z-launch us/20261122T213015Z-launch --into reports/launch-merged
The parts are set beside each other by their machines' wall clocks. Give each machine a seed of
its own (`--set seed=2`), or they start in step.")]
    Merge(MergeArguments),
    /// Hold a session against an earlier one: what is slower or fails more, and how surely.
    #[command(after_help = COMPARE)]
    Compare(CompareArguments),
    /// Delete the rooms that dead sessions left behind, and end their calls.
    #[command(after_help = "\
Examples:
  rushhour sweep                                      on the server that LIVEKIT_URL names
  rushhour sweep my-agent.toml --yes                  on a profile's server
  rushhour sweep reports/20261122T213015Z-launch --yes   after one session, its calls at Cekura too

A room goes only where its metadata names a session of Rushhour, and that session is dead: its journal
is here and no process holds it, or the room is half an hour past the end that was planned for it.
Nothing is deleted without --yes.")]
    Sweep(SweepArguments),
    /// Serve the embedded stand-ins for LiveKit's control plane and Cekura on this machine.
    #[command(after_help = "\
Example:
  rushhour sandbox --port 7881 --fault submit_429_seconds=2% --fault dispatch_lost=1%
It prints the addresses and keys to use, and serves until it is interrupted.")]
    Sandbox(SandboxArguments),
    /// Be an agent: a real LiveKit worker whose delays and faults are known, to calibrate against.
    #[cfg(feature = "native")]
    #[command(after_help = crate::commands::agent::HELP)]
    Agent(Box<crate::commands::agent::AgentArguments>),
    /// Write a commented profile to start from.
    Init(InitArguments),
    /// Print the JSON Schema of a profile, of summary.json, of a comparison, or of soak.json.
    Schema(SchemaArguments),
    /// Print completions for a shell.
    #[command(after_help = "\
Example:
  rushhour completions zsh > ~/.zfunc/_rushhour")]
    Completions(CompletionsArguments),
    /// Write the man pages, one for each command, into a folder; for packages.
    #[command(hide = true)]
    Man(crate::commands::man::ManArgs),
}

/// A profile, and what is to be different from it.
#[derive(Debug, Args)]
pub(crate) struct ProfileArguments {
    /// The profile, a TOML file.
    #[arg(value_name = "PROFILE", value_hint = ValueHint::FilePath)]
    pub(crate) profile: PathBuf,
    /// Set one setting, over the profile and the environment: `limits.in_flight=50`, `stage.0.rate=2/s`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) profile: ProfileArguments,
    /// Where sessions' folders are made.
    #[arg(long, value_name = "FOLDER", default_value = "reports", value_hint = ValueHint::DirPath)]
    pub(crate) out: PathBuf,
    /// Judge thresholds by the figure alone, not by its whole interval.
    #[arg(long)]
    pub(crate) point_estimate: bool,
    /// Show no progress.
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// LiveKit has agreed to a load test of more than 50 rooms at once on LiveKit Cloud.
    #[arg(long)]
    pub(crate) accept_cloud_limits: bool,
    /// Go on without asking, whatever the forecast of the bill.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Judge no run, whatever the profile's `[judging]` says; `rushhour judge` does it later.
    #[arg(long)]
    pub(crate) no_judging: bool,
}

impl RunArguments {
    /// How thresholds are judged.
    pub(crate) const fn judgement(&self) -> Criterion {
        if self.point_estimate { Criterion::PointEstimate } else { Criterion::Interval }
    }
}

#[derive(Debug, Args)]
pub(crate) struct SoakArguments {
    #[command(flatten)]
    pub(crate) run: RunArguments,
}

#[derive(Debug, Args)]
pub(crate) struct CapacityArguments {
    #[command(flatten)]
    pub(crate) profile: ProfileArguments,
    /// Where the search's folder is made.
    #[arg(long, value_name = "FOLDER", default_value = "reports", value_hint = ValueHint::DirPath)]
    pub(crate) out: PathBuf,
    /// Show no progress.
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// LiveKit has agreed to a load test of more than 50 rooms at once on LiveKit Cloud.
    #[arg(long)]
    pub(crate) accept_cloud_limits: bool,
    /// Go on without asking, whatever the forecast of the bill.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct HistoryArguments {
    /// The profile's name; all where left out.
    #[arg(value_name = "PROFILE_NAME")]
    pub(crate) profile: Option<String>,
    /// Where sessions' folders are.
    #[arg(long, value_name = "FOLDER", default_value = "reports", value_hint = ValueHint::DirPath)]
    pub(crate) reports: PathBuf,
    /// Draw them as a page too; a name without a folder is put into the folder of reports.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "history.html", value_hint = ValueHint::FilePath)]
    pub(crate) html: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct ResumeArguments {
    /// The session's folder, or its journal.
    #[arg(value_name = "SESSION", value_hint = ValueHint::AnyPath)]
    pub(crate) session: PathBuf,
    /// Start nothing more; finish what was under way.
    #[arg(long)]
    pub(crate) finish_only: bool,
    /// Go on without asking, whatever the forecast of the bill for what is still to start.
    #[arg(long)]
    pub(crate) yes: bool,
    /// The folder that the profile was in: files that it names, such as clips and keys, are relative to it.
    #[arg(long, value_name = "FOLDER", default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) files: PathBuf,
    /// Judge thresholds by the figure alone, not by its whole interval.
    #[arg(long)]
    pub(crate) point_estimate: bool,
    /// Show no progress.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct JudgeArguments {
    /// The session's folder, or its journal.
    #[arg(value_name = "SESSION", value_hint = ValueHint::AnyPath)]
    pub(crate) session: PathBuf,
    /// Go on without asking, whatever the forecast of the bill.
    #[arg(long)]
    pub(crate) yes: bool,
    /// The folder that the profile was in: files that it names, such as keys, are relative to it.
    #[arg(long, value_name = "FOLDER", default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) files: PathBuf,
    /// Judge thresholds by the figure alone, not by its whole interval.
    #[arg(long)]
    pub(crate) point_estimate: bool,
    /// Show no progress.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    #[command(flatten)]
    pub(crate) profile: ProfileArguments,
    /// List every run with its intended start, as CSV.
    #[arg(long)]
    pub(crate) runs: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    #[command(flatten)]
    pub(crate) profile: ProfileArguments,
    /// Send for no agent; the room alone is tried.
    #[arg(long)]
    pub(crate) no_dispatch: bool,
    /// Where sessions' folders would be made.
    #[arg(long, value_name = "FOLDER", default_value = "reports", value_hint = ValueHint::DirPath)]
    pub(crate) out: PathBuf,
    /// For a reader or for a program.
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    pub(crate) format: OutputFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OutputFormat {
    /// Lines for a reader.
    Text,
    /// One JSON object.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArguments {
    /// The session's folder, or its journal.
    #[arg(value_name = "SESSION", value_hint = ValueHint::AnyPath)]
    pub(crate) session: PathBuf,
    /// Judge thresholds by the figure alone, not by its whole interval.
    #[arg(long)]
    pub(crate) point_estimate: bool,
    /// Print one report instead of writing all of them.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<ReportFormat>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum ReportFormat {
    /// The summary on one screen.
    Text,
    /// A short summary for a pull request.
    Markdown,
    /// summary.json.
    Json,
    /// junit.xml.
    Junit,
    /// report.html.
    Html,
}

#[derive(Debug, Args)]
pub(crate) struct MergeArguments {
    /// The sessions' folders, or their journals.
    #[arg(value_name = "SESSION", required = true, num_args = 2.., value_hint = ValueHint::AnyPath)]
    pub(crate) sessions: Vec<PathBuf>,
    /// The folder of the merged session; it must not exist.
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) into: PathBuf,
    /// Merge sessions whose profiles differ, as long as stages and scenarios have the same names.
    #[arg(long)]
    pub(crate) force: bool,
    /// Judge thresholds by the figure alone, not by its whole interval.
    #[arg(long)]
    pub(crate) point_estimate: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArguments {
    /// The baseline: a session's folder, or its journal.
    #[arg(value_name = "A", value_hint = ValueHint::AnyPath)]
    pub(crate) baseline: PathBuf,
    /// What is held against it.
    #[arg(value_name = "B", value_hint = ValueHint::AnyPath, required_unless_present = "arms")]
    pub(crate) candidate: Option<PathBuf>,
    /// Hold two parts of A against each other, the baseline first: `scenario=X,Y`, `stage=X,Y`, `mode=chat,voice`.
    #[arg(long, value_name = "KIND=X,Y", conflicts_with = "candidate")]
    pub(crate) arms: Option<Split>,
    /// A latency may be this much longer before it counts as a regression.
    #[arg(long, value_name = "SHARE", default_value = "5%")]
    pub(crate) tolerance: Percent,
    /// Failures may be this many points more before they count as a regression.
    #[arg(long, value_name = "POINTS", default_value = "0%")]
    pub(crate) failure_tolerance: Percent,
    /// Judge only this latency; may be repeated.
    #[arg(long = "metric", value_name = "NAME")]
    pub(crate) metrics: Vec<Metric>,
    /// Judge only this percentile; may be repeated.
    #[arg(long = "percentile", value_name = "P")]
    pub(crate) percentiles: Vec<Percentile>,
    /// End with 111 unless every judged figure settles that there is no regression.
    #[arg(long)]
    pub(crate) require_decision: bool,
    /// Hold voice against chat, where both measure the same.
    #[arg(long)]
    pub(crate) across_modes: bool,
    /// Seeds the resampling.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t = ComparisonFormat::Text)]
    pub(crate) format: ComparisonFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ComparisonFormat {
    /// For people.
    Text,
    /// For programs (`rushhour schema comparison`).
    Json,
    /// For pull requests.
    Markdown,
    /// One figure a line.
    Csv,
}

#[derive(Debug, Args)]
pub(crate) struct SweepArguments {
    /// A session's folder, or a profile; left out, the server that LIVEKIT_URL names.
    #[arg(value_name = "SESSION|PROFILE", value_hint = ValueHint::AnyPath)]
    pub(crate) target: Option<PathBuf>,
    /// Set one setting of the profile.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// What the rooms' names begin with; the profile's, or `rushhour-`, where it is left out.
    #[arg(long, value_name = "TEXT", value_parser = room_prefix)]
    pub(crate) prefix: Option<String>,
    /// Where sessions' folders are: a session whose journal is held by a process there is alive.
    #[arg(long, value_name = "FOLDER", default_value = "reports", value_hint = ValueHint::DirPath)]
    pub(crate) reports: PathBuf,
    /// Delete and end what is shown.
    #[arg(long)]
    pub(crate) yes: bool,
}

/// A prefix of one or two letters would find everybody's rooms.
fn room_prefix(text: &str) -> Result<String, &'static str> {
    if text.len() < 3 { Err("write 3 characters or more") } else { Ok(text.to_owned()) }
}

#[derive(Debug, Args)]
pub(crate) struct SandboxArguments {
    /// The port on 127.0.0.1; 0 for any that is free.
    #[arg(long, default_value_t = 7881)]
    pub(crate) port: u16,
    /// The source of everything random.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// A fault and how often it happens, such as `submit_500_after=2%`.
    #[arg(long = "fault", value_name = "NAME=SHARE")]
    pub(crate) faults: Vec<String>,
    /// How long every conversation lasts, such as `20s`; random where left out.
    #[arg(long, value_name = "LENGTH")]
    pub(crate) conversation: Option<String>,
    /// Conversations at once; more are queued.
    #[arg(long, value_name = "RUNS", default_value_t = 2_000)]
    pub(crate) concurrency: u32,
    /// Write what truly happened to this file, one JSON object a line.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) truth: Option<PathBuf>,
    /// Stand in for Cekura alone: take rooms of a real LiveKit server on trust, and check tokens against LIVEKIT_API_KEY and LIVEKIT_API_SECRET.
    #[arg(long)]
    pub(crate) rooms_elsewhere: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InitArguments {
    /// The file to write; it must not exist.
    #[arg(value_name = "FILE", default_value = "rushhour.toml", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct SchemaArguments {
    /// Of what.
    #[arg(value_enum, default_value_t = SchemaOf::Profile)]
    pub(crate) of: SchemaOf,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum SchemaOf {
    /// A profile.
    Profile,
    /// A session's summary.json.
    Summary,
    /// What `compare --format json` prints.
    Comparison,
    /// A search's capacity.json.
    Capacity,
    /// A session's soak.json.
    Soak,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// The shell.
    pub(crate) shell: Shell,
}
