//! What callers do beside their turns: rules, back-channels, callers that hang up early, and the noise around them.

use rushhour_core::event::{ConversationEnd, Outcome, TurnEnding};
use rushhour_core::profile::Abandonment;
use rushhour_core::units::{Micros, Mode, Percent, PositiveDuration};

use super::super::prepared_script::{PreparedRule, PreparedScript, PreparedTurn, RuleAnswer};
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

/// A caller that shows that it listens 1 s after the agent began a long answer, at 2,420 ms.
fn backchannel() -> Scene {
    let sound = tone(200);
    let listens =
        PreparedTurn { backchannel: Some((sound, Micros::from_secs(1))), ..speaks(&tone(800)) };
    let mut scene = Scene::voice(vec![listens]);
    scene.agent_speaks(2_400, &tone(4_000));
    scene
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
