//! Who the agent is: the agents of a room with their avatars, which of their tracks is the voice, and who left.

use super::newcomers::Newcomers;
use super::state_history::StateHistory;
use super::utterances::Utterances;
use crate::participant::{DepartureReason, RemoteAudioTrack, RemoteParticipant};
use rushhour_core::profile::HearTrack;
use rushhour_core::units::{Identity, Micros, SessionTime};

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
                        self.hand_offs += 1;
                    } else {
                        let (identity, reason) = (gone.identity, participant.departure);
                        self.departed = Some(DepartedAgent { identity, at, reason });
                    }
                }
            }
            (None, false) => return RoomChange::None,
        }
        if participant.connected && Self::is_main(participant) {
            if known.is_none() && self.joined_at.is_some() {
                self.newcomers.add(participant, at);
            }
            self.newcomers.update(participant, at);
            self.tells_speech |= participant.agent_state.as_deref() == Some("speaking");
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
    pub(super) fn state(&self) -> Option<&str> {
        self.all().find_map(|agent| agent.agent_state.as_deref())
    }

    /// Whether an agent's state is `listening`.
    pub(super) fn is_listening(&self) -> bool {
        self.all().any(|agent| agent.agent_state.as_deref() == Some("listening"))
    }

    /// What the agents say that they are doing.
    pub(super) fn activity(&self) -> AgentActivity {
        let mut activity = AgentActivity::Open;
        for state in self.all().filter_map(|agent| agent.agent_state.as_deref()) {
            match state {
                "thinking" => return AgentActivity::Thinking,
                "listening" | "idle" => {}
                // One that is still starting does not keep another from listening.
                "initializing" if self.is_listening() => {}
                _ => activity = AgentActivity::Speaking,
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
mod tests {
    use super::*;

    fn agent(name: &str) -> RemoteParticipant {
        RemoteParticipant::new(Identity::new(name), true)
    }

    fn avatar_of(name: &str) -> RemoteParticipant {
        RemoteParticipant { publishes_for: Some(Identity::new(name)), ..agent("avatar") }
    }

    fn with_tracks(participant: RemoteParticipant, tracks: &[(&str, bool)]) -> RemoteParticipant {
        let audio_tracks = tracks.iter().map(|(name, is_microphone)| RemoteAudioTrack {
            sid: format!("TR_{name}"),
            name: (*name).to_owned(),
            is_microphone: *is_microphone,
            is_encrypted: false,
        });
        RemoteParticipant { audio_tracks: audio_tracks.collect(), ..participant }
    }

    fn gone(participant: RemoteParticipant) -> RemoteParticipant {
        RemoteParticipant { connected: false, ..participant }
    }

    fn states(agents: &[(&str, Option<&str>)]) -> Agents {
        let mut room = Agents::new(HearTrack::Microphone);
        for (name, state) in agents {
            let agent_state = state.map(str::to_owned);
            room.update(&RemoteParticipant { agent_state, ..agent(name) }, SessionTime(0));
        }
        room
    }

    #[test]
    fn the_first_agent_joins_and_the_last_leaves() {
        let mut room = Agents::new(HearTrack::Microphone);
        let guest = RemoteParticipant::new(Identity::new("guest"), false);
        assert_eq!(room.update(&guest, SessionTime(0)), RoomChange::None);
        assert_eq!(room.update(&agent("one"), SessionTime(1)), RoomChange::AgentJoined);
        assert_eq!(room.update(&agent("one"), SessionTime(2)), RoomChange::None);
        assert_eq!(room.update(&agent("two"), SessionTime(3)), RoomChange::None);
        assert_eq!(room.update(&gone(agent("one")), SessionTime(4)), RoomChange::None);
        assert_eq!((room.hand_offs, room.count()), (1, 1), "the second took over");
        assert_eq!(room.update(&gone(agent("two")), SessionTime(5)), RoomChange::AgentLeft);
        assert_eq!(room.update(&gone(agent("two")), SessionTime(6)), RoomChange::None);
        assert_eq!(room.departed.as_ref().map(|departed| departed.at), Some(SessionTime(5)));
        assert_eq!(room.update(&agent("three"), SessionTime(7)), RoomChange::None);
        assert_eq!((room.departed.is_none(), room.hand_offs), (true, 2), "another came");
        assert_eq!(room.joined_at, Some(SessionTime(1)));
    }

    #[test]
    fn a_crowd_takes_bounded_memory_and_does_not_push_the_agent_out() {
        let mut room = Agents::new(HearTrack::Microphone);
        room.update(&agent("one"), SessionTime(0));
        for number in 0..1_000 {
            let guest = RemoteParticipant::new(Identity::new(format!("guest-{number}")), false);
            assert_eq!(room.update(&guest, SessionTime(1)), RoomChange::None);
        }
        assert_eq!((room.participants.len(), room.count()), (MAX_PARTICIPANTS, 1));
    }

    #[test]
    fn an_avatar_is_part_of_its_agent_and_does_not_stay_for_it() {
        let mut room = Agents::new(HearTrack::Microphone);
        assert_eq!(room.update(&avatar_of("one"), SessionTime(0)), RoomChange::None);
        assert_eq!(room.update(&agent("one"), SessionTime(1)), RoomChange::AgentJoined);
        assert!(room.is_agent(&Identity::new("avatar")));
        assert_eq!((room.count(), room.remark(false)), (1, None));
        assert_eq!(room.update(&gone(agent("one")), SessionTime(2)), RoomChange::AgentLeft);
        assert_eq!(room.hand_offs, 0);
    }

    fn heard(hear: &str, participants: &[RemoteParticipant]) -> Vec<String> {
        let mut room = Agents::new(HearTrack::from(hear.to_owned()));
        for participant in participants {
            room.update(participant, SessionTime(0));
        }
        let sids = ["TR_mic", "TR_hum", "TR_face", "TR_guest", "TR_unknown"];
        let heard = sids.into_iter().filter(|sid| room.is_voice(Some(sid), SessionTime(0)));
        heard.map(str::to_owned).collect()
    }

    #[test]
    fn the_voice_is_the_microphone_of_the_agent_or_of_its_avatar() {
        let guest = RemoteParticipant::new(Identity::new("guest"), false);
        let guest = with_tracks(guest, &[("guest", true)]);
        let speaks = with_tracks(agent("one"), &[("mic", true), ("hum", false)]);
        let hums = with_tracks(agent("one"), &[("hum", false)]);
        let face = with_tracks(avatar_of("one"), &[("face", true)]);
        assert_eq!(heard("microphone", &[guest.clone(), speaks.clone()]), ["TR_mic"]);
        assert_eq!(heard("all", &[guest.clone(), speaks.clone()]), ["TR_mic", "TR_hum"]);
        assert_eq!(heard("hum", &[guest.clone(), speaks.clone()]), ["TR_hum"]);
        assert_eq!(heard("nothing", &[guest.clone(), speaks.clone()]), [] as [&str; 0]);
        assert_eq!(heard("microphone", &[speaks, face]), ["TR_face"]);
        assert_eq!(heard("microphone", &[hums]), ["TR_hum"], "its only track");
        let mut room = Agents::new(HearTrack::Microphone);
        let background = with_tracks(agent("one"), &[(BACKGROUND_AUDIO, false)]);
        room.update(&background, SessionTime(0));
        room.update(&guest, SessionTime(0));
        assert!(room.is_of_another("TR_guest") && !room.is_of_another("TR_background_audio"));
        for (sid, is_voice) in
            [("TR_background_audio", false), ("TR_guest", false), ("TR_of_nobody", true)]
        {
            assert_eq!(room.is_voice(Some(sid), SessionTime(0)), is_voice, "{sid}");
        }
    }

    #[test]
    fn an_agent_that_is_never_announced_is_hidden() {
        let mut room = Agents::new(HearTrack::Microphone);
        assert_eq!((room.hidden_at(), room.remark(true)), (None, None));
        assert!(room.is_voice(Some("TR_1"), SessionTime(5)));
        assert!(room.is_agent(&Identity::new("")));
        assert_eq!(room.hidden_at(), Some(SessionTime(5) + HIDDEN_AFTER));
        assert!(room.remark(true).unwrap().contains("hidden"));
        room.update(&agent("one"), SessionTime(9));
        assert_eq!(room.hidden_at(), None);
    }

    #[test]
    fn encrypted_audio_and_missing_tracks_are_named() {
        let mut agent = with_tracks(agent("one"), &[("hum", false), ("wind", false)]);
        let mut room = Agents::new(HearTrack::Microphone);
        room.update(&agent, SessionTime(0));
        let remark = room.remark(true).unwrap();
        assert!(remark.contains("only `hum`, `wind`"), "{remark}");
        assert_eq!(room.remark(false), None, "in chat nothing is heard");
        agent.audio_tracks.truncate(1);
        agent.audio_tracks[0].is_encrypted = true;
        room.update(&agent, SessionTime(1));
        assert!(room.is_encrypted());
        assert!(room.remark(true).unwrap().contains("encrypted end to end"));
    }

    #[test]
    fn one_of_several_agents_that_is_busy_makes_all_busy() {
        assert_eq!(states(&[("one", None)]).activity(), AgentActivity::Open);
        let room = states(&[("one", Some("listening")), ("two", Some("speaking"))]);
        assert_eq!((room.activity(), room.is_listening()), (AgentActivity::Speaking, true));
        let room = states(&[("one", Some("speaking")), ("two", Some("thinking"))]);
        assert_eq!((room.activity(), room.is_listening()), (AgentActivity::Thinking, false));
        assert_eq!(states(&[("one", Some("processing"))]).activity(), AgentActivity::Speaking);
        assert_eq!(room.remark(false).unwrap(), "2 agents are in the room");
    }
}
