//! What callers do beside their turns: rules, back-channels, callers that hang up early, and the noise around them.

use crate::audio::Clip;
use crate::data::DataEvent;
use rushhour_core::event::{ConversationEnd, Outcome, TranscriptionErrors, TurnEnding};
use rushhour_core::profile::Abandonment;
use rushhour_core::units::{Identity, Micros, Mode, Percent, PositiveDuration};

use super::super::prepared_script::{
    PreparedBackchannel, PreparedRule, PreparedScript, PreparedTurn, RuleAnswer,
};
use super::scene::{Scene, expression, script, speaks, tone, writes};

fn rule(hears: &str, at_most: u32, answer: RuleAnswer) -> PreparedRule {
    PreparedRule { hears: expression(hears), at_most, answer }
}

fn says(text: &str) -> RuleAnswer {
    RuleAnswer::Say(Box::new(writes(text)))
}

/// A caller that writes two turns, with rules.
fn with_rules(rules: Vec<PreparedRule>) -> Scene {
    let turns = script(vec![writes("One."), writes("Two.")]);
    Scene::with_agent(Mode::Chat, PreparedScript { rules, ..turns })
}

#[test]
fn a_rule_comes_before_the_next_turn_and_is_told() {
    let spell = rule("(?i)spell", 1, says("S, M, I."));
    let mut scene = with_rules(vec![rule("never", 1, says("No.")), spell]);
    scene.until(1_120);
    scene.answers(1_300, "SG_1", "Could you spell that?");
    scene.until(2_000);
    assert_eq!(scene.handle.take_log(), ["lk.chat: One.", "lk.chat: S, M, I."]);
    scene.answers(2_100, "SG_2", "Thank you.");
    scene.until(2_800);
    assert_eq!(scene.handle.take_log(), ["lk.chat: Two."]);
    scene.answers(2_900, "SG_3", "Goodbye.");
    scene.until(4_000);
    let (turns, outcome, _) = scene.end();
    let told: Vec<_> = turns.iter().map(|turn| (turn.number, turn.rule)).collect();
    assert_eq!(told, [(1, None), (4, Some(2)), (2, None)]);
    assert!(turns.iter().all(|turn| turn.ending == TurnEnding::Answered));
    assert_eq!(outcome, Outcome::Completed { judged: None });
}

#[test]
fn an_agent_that_always_asks_the_same_is_answered_so_often_and_no_more() {
    let mut scene = with_rules(vec![rule("(?i)again", 2, says("Yes."))]);
    scene.until(1_120);
    for (number, at) in [1_300, 2_100, 2_900, 3_700].into_iter().enumerate() {
        scene.answers(at, &format!("SG_{number}"), "Again?");
        scene.until(at + 750);
    }
    let log = scene.handle.take_log();
    assert_eq!(log, ["lk.chat: One.", "lk.chat: Yes.", "lk.chat: Yes.", "lk.chat: Two."]);
    scene.until(6_000);
    assert_eq!(scene.summary().rules_used_up, 2, "before turn 2, and before the end");
}

#[test]
fn a_caller_follows_no_more_than_200_rules_whatever_the_agent_says() {
    let rules = (0..3).map(|_| rule("(?i)again", 100, says("Yes."))).collect();
    let mut scene = with_rules(rules);
    scene.until(1_120);
    for number in 0..201 {
        let at = 1_300 + number * 800;
        scene.answers(at, &format!("SG_{number}"), "Again?");
        scene.until(at + 750);
    }
    let log = scene.handle.take_log();
    assert_eq!(log.iter().filter(|line| *line == "lk.chat: Yes.").count(), 200);
    assert_eq!(log.last().map(String::as_str), Some("lk.chat: Two."));
}

#[test]
fn a_rule_whose_answer_cannot_be_sent_yet_is_followed_once_it_can() {
    let mut scene = with_rules(vec![rule("(?i)spell", 1, says("S, M, I."))]);
    scene.until(1_120);
    scene.answers(1_300, "SG_1", "Could you spell that?");
    scene.handle.take_log();
    scene.handle.is_blocked = true;
    scene.until(2_400);
    let tried = scene.handle.take_log();
    assert!(tried.len() > 2 && tried.iter().all(|line| line == "lk.chat: S, M, I."), "{tried:?}");
    scene.handle.is_blocked = false;
    scene.until(2_500);
    assert_eq!(scene.handle.take_log(), ["lk.chat: S, M, I."]);
    // The next turn has to wait too: the rule is used up, which counts once.
    scene.answers(2_600, "SG_2", "Spell it again?");
    scene.handle.is_blocked = true;
    scene.until(3_600);
    scene.handle.is_blocked = false;
    scene.until(3_700);
    assert_eq!(scene.handle.take_log().pop().as_deref(), Some("lk.chat: Two."));
    scene.answers(3_800, "SG_3", "Goodbye.");
    scene.until(5_000);
    assert_eq!(scene.summary().rules_used_up, 1);
}

#[test]
fn a_rule_that_could_not_be_followed_is_forgotten_once_another_turn_is_said() {
    let interrupts = PreparedTurn { interrupt: Some(Micros::from_millis(300)), ..writes("Stop!") };
    let rules = vec![rule("(?i)spell", 1, says("S, M, I."))];
    let turns = script(vec![writes("One."), interrupts, writes("Three.")]);
    let mut scene = Scene::with_agent(Mode::Chat, PreparedScript { rules, ..turns });
    scene.until(1_120);
    scene.answers(1_300, "SG_1", "Could you spell that?");
    scene.handle.is_blocked = true;
    scene.handle.take_log();
    scene.until(2_200);
    let tried = scene.handle.take_log();
    assert!(!tried.is_empty() && tried.iter().all(|line| line == "lk.chat: S, M, I."), "{tried:?}");
    // The agent goes on before the connection is back, and is interrupted.
    scene.opens(2_200, "agent-1", "SG_2", "SG_2");
    scene.chunk(2_210, "SG_2", "Never mind.");
    scene.handle.is_blocked = false;
    scene.until(2_600);
    assert_eq!(scene.handle.take_log(), ["lk.chat: Stop!"]);
    scene.closes(2_700, "SG_2");
    scene.answers(2_900, "SG_3", "As you like.");
    scene.until(3_700);
    assert_eq!(scene.handle.take_log(), ["lk.chat: Three."]);
}

#[test]
fn a_rule_may_follow_the_last_turn_and_may_hang_up() {
    let mut scene = with_rules(vec![
        rule("(?i)anything else", 1, says("No.")),
        rule("(?i)wrong number", 1, RuleAnswer::HangUp),
    ]);
    scene.until(1_120);
    scene.answers(1_300, "SG_1", "Yes.");
    scene.until(2_000);
    scene.answers(2_100, "SG_2", "Anything else?");
    scene.until(2_800);
    scene.answers(2_900, "SG_3", "You have the wrong number.");
    scene.until(4_000);
    assert_eq!(scene.handle.take_log(), ["lk.chat: One.", "lk.chat: Two.", "lk.chat: No."]);
    assert!(scene.handle.has_left);
    assert_eq!(scene.summary().hung_up_by_rule, Some(2));
}

#[test]
fn an_answer_that_a_rule_takes_over_is_not_compared_with_what_was_expected() {
    let turn = PreparedTurn { expect: Some(expression("booked")), ..writes("One.") };
    let answer = PreparedTurn { expect: Some(expression("booked")), ..writes("Smith.") };
    let rules = vec![rule("name", 1, RuleAnswer::Say(Box::new(answer)))];
    let one = script(vec![turn]);
    let mut scene = Scene::with_agent(Mode::Chat, PreparedScript { rules, ..one });
    scene.until(1_120);
    scene.answers(1_300, "SG_1", "What is your name?");
    scene.until(2_000);
    assert_eq!(scene.handle.take_log(), ["lk.chat: One.", "lk.chat: Smith."]);
    scene.answers(2_100, "SG_2", "It is booked.");
    scene.until(4_000);
    assert_eq!(scene.end().1, Outcome::Completed { judged: Some(true) });
}

#[test]
fn a_caller_hangs_up_after_so_long_or_when_it_is_kept_waiting() {
    let seconds = PositiveDuration::secs;
    let share = Percent::from_fraction(1.0).unwrap();
    let patience = [
        (Abandonment { share, after: Some(seconds(3)), silence: None }, 3_200, 0),
        (Abandonment { share, after: None, silence: Some(seconds(2)) }, 3_120, 1),
    ];
    for (abandon, at, broken_off) in patience {
        let turns = script(vec![writes("One.")]);
        let turns = PreparedScript { abandon: Some(abandon), ..turns };
        let mut scene = Scene::with_agent(Mode::Chat, turns);
        scene.until(1_120);
        if broken_off == 0 {
            scene.opens(1_300, "agent-1", "SG_1", "SG_1");
            scene.chunk(1_350, "SG_1", "A long story");
        }
        scene.until(at - 40);
        assert!(!scene.handle.has_left, "{abandon:?}");
        scene.until(at + 40);
        assert!(scene.handle.has_left, "{abandon:?}");
        let updates = scene.updates();
        let ended = updates.iter().find_map(|(_, kind)| match kind {
            rushhour_core::evaluator::UpdateKind::Conversation(summary) => Some(summary.ended),
            _ => None,
        });
        assert_eq!(ended, Some(ConversationEnd::Abandoned));
        let outcome = Outcome::Completed { judged: None };
        assert!(updates.iter().any(|(_, kind)| matches!(
            kind,
            rushhour_core::evaluator::UpdateKind::Ended { outcome: found, .. } if *found == outcome
        )));
    }
}

/// A caller that hangs up after 2 s of silence.
fn impatient(mode: Mode, turns: Vec<PreparedTurn>) -> Scene {
    let silence = Some(PositiveDuration::secs(2));
    let share = Percent::from_fraction(1.0).unwrap();
    let abandon = Some(Abandonment { share, after: None, silence });
    Scene::with_agent(mode, PreparedScript { abandon, ..script(turns) })
}

#[track_caller]
fn assert_hangs_up(mut scene: Scene, at: u64) {
    scene.until(at - 40);
    assert!(!scene.handle.has_left, "it hung up before");
    scene.until(at + 40);
    assert!(scene.handle.has_left, "it waits");
    assert_eq!(scene.summary().ended, ConversationEnd::Abandoned);
}

#[test]
fn silence_after_a_filler_keeps_the_caller_waiting_too() {
    let mut chat = impatient(Mode::Chat, vec![writes("One."), writes("Two.")]);
    chat.until(1_120);
    chat.answers(1_300, "SG_1", "One moment.");
    chat.agent(1_410, Some("thinking"));
    assert_hangs_up(chat, 3_400);

    let mut voice = impatient(Mode::Voice, vec![speaks(&tone(600))]);
    voice.agent_speaks(2_400, &tone(600));
    voice.agent(3_000, Some("thinking"));
    // The decay of a tone may be audible or not.
    assert_hangs_up(voice, 5_010);

    let expects = PreparedTurn { expect: Some(expression("booked")), ..writes("One.") };
    let mut unexpected = impatient(Mode::Chat, vec![expects]);
    unexpected.until(1_120);
    unexpected.answers(1_300, "SG_1", "One moment.");
    assert_hangs_up(unexpected, 3_400);
}

#[test]
fn an_agent_that_thinks_again_before_the_callers_next_turn_keeps_it_waiting() {
    let pauses = PreparedTurn { pause: Micros::from_secs(4), ..writes("Two.") };
    let answered = || {
        let mut scene = impatient(Mode::Chat, vec![writes("One."), pauses.clone()]);
        scene.until(1_120);
        scene.answers(1_300, "SG_1", "Yes.");
        scene
    };
    let mut thinks = answered();
    thinks.agent(2_600, Some("thinking"));
    assert_hangs_up(thinks, 3_400);

    // While the agent listens, it is the caller that pauses.
    let mut listens = answered();
    listens.until(6_000);
    assert_eq!(listens.handle.take_log(), ["lk.chat: One.", "lk.chat: Two."]);
}

#[test]
fn an_agent_that_speaks_keeps_nobody_waiting_whatever_it_says() {
    // It goes on with what it was saying, although it was interrupted.
    let interrupts = PreparedTurn { interrupt: Some(Micros::from_secs(1)), ..speaks(&tone(600)) };
    let mut scene = impatient(Mode::Voice, vec![speaks(&tone(600)), interrupts]);
    scene.agent_speaks(2_400, &tone(4_400));
    assert_hangs_up(scene, 8_810);
}

/// A caller that shows that it listens so long after the agent began its answer, at 2,420 ms.
fn listens(after: Micros, answer: &Clip) -> Scene {
    let backchannel = Some(PreparedBackchannel { clip: tone(200), spoken: None, after });
    let listens = PreparedTurn { backchannel, ..speaks(&tone(800)) };
    let mut scene = Scene::voice(vec![listens]);
    scene.agent_speaks(2_400, answer);
    scene
}

/// The same 1 s after the agent began a long answer.
fn backchannel() -> Scene {
    listens(Micros::from_secs(1), &tone(4_000))
}

#[test]
fn an_agent_that_stops_for_a_backchannel_is_told_and_one_that_goes_on_is_not() {
    for (stops_at, false_interruptions) in [(3_900, 1), (6_200, 0)] {
        let mut scene = backchannel();
        scene.agent_stops(stops_at);
        scene.until(9_000);
        let summary = scene.summary();
        let told = (summary.backchannels, summary.false_interruptions);
        assert_eq!(told, (1, false_interruptions), "{stops_at}");
    }
}

#[test]
fn a_pause_between_two_sentences_is_no_stop_for_a_backchannel() {
    let goes_on = |pause: u64, is_another_answer: bool| {
        let mut scene = backchannel();
        scene.agent_stops(3_900);
        if is_another_answer {
            scene.opens(3_890 + pause, "agent-1", "a", "SG_2");
        }
        scene.agent_speaks(3_900 + pause, &tone(2_000));
        if is_another_answer {
            scene.closes(6_000, "a");
        }
        scene.until(9_000);
        let summary = scene.summary();
        assert_eq!(summary.backchannels, 1);
        summary.false_interruptions
    };
    assert_eq!(goes_on(400, false), 0);
    assert_eq!(goes_on(400, true), 1, "it answers the back-channel");
}

#[test]
fn no_pause_of_a_voice_is_a_stop_for_a_backchannel() {
    // "My number is five five five, zero one two three", in 4 s.
    let clip = include_bytes!("../../../../../profiles/scripts/clips/phone-number.opus");
    let clip = Clip::from_bytes(clip).unwrap();
    let ends = clip.last_audible() as u64 * 20;
    for after in (300..ends - 1_600).step_by(200) {
        let mut scene = listens(Micros::from_millis(after), &clip);
        scene.until(9_000);
        let summary = scene.summary();
        let told = (summary.backchannels, summary.false_interruptions);
        assert_eq!(told, (1, 0), "after {after} ms");
    }
}

#[test]
fn a_backchannel_that_the_agent_transcribes_is_no_word_error() {
    let (clip, after) = (tone(200), Micros::from_secs(1));
    let spoken = |text: &str| Some(text.to_owned());
    let backchannel = Some(PreparedBackchannel { clip, spoken: spoken("mm-hm"), after });
    let turn = PreparedTurn { backchannel, spoken: spoken("Good evening."), ..speaks(&tone(800)) };
    let mut scene = Scene::voice(vec![turn]);
    let hears = |scene: &mut Scene, millis: u64, segment: &str, text: &str| {
        scene.data(
            millis,
            DataEvent::SegmentTranscribed {
                sender: Identity::new("agent-1"),
                speaker: Identity::new("caller"),
                track_sid: "TR_own".to_owned(),
                segment: segment.to_owned(),
                text: text.to_owned(),
                is_final: true,
            },
        );
    };
    hears(&mut scene, 2_100, "SG_u1", "Good evening.");
    scene.agent_speaks(2_400, &tone(4_000));
    hears(&mut scene, 3_900, "SG_u2", "Mhm.");
    scene.until(9_000);
    let (turns, ..) = scene.end();
    let right = TranscriptionErrors { hits: 2, ..TranscriptionErrors::default() };
    assert_eq!(turns[0].heard, Some(right));
}

#[test]
fn a_backchannel_is_no_turn() {
    let mut scene = backchannel();
    scene.until(9_000);
    let (turns, outcome, _) = scene.end();
    assert_eq!((turns.len(), turns[0].ending), (1, TurnEnding::Answered));
    assert_eq!(turns[0].yielded, None);
    assert_eq!(outcome, Outcome::Completed { judged: None });
}

#[test]
fn noise_is_sent_where_no_clip_plays() {
    let noise = tone(600);
    let turns = script(vec![speaks(&tone(800))]);
    let turns = PreparedScript { background: Some(noise.clone()), ..turns };
    let mut scene = Scene::with_agent(Mode::Voice, turns);
    scene.until(900);
    let sent = &scene.handle.sent_audio;
    assert!(sent.len() > 20);
    assert!(sent.iter().all(|(_, frame)| noise.frames().contains(frame)), "{}", sent.len());
}
