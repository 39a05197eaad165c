//! Why a run failed: one class each, never merged.

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
            /// Every class, in the order of a run's life.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word used in journals and reports.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it means, in one sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }

            /// What the reader may do about it.
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
        "check livekit.url and the server's own log";
    DispatchFailed = "dispatch_failed":
        "The request that dispatches the agent was refused or not answered.",
        "check livekit.url and the server's own log";
    DispatchUnassigned = "dispatch_unassigned":
        "The dispatch was accepted and no worker was ever given the job.",
        "check that a worker registers the name in livekit.agent, has capacity left, and answers within 3 s";
    AgentNeverJoined = "agent_never_joined":
        "A worker was given the job and no agent came into the room.",
        "look at the worker's log: a crash, or a start slower than livekit.give_up_after";
    AgentLate = "agent_late":
        "The agent came after livekit.agent_within.",
        "more workers, warm processes, or a longer livekit.agent_within";
    AgentMute = "agent_mute":
        "The agent was in the room and said nothing.",
        "chat: check that it was dispatched with text_mode and answers lk.chat; voice: that it publishes audio";
    AgentLeft = "agent_left":
        "The agent left before the conversation was over.",
        "look at the worker's log for that room";
    TurnTimeout = "turn_timeout":
        "A turn was not answered within its deadline.",
        "look at which part was slow, or lengthen the turn's `within`";
    SubmitRejected = "submit_rejected":
        "The evaluator refused the submission.",
        "its own words stand beside it";
    SubmitUnknown = "submit_unknown":
        "It is not known whether the evaluator accepted the submission, so it was not sent again.",
        "look for the run at the evaluator before running it again: it may have been paid for";
    EvaluatorFailed = "evaluator_failed":
        "The evaluator ended the run as failed.",
        "its own words stand beside it";
    EvaluatorTimeout = "evaluator_timeout":
        "The run did not end in time.",
        "lengthen limits.run_timeout if conversations really last that long";
    RateLimited = "rate_limited":
        "The evaluator kept answering 429.",
        "lower limits.requests, or raise limits.attempts";
    BudgetStopped = "budget_stopped":
        "The budget was reached before it could start.",
        "raise limits.budget";
    Cancelled = "cancelled":
        "The session was stopped, or the run was cancelled at the evaluator.",
        "`rushhour resume` goes on where a session stood";
    GeneratorFault = "generator_fault":
        "Rushhour itself could not carry the run out.",
        "look at the disk and the machine; nothing is said of the agent";
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
