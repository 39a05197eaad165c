//! What was noted of the agent in the throw-away room so far.

use std::collections::BTreeMap;

use super::agent_texts::AgentTexts;
use super::first_turn::FirstWords;
use super::rules::CallerConnection;
use super::traits::{AgentTraits, FirstAnswer, VoiceTrack};
use rushhour_callers::caller::Agents;
use rushhour_core::profile::HearTrack;
use rushhour_core::units::{Micros, Mode, SessionTime};

/// How long a greeting was waited for, and an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waited {
    pub(super) greeting: Micros,
    pub(super) answer: Micros,
}

/// What was noted so far.
#[derive(Debug)]
pub(super) struct Heard {
    /// Who the agent is and which of its tracks is its voice, as our callers know it.
    pub(super) agents: Agents,
    pub(super) tells_state: bool,
    pub(super) texts: AgentTexts,
    pub(super) reports_session: bool,
    /// The ways of media and data that were tried.
    pub(super) tried: String,
    /// When each track was heard first, by its SID.
    pub(super) first_sounds: BTreeMap<String, SessionTime>,
    /// How far the participant's own connection came.
    pub(super) connection: CallerConnection,
    /// What it is to say.
    pub(super) to_say: Option<FirstWords>,
    /// When it began to say that, and when it had said it.
    pub(super) turn_began: Option<SessionTime>,
    pub(super) said_at: Option<SessionTime>,
    /// When the agent's voice was heard first after that began.
    pub(super) answered_aloud_at: Option<SessionTime>,
}

impl Heard {
    pub(super) fn new(hear: HearTrack) -> Self {
        Self {
            agents: Agents::new(hear),
            tells_state: false,
            texts: AgentTexts::default(),
            reports_session: false,
            first_sounds: BTreeMap::new(),
            connection: CallerConnection::None,
            tried: String::new(),
            to_say: None,
            turn_began: None,
            said_at: None,
            answered_aloud_at: None,
        }
    }

    /// When the agent said its first word: in writing, or aloud, and before anybody spoke to it.
    pub(super) fn greeted_at(&self, mode: Mode) -> Option<SessionTime> {
        let first = match mode {
            Mode::Chat => self.texts.first(|author| self.agents.is_agent(author)),
            Mode::Voice => {
                let voice = self.agents.voice().iter();
                voice.filter_map(|sid| self.first_sounds.get(sid)).min().copied()
            }
        };
        first.filter(|at| self.turn_began.is_none_or(|began| *at < began))
    }

    /// When it answered the turn that was said to it.
    pub(super) fn answered_at(&self, mode: Mode) -> Option<SessionTime> {
        match mode {
            Mode::Chat => self.texts.first_answer(|author| self.agents.is_agent(author)),
            Mode::Voice => self.answered_aloud_at,
        }
    }

    /// A sound began on a track.
    pub(super) fn note_sound(&mut self, sid: &str, at: SessionTime) {
        self.first_sounds.entry(sid.to_owned()).or_insert(at);
        if self.turn_began.is_some_and(|began| at > began) && self.agents.is_voice(Some(sid), at) {
            self.answered_aloud_at.get_or_insert(at);
        }
    }

    /// Whether the agent was heard or read, and nobody was announced.
    pub(super) fn is_hidden(&self) -> bool {
        self.agents.hidden_at().is_some()
    }

    /// What is known of the agent, for which this long was waited.
    pub(super) fn traits(&self, mode: Mode, waited: Waited) -> Option<AgentTraits> {
        let joined_at = self.agents.joined_at()?;
        let answer = match (self.turn_began, self.answered_at(mode)) {
            (None, _) => FirstAnswer::NotAsked,
            (Some(_), None) => FirstAnswer::Missing(waited.answer),
            // It may begin before the turn is over.
            (Some(began), Some(at)) => FirstAnswer::Came(at.since(self.said_at.unwrap_or(began))),
        };
        let voice = self.agents.voice();
        let is_voice = |sid: &String| voice.contains(sid);
        let mut others: Vec<_> =
            self.agents.audio_tracks().filter(|track| !is_voice(&track.sid)).collect();
        // What was heard first is more likely to be the voice.
        others.sort_by_key(|track| {
            self.first_sounds.get(&track.sid).map_or(SessionTime(u64::MAX), |at| *at)
        });
        let others = others.into_iter().map(|track| track.name.clone()).collect();
        let track = match voice {
            [] => VoiceTrack::NoneOf(others),
            _ if self.agents.is_encrypted() => VoiceTrack::Encrypted,
            _ => VoiceTrack::Beside(others),
        };
        Some(AgentTraits {
            greeted_after: self.greeted_at(mode).map(|at| at.since(joined_at)),
            listened_for: waited.greeting,
            answer,
            tells_state: self.tells_state,
            is_transcribed: self.texts.is_transcribed(|author| self.agents.is_agent(author)),
            reports_session: self.reports_session,
            track,
            has_avatar: self.agents.has_avatar(),
            agents: self.agents.count(),
        })
    }
}
