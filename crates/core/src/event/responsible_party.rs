//! Whose fault a failure can be.

use std::fmt;

use super::failure::FailureClass;

/// Whose fault a failure can be. Reports group failures by it, so that nobody is blamed for what another did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResponsibleParty {
    /// The agent or its worker.
    Agent,
    /// The LiveKit server.
    Server,
    /// The network between this machine and the services.
    Network,
    /// The evaluator.
    Evaluator,
    /// Rushhour, its machine, or the settings and keys that it was given.
    Generator,
    /// The caller's script.
    Script,
}

impl ResponsibleParty {
    /// The name used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Server => "server",
            Self::Network => "network",
            Self::Evaluator => "evaluator",
            Self::Generator => "generator",
            Self::Script => "script",
        }
    }
}

impl fmt::Display for ResponsibleParty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FailureClass {
    /// Whose fault it can be.
    pub const fn party(self) -> ResponsibleParty {
        match self {
            Self::DispatchUnassigned
            | Self::AgentNeverJoined
            | Self::AgentLate
            | Self::AgentMute
            | Self::AgentLeft
            | Self::TurnTimeout => ResponsibleParty::Agent,
            Self::RoomFailed | Self::DispatchFailed | Self::LivekitRateLimited => {
                ResponsibleParty::Server
            }
            // No answer, or half of one: what happened on the other side is unknown.
            Self::SubmitUnknown | Self::ConnectionLost => ResponsibleParty::Network,
            Self::SubmitRejected
            | Self::EvaluatorFailed
            | Self::EvaluatorTimeout
            | Self::StatusUnknown
            | Self::RateLimited => ResponsibleParty::Evaluator,
            Self::TokenRejected | Self::BudgetStopped | Self::Cancelled | Self::GeneratorFault => {
                ResponsibleParty::Generator
            }
        }
    }

    /// Whether it can be the agent's fault. An evaluator that reports a failed or endless call does not say whose fault
    /// that was; the caller's script is what the agent was tested with.
    pub const fn can_be_the_agents(self) -> bool {
        matches!(self.party(), ResponsibleParty::Agent | ResponsibleParty::Script)
            || matches!(self, Self::EvaluatorFailed | Self::EvaluatorTimeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_environment_does_is_no_fault_of_the_agent() {
        for class in [
            FailureClass::LivekitRateLimited,
            FailureClass::RateLimited,
            FailureClass::RoomFailed,
            FailureClass::SubmitUnknown,
            FailureClass::ConnectionLost,
            FailureClass::StatusUnknown,
            FailureClass::TokenRejected,
            FailureClass::GeneratorFault,
        ] {
            assert!(!class.can_be_the_agents(), "{class}");
        }
        for class in [FailureClass::AgentMute, FailureClass::EvaluatorFailed] {
            assert!(class.can_be_the_agents(), "{class}");
        }
    }
}
