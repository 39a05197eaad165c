//! [`DriverSettings`]: what the driver needs of a profile and of the evaluator.

use rushhour_core::bill::BudgetLimits;
use rushhour_core::evaluator::EvaluatorCapabilities;
use rushhour_core::plan::{room_lifetime, token_lifetime};
use rushhour_core::profile::{AgentDispatch, DispatchMethod, Profile, WhenFull};
use rushhour_core::units::{Micros, Mode, Rate};

/// What happens to a free slot of a hold stage whose next run could exceed the budget, while other runs are
/// in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnBudgetReached {
    /// The session stops, rather than silently run with less load than planned.
    Stop,
    /// The session goes on with one slot fewer: runs in flight may cost less than the budget reserves for them,
    /// which then pays for others.
    GiveUpSlot,
}

/// The settings of a session.
#[derive(Debug, Clone)]
pub struct DriverSettings {
    /// How the agent is dispatched.
    pub dispatch: AgentDispatch,
    /// Whether a run is submitted only once its agent is in the room.
    pub wait_for_agent: bool,
    /// An agent that joins later than this after its dispatch is late.
    pub agent_within: Micros,
    /// A run whose agent has not joined by then fails.
    pub give_up_after: Micros,
    /// The rate of submissions to the evaluator.
    pub requests: Rate,
    /// The rate of status polls.
    pub status_polls: Rate,
    /// The rate of room polls.
    pub room_polls: Rate,
    /// How many runs may be in flight at once.
    pub in_flight: u32,
    /// What happens to a start that finds no free slot.
    pub when_full: WhenFull,
    /// How often a submission is sent, retries included.
    pub attempts: u32,
    /// How long one status poll may take.
    pub poll_timeout: Micros,
    /// How long a run may take from its acceptance by the evaluator to its end.
    pub run_timeout: Micros,
    /// How long to poll the room of a submission whose acceptance is unknown.
    pub watch_unknown: Micros,
    /// How long a stopped session waits for the runs under way.
    pub drain: Micros,
    /// How long one request to LiveKit may take.
    pub livekit_timeout: Micros,
    /// How long tokens must be valid.
    pub token_lifetime: Micros,
    /// How long rooms must stay open without participants.
    pub room_lifetime: Micros,
    /// The modes of the conversations.
    pub modes: &'static [Mode],
    /// How long a conversation of each scenario is expected to take.
    pub expected_durations: Vec<Micros>,
    /// What the evaluator can do.
    pub evaluator: EvaluatorCapabilities,
    /// Limits on money, runs and minutes.
    pub budget_limits: BudgetLimits,
    /// What they mean for a hold stage.
    pub on_budget_reached: OnBudgetReached,
}

impl DriverSettings {
    /// The settings of a profile for an evaluator.
    pub fn new(profile: &Profile, evaluator: EvaluatorCapabilities) -> Self {
        let limits = &profile.limits;
        Self {
            dispatch: profile.livekit.dispatch.clone(),
            wait_for_agent: profile.livekit.wait_for_agent,
            agent_within: profile.livekit.agent_within.micros(),
            give_up_after: profile.livekit.give_up_after.micros(),
            requests: limits.requests,
            status_polls: limits.polls,
            room_polls: limits.room_polls,
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
            modes: profile.mode.modes(),
            expected_durations: profile.mix.scenarios().iter().map(|s| s.lasts.micros()).collect(),
            evaluator,
            budget_limits: BudgetLimits::new(profile),
            on_budget_reached: if profile.judges.is_some() {
                OnBudgetReached::GiveUpSlot
            } else {
                OnBudgetReached::Stop
            },
        }
    }

    /// Whether a request of its own dispatches the agent.
    pub(super) const fn dispatches_by_request(&self) -> bool {
        matches!(self.dispatch.method(), DispatchMethod::Explicit | DispatchMethod::ExplicitFresh)
    }

    /// Whether the driver creates the room; with dispatch by token the evaluator's join does.
    pub(super) const fn creates_room(&self) -> bool {
        !matches!(self.dispatch.method(), DispatchMethod::Token)
    }
}
