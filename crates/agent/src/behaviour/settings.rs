//! The settings of an agent, and what follows from them for one room and one turn.

use super::fault::{JobFault, JobFaults};
use rushhour_core::rng::{DelayDistribution, KeyedRng};
use rushhour_core::units::{Micros, RoomName};

/// Seconds of an hour.
const HOUR: f64 = 3_600.0;

/// What an agent says by itself once it listens.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentGreeting {
    /// The words; a voice agent speaks for as long as they take.
    pub text: String,
    /// From being ready to the greeting.
    pub delay: DelayDistribution,
}

/// How an agent behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Behaviour {
    /// Where all chance comes from.
    pub seed: u64,
    /// Which share of the jobs has which fault.
    pub faults: JobFaults,
    /// From the assignment of a job to joining its room.
    pub join_delay: DelayDistribution,
    /// From open data channels to the state `listening`.
    pub ready_delay: DelayDistribution,
    /// What it says by itself, if anything.
    pub greeting: Option<AgentGreeting>,
    /// From the end of what the caller says to the first word of the answer.
    pub turn_delay: DelayDistribution,
    /// From the first word of a written answer to its last.
    pub final_delay: DelayDistribution,
    /// From the caller's barging in to the agent's silence.
    pub yield_delay: DelayDistribution,
    /// After how many turns an agent with that fault crashes.
    pub crash_after_turns: u32,
    /// Sessions at once; more are declined.
    pub capacity: usize,
    /// With more sessions than this at once, answers come later in proportion.
    pub slow_above: Option<usize>,
    /// By which part of itself the turn delay grows in an hour.
    pub drift_per_hour: f64,
    /// Bytes that each session leaves behind for good.
    pub leak_per_session: usize,
    /// Whether a voice agent sends what it heard, in the caller's name.
    pub user_transcription: bool,
    /// Whether the parts of each turn are told on `lk.agent.session`.
    pub metrics: bool,
}

impl Default for Behaviour {
    /// An agent that does all it should: answers after 300 ms, in writing within further 50 ms.
    fn default() -> Self {
        Self {
            seed: 1,
            faults: JobFaults::NONE,
            join_delay: DelayDistribution::fixed(0),
            ready_delay: DelayDistribution::fixed(0),
            greeting: None,
            turn_delay: DelayDistribution::fixed(300),
            final_delay: DelayDistribution::fixed(50),
            yield_delay: DelayDistribution::fixed(200),
            crash_after_turns: 2,
            capacity: 10_000,
            slow_above: None,
            drift_per_hour: 0.0,
            leak_per_session: 0,
            user_transcription: true,
            metrics: true,
        }
    }
}

/// What besides seed and room decides how long an answer takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobCircumstances {
    /// Sessions at this moment, this one with them.
    pub sessions: usize,
    /// Since the agent was started.
    pub running_for: Micros,
}

impl Behaviour {
    /// The fault of the agent in this room, if it has one.
    pub fn fate(&self, room: &RoomName) -> Option<JobFault> {
        self.faults.choose(self.chance().draw("fate", room.as_str()))
    }

    /// From the assignment to joining this room.
    pub fn join_delay(&self, room: &RoomName) -> Micros {
        self.join_delay.sample(self.chance().draw("join", room.as_str()))
    }

    /// From open data channels to `listening` in this room.
    pub fn ready_delay(&self, room: &RoomName) -> Micros {
        self.ready_delay.sample(self.chance().draw("ready", room.as_str()))
    }

    /// From being ready to the greeting in this room, where there is one.
    pub fn greeting_delay(&self, room: &RoomName) -> Option<Micros> {
        let draw = self.chance().draw("greeting", room.as_str());
        self.greeting.as_ref().map(|greeting| greeting.delay.sample(draw))
    }

    /// From the end of the caller's turn (from 1) to the answer: the drawn delay, times `sessions` over
    /// [`Self::slow_above`] where there are more, times the drift so far.
    pub fn turn_delay(&self, room: &RoomName, turn: u32, under: JobCircumstances) -> Micros {
        let delay = self.turn_delay.sample(self.turn_draw("turn", room, turn)).as_secs_f64();
        let crowd = match self.slow_above {
            Some(most) if under.sessions > most => under.sessions as f64 / most.max(1) as f64,
            _ => 1.0,
        };
        let drift = 1.0 + self.drift_per_hour * under.running_for.as_secs_f64() / HOUR;
        Micros::from_secs_f64(delay * crowd * drift)
    }

    /// From the first word of the answer to this turn to its last.
    pub fn final_delay(&self, room: &RoomName, turn: u32) -> Micros {
        self.final_delay.sample(self.turn_draw("final", room, turn))
    }

    /// From the caller's barging in to silence, in this turn.
    pub fn yield_delay(&self, room: &RoomName, turn: u32) -> Micros {
        self.yield_delay.sample(self.turn_draw("yield", room, turn))
    }

    const fn chance(&self) -> KeyedRng {
        KeyedRng::new(self.seed)
    }

    fn turn_draw(&self, what: &str, room: &RoomName, turn: u32) -> rushhour_core::rng::KeyedDraw {
        self.chance().draw(what, &format!("{room}/{turn}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delay(behaviour: &Behaviour, sessions: usize, hours: u64) -> u64 {
        let running_for = Micros::from_secs(3_600 * hours);
        behaviour
            .turn_delay(&RoomName::new("room-1"), 1, JobCircumstances { sessions, running_for })
            .0
    }

    #[test]
    fn a_crowd_and_time_make_answers_slower_in_proportion() {
        let plain = Behaviour::default();
        assert_eq!(delay(&plain, 5_000, 100), 300_000);
        let crowded = Behaviour { slow_above: Some(100), ..plain.clone() };
        assert_eq!(delay(&crowded, 100, 0), 300_000);
        assert_eq!(delay(&crowded, 101, 0), 303_000);
        assert_eq!(delay(&crowded, 250, 0), 750_000);
        let drifting = Behaviour { drift_per_hour: 0.1, ..plain };
        assert_eq!(delay(&drifting, 1, 0), 300_000);
        assert_eq!(delay(&drifting, 1, 5), 450_000);
    }

    #[test]
    fn a_room_has_its_own_draws_and_always_the_same() {
        let behaviour = Behaviour {
            turn_delay: "uniform 0s..3s".parse().unwrap(),
            join_delay: "uniform 0s..3s".parse().unwrap(),
            ..Behaviour::default()
        };
        let under = JobCircumstances { sessions: 1, running_for: Micros::ZERO };
        let turn = |room: &str, turn| behaviour.turn_delay(&RoomName::new(room), turn, under);
        assert_eq!(turn("a", 1), turn("a", 1));
        assert_ne!(turn("a", 1), turn("a", 2));
        assert_ne!(turn("a", 1), turn("b", 1));
        assert_ne!(behaviour.join_delay(&RoomName::new("a")), turn("a", 1));
    }
}
