use super::super::test_sessions::{Fate, Made};
use super::super::verdict::SessionVerdict;
use super::*;
use crate::fold::FoldedSession;
use rushhour_core::units::{Micros, Mode, PairId, SessionTime};

fn takes(seconds: u64) -> Fate {
    Fate::Completes(Micros::from_secs(seconds))
}

/// A session of pairs, one every ten seconds.
fn session(
    pairs: u64,
    more: &str,
    fates: impl Fn(u64) -> [Fate; 2],
) -> (FoldedSession, SessionVerdict) {
    let mut made = Made::paired(more);
    for pair in 0..pairs {
        made.pair(pair, SessionTime(pair * 10_000_000), fates(pair));
    }
    made.closed()
}

fn comparison(overall: &SessionVerdict) -> &PairedComparison {
    overall.pairs.as_ref().expect("a paired session is compared")
}

fn near(found: f64, wanted: f64) {
    assert!((found - wanted).abs() < 1e-9, "{found}, wanted {wanted}");
}

#[test]
fn the_answer_tells_what_a_task_costs_and_where_the_difference_comes_from() {
    let (_, overall) = session(24, "", |pair| [takes(85 + pair % 3), takes(20 + pair % 5)]);
    let found = comparison(&overall);
    assert!(found.answer.starts_with("Chat costs 0.2"), "{}", found.answer);
    assert!(found.answer.contains("per completed task, voice"), "{}", found.answer);
    let cost = found.difference("cost of a run").unwrap();
    assert_eq!((cost.pairs, cost.finding.as_deref()), (24, Some("voice is more")));
    // Both completed all: what a run costs is what a task costs.
    let [voice, chat] = [&found.voice, &found.chat].map(|mode| mode.list.unwrap());
    near(cost.voice, voice.per_completed_usd.unwrap());
    near(cost.chat, chat.per_successful_usd.unwrap());
    near(voice.total_usd, voice.per_run_usd.unwrap() * 24.0);
    let premium = found.premium.as_ref().unwrap();
    near(premium.difference_usd, cost.difference);
    near(premium.parts.iter().map(|part| part.difference_usd).sum(), premium.difference_usd);
    near(premium.parts.iter().filter_map(|part| part.share).sum(), 1.0);
    // Two minutes at 0.25 USD against eight messages at 0.025 USD.
    let evaluator = &premium.parts[0];
    assert!(evaluator.part.starts_with("evaluator minutes"), "{premium:?}");
    near(evaluator.difference_usd, 0.30);
    let share = evaluator.share.unwrap() * 100.0;
    assert!(
        found
            .answer
            .contains(&format!("of the difference per run {share:.0} % is evaluator minutes"))
    );
    let times = found.difference("conversation").unwrap();
    near(times.chat, 22e6 - 2e6 / 24.0);
    assert!(times.difference_low.unwrap() > 60e6 && times.difference_high.unwrap() < 66e6);
}

#[test]
fn pairs_that_are_not_equal_are_counted_and_what_can_be_said_is_said() {
    let (folded, overall) = session(20, "", |pair| match pair {
        0 | 1 => [Fate::Fails("no"), takes(20)],
        2 => [takes(80), Fate::Fails("no")],
        3 => [Fate::Fails("no"), Fate::Fails("no")],
        4 => [takes(80), Fate::Stays],
        _ => [takes(80), takes(20)],
    });
    let found = comparison(&overall);
    let counts =
        PairCounts { seen: 20, completed: 15, only_voice: 1, only_chat: 2, failed: 1, half: 1 };
    assert_eq!(found.pairs, counts);
    let notes = found.notes.join(" ");
    for words in [
        "Of 2 pairs only the written run was completed, of 1 pair only the spoken one",
        "Of 1 pair both runs failed",
        "Of 1 pair one run was not started",
    ] {
        assert!(notes.contains(words), "{words}: {notes}");
    }
    let pairs = |measure: &str| found.difference(measure).unwrap().pairs;
    assert_eq!((pairs("conversation"), pairs("cost of a run"), pairs("completed")), (15, 19, 19));
    let completed = found.difference("completed").unwrap();
    near(completed.difference, -1.0 / 19.0);
    assert_eq!(completed.finding.as_deref(), Some("no difference shown"));
    // A run that failed cost what it cost, and a task bears the cost of those that failed.
    let voice = found.voice.list.unwrap();
    assert!(voice.per_completed_usd.unwrap() > voice.per_run_usd.unwrap());
    let mut csv = Vec::new();
    pairs_csv(&folded, &mut csv).unwrap();
    let csv = String::from_utf8(csv).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 21);
    // A submission that was refused costs nothing.
    let refused = "0,book a <b>table</b>,voice,-0.226248,0,failed,,0,,,,,0.000000,1,completed,";
    assert!(lines[1].starts_with(refused), "{}", lines[1]);
    assert!(lines[5].contains(",completed,passed,") && lines[5].contains(",open,"), "{}", lines[5]);
}

#[test]
fn few_pairs_have_figures_and_no_interval() {
    let (_, overall) = session(3, "", |_| [takes(80), takes(20)]);
    let found = comparison(&overall);
    let cost = found.difference("cost of a run").unwrap();
    assert_eq!((cost.difference_low, cost.finding.as_deref()), (None, None));
    assert_eq!(cost.note.as_deref(), Some("3 pairs, an interval needs 6"));
    assert!(
        found.answer.ends_with(
            "3 pairs are too few to say how surely. Both sides were stand-ins: nothing was charged."
        ),
        "{}",
        found.answer
    );
}

#[test]
fn a_mode_that_never_completed_is_said_to_have_nothing_to_compare() {
    let (_, overall) = session(8, "", |_| [Fate::Fails("no"), takes(20)]);
    let found = comparison(&overall);
    assert_eq!(
        found.answer,
        "Voice cannot be held against chat: no spoken conversation was completed."
    );
    let completed = found.difference("completed").unwrap();
    assert_eq!(completed.finding.as_deref(), Some("chat is more"));
}

#[test]
fn nothing_is_said_where_the_generator_did_not_deliver() {
    let mut made = Made::paired("");
    for pair in 0..12 {
        let intended = SessionTime(pair * 10_000_000);
        for mode in Mode::ALL {
            made.run_of((mode, Some(PairId(pair))), intended, Micros::from_secs(3), takes(20));
        }
    }
    let (_, overall) = made.closed();
    let found = comparison(&overall);
    assert!(found.answer.starts_with("Nothing is said of voice against chat"), "{}", found.answer);
    assert!(found.differences.is_empty() && found.premium.is_none());
}

#[test]
fn only_what_modes_share_is_free_of_charge_for_both() {
    let without = "[bill]\nwithout = [\"agent_session\", \"participant\", \"speech_to_text\", \"text_to_speech\", \"model_input\", \"model_output\", \"evaluator_voice\", \"evaluator_chat\"]\n";
    let (_, overall) = session(8, without, |_| [takes(80), takes(20)]);
    let found = comparison(&overall);
    assert_eq!(
        found.answer,
        "Chat takes 20 s per completed task, voice 80 s; nothing is charged for."
    );
    assert!(found.premium.is_none() && found.difference("cost of a run").is_none());
    let (_, overall) = super::super::test_sessions::ordinary(8, "");
    assert!(overall.pairs.is_none(), "a session of one mode has no pairs");
}
