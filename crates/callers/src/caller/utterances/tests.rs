use std::collections::HashMap;

use super::*;

fn opened(stream: &str, sender: &str, segment: &str) -> DataEvent {
    DataEvent::TextStreamOpened {
        stream_id: stream.to_owned(),
        sender: Identity::new(sender),
        topic: TRANSCRIPTION_TOPIC.to_owned(),
        attributes: HashMap::from([(SEGMENT_ID.to_owned(), segment.to_owned())]),
    }
}

fn chunk(stream: &str, text: &str) -> DataEvent {
    DataEvent::TextChunk { stream_id: stream.to_owned(), text: text.to_owned() }
}

fn closed(stream: &str) -> DataEvent {
    DataEvent::TextStreamClosed { stream_id: stream.to_owned(), attributes: HashMap::new() }
}

fn received(events: &[(DataEvent, u64)]) -> Utterances {
    let mut utterances = Utterances::default();
    for (event, at) in events {
        utterances.handle_data(event, SessionTime(*at), |sender| sender.as_str() == "agent");
    }
    utterances
}

#[test]
fn an_utterance_has_its_times_and_its_text() {
    let utterances = received(&[
        (opened("s", "agent", "a"), 10),
        (chunk("s", ""), 11),
        (chunk("s", "Good "), 12),
        (chunk("s", "evening"), 13),
    ]);
    assert!(utterances.is_writing());
    assert_eq!(utterances.writing_since(), Some(SessionTime(12)));
    let utterances = received(&[
        (opened("s", "agent", "a"), 10),
        (chunk("s", "Good evening"), 12),
        (closed("s"), 14),
    ]);
    let one = utterances.since(SessionTime(5)).next().unwrap();
    assert_eq!((one.first_text_at, one.closed_at), (Some(SessionTime(12)), Some(SessionTime(14))));
    assert_eq!(utterances.text_since(SessionTime(5)), "Good evening");
    assert!(!utterances.is_writing());
}

#[test]
fn transcriptions_of_the_caller_are_left_out_whoever_sends_them() {
    let own = HashMap::from([(TRANSCRIBED_TRACK.to_owned(), "TR_own".to_owned())]);
    let mut utterances = Utterances::default();
    utterances.add_own_track("TR_own".to_owned());
    let header = DataEvent::TextStreamOpened {
        stream_id: "e".to_owned(),
        sender: Identity::new("agent"),
        topic: TRANSCRIPTION_TOPIC.to_owned(),
        attributes: own,
    };
    assert!(!utterances.handle_data(&header, SessionTime(1), |_| true));
    assert!(!utterances.handle_data(&chunk("e", "Two please"), SessionTime(2), |_| true));
    assert!(utterances.is_empty());
    assert_eq!(utterances.caller_heard_at, Some(SessionTime(1)));
    let utterances = received(&[
        (opened("e", "caller", "u"), 10),
        (chunk("e", "I would like"), 11),
        (opened("s", "agent", "a"), 20),
        (closed("s"), 21),
        (opened("t", "agent", "a"), 30),
        (opened("v", "agent", "b"), 40),
    ]);
    let segments: Vec<_> =
        utterances.since(SessionTime(0)).map(|one| one.segment.clone().unwrap()).collect();
    assert_eq!(segments, ["a", "b"]);
}

#[test]
fn a_segment_whose_whole_text_comes_again_and_again_grows() {
    let mut events = vec![(opened("0", "agent", "z"), 5), (closed("0"), 6)];
    for (number, text) in [(1, "Good"), (2, "Good day"), (3, "Good day to you")] {
        let stream = number.to_string();
        events.push((opened(&stream, "agent", "a"), number * 10));
        events.push((chunk(&stream, text), number * 10 + 1));
        events.push((closed(&stream), number * 10 + 2));
    }
    let utterances = received(&events);
    let [one] = utterances.since(SessionTime(6)).collect::<Vec<_>>()[..] else { panic!() };
    assert_eq!(one.text_so_far(), "Good day to you");
    assert_eq!(
        (one.opened_at, one.first_text_at, one.closed_at),
        (SessionTime(10), Some(SessionTime(11)), Some(SessionTime(32)))
    );
}

#[test]
fn what_an_agent_was_writing_when_it_handed_over_is_over() {
    let mut utterances = received(&[(opened("s", "agent", "a"), 1), (chunk("s", "Good"), 2)]);
    utterances.close_streams_of_others(SessionTime(5), |one| one.as_str() == "agent");
    assert!(utterances.is_writing());
    utterances.close_streams_of_others(SessionTime(6), |one| one.as_str() == "agent-2");
    assert!(!utterances.is_writing());
    assert_eq!(utterances.text_since(SessionTime(0)), "Good");
}

#[test]
fn a_stream_that_was_given_up_goes_on_if_more_comes() {
    let mut utterances = received(&[(opened("s", "agent", "a"), 1), (chunk("s", "Good"), 2)]);
    utterances.give_up_open_streams(SessionTime(2));
    let ended = |utterances: &Utterances| utterances.list[0].closed_at;
    assert_eq!((utterances.is_writing(), ended(&utterances)), (false, Some(SessionTime(2))));
    assert!(utterances.handle_data(&chunk("s", " day."), SessionTime(9), |_| true));
    assert_eq!(utterances.text_since(SessionTime(0)), "Good day.");
    assert!(utterances.is_writing());
    assert!(utterances.handle_data(&closed("s"), SessionTime(10), |_| true));
    assert_eq!(ended(&utterances), Some(SessionTime(10)));
    assert!(!utterances.handle_data(&chunk("s", "No."), SessionTime(11), |_| true));
}

#[test]
fn lines_of_json_are_joined() {
    let lines = "{\"text\": \"Good\", \"start_time\": 0.1}\n{\"text\": \" day\"}\n";
    for (text, words) in [(lines, "Good day"), ("{\"a\": 1}", "{\"a\": 1}"), ("Good", "Good")] {
        let utterances = received(&[(opened("s", "agent", "a"), 1), (chunk("s", text), 2)]);
        assert_eq!(utterances.text_since(SessionTime(0)), words);
    }
}

#[test]
fn a_text_in_a_packet_of_its_own_is_complete_and_said_once() {
    let text = |text: &str| {
        let (sender, text) = (Identity::new("agent"), text.to_owned());
        DataEvent::TextReceived { sender, text }
    };
    let utterances = received(&[
        (opened("s", "agent", "a"), 1),
        (chunk("s", "Good day."), 2),
        (closed("s"), 3),
        (text("Good day."), 4),
        (text("Yes."), 5),
        (text("Yes."), 6),
    ]);
    let said: Vec<_> = utterances.since(SessionTime(0)).map(|one| one.text_so_far()).collect();
    assert_eq!(said, ["Good day.", "Yes.", "Yes."], "the same answer to two turns");
    assert!(!utterances.is_writing());
}

fn transcribed(segment: &str, speaker: &str, text: &str, is_final: bool) -> DataEvent {
    DataEvent::SegmentTranscribed {
        sender: Identity::new("agent"),
        speaker: Identity::new(speaker),
        track_sid: format!("TR_{speaker}"),
        segment: segment.to_owned(),
        text: text.to_owned(),
        is_final,
    }
}

#[test]
fn transcription_packets_are_read_where_there_are_no_streams() {
    let packets = [
        (transcribed("u", "caller", "Two please", true), 5),
        (transcribed("a", "agent", "Good", false), 10),
        (transcribed("a", "agent", "Good day.", false), 11),
    ];
    let utterances = received(&packets);
    assert!(utterances.is_writing());
    assert_eq!(utterances.text_since(SessionTime(0)), "Good day.", "not the caller's words");
    let more = [
        (transcribed("a", "agent", "Good day.", true), 12),
        (transcribed("b", "agent", "Yes.", true), 20),
    ];
    let utterances = received(&[&packets[..], &more].concat());
    let times: Vec<_> =
        utterances.since(SessionTime(0)).map(|one| (one.first_text_at, one.closed_at)).collect();
    let at = |time| Some(SessionTime(time));
    assert_eq!(times, [(at(10), at(12)), (at(20), at(20))]);

    // Beside a stream they say the same once more.
    let stream = [(opened("s", "agent", "c"), 21), (chunk("s", "Yes."), 22)];
    let beside = [(transcribed("b", "agent", "Yes.", true), 23)];
    let utterances = received(&[&packets[..], &more, &stream, &beside].concat());
    assert_eq!(utterances.text_since(SessionTime(0)), "Yes.");
}

#[test]
fn what_is_said_while_a_segment_is_open_belongs_to_it() {
    let paused = [(opened("s", "agent", "a"), 10), (chunk("s", "The long"), 12)];
    assert!(received(&paused).continues(SessionTime(20), SessionTime(40)));
    assert!(!received(&paused).continues(SessionTime(9), SessionTime(40)), "begun later");
    let closes = [&paused[..], &[(closed("s"), 30)]].concat();
    assert!(received(&closes).continues(SessionTime(20), SessionTime(25)));
    assert!(!received(&closes).continues(SessionTime(20), SessionTime(40)));
    let goes_on = [&paused[..], &[(opened("t", "agent", "b"), 35)]].concat();
    assert!(!received(&goes_on).continues(SessionTime(20), SessionTime(40)));
}

#[test]
fn an_agent_that_never_stops_writing_uses_bounded_memory() {
    let mut utterances = Utterances::default();
    for number in 0..10_000_u64 {
        let stream = format!("s{number}");
        let header = opened(&stream, "agent", &stream);
        utterances.handle_data(&header, SessionTime(number), |_| true);
        utterances.handle_data(&chunk(&stream, &"x".repeat(100)), SessionTime(number), |_| true);
    }
    assert_eq!(utterances.list.len(), MAX_UTTERANCES);
    for _ in 0..10_000 {
        utterances.handle_data(&chunk("s9999", &"x".repeat(100)), SessionTime(1), |_| true);
    }
    assert!(utterances.list.last().unwrap().text.len() <= MAX_TEXT);
}

#[test]
fn a_server_that_never_stops_publishing_our_tracks_uses_bounded_memory() {
    let mut utterances = Utterances::default();
    utterances.add_own_track("x".repeat(1_000_000));
    for number in 0..10_000 {
        utterances.add_own_track(format!("TR_{number}"));
    }
    assert_eq!(utterances.own_tracks.len(), MAX_OWN_TRACKS);
    assert_eq!(utterances.own_tracks[0], "TR_0");
}
