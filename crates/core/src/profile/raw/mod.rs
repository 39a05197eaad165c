//! The profile as written: every key of every table, none of them required, nothing checked but types.
//!
//! The docstrings are the descriptions of the JSON Schema that `rushhour schema` prints.

pub(super) mod bill;
pub(super) mod caller;
pub(super) mod capacity;
pub(super) mod evaluator;
pub(super) mod judging;
pub(super) mod limits;
pub(super) mod livekit;
pub(super) mod monitoring;
pub(super) mod network;
pub(super) mod prices;
pub(super) mod recording;
pub(super) mod sandbox;
pub(super) mod scenario;
pub(super) mod speech;
pub(super) mod stage;
pub(super) mod threshold;
pub(super) mod workers;

use self::bill::RawBill;
use self::caller::RawCaller;
use self::capacity::RawCapacity;
use self::evaluator::RawEvaluator;
use self::judging::RawJudging;
use self::limits::RawLimits;
use self::livekit::RawLiveKit;
use self::monitoring::{RawAgentHealth, RawNotify, RawSoak};
use self::network::RawNetwork;
use self::recording::RawRecording;
use self::sandbox::RawSandbox;
use self::scenario::RawScenario;
use self::speech::RawSpeech;
use self::stage::RawStage;
use self::threshold::RawThreshold;
use self::workers::RawWorkers;
use super::diagnostic::Located;
use super::from_node::Named;
use super::settings::session_mode::SessionMode;
use super::table::raw_table;

raw_table! {
    /// A load test of an agent: what to start, when, against which LiveKit server and which evaluator.
    RawProfile {
        /// Names the session and its folder; by default the file's name.
        name: String,
        /// Seeds arrivals, the order of scenarios and the sandbox. The same profile and seed give the same plan.
        seed: u64,
        /// The mode of the conversations.
        mode: SessionMode,
        /// The LiveKit server, and how the agent gets into the rooms.
        livekit: RawLiveKit,
        /// Who the caller is, as the agent sees it. Rushhour signs it into the caller's token, also for Cekura's callers. In each value `{run}`, `{scenario}`, `{seed}` and `{mode}` stand for those of the run; `{{run}}` stands for the text `{run}`.
        caller: RawCaller,
        /// Who talks to the agent.
        evaluator: RawEvaluator,
        /// The conversations, one entry per scenario.
        scenario: Vec<RawScenario>,
        /// The load over time, one stage after the other.
        stage: Vec<RawStage>,
        /// Network conditions of native callers: loss, delay, jitter, reordering, bandwidth. Each caller gets those of one entry, or none.
        network: Vec<RawNetwork>,
        /// Rate limits, timeouts and budgets.
        limits: RawLimits,
        /// What must hold for the session to pass: a measure, and a bound such as "< 2s" or "< 1%".
        thresholds: Named<Located<RawThreshold>>,
        /// How the embedded stand-ins behave.
        sandbox: RawSandbox,
        /// A file of prices, relative to the profile; by default the prices that Rushhour ships.
        prices: String,
        /// What is charged, and how much of it a conversation is assumed to use.
        bill: RawBill,
        /// How `rushhour capacity` searches for the number of conversations that the agent handles at once.
        capacity: RawCapacity,
        /// How `rushhour soak` judges whether the agent stays healthy.
        soak: RawSoak,
        /// Where to read the health of the agent's worker throughout the session.
        agent_health: RawAgentHealth,
        /// A webhook to notify when the session has ended.
        notify: RawNotify,
        /// Lets Cekura rerun and judge a sample of the native callers' runs, and their failures; native only.
        judging: RawJudging,
        /// Which conversations of native callers to keep as sound and text, beside the reports; none by default. A recording holds what was said, which may be personal data.
        recording: RawRecording,
        /// Where the native callers run, if not in this process: on machines where `rushhour worker` waits for them.
        workers: RawWorkers,
        /// A program or a service that says the words of turns without a clip; native only.
        speech: RawSpeech,
    }
}
