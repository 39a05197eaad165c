use quick_xml::events::Event;
use quick_xml::reader::Reader;

use super::super::judged::example;
use super::super::test_sessions::{Fate, HOSTILE, Made, ordinary};
use super::super::verdict::{Criterion, SessionVerdict};
use super::page;
use crate::fold::FoldedSession;
use rushhour_core::event::{FailureClass, Outcome};
use rushhour_core::units::{Micros, SessionTime};

const THRESHOLDS: &str = "[thresholds]\n\"agent_join p95\" = \"< 2s\"\n\"failed\" = \"< 5%\"\n";

/// The page, and what has to hold of every page.
fn checked(session: &(FoldedSession, SessionVerdict)) -> String {
    let page = page(&session.0, &session.1, Criterion::Interval);
    for number in ["NaN", "\"inf", ">inf", " inf", "-inf", "infinity"] {
        assert!(!page.contains(number), "{number} is no number: {page}");
    }
    for never in
        ["<script", "href=\"http", "src=", "url(", "@import", "\u{0}", "\u{1b}", "\u{202e}"]
    {
        assert!(!page.contains(never), "the page holds {never:?}");
    }
    let body = &page[page.find("<body>").unwrap()..page.find("</html>").unwrap()];
    let mut reader = Reader::from_str(body);
    let (mut charts, mut named) = (0, 0);
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("{error}: {body}")) {
            Event::Eof => break,
            Event::Start(tag) if tag.name().as_ref() == "svg" => charts += 1,
            Event::Start(tag) if matches!(tag.name().as_ref(), "title" | "desc") => named += 1,
            _ => {}
        }
    }
    assert_eq!(named, 2 * charts, "every chart has a title and a description");
    page
}

#[test]
fn a_session_without_a_run_says_so() {
    let page = checked(&Made::of("").closed());
    assert!(page.contains("No verdict: no run was started, so nothing was measured."));
    assert!(page.contains("No run was planned or started."));
    assert!(!page.contains("<svg"));
    let page = checked(&Made::of(THRESHOLDS).closed());
    assert!(page.contains("Failed: 2 of 2 thresholds do not hold"), "{page}");
    assert!(page.contains("nothing was measured"));
}

#[test]
fn failures_alone_are_told_in_their_own_words() {
    let mut made = Made::of("");
    for run in 0..30 {
        made.run(SessionTime(run * 100_000), Micros::ZERO, Fate::Fails(HOSTILE));
    }
    let page = checked(&made.closed());
    assert!(page.contains("30 × “<bdi>&lt;/td&gt;&lt;script&gt;alert('x')"), "{page}");
    assert!(page.contains("30 went no further: "));
    assert!(page.contains("Nothing was measured, so there is no distribution to show."));
}

#[test]
fn one_run_has_no_percentiles_and_a_page_all_the_same() {
    let mut made = Made::of(THRESHOLDS);
    made.run(SessionTime(0), Micros::ZERO, Fate::Completes(Micros::from_millis(250)));
    let page = checked(&made.closed());
    assert!(page.contains("Not enough data: "), "{page}");
    assert!(page.contains("n/a, needs 72"));
    assert!(page.contains("there is no rate over the whole session"));
}

#[test]
fn samples_that_are_all_alike_are_drawn() {
    let mut made = Made::of(THRESHOLDS);
    for run in 0..400 {
        let alike = Fate::Completes(Micros::from_millis(500));
        made.run(SessionTime(run * 100_000), Micros::ZERO, alike);
    }
    let page = checked(&made.closed());
    assert!(page.contains("Passed: all 2 thresholds hold, each with 95 % confidence"), "{page}");
    assert!(page.contains("<svg"));
}

#[test]
fn runs_that_take_no_time_are_drawn() {
    let mut made = Made::of("");
    for _ in 0..100 {
        made.run(SessionTime(0), Micros::ZERO, Fate::Completes(Micros::ZERO));
    }
    let page = checked(&made.closed());
    assert!(page.contains("100 chat runs in 0us: 100 completed"), "{page}");
}

#[test]
fn a_killed_session_says_what_was_under_way() {
    let mut made = Made::of("");
    made.run(SessionTime(0), Micros::ZERO, Fate::Completes(Micros(1_000)));
    made.run(SessionTime(10), Micros::ZERO, Fate::Stays);
    let page = checked(&made.killed());
    assert!(page.contains("The session did not come to its end"));
    assert!(page.contains("1 went no further: still open when the journal ends"));
}

#[test]
fn nothing_is_said_of_the_agent_where_the_generator_was_at_fault() {
    let mut made = Made::of(THRESHOLDS);
    for run in 0..200 {
        let late = Micros::from_secs(1);
        made.run(SessionTime(run * 100_000), late, Fate::Completes(Micros(1_000)));
    }
    let page = checked(&made.closed());
    assert!(page.contains("Invalid: nothing is said of the agent"), "{page}");
    assert!(page.contains("schedule lag: "));
    assert_eq!(page.matches("– not judged").count(), 2);
    assert!(!page.contains("✓ passed"));
}

#[test]
fn the_page_does_not_grow_with_the_runs() {
    let (few, many) = (checked(&ordinary(2_000, "")), checked(&ordinary(10_000, "")));
    assert!(many.len() < few.len() * 2 && many.len() < 500_000, "{} {}", few.len(), many.len());
}

#[test]
fn the_same_session_has_the_same_page() {
    let render = || checked(&ordinary(300, THRESHOLDS));
    assert_eq!(render(), render());
}

#[test]
fn what_was_judged_has_a_section_where_the_verdicts_differ_first() {
    let (folded, mut overall) = ordinary(10, "");
    assert!(!checked(&(folded.clone(), overall.clone())).contains("id=\"judged\""));
    let mut judged = example(12);
    judged.runs[5].scenario = HOSTILE.to_owned();
    let again = judged.runs[0].again.as_mut().expect("it was held again");
    again.outcome = Some(Outcome::failed(FailureClass::EvaluatorFailed, HOSTILE));
    overall.judged = Some(judged);
    let page = checked(&(folded, overall));
    assert!(page.contains("Judged by the stand-in for Cekura"), "{page}");
    assert!(page.contains("success 89.7 % [70.2, 96.7], weighted back"), "{page}");
    let rows = &page[page.find("id=\"judged\"").unwrap()..];
    let differs = rows.find("<th scope=\"row\">0</th>").expect("run 0 passed and was failed");
    let agrees = rows.find("<th scope=\"row\">2</th>").expect("run 2 passed in both");
    assert!(differs < agrees, "{rows}");
    assert!(rows.contains("failed (evaluator_failed)"), "{rows}");
}
