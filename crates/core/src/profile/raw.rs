//! The profile's file as it is written: every key, none of them required, nothing yet judged.

use schemars::JsonSchema;

use super::diagnostic::{Diagnostics, Located};
use super::node::{Node, NodeValue};
use super::prices::PriceItem;
use super::raw_capacity::RawCapacity;
use super::read::{Json, Named, Read, raw_choice, raw_table};
use crate::units::{Percent, PositiveDuration, Rate, ScenarioId, Usd};

raw_table! {
    /// A load test of an agent: what to start, when, against which LiveKit and which evaluator.
    RawProfile {
        /// Names the session and its folder; the file's own name where left out.
        name: String,
        /// Seeds arrivals, the order of scenarios and the sandbox. The same profile and seed give the same plan.
        seed: u64,
        /// How the conversations are held.
        mode: RawMode,
        /// Where the rooms are and how the agent gets into them.
        livekit: RawLiveKit,
        /// Who talks to the agent.
        evaluator: RawEvaluator,
        /// What is talked about; one entry each.
        scenario: Vec<RawScenario>,
        /// The load over time, one stage after the other.
        stage: Vec<RawStage>,
        /// What must not be exceeded, and how long anything may take.
        limits: RawLimits,
        /// What has to hold for the session to pass: a measure, and a bound such as "< 2s" or "< 1%".
        thresholds: Named<Located<RawThreshold>>,
        /// How the embedded stand-ins behave.
        sandbox: RawSandbox,
        /// A file of prices, relative to the profile; the shipped one where left out.
        prices: String,
        /// What is charged, and how much of it a conversation is taken to need.
        bill: RawBill,
        /// How the number of conversations that the agent holds at once is searched for.
        capacity: RawCapacity,
        /// How `rushhour soak` judges whether the agent stays well.
        soak: RawSoak,
        /// Where the agent's worker tells how it is, to be looked at throughout the session.
        agent_health: RawAgentHealth,
        /// Has a sample of the runs of our own callers, and their failures, held again by Cekura and judged; native only.
        judging: RawJudging,
    }
}

raw_choice! {
    /// How the conversations are held.
    pub RawMode {
        /// Spoken.
        Voice = "voice",
        /// Written.
        Chat = "chat",
        /// Each one twice, spoken and written, the two beside each other in time.
        Paired = "paired",
    }
}

raw_table! {
    /// Where the rooms are and how the agent gets into them.
    RawLiveKit {
        /// The LiveKit server, such as "wss://example.livekit.cloud"; "sandbox" for the embedded stand-in. LIVEKIT_URL wins over it.
        url: String,
        /// The agent's name, as its worker registers it.
        agent: String,
        /// How the agent is dispatched.
        dispatch: RawDispatch,
        /// Joins `text_mode` and `scenario_id` in the dispatch metadata; the agent reads it as `ctx.job.metadata`.
        metadata: Named<Json>,
        /// How an agent is told to hold a chat.
        text_mode: RawTextMode,
        /// Every room's name begins with it; `sweep` looks for it.
        room_prefix: String,
        /// Whether an agent must be seen in the room before the evaluator is asked to call.
        wait_for_agent: bool,
        /// An agent that joins later than this counts as late.
        agent_within: PositiveDuration,
        /// An agent that has not joined by then is not waited for any longer.
        give_up_after: PositiveDuration,
        /// A file that holds the API key, in place of LIVEKIT_API_KEY; relative to the profile.
        key_file: String,
        /// A file that holds the API secret, in place of LIVEKIT_API_SECRET; relative to the profile.
        secret_file: String,
    }
}

raw_choice! {
    /// How the agent is dispatched.
    pub RawDispatch {
        /// CreateDispatch into a room that was created with an agents list, which keeps the server from launching a nameless job beside it.
        Explicit = "explicit",
        /// CreateDispatch into a room that was created without one; on the open-source server this clogs above some 20 starts a second.
        ExplicitFresh = "explicit-fresh",
        /// The room is created with the agent in its configuration.
        Room = "room",
        /// The evaluator's token carries the agent in its room configuration; the room is made by its join.
        Token = "token",
        /// Not dispatched by us: the agent is dispatched automatically to every room.
        None = "none",
    }
}

raw_table! {
    /// How an agent is told to hold a chat.
    RawTextMode {
        /// The key in the dispatch metadata.
        key: String,
        /// Its value in chat.
        chat: Json,
        /// Its value in voice; the key is absent where left out.
        voice: Json,
    }
}

raw_table! {
    /// Who talks to the agent.
    RawEvaluator {
        /// Which evaluator.
        kind: RawEvaluatorKind,
        /// The service's base address; CEKURA_API_URL wins over it.
        url: String,
        /// A file that holds the key, in place of CEKURA_API_KEY; relative to the profile.
        key_file: String,
        /// How many entries share one request. With more than one, which run belongs to which entry may be an assumption.
        entries_per_request: u32,
        /// How long a request waits to be filled where entries share one.
        fill_within: PositiveDuration,
        /// Cekura's agent, where its scenarios have none assigned; chat only.
        agent: u64,
        /// A data message for the evaluator to publish in the room; chat only.
        publish_data_message: Named<Json>,
        /// How often a run that may be over is asked after.
        poll_every: PositiveDuration,
        /// How long our own caller may take into the room; native only.
        join_within: PositiveDuration,
        /// How long after joining the agent may take until it listens; native only.
        ready_within: PositiveDuration,
        /// How long the agent has to be silent before our caller goes on; native only.
        quiet: PositiveDuration,
        /// The path that starts voice runs.
        voice_path: String,
        /// The path that starts chat runs.
        chat_path: String,
        /// The path that tells the state of runs.
        runs_path: String,
        /// The path that ends one run; `{id}` stands for it.
        end_call_path: String,
    }
}

raw_choice! {
    /// Which evaluator.
    pub(crate) RawEvaluatorKind {
        /// Cekura's service.
        Cekura = "cekura",
        /// The embedded stand-in for it.
        Sandbox = "sandbox",
        /// Callers of our own, over WebRTC; each scenario needs a `script`.
        Native = "native",
    }
}

raw_table! {
    /// One scenario.
    RawScenario {
        /// Its number at the evaluator.
        id: ScenarioId,
        /// How it is called in reports.
        name: String,
        /// How many times this same entry is run.
        copies: u32,
        /// Its share among the scenarios, where the stages say how many runs there are.
        weight: f64,
        /// How long its conversation is expected to last; forecasts and polling use it.
        lasts: PositiveDuration,
        /// How long its written conversation is expected to last in a paired session, where that differs.
        chat_lasts: PositiveDuration,
        /// What our own callers say: a TOML file of turns, relative to the profile.
        script: String,
        /// The number of the same scenario at Cekura, where runs of it are judged.
        cekura: ScenarioId,
    }
}

raw_table! {
    /// A stretch of time with one kind of load.
    RawStage {
        /// How it is called in reports.
        name: String,
        /// Whether its runs count in the figures; false for warming up.
        measured: bool,
        /// Starts per time: constant, a ramp, or steps.
        rate: RawRate,
        /// Whether starts are evenly spaced or random.
        arrivals: RawArrivals,
        /// Holds this many runs in flight, those of earlier stages among them: each that ends is followed by the next.
        hold: u32,
        /// How fast that number is reached, such as "10/s"; at once where left out.
        ramp: Rate,
        /// Starts this many at the same instant.
        burst: u32,
        /// How long the stage lasts; may be left out in the last one where the scenarios have copies.
        lasts: PositiveDuration,
    }
}

raw_choice! {
    /// How starts are spaced.
    pub RawArrivals {
        /// Evenly.
        Even = "even",
        /// As a Poisson process, as independent callers come.
        Poisson = "poisson",
    }
}

raw_table! {
    /// A rate that changes.
    RawRamp {
        /// The rate at the stage's beginning.
        from: Rate,
        /// The rate at its end.
        to: Rate,
        /// How many levels it goes through; a smooth ramp where left out.
        steps: u32,
    }
}

/// Starts per time: constant, a ramp, or steps.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
pub(super) enum RawRate {
    /// One rate throughout.
    Constant(Rate),
    /// A rate that changes.
    Ramp(RawRamp),
}

impl Read for RawRate {
    fn read(node: &Node, faults: &mut Diagnostics) -> Option<Self> {
        match node.value {
            NodeValue::Table(_) => RawRamp::read(node, faults).map(Self::Ramp),
            _ => Rate::read(node, faults).map(Self::Constant),
        }
    }
}

raw_table! {
    /// A bound that may end the session early.
    RawThresholdTable {
        /// The bound, such as "< 10%".
        bound: String,
        /// Whether the session is brought to an end once its whole interval lies outside.
        abort: bool,
        /// How long it is left alone from the session's beginning; a second where left out.
        after: PositiveDuration,
    }
}

/// What has to hold: a bound, or a bound that may end the session early.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
pub(super) enum RawThreshold {
    /// Judged at the end.
    Bound(String),
    /// Judged at the end, and perhaps before.
    Table(RawThresholdTable),
}

impl Read for RawThreshold {
    fn read(node: &Node, faults: &mut Diagnostics) -> Option<Self> {
        match node.value {
            NodeValue::Table(_) => RawThresholdTable::read(node, faults).map(Self::Table),
            _ => String::read(node, faults).map(Self::Bound),
        }
    }
}

raw_table! {
    /// What must not be exceeded, and how long anything may take.
    RawLimits {
        /// Submissions to the evaluator.
        requests: Rate,
        /// Questions about the state of runs, to the evaluator.
        polls: Rate,
        /// Looks into rooms for the agent, at LiveKit.
        looks: Rate,
        /// Runs in flight at once.
        in_flight: u32,
        /// What happens to a start that finds no place in flight.
        when_full: RawWhenFull,
        /// How often a submission that was certainly not accepted is sent again.
        attempts: u32,
        /// How long one request to LiveKit may take.
        livekit_timeout: PositiveDuration,
        /// How long one submission may take before it is not known whether it was accepted.
        submit_timeout: PositiveDuration,
        /// How long one question about the state of runs may take.
        poll_timeout: PositiveDuration,
        /// How long a run may take from its acceptance to its end.
        run_timeout: PositiveDuration,
        /// How long the room of a submission that may have been accepted is watched for the evaluator, whose coming is the proof.
        watch_unknown: PositiveDuration,
        /// How long a stopped session waits for the runs under way.
        drain: PositiveDuration,
        /// What the session may cost at list prices; nothing is started that could go beyond it.
        budget: Usd,
        /// Runs that may be started.
        max_runs: u64,
        /// Minutes of conversation that may be held, over all runs.
        max_minutes: u64,
    }
}

raw_table! {
    /// Which runs of our own callers Cekura holds again and judges, and how.
    RawJudging {
        /// Who judges.
        by: RawJudge,
        /// The share of runs that is judged, drawn at random.
        sample: Percent,
        /// Whether every failure that can be run again is judged.
        failures: bool,
        /// Runs that are judged at the most.
        most: u32,
        /// Submissions to the service.
        requests: Rate,
        /// Judged runs in flight at once.
        in_flight: u32,
        /// How long a judged run may take from its acceptance to its end.
        run_timeout: PositiveDuration,
        /// What the judging may cost at list prices; nothing is started that could go beyond it.
        budget: Usd,
        /// The service's base address.
        url: String,
        /// A file that holds the key, in place of CEKURA_API_KEY; relative to the profile.
        key_file: String,
        /// Cekura's agent, where its scenarios have none assigned; chat only.
        agent: u64,
        /// A data message for the evaluator to publish in the room; chat only.
        publish_data_message: Named<Json>,
        /// How often a run that may be over is asked after.
        poll_every: PositiveDuration,
        /// The path that starts voice runs.
        voice_path: String,
        /// The path that starts chat runs.
        chat_path: String,
        /// The path that tells the state of runs.
        runs_path: String,
        /// The path that ends one run; `{id}` stands for it.
        end_call_path: String,
    }
}

raw_choice! {
    /// Who judges.
    pub(crate) RawJudge {
        /// Cekura's service.
        Cekura = "cekura",
        /// The embedded stand-in for it.
        Sandbox = "sandbox",
    }
}

raw_table! {
    /// What is charged, and how much of it a conversation is taken to need.
    RawBill {
        /// Above this forecast `run` asks first, or wants --yes.
        ask_above: Usd,
        /// Messages that the evaluator writes in a conversation, where it does not say; chat.
        messages: u32,
        /// The most that it may write, for what a run costs at its worst; chat.
        most_messages: u32,
        /// Metrics by which the evaluator judges a conversation, as far as it charges them.
        metrics: u32,
        /// Items of the price file that are charged here, though the addresses do not say so: the models of an agent on a server of one's own, for example.
        with: Vec<PriceItem>,
        /// Items of the price file for which nothing is charged here.
        without: Vec<PriceItem>,
    }
}

raw_table! {
    /// How `rushhour soak` judges whether the agent stays well.
    RawSoak {
        /// A latency or the agent's memory has to change by this share of where it began before the change counts.
        material: Percent,
        /// Failures have to become this much more, in points, before that counts.
        material_failures: Percent,
        /// The width of a window; chosen from the session's length and its runs where left out.
        window: PositiveDuration,
    }
}

raw_table! {
    /// Where the agent's worker tells how it is.
    RawAgentHealth {
        /// What livekit-agents serves at `/worker`, such as "http://127.0.0.1:8081/worker"; on this machine only.
        url: String,
        /// The worker's Prometheus text, such as "http://127.0.0.1:8081/metrics"; on this machine only.
        metrics: String,
        /// How often it is asked.
        every: PositiveDuration,
        /// How long it is watched after the last run for its jobs and processes to go.
        settle: PositiveDuration,
    }
}

raw_choice! {
    /// What happens to a start that finds no place in flight.
    pub RawWhenFull {
        /// It waits for one, and its latency still counts from its intended start.
        Wait = "wait",
        /// It does not take place, and is counted as skipped.
        Skip = "skip",
    }
}

raw_table! {
    /// How the embedded stand-ins behave.
    RawSandbox {
        /// From the dispatch to the agent in the room.
        agent_join: RawLatency,
        /// From a submission to its answer.
        submission: RawLatency,
        /// From the answer to the conversation's start.
        queue: RawLatency,
        /// How long a conversation lasts.
        conversation: RawLatency,
        /// How long the judging after it takes.
        judging: RawLatency,
        /// How much later an agent is that the fault `agent_late` holds up.
        late_by: PositiveDuration,
        /// Conversations at once; more are queued.
        concurrency: u32,
        /// How often each fault happens, by its name.
        faults: Named<Located<Percent>>,
    }
}

raw_table! {
    /// A random length of time, lognormal.
    RawLatency {
        /// Half of them are shorter.
        median: PositiveDuration,
        /// One in twenty is longer.
        p95: PositiveDuration,
    }
}

raw_table! {
    /// A conversation from the caller's side.
    RawScript {
        /// What the agent is expected to begin with; without it the caller begins.
        greeting: RawGreeting,
        /// The turns, one after the other.
        turn: Vec<RawTurn>,
    }
}

raw_table! {
    /// What the agent is expected to begin with.
    RawGreeting {
        /// A regular expression that its words match.
        expect: String,
        /// How long after it joined it has to begin.
        within: PositiveDuration,
    }
}

raw_table! {
    /// One turn.
    RawTurn {
        /// What is written in chat.
        say: String,
        /// What is played in voice: a WAV or Ogg Opus file, relative to the script.
        play: String,
        /// A regular expression that the answer's words match.
        expect: String,
        /// How long after the last of ours the answer has to begin.
        within: PositiveDuration,
        /// How long the caller waits before it begins, once the agent is silent.
        pause: PositiveDuration,
        /// The caller begins this long after the agent began to speak, whether it has finished or not.
        interrupt: PositiveDuration,
    }
}
