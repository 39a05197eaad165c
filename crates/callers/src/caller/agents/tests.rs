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
        let agent_state = state.map(AgentState::from);
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
    room.note_heard(&Identity::new("one"));
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
fn one_of_several_agents_hands_over_only_if_it_was_heard_and_another_came_after_it() {
    // Whether the one that goes was heard, which goes, and the hand-offs.
    for (was_heard, goes, hand_offs) in
        [(true, "one", 1), (false, "one", 0), (true, "two", 0), (false, "two", 0)]
    {
        let mut room = Agents::new(HearTrack::Microphone);
        let one = with_tracks(agent("one"), &[("mic", true)]);
        room.update(&one, SessionTime(0));
        room.update(&agent("two"), SessionTime(0));
        match (was_heard, goes) {
            (true, "one") => room.note_voice_heard(),
            (true, _) => room.note_heard(&Identity::new(goes)),
            (false, _) => {}
        }
        room.update(&gone(agent(goes)), SessionTime(5));
        assert_eq!(room.hand_offs, hand_offs, "{goes}, heard: {was_heard}");
    }
    let mut room = Agents::new(HearTrack::Microphone);
    let speaking = RemoteParticipant { agent_state: Some(AgentState::Speaking), ..agent("one") };
    room.update(&speaking, SessionTime(0));
    room.update(&agent("two"), SessionTime(1));
    room.update(&gone(agent("one")), SessionTime(2));
    assert_eq!(room.hand_offs, 1, "it told that it spoke");
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
