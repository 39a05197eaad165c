//! What the driver needs to know of a profile, in the form it uses.

use rushhour_core::bill::BudgetLimits;
use rushhour_core::evaluator::EvaluatorCapabilities;
use rushhour_core::plan::{room_lifetime, token_lifetime};
use rushhour_core::profile::{AgentDispatch, DispatchMethod, Profile, WhenFull};
use rushhour_core::units::{Micros, Rate};

/// What becomes of a place of a hold stage whose next run a cap does not let start while others are
/// under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnBudgetReached {
    /// The session ends: a load is not thinned out unseen.
    Stop,
    /// The place is given up. What is held back for the runs under way may turn out not to be needed,
    /// and then pays for others.
    Narrow,
}

/// How a session is driven.
#[derive(Debug, Clone)]
pub struct DriverSettings {
    /// How the agent gets into the room.
    pub dispatch: AgentDispatch,
    /// Whether an agent must be seen before the evaluator is asked to call.
    pub wait_for_agent: bool,
    /// An agent that joins later than this is late.
    pub agent_within: Micros,
    /// An agent that has not joined by then is given up.
    pub give_up_after: Micros,
    /// Submissions to the evaluator.
    pub requests: Rate,
    /// Questions about the state of runs.
    pub polls: Rate,
    /// Looks into rooms.
    pub looks: Rate,
    /// Runs in flight at once.
    pub in_flight: u32,
    /// What happens to a start that finds no place.
    pub when_full: WhenFull,
    /// How often a submission that was certainly not accepted is sent.
    pub attempts: u32,
    /// How long one question about the state of runs may take.
    pub poll_timeout: Micros,
    /// How long a run may take from its acceptance to its end.
    pub run_timeout: Micros,
    /// How long the room of a submission that may have been accepted is watched for the evaluator.
    pub watch_unknown: Micros,
    /// How long a stopped session waits for the runs under way.
    pub drain: Micros,
    /// How long one request to LiveKit may take.
    pub livekit_timeout: Micros,
    /// How long a token has to be valid.
    pub token_lifetime: Micros,
    /// How long a room has to stay with nobody in it.
    pub room_lifetime: Micros,
    /// How long a conversation of each scenario is expected to last.
    pub expected: Vec<Micros>,
    /// How the evaluator wants to be spoken to.
    pub manner: EvaluatorCapabilities,
    /// What money, runs and minutes must not go beyond.
    pub caps: BudgetLimits,
    /// What they do to a hold stage.
    pub at_cap: OnBudgetReached,
}

impl DriverSettings {
    /// The settings of a profile for an evaluator.
    pub fn new(profile: &Profile, manner: EvaluatorCapabilities) -> Self {
        let limits = &profile.limits;
        Self {
            dispatch: profile.livekit.dispatch.clone(),
            wait_for_agent: profile.livekit.wait_for_agent,
            agent_within: profile.livekit.agent_within.micros(),
            give_up_after: profile.livekit.give_up_after.micros(),
            requests: limits.requests,
            polls: limits.polls,
            looks: limits.room_polls,
            in_flight: limits.in_flight,
            when_full: limits.when_full,
            attempts: limits.attempts,
            poll_timeout: limits.poll_timeout.micros(),
            run_timeout: limits.run_timeout.micros(),
            watch_unknown: limits.watch_unknown.micros(),
            drain: limits.drain.micros(),
            livekit_timeout: limits.livekit_timeout.micros(),
            token_lifetime: token_lifetime(profile),
            room_lifetime: room_lifetime(profile),
            expected: profile.mix.scenarios().iter().map(|s| s.lasts.micros()).collect(),
            manner,
            caps: BudgetLimits::new(profile),
            at_cap: if profile.judges.is_some() {
                OnBudgetReached::Narrow
            } else {
                OnBudgetReached::Stop
            },
        }
    }

    /// Whether the agent is sent for by a request of its own.
    pub(super) const fn dispatches_by_request(&self) -> bool {
        matches!(self.dispatch.method(), DispatchMethod::Explicit | DispatchMethod::ExplicitFresh)
    }

    /// Whether the room is made by us; with dispatch by token the evaluator's join makes it.
    pub(super) const fn makes_room(&self) -> bool {
        !matches!(self.dispatch.method(), DispatchMethod::Token)
    }
}
