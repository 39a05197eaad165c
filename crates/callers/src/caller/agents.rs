//! Who the agent is: the agents of a room with their avatars, which of their tracks is the voice, and who left.

use super::newcomers::Newcomers;
use super::state_history::StateHistory;
use super::utterances::Utterances;
use crate::audio::MAX_TRACKS;
use crate::participant::{DepartureReason, RemoteAudioTrack, RemoteParticipant};
use rushhour_core::profile::HearTrack;
use rushhour_core::units::{Identity, Micros, SessionTime};
use rushhour_livekit::AgentState;

/// Participants that are remembered, at most.
const MAX_PARTICIPANTS: usize = 64;
/// A participant without a track may be announced as late as 2.9 s after its first packet (livekit-server 1.13.5): an
/// agent that has not been announced this long after its first sign is hidden.
pub(super) const HIDDEN_AFTER: Micros = Micros::from_secs(4);
/// The name of the track on which LiveKit's framework plays ambience and the sound of thinking.
const BACKGROUND_AUDIO: &str = "background_audio";

/// The participants of a room, as far as the caller must know them.
#[derive(Debug)]
pub struct Agents {
    hear: HearTrack,
    /// In the order in which they were seen first.
    participants: Vec<RemoteParticipant>,
    /// When the first agent joined, as seen by the caller.
    pub(super) joined_at: Option<SessionTime>,
    /// Whether the server has ever connected the media of one.
    had_media: bool,
    /// The last agent, while there is none.
    pub(super) departed: Option<DepartedAgent>,
    /// How often an agent handed over to another participant.
    pub(super) hand_offs: u32,
    /// The agents that came after the first.
    newcomers: Newcomers,
    /// Whether one has told that it speaks.
    pub(super) tells_speech: bool,
    /// Those in the room who have spoken or written.
    heard: Vec<Identity>,
    /// What the agents told that they do, and when.
    pub(super) states: StateHistory,
    /// When a text or audio came from somebody who has not been announced.
    unannounced_since: Option<SessionTime>,
    /// Whether a text or another packet came encrypted.
    has_encrypted_texts: bool,
    /// The SIDs of the tracks that are the agent's voice.
    voice: Vec<String>,
}

/// An agent that left, when no other was in the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DepartedAgent {
    identity: Identity,
    pub(super) at: SessionTime,
    pub(super) reason: DepartureReason,
}

/// What an update of a participant changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomChange {
    /// Nothing that matters to the caller.
    None,
    /// The first agent joined.
    AgentJoined,
    /// The last agent left. Another may take its place.
    AgentLeft,
}

/// What the agents say that they are doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AgentActivity {
    /// They listen, or say nothing.
    Open,
    /// One thinks: it will speak again.
    Thinking,
    /// One speaks, or is in a state that is not known to mean that it listens.
    Speaking,
}

impl Agents {
    /// Nobody yet, of whom this track is heard.
    pub const fn new(hear: HearTrack) -> Self {
        Self {
            hear,
            participants: Vec::new(),
            joined_at: None,
            had_media: false,
            departed: None,
            hand_offs: 0,
            newcomers: Newcomers::new(),
            tells_speech: false,
            heard: Vec::new(),
            states: StateHistory::new(),
            unannounced_since: None,
            has_encrypted_texts: false,
            voice: Vec::new(),
        }
    }

    /// Handles the server's update of a participant.
    pub fn update(&mut self, participant: &RemoteParticipant, at: SessionTime) -> RoomChange {
        let known = self.participants.iter().position(|one| one.identity == participant.identity);
        let had_agent = self.count() > 0;
        self.had_media |= participant.has_media && Self::is_main(participant);
        match (known, participant.connected) {
            (Some(index), true) => self.participants[index].clone_from(participant),
            (None, true) => {
                if self.participants.len() >= MAX_PARTICIPANTS {
                    // A crowd does not push the agent out.
                    let is_guest =
                        |one: &RemoteParticipant| !one.is_agent && one.publishes_for.is_none();
                    let least = self.participants.iter().position(is_guest).unwrap_or_default();
                    self.participants.remove(least);
                }
                self.participants.push(participant.clone());
            }
            (Some(index), false) => {
                let gone = self.participants.remove(index);
                if Self::is_main(&gone) {
                    if self.count() > 0 {
                        // Not where one of two that were there from the start goes, nor one that only listened.
                        let has_come_later = self.participants[index..].iter().any(Self::is_main);
                        let was_heard = self.heard.contains(&gone.identity);
                        self.hand_offs += u32::from(has_come_later && was_heard);
                    } else {
                        let (identity, reason) = (gone.identity, participant.departure);
                        self.departed = Some(DepartedAgent { identity, at, reason });
                    }
                }
            }
            (None, false) => return RoomChange::None,
        }
        if !participant.connected {
            self.heard.retain(|one| *one != participant.identity);
        } else if Self::is_main(participant) {
            if known.is_none() && self.joined_at.is_some() {
                self.newcomers.add(participant, at);
            }
            self.newcomers.update(participant, at);
            if participant.agent_state == Some(AgentState::Speaking) {
                self.tells_speech = true;
                self.note_heard(&participant.identity);
            }
        }
        self.states.note(at, self.activity());
        self.find_voice();
        let has_agent = self.count() > 0;
        match (had_agent, has_agent) {
            (false, true) => {
                if let Some(departed) = self.departed.take() {
                    let is_another = self.all().any(|one| one.identity != departed.identity);
                    self.hand_offs += u32::from(is_another);
                }
                if self.joined_at.is_some() {
                    return RoomChange::None;
                }
                self.joined_at = Some(at);
                RoomChange::AgentJoined
            }
            (true, false) => RoomChange::AgentLeft,
            _ => RoomChange::None,
        }
    }

    /// An agent spoke or wrote.
    pub(super) fn note_heard(&mut self, identity: &Identity) {
        if self.is_known(identity) && !self.heard.contains(identity) {
            self.heard.push(identity.clone());
        }
    }

    /// The agents' voice was heard: that of all who have one, or an avatar that has.
    pub(super) fn note_voice_heard(&mut self) {
        let has_voice = |one: &&RemoteParticipant| {
            one.audio_tracks.iter().any(|track| self.voice.contains(&track.sid))
        };
        let speakers = self.all().chain(self.avatars()).filter(has_voice);
        let agents = speakers.map(|one| one.publishes_for.as_ref().unwrap_or(&one.identity));
        for agent in agents.cloned().collect::<Vec<_>>() {
            self.note_heard(&agent);
        }
    }

    /// The known participants that are not among `present`, as having left for an unknown reason.
    pub(super) fn missing_from(&self, present: &[RemoteParticipant]) -> Vec<RemoteParticipant> {
        let is_present =
            |one: &RemoteParticipant| present.iter().any(|other| other.identity == one.identity);
        let missing = self.participants.iter().filter(|one| !is_present(one));
        missing
            .map(|one| RemoteParticipant {
                connected: false,
                departure: DepartureReason::Unknown,
                ..one.clone()
            })
            .collect()
    }

    /// Whether an agent could take in what was said at `at`: one that took over listens only once its session has begun.
    pub(super) fn could_hear(&self, identity: &Identity, at: SessionTime) -> bool {
        self.newcomers.could_hear(identity, at)
    }

    /// Whether there are agents, and none of them could take in what was said at `at`.
    pub(super) fn all_came_after(&self, at: SessionTime) -> bool {
        self.count() > 0 && self.all().all(|agent| !self.could_hear(&agent.identity, at))
    }

    const fn is_main(participant: &RemoteParticipant) -> bool {
        participant.is_agent && participant.publishes_for.is_none()
    }

    /// The agents without their avatars.
    fn all(&self) -> impl Iterator<Item = &RemoteParticipant> {
        self.participants.iter().filter(|one| Self::is_main(one))
    }

    fn avatars(&self) -> impl Iterator<Item = &RemoteParticipant> {
        self.participants.iter().filter(|one| one.publishes_for.is_some())
    }

    /// Whether a participant is an agent or its avatar. Packets of hidden agents, and of those that are not announced
    /// yet, have no sender.
    pub fn is_agent(&self, identity: &Identity) -> bool {
        identity.as_str().is_empty()
            || self.all().chain(self.avatars()).any(|one| one.identity == *identity)
    }

    /// Whether a participant was announced. Who has no identity never is.
    pub(super) fn is_known(&self, identity: &Identity) -> bool {
        identity.as_str().is_empty()
            || self.participants.iter().any(|one| one.identity == *identity)
    }

    /// Whether a track is known to be that of a participant who is neither an agent nor an avatar.
    pub(super) fn is_of_another(&self, sid: &str) -> bool {
        let others =
            self.participants.iter().filter(|one| !one.is_agent && one.publishes_for.is_none());
        others.flat_map(|one| &one.audio_tracks).any(|track| track.sid == sid)
    }

    /// Whether a participant's SID is that of an agent.
    pub(super) fn has_agent_with(&self, sid: &str) -> bool {
        self.all().any(|agent| agent.sid == sid)
    }

    /// How many agents are in the room.
    pub fn count(&self) -> usize {
        self.all().count()
    }

    /// Whether there were agents, and the server has connected the media of none.
    pub(super) const fn never_had_media(&self) -> bool {
        self.joined_at.is_some() && !self.had_media
    }

    /// The state of the first agent that publishes one.
    pub(super) fn state(&self) -> Option<&AgentState> {
        self.all().find_map(|agent| agent.agent_state.as_ref())
    }

    /// Whether an agent's state is `listening`.
    pub(super) fn is_listening(&self) -> bool {
        self.all().any(|agent| agent.agent_state == Some(AgentState::Listening))
    }

    /// What the agents say that they are doing.
    pub(super) fn activity(&self) -> AgentActivity {
        let mut activity = AgentActivity::Open;
        for state in self.all().filter_map(|agent| agent.agent_state.as_ref()) {
            match state {
                AgentState::Thinking => return AgentActivity::Thinking,
                AgentState::Listening | AgentState::Idle => {}
                // One that is still starting does not keep another from listening.
                AgentState::Initializing if self.is_listening() => {}
                AgentState::Initializing | AgentState::Speaking | AgentState::Other(_) => {
                    activity = AgentActivity::Speaking;
                }
            }
        }
        activity
    }

    /// Since when a sound has been speech; `None` for the sounds of thinking. What is written down as it is heard is speech.
    pub(super) fn speech_since(
        &self,
        began: SessionTime,
        ended: Option<SessionTime>,
        utterances: &Utterances,
    ) -> Option<SessionTime> {
        match self.states.speech_since(began, ended) {
            Some(since) if since == began => Some(began),
            _ if utterances.has_begun_near(began) => Some(began),
            since => since,
        }
    }

    /// Notes a text or audio from a participant that has not been announced.
    pub fn note_unannounced(&mut self, at: SessionTime) {
        self.unannounced_since.get_or_insert(at);
    }

    /// Notes a packet that only those can read who have the room's key.
    pub(super) const fn note_encrypted_text(&mut self) {
        self.has_encrypted_texts = true;
    }

    /// Since when it is certain that the agent is hidden: it was heard or read, and never announced.
    pub fn hidden_at(&self) -> Option<SessionTime> {
        self.unannounced_since.filter(|_| self.joined_at.is_none()).map(|at| at + HIDDEN_AFTER)
    }

    /// Whether a track is the agent's voice; a track that nobody is known to publish is, unless a known one is.
    pub fn is_voice(&mut self, sid: Option<&str>, at: SessionTime) -> bool {
        let Some(sid) = sid else { return self.voice.is_empty() };
        if self.voice.iter().any(|voice| voice == sid) {
            return true;
        }
        let mut tracks = self.participants.iter().flat_map(|one| &one.audio_tracks);
        if tracks.any(|track| track.sid == sid) {
            return false;
        }
        self.note_unannounced(at);
        self.voice.is_empty() && !matches!(self.hear, HearTrack::Named(_))
    }

    /// Chooses the tracks that are the agent's voice.
    fn find_voice(&mut self) {
        let sids = |tracks: Vec<&RemoteAudioTrack>| -> Vec<String> {
            tracks.into_iter().map(|track| track.sid.clone()).collect()
        };
        self.voice = match &self.hear {
            HearTrack::All => sids(self.audio_tracks().collect()),
            HearTrack::Named(name) => {
                sids(self.audio_tracks().filter(|track| track.name == *name).collect())
            }
            HearTrack::Microphone => {
                let microphones = |participants: &mut dyn Iterator<Item = &RemoteParticipant>| {
                    let sids: Vec<String> = participants
                        .flat_map(|one| &one.audio_tracks)
                        .filter(|track| track.is_microphone)
                        .map(|track| track.sid.clone())
                        .collect();
                    (!sids.is_empty()).then_some(sids)
                };
                microphones(&mut self.avatars())
                    .or_else(|| microphones(&mut self.all()))
                    .unwrap_or_else(|| match self.audio_tracks().collect::<Vec<_>>()[..] {
                        [only] if only.name != BACKGROUND_AUDIO => sids(vec![only]),
                        _ => Vec::new(),
                    })
            }
        };
    }

    /// When the first agent joined, as seen by the caller.
    pub const fn joined_at(&self) -> Option<SessionTime> {
        self.joined_at
    }

    /// The SIDs of the tracks that are the agent's voice.
    pub fn voice(&self) -> &[String] {
        &self.voice
    }

    /// Whether an avatar speaks for the agent.
    pub fn has_avatar(&self) -> bool {
        self.avatars().next().is_some()
    }

    /// The audio tracks of the agents and their avatars.
    pub fn audio_tracks(&self) -> impl Iterator<Item = &RemoteAudioTrack> {
        self.all().chain(self.avatars()).flat_map(|one| &one.audio_tracks)
    }

    /// Whether the agent's voice, or all that it publishes, is encrypted end to end.
    pub fn is_encrypted(&self) -> bool {
        self.audio_tracks().any(|track| track.is_encrypted && self.voice.contains(&track.sid))
    }

    /// Tracks of agents that have a voice, and that are not heard all the same, to be added to why nothing was heard.
    pub(super) fn unheard_tracks(&self) -> Option<String> {
        let is_unheard = |track: &&RemoteAudioTrack| {
            !self.voice.contains(&track.sid) && track.name != BACKGROUND_AUDIO
        };
        let names: Vec<String> = self
            .audio_tracks()
            .filter(is_unheard)
            .map(|track| format!("`{}`", track.name))
            .collect();
        let voices = self.voice.len();
        if voices > MAX_TRACKS {
            Some(format!("only {MAX_TRACKS} of its {voices} tracks are listened to at a time"))
        } else if voices > 0 && !names.is_empty() {
            let names = names.join(", ");
            Some(format!("it also publishes {names}, not listened to; see evaluator.hear"))
        } else {
            None
        }
    }

    /// What is special about these agents, to be added to why a conversation failed.
    pub(super) fn remark(&self, is_voice: bool) -> Option<String> {
        if self.is_encrypted() {
            return Some("the agent's audio is encrypted end to end".to_owned());
        }
        if self.has_encrypted_texts {
            return Some("the agent's texts are encrypted end to end".to_owned());
        }
        if self.joined_at.is_none() && self.unannounced_since.is_some() {
            return Some(
                "the agent is hidden: it was heard or read, but no participant was announced"
                    .to_owned(),
            );
        }
        if self.count() > 1 {
            return Some(format!("{} agents are in the room", self.count()));
        }
        if is_voice && self.voice.is_empty() && self.count() > 0 {
            let names: Vec<String> =
                self.audio_tracks().map(|track| format!("`{}`", track.name)).collect();
            let wanted = match &self.hear {
                HearTrack::Named(name) => format!("no audio track named `{name}`"),
                HearTrack::Microphone | HearTrack::All => "no track of a microphone".to_owned(),
            };
            return Some(match names[..] {
                [] => "the agent published no audio track".to_owned(),
                _ => format!(
                    "the agent published {wanted}, only {}; see evaluator.hear",
                    names.join(", ")
                ),
            });
        }
        None
    }
}

#[cfg(test)]
mod tests;
