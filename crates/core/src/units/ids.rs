//! Names and numbers of things, one type each, so that a room cannot be mistaken for an identity.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::foreign_text::{MAX_FOREIGN_BYTES, shortened};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        #[derive(
            Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(transparent)]
        $(#[$doc])*
        pub struct $name(String);

        impl $name {
            /// From a text; one that is longer than any service makes is shortened.
            pub fn new(name: impl Into<String>) -> Self {
                let name = name.into();
                if name.len() > MAX_FOREIGN_BYTES {
                    return Self(shortened(&name, MAX_FOREIGN_BYTES));
                }
                Self(name)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
            JsonSchema,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

text_id! {
    /// A session: its start and its profile's name, which is also the name of its folder.
    SessionId
}
text_id! {
    /// A LiveKit room.
    RoomName
}
text_id! {
    /// A participant in a LiveKit room.
    Identity
}
text_id! {
    /// The name under which an agent's worker registers with LiveKit.
    AgentName
}
text_id! {
    /// An agent dispatch, as LiveKit names it.
    DispatchId
}
text_id! {
    /// The evaluator's id of a run. Cekura's are numbers; a text holds any.
    EvaluatorRunId
}
text_id! {
    /// The evaluator's id of the group of runs that one request created.
    ResultId
}
text_id! {
    /// A scenario: its number at Cekura, or a name.
    // A profile may write the number without quotes.
    #[schemars(extend("type" = ["string", "integer"], "minimum" = 0))]
    ScenarioId
}
number_id! {
    /// A run's position in the plan, from 0.
    RunIndex
}

impl RunIndex {
    /// How far apart the calls of one caller are: further than any plan is long.
    const CALLS_APART: u64 = 100_000_000;

    /// The next call of the same caller, if it calls again.
    #[must_use]
    pub const fn next_call(self) -> Self {
        Self(self.0.saturating_add(Self::CALLS_APART))
    }

    /// The first call of the same caller, which is in the plan.
    #[must_use]
    pub const fn first_call(self) -> Self {
        Self(self.0 % Self::CALLS_APART)
    }

    /// How often the same caller called before.
    pub const fn earlier_calls(self) -> u64 {
        self.0 / Self::CALLS_APART
    }
}

impl EvaluatorRunId {
    /// The id of a run that native callers have: its position in the plan.
    pub fn of_native(run: RunIndex) -> Self {
        Self::new(run.0.to_string())
    }

    /// The run, where native callers have it.
    pub fn native_run(&self) -> Option<RunIndex> {
        self.as_str().parse().ok().map(RunIndex)
    }
}
number_id! {
    /// A pair of runs in a paired session, from 0: one voice and one chat run of the same scenario.
    PairId
}
