//! Why a run failed: one class per cause.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! failure_classes {
    ($($variant:ident = $name:literal: $meaning:literal, $advice:literal;)*) => {
        /// Why a run failed.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub enum FailureClass {
            $(
                #[doc = $meaning]
                #[serde(rename = $name)]
                $variant,
            )*
        }

        impl FailureClass {
            /// Every class, in the order of a run.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name used in journals and reports.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it means, as a sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }

            /// What to do about it.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice,)* }
            }
        }
    };
}

failure_classes! {
    TokenRejected = "token_rejected":
        "LiveKit did not accept the token.",
        "check LIVEKIT_API_KEY and LIVEKIT_API_SECRET, and this machine's clock";
    RoomFailed = "room_failed":
        "The room could not be created.",
        "check livekit.url and the server's log";
    ConnectionLost = "connection_lost":
        "The caller lost its connection to LiveKit and could not get back, or what it missed meanwhile ended the conversation.",
        "check the network between this machine and LiveKit, the server's log for a restart, and evaluator.reconnect; this says nothing about the agent";
    DispatchFailed = "dispatch_failed":
        "The request that dispatches the agent was refused or not answered.",
        "check livekit.url and the server's log";
    DispatchUnassigned = "dispatch_unassigned":
        "The dispatch was accepted, but no worker received the job.",
        "check that a worker registers the name in livekit.agent, has capacity left, and answers within 3 s";
    AgentNeverJoined = "agent_never_joined":
        "A worker received the job, but no agent joined the room.",
        "check the worker's log for a crash, or for a start slower than livekit.give_up_after";
    AgentLate = "agent_late":
        "The agent joined later than livekit.agent_within.",
        "add workers, keep idle processes warm, or raise livekit.agent_within";
    AgentMute = "agent_mute":
        "The agent was in the room but said nothing.",
        "in chat, check that the dispatch metadata has text_mode and that the agent answers lk.chat; in voice, that it publishes audio";
    AgentLeft = "agent_left":
        "The agent left before the conversation was over.",
        "check the worker's log for that room";
    TurnTimeout = "turn_timeout":
        "The agent did not answer a turn within its deadline.",
        "check which part was slow, or raise the turn's `within`";
    SubmitRejected = "submit_rejected":
        "The evaluator rejected the submission.",
        "see the evaluator's message";
    SubmitUnknown = "submit_unknown":
        "It is unknown whether the evaluator accepted the submission, so it was not sent again.",
        "look for the run at the evaluator before you repeat it: it may have been charged";
    EvaluatorFailed = "evaluator_failed":
        "The evaluator ended the run as failed.",
        "see the evaluator's message";
    EvaluatorTimeout = "evaluator_timeout":
        "The run did not end in time.",
        "raise limits.run_timeout if conversations really last that long";
    StatusUnknown = "status_unknown":
        "The run was accepted, but its status could not be read from the evaluator.",
        "see the message; this says nothing about the agent, and the run may have been charged";
    RateLimited = "rate_limited":
        "The evaluator kept answering with 429.",
        "lower limits.requests, or raise limits.attempts";
    LivekitRateLimited = "livekit_rate_limited":
        "LiveKit kept refusing requests because of too many requests (429, or `resource_exhausted`).",
        "lower the rates of the stages and limits.looks, or ask for a higher quota; this says nothing about the agent";
    BudgetStopped = "budget_stopped":
        "The budget was reached before the run could start.",
        "raise limits.budget";
    Cancelled = "cancelled":
        "The session was stopped, or the run was cancelled at the evaluator.",
        "`rushhour resume` continues a stopped session";
    GeneratorFault = "generator_fault":
        "Rushhour itself could not complete the run.",
        "check the disk and the machine; this says nothing about the agent";
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
