//! What each step of the funnel means, for reports.

use super::funnel::FunnelStep;

impl FunnelStep {
    /// What a run has to do to reach the step, in one sentence.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Started => "The driver started the run.",
            Self::RoomCreated => "CreateRoom succeeded.",
            Self::CallerJoined => "Our own caller joined the room and could be spoken to.",
            Self::Dispatched => "CreateDispatch succeeded. This says nothing about an agent.",
            Self::Assigned => {
                "A worker was assigned the job: the agent joined, or the server listed the job when the run gave up waiting."
            }
            Self::AgentSeen => "A participant of kind AGENT joined the room.",
            Self::AgentReady => "The agent's own state was listening.",
            Self::Submitted => "The run was about to be submitted to the evaluator.",
            Self::Accepted => "The evaluator accepted the run.",
            Self::Running => {
                "The conversation was in progress, or already over at the next status poll."
            }
            Self::Greeted => {
                "The agent spoke or wrote before the caller's first turn. Earlier versions counted its first answer too."
            }
            Self::Turn(_) => "The agent answered this turn of the script in time.",
            Self::Completed => "The conversation came to its end and was judged.",
            Self::Passed => {
                "The agent passed: the evaluator said so, or every answer matched the script's expectation."
            }
        }
    }
}
