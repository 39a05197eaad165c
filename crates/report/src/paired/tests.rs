use super::*;
use crate::fold::FoldedSession;
use crate::render::pairs_csv;
use crate::session::test_sessions::{Fate, SessionBuilder, ordinary, taken};
use crate::session::{Criterion, SessionVerdict};
use rushhour_core::units::{Micros, Mode, PairId, SessionTime};

fn takes(seconds: u64) -> Fate {
    Fate::Completes(Micros::from_secs(seconds))
}

/// A session of pairs, one in ten seconds.
fn session(
    pairs: u64,
    more: &str,
    fates: impl Fn(u64) -> [Fate; 2],
) -> (FoldedSession, SessionVerdict) {
    let mut builder = SessionBuilder::paired(more);
    for pair in 0..pairs {
        builder.pair(pair, SessionTime(pair * 10_000_000), fates(pair));
    }
    builder.closed()
}

fn comparison(verdict: &SessionVerdict) -> &PairedComparison {
    verdict.pairs.as_ref().expect("a paired session is compared")
}

fn assert_near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found}, expected {expected}");
}

#[test]
fn the_answer_states_the_cost_of_a_task_and_where_the_difference_comes_from() {
    let (_, verdict) = session(24, "", |pair| [takes(85 + pair % 3), takes(20 + pair % 5)]);
    let found = comparison(&verdict);
    let answer = found.answer.to_string();
    assert!(answer.starts_with("Chat costs 0.2"), "{answer}");
    assert!(answer.contains("per completed task, voice"), "{answer}");
    let cost = found.difference(PairedMeasure::CostOfRun).unwrap();
    assert_eq!((cost.pairs, cost.finding), (24, Some(PairedFinding::VoiceMore)));
    // Every run was completed, so a run costs as much as a task.
    let [voice, chat] = [&found.voice, &found.chat].map(|mode| mode.list.unwrap());
    assert_near(cost.voice, voice.per_completed_usd.unwrap());
    assert_near(cost.chat, chat.per_successful_usd.unwrap());
    assert_near(voice.total_usd, voice.per_run_usd.unwrap() * 24.0);
    let premium = found.premium.as_ref().unwrap();
    assert_near(premium.difference_usd, cost.difference);
    assert_near(premium.parts.iter().map(|part| part.difference_usd).sum(), premium.difference_usd);
    assert_near(premium.parts.iter().filter_map(|part| part.share).sum(), 1.0);
    // Two minutes at 0.25 USD, compared with eight messages at 0.025 USD.
    let evaluator = &premium.parts[0];
    assert!(evaluator.part.starts_with("evaluator minutes"), "{premium:?}");
    assert_near(evaluator.difference_usd, 0.30);
    let share = evaluator.share.unwrap() * 100.0;
    assert!(
        answer.contains(&format!("of the difference per run {share:.0} % is evaluator minutes"))
    );
    let times = found.difference(PairedMeasure::Conversation).unwrap();
    assert_near(times.chat, 22e6 - 2e6 / 24.0);
    assert!(times.difference_low.unwrap() > 60e6 && times.difference_high.unwrap() < 66e6);
}

#[test]
fn pairs_with_different_outcomes_are_counted() {
    let (folded, verdict) = session(20, "", |pair| match pair {
        0 | 1 => [Fate::Fails("no"), takes(20)],
        2 => [takes(80), Fate::Fails("no")],
        3 => [Fate::Fails("no"), Fate::Fails("no")],
        4 => [takes(80), Fate::StaysOpen],
        _ => [takes(80), takes(20)],
    });
    let found = comparison(&verdict);
    let counts =
        PairCounts { seen: 20, completed: 15, only_voice: 1, only_chat: 2, failed: 1, half: 1 };
    assert_eq!(found.pairs, counts);
    assert_eq!(
        found.notes[..3],
        [
            PairedNote::OneCompleted { only_chat: 2, only_voice: 1 },
            PairedNote::BothFailed(1),
            PairedNote::Incomplete { pairs: 1, stopped: false },
        ]
    );
    let pairs = |measure| found.difference(measure).unwrap().pairs;
    assert_eq!(pairs(PairedMeasure::Conversation), 15);
    assert_eq!((pairs(PairedMeasure::CostOfRun), pairs(PairedMeasure::Completed)), (19, 19));
    let completed = found.difference(PairedMeasure::Completed).unwrap();
    assert_near(completed.difference, -1.0 / 19.0);
    assert_eq!(completed.finding, Some(PairedFinding::NoDifference));
    // Failed runs cost money too, which makes a completed task more expensive than a run.
    let voice = found.voice.list.unwrap();
    assert!(voice.per_completed_usd.unwrap() > voice.per_run_usd.unwrap());
    let mut csv = Vec::new();
    pairs_csv(&folded, &mut csv).unwrap();
    let csv = String::from_utf8(csv).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 21);
    // A refused submission costs nothing.
    let refused = "0,book a <b>table</b>,voice,-0.226248,0,failed,,0,,,,,0.000000,1,completed,";
    assert!(lines[1].starts_with(refused), "{}", lines[1]);
    assert!(lines[5].contains(",completed,passed,") && lines[5].contains(",open,"), "{}", lines[5]);
}

#[test]
fn few_pairs_have_figures_but_no_interval() {
    let (_, verdict) = session(3, "", |_| [takes(80), takes(20)]);
    let found = comparison(&verdict);
    let cost = found.difference(PairedMeasure::CostOfRun).unwrap();
    assert_eq!((cost.difference_low, cost.finding), (None, None));
    assert_eq!(cost.note, Some(DifferenceNote::TooFewPairs { pairs: 3, needs: 6 }));
    let answer = found.answer.to_string();
    assert!(
        answer.ends_with(
            "3 pairs are too few for an interval. Agent and evaluator were stand-ins: nothing was charged."
        ),
        "{answer}"
    );
}

#[test]
fn a_mode_without_a_completed_conversation_cannot_be_compared() {
    let (_, verdict) = session(8, "", |_| [Fate::Fails("no"), takes(20)]);
    let found = comparison(&verdict);
    assert_eq!(
        found.answer.to_string(),
        "Voice cannot be compared with chat: no voice conversation was completed."
    );
    let completed = found.difference(PairedMeasure::Completed).unwrap();
    assert_eq!(completed.finding, Some(PairedFinding::ChatMore));
}

#[test]
fn nothing_is_compared_if_the_generator_did_not_deliver_the_load() {
    let mut builder = SessionBuilder::paired("");
    for pair in 0..12 {
        let intended = SessionTime(pair * 10_000_000);
        for mode in Mode::ALL {
            let late = Micros::from_secs(3);
            builder.run_of(mode, Some(PairId(pair)), intended, late, takes(20));
        }
    }
    let (_, verdict) = builder.closed();
    let found = comparison(&verdict);
    assert_eq!(found.answer, PairedAnswer::Invalid);
    assert!(found.differences.is_empty() && found.premium.is_none());
}

#[test]
fn durations_are_compared_if_nothing_is_charged() {
    let without = "[bill]\nwithout = [\"agent_session\", \"participant\", \"speech_to_text\", \"text_to_speech\", \"model_input\", \"model_output\", \"evaluator_voice\", \"evaluator_chat\"]\n";
    let (_, verdict) = session(8, without, |_| [takes(80), takes(20)]);
    let found = comparison(&verdict);
    assert_eq!(
        found.answer.to_string(),
        "Chat takes 20 s per completed task, voice 80 s; nothing is charged."
    );
    assert!(found.premium.is_none() && found.difference(PairedMeasure::CostOfRun).is_none());
    let (_, verdict) = ordinary(8, "");
    assert!(verdict.pairs.is_none(), "a session of one mode has no pairs");
}

#[test]
fn the_quality_of_voice_is_told_where_it_is_known() {
    let (mut folded, verdict) = session(24, "", |_| [takes(85), takes(20)]);
    assert!(
        !comparison(&verdict)
            .notes
            .iter()
            .any(|note| matches!(note, PairedNote::VoiceQuality { .. }))
    );
    let (voice, _) = taken(&[(4, 100, 5)]).closed();
    (folded.quality, folded.heard) = (voice.quality, voice.heard);
    let verdict = SessionVerdict::of(&folded, Criterion::Interval);
    let told = comparison(&verdict).notes.last().unwrap().to_string();
    for part in [
        "In voice the agent's speech broke up 0.00 [0.00, ",
        "] times a minute, it misheard 2.0 % [",
        "] of what callers said",
        " and it talked over callers in 20.0 % [",
        "] of turns; nothing of this happens in chat.",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}
