//! [`AgentPollTimes`]: when to poll a room for its agent, learnt from the agents that joined before.
//!
//! Each poll is a request per run, and LiveKit Cloud counts requests; few polls leave the moment of a join uncertain.
//! So polls go where joins are: to the quantiles of the last ones. Listing many rooms with one request does not help,
//! because LiveKit counts no agents among a room's participants, and publishers up to five seconds late.

use std::collections::VecDeque;

use rushhour_core::units::Micros;

/// The joins that are known, at most: an agent that becomes slower is noticed after so many.
const KEPT: usize = 64;
/// Fewer say too little.
const FEWEST: usize = 8;
/// Shares of the joins before each poll. An agent is usually seen by the second or third.
const QUANTILES: [f64; 3] = [0.1, 0.5, 0.9];
/// Polls are not closer to each other.
const LEAST_GAP: Micros = Micros::from_millis(50);
/// The first poll, while nothing is known: hardly any agent is faster.
const FIRST: Micros = Micros::from_millis(300);
/// While nothing is known, each poll is so many times as late as the one before: the fifth is at 11.7 s.
const GROWTH: f64 = 2.5;
/// Rooms whose agents were sent for later are not polled before others were in vain, as long as no agent has joined; but
/// an agent that is slower than others at first must not hide those that are quick.
const SKIPPED: Micros = Micros::from_secs(1);
/// The longest gap between polls.
const LONGEST_GAP: Micros = Micros::from_secs(10);

/// How long the last agents took to join.
#[derive(Debug, Clone, Default)]
pub(super) struct AgentPollTimes {
    joins: VecDeque<Micros>,
    /// How long the slowest agent has not been there, until the first one has joined.
    longest_absence: Micros,
}

impl AgentPollTimes {
    /// An agent joined so long after it was sent for.
    pub(super) fn learn(&mut self, join: Micros) {
        if self.joins.len() == KEPT {
            self.joins.pop_front();
        }
        self.joins.push_back(join);
    }

    /// The next poll of a room whose agent was sent for `waited` ago, and is not there: how long after that.
    pub(super) fn next_poll(&mut self, waited: Micros) -> Micros {
        if self.joins.is_empty() {
            self.longest_absence = self.longest_absence.max(waited);
        }
        let earliest = if waited == Micros::ZERO { waited } else { waited + LEAST_GAP };
        let learnt = self.learnt().into_iter().find(|at| *at >= earliest);
        learnt.unwrap_or_else(|| {
            if waited >= FIRST {
                return later(waited).max(earliest);
            }
            let mut first = FIRST;
            while self.joins.is_empty() && first <= self.longest_absence.min(SKIPPED) {
                first = later(first);
            }
            first
        })
    }

    /// The times of polls that the joins suggest, in order.
    fn learnt(&self) -> Vec<Micros> {
        if self.joins.len() < FEWEST {
            return Vec::new();
        }
        let mut sorted: Vec<Micros> = self.joins.iter().copied().collect();
        sorted.sort_unstable();
        let last = sorted.len() - 1;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
        let quantile = |share: f64| sorted[(share * last as f64).round() as usize];
        let mut times: Vec<Micros> = QUANTILES.map(quantile).to_vec();
        // Most of those that are later than all before are hardly later.
        times.push(sorted[last] + Micros(sorted[last].0 / 10) + LEAST_GAP);
        times
    }
}

/// The poll after one that was in vain, while nothing is known.
fn later(waited: Micros) -> Micros {
    Micros::from_secs_f64(waited.as_secs_f64() * GROWTH).min(waited + LONGEST_GAP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_core::rng::KeyedRng;

    /// How many polls each run takes, and how uncertain its join is in the median, for agents of this median in ms. A
    /// poll's answer takes 3 ms.
    fn polled(median: f64, sigma: f64, runs: u64) -> (f64, f64) {
        let mut times = AgentPollTimes::default();
        let mut polls = 0_u32;
        let mut widths = Vec::new();
        for run in 0..runs {
            let normal = KeyedRng::new(7).draw("join", &run.to_string()).normal();
            let join = Micros::from_secs_f64(median / 1e3 * (sigma * normal).exp());
            let (mut absent, mut waited) = (Micros::ZERO, Micros::ZERO);
            loop {
                let at = times.next_poll(waited);
                assert!(at >= waited, "no poll in the past");
                polls += 1;
                if at >= join {
                    widths.push(at.saturating_sub(absent).0 as f64 / 1e3);
                    break;
                }
                (absent, waited) = (at, at + Micros::from_millis(3));
            }
            times.learn(join);
        }
        widths.sort_by(f64::total_cmp);
        (f64::from(polls) / runs as f64, widths[widths.len() / 2])
    }

    #[test]
    fn a_run_takes_at_most_three_polls_or_so_however_slow_agents_are() {
        // With doubling gaps from 300 ms: 2.3, 3.2, 3.7, 5.8 and 6.9 polls, and 50 to 100 % of the median.
        for (median, sigma) in [
            (350.0, 0.57),
            (350.0, 0.02),
            (2_000.0, 0.3),
            (4_000.0, 0.3),
            (8_000.0, 0.3),
            (20_000.0, 0.1),
        ] {
            let (polls, width) = polled(median, sigma, 400);
            assert!(polls <= 3.0, "{median} ms: {polls} polls");
            let spread = median * sigma;
            assert!(width <= (1.8 * spread).max(130.0), "{median} ms: within {width} ms");
        }
    }

    #[test]
    fn while_nothing_is_known_the_fifth_poll_is_at_eleven_seconds() {
        let mut times = AgentPollTimes::default();
        let mut at = Micros::ZERO;
        let polls: Vec<u64> = (0..8)
            .map(|_| {
                at = times.next_poll(at);
                at.0 / 1_000
            })
            .collect();
        assert_eq!(polls, [300, 750, 1_875, 4_687, 11_718, 21_718, 31_718, 41_718]);
    }

    #[test]
    fn while_others_are_waited_for_later_rooms_are_not_polled_earlier() {
        let mut times = AgentPollTimes::default();
        let (soon, later) = (Micros::from_millis(20), Micros::from_millis(1_875));
        assert_eq!(times.next_poll(soon), FIRST);
        // The first room was polled in vain.
        assert_eq!(times.next_poll(FIRST), Micros::from_millis(750));
        assert_eq!(times.next_poll(soon), Micros::from_millis(750));
        times.next_poll(Micros::from_millis(750));
        assert_eq!(times.next_poll(soon), later);
        // One that never comes skips no more than these.
        times.next_poll(Micros::from_secs(40));
        assert_eq!(times.next_poll(soon), later);
        times.learn(Micros::from_secs(2));
        assert_eq!(times.next_poll(soon), FIRST, "there are agents now, of whatever speed");
    }

    #[test]
    fn a_short_session_takes_at_most_five_polls_a_run_whose_agent_takes_eight_seconds() {
        // Twenty runs, half a second apart; each poll is told as soon as it is due.
        let mut times = AgentPollTimes::default();
        let join = |run: u64| {
            let normal = KeyedRng::new(7).draw("join", &run.to_string()).normal();
            Micros::from_secs_f64(8.0 * (0.3 * normal).exp())
        };
        let mut due: std::collections::BTreeSet<(Micros, u64, Micros)> =
            (0..20).map(|run| (Micros::from_millis(run * 500), run, Micros::ZERO)).collect();
        let mut polls = 0_u32;
        while let Some((now, run, waited)) = due.pop_first() {
            polls += u32::from(waited > Micros::ZERO);
            if waited >= join(run) {
                times.learn(join(run));
                continue;
            }
            let next = times.next_poll(waited);
            due.insert((now + next.saturating_sub(waited), run, next));
        }
        assert!(f64::from(polls) / 20.0 <= 4.0, "{polls} polls of 20 runs");
    }

    #[test]
    fn agents_that_become_slower_are_learnt() {
        let mut times = AgentPollTimes::default();
        for _ in 0..KEPT {
            times.learn(Micros::from_millis(400));
        }
        assert_eq!(times.next_poll(Micros::ZERO), Micros::from_millis(400));
        for _ in 0..KEPT {
            times.learn(Micros::from_secs(6));
        }
        assert_eq!(times.next_poll(Micros::ZERO), Micros::from_secs(6));
        assert_eq!(times.next_poll(Micros::from_millis(6_003)), Micros::from_millis(6_650));
    }
}
