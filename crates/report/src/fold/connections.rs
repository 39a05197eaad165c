//! How LiveKit rated the connections of agents and of our own callers, and what the network lost, over runs.

use rushhour_core::event::{
    AgentRtcStats, ConnectionRating, ConnectionRatings, ConversationSummary, ReceivedAudio,
};
use rushhour_core::units::Micros;

/// How LiveKit rated the connections of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConnectionsOfRun {
    /// The agent's.
    pub agent: Option<ConnectionRatings>,
    /// The caller's.
    pub caller: Option<ConnectionRatings>,
    /// What the agent's own WebRTC stack had counted.
    pub agent_rtc: Option<AgentRtcStats>,
    /// What the caller received of the agent's voice.
    pub received: Option<ReceivedAudio>,
}

impl ConnectionsOfRun {
    /// Nothing is known.
    pub(super) const NONE: Self =
        Self { agent: None, caller: None, agent_rtc: None, received: None };

    pub(super) const fn of(summary: &ConversationSummary) -> Self {
        Self {
            agent: summary.agent_connection,
            caller: summary.caller_connection,
            agent_rtc: summary.agent_rtc,
            received: summary.received,
        }
    }
}

/// How LiveKit rated connections in runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConnectionTally {
    /// Runs in which it rated them.
    pub runs: u64,
    /// Those with poor as the worst rating.
    pub poor: u64,
    /// Those in which one was lost.
    pub lost: u64,
    /// For how long there was a rating.
    pub rated: Micros,
    /// For how much of that the rating was poor or lost.
    pub below_good: Micros,
}

impl ConnectionTally {
    fn add(&mut self, ratings: Option<ConnectionRatings>) {
        let Some(ratings) = ratings else { return };
        self.runs += 1;
        self.poor += u64::from(ratings.worst == ConnectionRating::Poor);
        self.lost += u64::from(ratings.worst == ConnectionRating::Lost);
        self.rated = self.rated + ratings.rated;
        self.below_good = self.below_good + ratings.below_good;
    }

    /// Runs in which the rating was poor or lost.
    pub const fn below_good_runs(&self) -> u64 {
        self.poor + self.lost
    }

    /// The share of the time for which the rating was poor or lost; `None` without any.
    pub fn below_good_share(&self) -> Option<f64> {
        let rated = self.rated.as_secs_f64();
        (rated > 0.0).then(|| self.below_good.as_secs_f64() / rated)
    }
}

/// How LiveKit rated the connections of agents, and of our own callers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConnectionTallies {
    /// Agents.
    pub agents: ConnectionTally,
    /// Callers.
    pub callers: ConnectionTally,
    /// Runs in which the agent told what its own WebRTC stack counts.
    pub rtc_runs: u64,
    /// Their sums.
    pub agent_rtc: AgentRtcStats,
    /// Runs in which the caller received the agent's voice.
    pub received_runs: u64,
    /// What they received together.
    pub received: ReceivedAudio,
}

impl ConnectionTallies {
    /// Whether a rating was poor or lost.
    pub const fn are_bad(&self) -> bool {
        self.agents.below_good_runs() + self.callers.below_good_runs() > 0
    }

    pub(super) fn add(&mut self, run: &ConnectionsOfRun) {
        self.agents.add(run.agent);
        self.callers.add(run.caller);
        if let Some(stats) = &run.agent_rtc {
            self.rtc_runs += 1;
            self.agent_rtc = self.agent_rtc.plus(stats);
        }
        if let Some(received) = &run.received {
            self.received_runs += 1;
            self.received = self.received.plus(received);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_count_by_their_worst_rating_and_only_where_there_was_one() {
        let mut tallies = ConnectionTallies::default();
        let rated = |worst, seconds, below_good| {
            let (rated, below_good) = (Micros::from_secs(seconds), Micros::from_secs(below_good));
            Some(ConnectionRatings { worst, rated, below_good })
        };
        for agent in [
            rated(ConnectionRating::Excellent, 10, 0),
            rated(ConnectionRating::Poor, 20, 5),
            rated(ConnectionRating::Lost, 10, 5),
            None,
        ] {
            let caller = rated(ConnectionRating::Good, 10, 0);
            let agent_rtc = Some(AgentRtcStats { sent: 9, ..AgentRtcStats::default() });
            let received = Some(ReceivedAudio { packets: 30, lost: 2, ..ReceivedAudio::default() });
            tallies.add(&ConnectionsOfRun { agent, caller, agent_rtc, received });
            tallies.add(&ConnectionsOfRun::NONE);
        }
        let agents = tallies.agents;
        assert_eq!((agents.runs, agents.poor, agents.lost), (3, 1, 1));
        assert_eq!(agents.below_good_share(), Some(0.25));
        assert_eq!((tallies.rtc_runs, tallies.agent_rtc.sent), (4, 36));
        assert_eq!((tallies.received_runs, tallies.received.loss()), (4, Some(0.0625)));
        assert!(tallies.are_bad() && tallies.callers.below_good_runs() == 0);
    }
}
