//! How the agent sounded, and how it took turns.

use super::super::prepared_script::PreparedTurn;
use super::scene::{Scene, at, participant, speaks, tone};
use crate::data::{AGENT_SESSION_TOPIC, DataEvent, session_messages};
use crate::participant::{AudioPacket, ParticipantEvent, RemoteParticipant};
use rushhour_core::event::{ConnectionRating, ReconnectMethod, Turn, TurnEnding};
use rushhour_core::units::{Identity, Micros};

fn taken(turn: &Turn) -> (u64, u64, u64, bool) {
    let taking = turn.taking.expect("it was a turn in voice");
    let millis = |length: Micros| length.0 / 1_000;
    (
        millis(taking.dead_air),
        millis(taking.caller_speech),
        millis(taking.overlap),
        taking.talked_over,
    )
}

#[test]
fn an_agent_that_begins_while_the_caller_speaks_talks_over_it() {
    let clip = tone(1_500);
    let mut over = Scene::voice(vec![speaks(&clip)]);
    over.agent_speaks(2_000, &tone(2_000));
    over.until(12_000);
    let (turns, ..) = over.end();
    let (_, speech, overlap, talked_over) = taken(&turns[0]);
    assert!((1_460..=1_500).contains(&speech), "{turns:?}");
    assert!((300..speech).contains(&overlap) && talked_over, "{turns:?}");

    // One that stops while the caller goes on has noticed.
    let mut stops = Scene::voice(vec![speaks(&clip)]);
    stops.agent_speaks(2_000, &tone(300));
    stops.agent_speaks(3_800, &tone(500));
    stops.until(12_000);
    let (turns, ..) = stops.end();
    let (_, _, overlap, talked_over) = taken(&turns[0]);
    assert!((260..=320).contains(&overlap) && !talked_over, "{turns:?}");
}

#[test]
fn dead_air_is_the_longest_silence_in_which_it_was_the_agent_s_turn() {
    let clip = tone(600);
    let mut pauses = Scene::voice(vec![speaks(&clip)]);
    pauses.agent_speaks(2_400, &tone(600));
    pauses.agent_speaks(3_400, &tone(600));
    pauses.until(12_000);
    let (turns, ..) = pauses.end();
    let before_answer = 2_420 - turns[0].said.0 / 1_000;
    let (dead_air, _, overlap, talked_over) = taken(&turns[0]);
    assert_eq!((dead_air, overlap, talked_over), (before_answer.max(420), 0, false), "{turns:?}");

    let mut mute = Scene::voice(vec![speaks(&clip)]);
    mute.until(9_000);
    let (turns, ..) = mute.failure();
    assert_eq!(turns[0].ending, TurnEnding::TimedOut);
    let (dead_air, ..) = taken(&turns[0]);
    assert!(dead_air > 3_000, "until the caller gave up: {turns:?}");
}

#[test]
fn what_the_agent_says_on_after_an_interruption_overlaps() {
    let (ours, theirs) = (tone(800), tone(6_000));
    let interrupts = PreparedTurn { interrupt: Some(Micros::from_secs(1)), ..speaks(&ours) };
    let mut scene = Scene::voice(vec![speaks(&ours), interrupts]);
    scene.agent_speaks(2_400, &theirs);
    scene.until(3_600);
    scene.agent_stops(3_840);
    scene.agent_speaks(4_800, &tone(500));
    scene.until(8_000);
    let (turns, ..) = scene.end();
    let (_, _, overlap, talked_over) = taken(&turns[1]);
    let yielded = turns[1].yielded.expect("it yielded").0 / 1_000;
    assert_eq!((overlap, talked_over), (yielded, false), "{turns:?}");
}

#[test]
fn the_speech_that_an_interruption_does_not_stop_is_no_dead_air() {
    let (ours, theirs) = (tone(800), tone(6_000));
    let interrupts = PreparedTurn { interrupt: Some(Micros::from_secs(1)), ..speaks(&ours) };
    let mut scene = Scene::voice(vec![speaks(&ours), interrupts]);
    scene.agent_speaks(2_400, &theirs);
    // It goes on until 8,420 ms, and answers then.
    scene.agent_speaks(8_820, &tone(500));
    scene.until(12_000);
    let (turns, ..) = scene.end();
    assert_eq!((turns[1].yielded, turns[1].ending), (None, TurnEnding::Answered), "{turns:?}");
    let (dead_air, speech, overlap, _) = taken(&turns[1]);
    assert!((400..=500).contains(&dead_air) && overlap == speech, "{turns:?}");
}

#[test]
fn a_pause_of_an_agent_that_goes_on_after_an_interruption_does_not_overlap() {
    let clip = tone(1_500);
    let interrupts = PreparedTurn { interrupt: Some(Micros::from_secs(1)), ..speaks(&clip) };
    let mut scene = Scene::voice(vec![speaks(&tone(800)), interrupts]);
    scene.agent_speaks(2_400, &tone(6_000));
    scene.opens(2_430, "agent-1", "a", "SG_1");
    scene.chunk(2_440, "a", "It is a long story.");
    scene.agent_stops(4_000);
    scene.agent_speaks(4_500, &tone(3_000));
    scene.closes(7_600, "a");
    scene.agent_speaks(8_500, &tone(500));
    scene.until(14_000);
    let (turns, ..) = scene.end();
    let (_, speech, overlap, _) = taken(&turns[1]);
    assert!((480..=560).contains(&(speech - overlap)), "{turns:?}");
}

#[test]
fn dead_air_of_an_agent_that_hangs_lasts_until_the_caller_gives_up() {
    let mut scene = Scene::voice(vec![speaks(&tone(600))]);
    // Not even silence comes any more.
    scene.agent_stops_sending(2_000);
    scene.until(12_000);
    let (turns, ..) = scene.failure();
    assert_eq!(turns[0].ending, TurnEnding::TimedOut);
    let (dead_air, ..) = taken(&turns[0]);
    assert!((5_000..=5_100).contains(&dead_air), "{turns:?}");
}

#[test]
fn an_agent_that_thinks_after_its_last_sound_and_says_nothing_has_the_word_until_it_listens() {
    let mut scene = Scene::voice(vec![speaks(&tone(600)), speaks(&tone(600))]);
    scene.agent(2_430, Some("speaking"));
    scene.agent_speaks(2_440, &tone(600));
    scene.agent(3_050, Some("thinking"));
    scene.agent(9_050, Some("listening"));
    scene.until(10_400);
    let turns = scene.turns();
    let (dead_air, ..) = taken(&turns[0]);
    assert!((5_950..=6_050).contains(&dead_air), "{turns:?}");

    // It listens at once, and the next word is the caller's.
    scene.agent(11_190, Some("speaking"));
    scene.agent_speaks(11_200, &tone(600));
    scene.agent(11_820, Some("listening"));
    scene.until(14_000);
    let (turns, ..) = scene.end();
    let (dead_air, ..) = taken(&turns[0]);
    assert!(dead_air < 700, "{turns:?}");
}

#[test]
fn so_has_one_whose_tool_runs_while_it_tells_that_it_listens() {
    let mut scene = Scene::voice(vec![speaks(&tone(600))]);
    let sends = |scene: &mut Scene, millis: u64, bytes: Vec<u8>| {
        let (sender, topic) = (Identity::new("agent-1"), AGENT_SESSION_TOPIC.to_owned());
        scene.data(millis, DataEvent::ByteStreamReceived { sender, topic, bytes });
    };
    scene.agent(2_430, Some("speaking"));
    scene.agent_speaks(2_440, &tone(600));
    sends(&mut scene, 3_000, session_messages::tool_began("1"));
    scene.agent(3_050, Some("listening"));
    sends(&mut scene, 8_050, session_messages::tools_over());
    scene.until(12_000);
    let (turns, ..) = scene.end();
    let (dead_air, ..) = taken(&turns[0]);
    assert!((4_950..=5_050).contains(&dead_air), "{turns:?}");
}

#[test]
fn the_first_turn_has_the_sound_of_the_greeting_too() {
    let clip = tone(600);
    let mut scene = Scene::voice(vec![speaks(&clip), speaks(&clip)]);
    scene.agent_speaks(1_000, &tone(2_000));
    scene.until(5_000);
    scene.agent_speaks(6_000, &tone(1_000));
    scene.until(9_000);
    scene.agent_speaks(10_000, &tone(3_000));
    scene.until(20_000);
    let (turns, ..) = scene.end();
    let speech = |turn: &Turn| turn.sound.map(|sound| (sound.speech.0 + 30_000) / 100_000);
    assert_eq!(turns.iter().map(speech).collect::<Vec<_>>(), [Some(30), Some(30)], "{turns:?}");
    assert!(turns.iter().all(|turn| turn.sound.unwrap().gaps() == 0), "{turns:?}");
}

#[test]
fn livekits_ratings_of_the_agent_and_of_the_caller_itself_are_reported_at_the_end() {
    let mut scene = Scene::voice(vec![speaks(&tone(600))]);
    let agent = RemoteParticipant {
        sid: "PA_agent".to_owned(),
        ..participant("agent-1", Some("listening"))
    };
    scene.updates_participant(700, agent);
    for (millis, of, rating) in [
        (800, Some("PA_agent"), ConnectionRating::Excellent),
        (900, None, ConnectionRating::Good),
        (1_000, Some("PA_guest"), ConnectionRating::Lost),
        (1_800, Some("PA_agent"), ConnectionRating::Poor),
    ] {
        let of = of.map(str::to_owned);
        scene.event(millis, ParticipantEvent::ConnectionRated { of, rating });
    }
    scene.agent_speaks(2_400, &tone(600));
    scene.until(12_000);
    let summary = scene.summary();
    let agent = summary.agent_connection.expect("it was rated");
    assert_eq!(agent.worst, ConnectionRating::Poor);
    assert_eq!(agent.rated, agent.below_good + Micros::from_secs(1));
    let own = summary.caller_connection.expect("it was rated");
    assert_eq!((own.worst, own.below_good), (ConnectionRating::Good, Micros::ZERO));
}

#[test]
fn the_agents_own_statistics_are_asked_for_when_its_last_answer_seems_over() {
    let mut scene = Scene::voice(vec![speaks(&tone(600))]);
    let requests = |scene: &mut Scene| {
        let log = scene.handle.take_log();
        log.iter().filter(|one| one.starts_with(AGENT_SESSION_TOPIC)).count()
    };
    let sends = |scene: &mut Scene, millis: u64, bytes: Vec<u8>| {
        let (sender, topic) = (Identity::new("agent-1"), AGENT_SESSION_TOPIC.to_owned());
        scene.data(millis, DataEvent::ByteStreamReceived { sender, topic, bytes });
    };
    sends(&mut scene, 700, session_messages::framework("python"));
    scene.agent_speaks(2_400, &tone(600));
    scene.until(2_900);
    requests(&mut scene);
    scene.until(3_340);
    assert_eq!(requests(&mut scene), 1, "it fell silent");
    sends(&mut scene, 3_360, session_messages::rtc_stats(77));
    scene.until(12_000);
    assert_eq!(scene.summary().agent_rtc.map(|stats| stats.sent), Some(77));
}

#[test]
fn what_the_network_does_to_the_agents_voice_is_reported_at_the_end() {
    let mut scene = Scene::voice(vec![speaks(&tone(600)), speaks(&tone(600))]);
    scene.agent_speaks(2_400, &tone(600));
    scene.agent_stops_sending(4_000);
    // Another stream of the same track: two packets are lost, and one is the server's own.
    let hears = |scene: &mut Scene, number: u16, payload: &[u8]| {
        let millis = 4_000 + u64::from(number) * 20;
        let packet = AudioPacket {
            ssrc: 77,
            sequence: number,
            rtp_time: 960 * u32::from(number),
            payload: payload.into(),
            at: at(millis),
        };
        scene.event(millis, ParticipantEvent::Audio { packet, track_sid: Some("TR_1".into()) });
    };
    let silence = [0xf8, 0xff, 0xfe];
    let of_server = [&silence[..], &[0; 77]].concat();
    for number in [1, 2, 5] {
        hears(&mut scene, number, &silence);
    }
    hears(&mut scene, 6, &of_server);
    // What is missed while the caller's own connection is away is not counted.
    scene.loses_connection(4_140);
    hears(&mut scene, 9, &silence);
    scene.is_back(4_140, 4_300, ReconnectMethod::Resume);
    for number in [20, 22] {
        hears(&mut scene, number, &silence);
    }
    scene.until(12_000);
    let received = scene.summary().received.expect("there was a voice");
    let of_scene = (4_000 - 600) / 20;
    assert!(received.packets.abs_diff(of_scene + 6) <= 1, "{received:?}");
    assert_eq!(received.lost, 3, "{received:?}");
    assert!(received.jitter < Micros::from_millis(1), "{received:?}");
}
