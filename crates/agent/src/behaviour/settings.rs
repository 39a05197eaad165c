//! The settings of an agent, and the delays and faults that they give a room and a turn.

use super::fault::{JobFault, JobFaults};
use rushhour_core::rng::{DelayDistribution, KeyedDraw, KeyedRng};
use rushhour_core::units::{Micros, Percent, Rate, RoomName, SoundLevel};

const SECONDS_PER_HOUR: f64 = 3_600.0;

/// What an agent says first, without waiting for the caller.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentGreeting {
    /// The text; a voice agent also speaks.
    pub text: String,
    /// From the state `listening` to the greeting.
    pub delay: DelayDistribution,
    /// Whether it greets even if the caller was first; otherwise it answers instead.
    pub insists: bool,
}

/// What an agent says before it calls a tool, and how long the tool takes.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentFiller {
    /// The text; a voice agent also speaks.
    pub text: String,
    /// From the end of the filler to the answer.
    pub tool_delay: DelayDistribution,
}

/// The noise of a voice agent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AgentNoise {
    /// The level of the noise that it mixes into its own track, if it does.
    pub ambience: Option<SoundLevel>,
    /// Whether keys are heard on its track while it thinks.
    pub typing: bool,
    /// Whether it publishes background noise as a second track.
    pub background_track: bool,
}

/// When an agent hands the conversation over to another agent.
#[derive(Debug, Clone, PartialEq)]
pub struct HandOff {
    /// After so many answered turns.
    pub after_turns: u32,
    /// How long after it left the other joins; `None` if the other joins first, and it leaves once the other listens.
    pub gap: Option<DelayDistribution>,
}

/// How often something happens to an agent's speech, and how long it takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Breaks {
    /// How often, in the time that it speaks.
    pub rate: Rate,
    /// How long, rounded up to frames of 20 ms.
    pub length: DelayDistribution,
}

/// An agent that speaks while the caller does.
#[derive(Debug, Clone, PartialEq)]
pub struct TalkOver {
    /// In which share of the turns.
    pub share: Percent,
    /// How long after the caller began.
    pub after: DelayDistribution,
}

/// The delays, faults and limits of an agent.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "independent habits of the agent")]
pub struct Behaviour {
    /// The seed of all random delays and faults.
    pub seed: u64,
    /// The share of the jobs that each fault affects.
    pub faults: JobFaults,
    /// From the assignment of a job to joining its room.
    pub join_delay: DelayDistribution,
    /// From open data channels to the state `listening`.
    pub ready_delay: DelayDistribution,
    /// The greeting, if the agent greets.
    pub greeting: Option<AgentGreeting>,
    /// From the caller's last sound to the moment at which its turn is over; without it, once its silence is heard.
    pub end_of_turn_delay: Option<Micros>,
    /// From the end of the caller's turn to the start of the answer.
    pub turn_delay: DelayDistribution,
    /// From the first word of a written answer to its last.
    pub final_delay: DelayDistribution,
    /// From the caller's interruption to the agent's silence.
    pub yield_delay: DelayDistribution,
    /// The number of turns after which an agent with the fault `crash_after_turns` crashes.
    pub crash_after_turns: u32,
    /// The maximum number of concurrent sessions; further jobs are rejected.
    pub capacity: usize,
    /// The number of concurrent sessions above which answers slow down in proportion.
    pub slow_above: Option<usize>,
    /// The growth of the turn delay per hour, as a fraction of its first value.
    pub drift_per_hour: f64,
    /// Bytes that each session leaks.
    pub leak_per_session: usize,
    /// Whether a voice agent publishes transcriptions of the caller's speech.
    pub user_transcription: bool,
    /// What it hears in each turn of speech, then from the first again. Without it, no transcription is final, because the
    /// agent understands no speech.
    pub hears: Vec<String>,
    /// Whether the agent sends the metrics of each turn on the topic `lk.agent.session`.
    pub metrics: bool,
    /// Whether it publishes its state in the attribute `lk.agent.state`.
    pub states: bool,
    /// What it says before each answer, if it calls a tool.
    pub filler: Option<AgentFiller>,
    /// The noise on its tracks.
    pub noise: AgentNoise,
    /// Whether a second participant, an avatar, publishes the voice on its behalf.
    pub avatar: bool,
    /// When it hands over to another agent, if it does.
    pub hand_off: Option<HandOff>,
    /// Digital silence that cuts its speech, if there is any.
    pub cuts: Option<Breaks>,
    /// Moments of its speech in which it sends nothing, and then all at once, if there are any.
    pub stalls: Option<Breaks>,
    /// Packets of its speech that are lost in a row, if there are any.
    pub losses: Option<Breaks>,
    /// In which share of its answers it goes on although the caller speaks.
    pub no_yield: Option<Percent>,
    /// Whether it talks over the caller.
    pub talk_over: Option<TalkOver>,
}

impl Default for Behaviour {
    /// An agent without faults that answers after 300 ms, and completes a written answer 50 ms later.
    fn default() -> Self {
        Self {
            seed: 1,
            faults: JobFaults::NONE,
            join_delay: DelayDistribution::fixed(0),
            ready_delay: DelayDistribution::fixed(0),
            greeting: None,
            end_of_turn_delay: None,
            turn_delay: DelayDistribution::fixed(300),
            final_delay: DelayDistribution::fixed(50),
            yield_delay: DelayDistribution::fixed(200),
            crash_after_turns: 2,
            capacity: 10_000,
            slow_above: None,
            drift_per_hour: 0.0,
            leak_per_session: 0,
            user_transcription: true,
            hears: Vec::new(),
            metrics: true,
            states: true,
            filler: None,
            noise: AgentNoise::default(),
            avatar: false,
            hand_off: None,
            cuts: None,
            stalls: None,
            losses: None,
            no_yield: None,
            talk_over: None,
        }
    }
}

/// The circumstances that change turn delays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AgentLoad {
    /// Concurrent sessions, including this one.
    pub(crate) sessions: usize,
    /// Since the agent was started.
    pub(crate) uptime: Micros,
}

impl Behaviour {
    /// The fault of the job in this room, if it has one.
    pub fn fault(&self, room: &RoomName) -> Option<JobFault> {
        self.faults.choose(self.rng().draw("fate", room.as_str()))
    }

    pub(crate) fn join_delay(&self, room: &RoomName) -> Micros {
        self.join_delay.sample(self.rng().draw("join", room.as_str()))
    }

    pub(crate) fn ready_delay(&self, room: &RoomName) -> Micros {
        self.ready_delay.sample(self.rng().draw("ready", room.as_str()))
    }

    /// `None` if the agent does not greet.
    pub(crate) fn greeting_delay(&self, room: &RoomName) -> Option<Micros> {
        let draw = self.rng().draw("greeting", room.as_str());
        self.greeting.as_ref().map(|greeting| greeting.delay.sample(draw))
    }

    /// `None` if the agent says no filler.
    pub(crate) fn tool_delay(&self, room: &RoomName, turn: u32) -> Option<Micros> {
        let draw = self.turn_draw("tool", room, turn);
        self.filler.as_ref().map(|filler| filler.tool_delay.sample(draw))
    }

    /// From leaving to the join of the agent that takes over; `None` if that one joins first.
    pub(crate) fn hand_off_gap(&self, room: &RoomName) -> Option<Micros> {
        let gap = self.hand_off.as_ref()?.gap?;
        Some(gap.sample(self.rng().draw("handoff", room.as_str())))
    }

    /// The delay of the answer to a turn, counted from 1: a random delay, multiplied by the ratio of the sessions to
    /// [`Self::slow_above`] if there are more, and by the drift so far.
    pub(crate) fn turn_delay(&self, room: &RoomName, turn: u32, load: AgentLoad) -> Micros {
        let delay = self.turn_delay.sample(self.turn_draw("turn", room, turn)).as_secs_f64();
        let slowdown = match self.slow_above {
            Some(limit) if load.sessions > limit => load.sessions as f64 / limit.max(1) as f64,
            _ => 1.0,
        };
        let drift = 1.0 + self.drift_per_hour * load.uptime.as_secs_f64() / SECONDS_PER_HOUR;
        Micros::from_secs_f64(delay * slowdown * drift)
    }

    pub(crate) fn final_delay(&self, room: &RoomName, turn: u32) -> Micros {
        self.final_delay.sample(self.turn_draw("final", room, turn))
    }

    pub(crate) fn yield_delay(&self, room: &RoomName, turn: u32) -> Micros {
        self.yield_delay.sample(self.turn_draw("yield", room, turn))
    }

    /// Whether the answer to a turn goes on although the caller speaks.
    pub(crate) fn keeps_talking(&self, room: &RoomName, turn: u32) -> bool {
        let draw = self.turn_draw("no yield", room, turn).uniform();
        self.no_yield.is_some_and(|share| draw < share.fraction())
    }

    /// How long after the caller began a turn the agent speaks too; `None` if it does not in this one.
    pub(crate) fn talks_over_after(&self, room: &RoomName, turn: u32) -> Option<Micros> {
        let talk_over = self.talk_over.as_ref()?;
        let is_chosen =
            self.turn_draw("talk over", room, turn).uniform() < talk_over.share.fraction();
        is_chosen.then(|| talk_over.after.sample(self.turn_draw("talk over after", room, turn)))
    }

    const fn rng(&self) -> KeyedRng {
        KeyedRng::new(self.seed)
    }

    fn turn_draw(&self, purpose: &str, room: &RoomName, turn: u32) -> KeyedDraw {
        self.rng().draw(purpose, &format!("{room}/{turn}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delay(behaviour: &Behaviour, sessions: usize, hours: u64) -> u64 {
        let load = AgentLoad { sessions, uptime: Micros::from_secs(3_600 * hours) };
        behaviour.turn_delay(&RoomName::new("room-1"), 1, load).0
    }

    #[test]
    fn turn_delays_grow_with_sessions_and_uptime() {
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
    fn each_room_and_turn_has_its_own_delay_and_always_the_same() {
        let behaviour = Behaviour {
            turn_delay: "uniform 0s..3s".parse().unwrap(),
            join_delay: "uniform 0s..3s".parse().unwrap(),
            ..Behaviour::default()
        };
        let load = AgentLoad { sessions: 1, uptime: Micros::ZERO };
        let turn = |room: &str, turn| behaviour.turn_delay(&RoomName::new(room), turn, load);
        assert_eq!(turn("a", 1), turn("a", 1));
        assert_ne!(turn("a", 1), turn("a", 2));
        assert_ne!(turn("a", 1), turn("b", 1));
        assert_ne!(behaviour.join_delay(&RoomName::new("a")), turn("a", 1));
    }
}
