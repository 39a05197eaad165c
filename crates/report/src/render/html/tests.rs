use quick_xml::events::Event;
use quick_xml::reader::Reader;

use super::session_page;
use crate::fold::FoldedSession;
use crate::render::sentences::judging::tests::example;
use crate::session::test_sessions::{Fate, HOSTILE, SessionBuilder, ordinary};
use crate::session::{Criterion, SessionVerdict};
use rushhour_core::event::{FailureClass, Outcome};
use rushhour_core::units::{Micros, SessionTime};

const THRESHOLDS: &str = "[thresholds]\n\"agent_join p95\" = \"< 2s\"\n\"failed\" = \"< 5%\"\n";

/// The page of a session, after checking what must hold for every page.
fn checked(session: &(FoldedSession, SessionVerdict)) -> String {
    let page = session_page(&session.0, &session.1, Criterion::Interval);
    check_page(&page);
    page
}

/// Every page is well-formed, names its charts, and holds nothing that a browser would fetch or run.
pub(super) fn check_page(page: &str) {
    for number in ["NaN", "\"inf", ">inf", " inf", "-inf", "infinity"] {
        assert!(!page.contains(number), "{number} is no number: {page}");
    }
    for never in
        ["<script", "href=\"http", "src=", "url(", "@import", "\u{0}", "\u{1b}", "\u{202e}"]
    {
        assert!(!page.contains(never), "the page contains {never:?}");
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
}

#[test]
fn a_session_without_a_run_says_so() {
    let page = checked(&SessionBuilder::chat("").closed());
    assert!(page.contains("Invalid: no run was started, so nothing was measured."));
    assert!(page.contains("No run was planned or started."));
    assert!(!page.contains("<svg"));
    let page = checked(&SessionBuilder::chat(THRESHOLDS).closed());
    assert!(page.contains("Invalid: no run was started, so nothing was measured."), "{page}");
    assert!(page.contains("not judged"));
}

#[test]
fn failures_are_shown_with_their_messages() {
    let mut builder = SessionBuilder::chat("");
    for run in 0..30 {
        builder.run(SessionTime(run * 100_000), Micros::ZERO, Fate::Fails(HOSTILE));
    }
    let page = checked(&builder.closed());
    assert!(page.contains("30 × “<bdi>&lt;/td&gt;&lt;script&gt;alert('x')"), "{page}");
    assert!(page.contains("30 got no further: "));
    assert!(page.contains("Nothing was measured, so there is no distribution to show."));
}

#[test]
fn one_run_has_a_page_without_percentiles() {
    let mut builder = SessionBuilder::chat(THRESHOLDS);
    builder.run(SessionTime(0), Micros::ZERO, Fate::Completes(Micros::from_millis(250)));
    let page = checked(&builder.closed());
    assert!(page.contains("Not enough data: "), "{page}");
    assert!(page.contains("n/a (needs 72)"));
    assert!(page.contains("there is no rate over the whole session"));
}

#[test]
fn equal_samples_are_drawn() {
    let mut builder = SessionBuilder::chat(THRESHOLDS);
    for run in 0..400 {
        let equal = Fate::Completes(Micros::from_millis(500));
        builder.run(SessionTime(run * 100_000), Micros::ZERO, equal);
    }
    let page = checked(&builder.closed());
    assert!(page.contains("Passed: all 2 thresholds hold, each with 95 % confidence"), "{page}");
    assert!(page.contains("<svg"));
}

#[test]
fn runs_that_take_no_time_are_drawn() {
    let mut builder = SessionBuilder::chat("");
    for _ in 0..100 {
        builder.run(SessionTime(0), Micros::ZERO, Fate::Completes(Micros::ZERO));
    }
    let page = checked(&builder.closed());
    assert!(page.contains("100 chat runs in 0us: 100 completed"), "{page}");
}

#[test]
fn a_killed_session_shows_its_open_runs() {
    let mut builder = SessionBuilder::chat("");
    builder.run(SessionTime(0), Micros::ZERO, Fate::Completes(Micros(1_000)));
    builder.run(SessionTime(10), Micros::ZERO, Fate::StaysOpen);
    let page = checked(&builder.killed());
    assert!(page.contains("The session did not finish"));
    assert!(page.contains("1 got no further: still open when the journal ends"));
}

#[test]
fn an_invalid_session_says_nothing_about_the_agent() {
    let mut builder = SessionBuilder::chat(THRESHOLDS);
    for run in 0..200 {
        let late = Micros::from_secs(1);
        builder.run(SessionTime(run * 100_000), late, Fate::Completes(Micros(1_000)));
    }
    let page = checked(&builder.closed());
    assert!(page.contains("Invalid: the session says nothing about the agent"), "{page}");
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
fn judged_runs_have_a_section_with_differing_verdicts_first() {
    let (folded, mut verdict) = ordinary(10, "");
    assert!(!checked(&(folded.clone(), verdict.clone())).contains("id=\"judged\""));
    let mut judged = example(12);
    judged.runs[5].scenario = HOSTILE.to_owned();
    let rerun = judged.runs[0].rerun.as_mut().expect("it was rerun");
    rerun.outcome = Some(Outcome::failed(FailureClass::EvaluatorFailed, HOSTILE));
    verdict.judged = Some(judged);
    let page = checked(&(folded, verdict));
    assert!(page.contains("Judged by the stand-in for Cekura"), "{page}");
    assert!(page.contains("success 89.7 % [70.2, 96.7], weighted back"), "{page}");
    let rows = &page[page.find("id=\"judged\"").unwrap()..];
    let differs = rows.find("<th scope=\"row\">0</th>").expect("run 0 passed and was failed");
    let agrees = rows.find("<th scope=\"row\">2</th>").expect("run 2 passed in both");
    assert!(differs < agrees, "{rows}");
    assert!(rows.contains("failed (evaluator_failed)"), "{rows}");
}
