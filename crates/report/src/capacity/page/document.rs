//! The whole page of a search, in the order in which it is read.

use maud::{Markup, html};

use super::figures::figures;
use super::levels::{levels, sessions};
use crate::capacity::answer::{CapacityAnswer, CapacityRange, NeededVerdict};
use crate::capacity::completed_search::CompletedSearch;
use crate::capacity::messages::{headline, remarks};
use crate::report::{framed, section, visible};
use rushhour_core::units::Usd;

/// `report.html` of a search: one page that needs no network and no script.
pub fn capacity_page(searched: &CompletedSearch<'_>) -> String {
    let answer = searched.answer();
    let name = visible(&searched.opening.profile.name);
    framed(
        &format!("{name}: how many at once"),
        &header(searched, &answer),
        &html! {
            (section("levels", "The search", &levels(searched)))
            (section("figures", "What gives way", &figures(searched)))
            (section("sessions", "Every session", &sessions(searched)))
            (section("claim", "What is claimed", &claim()))
            (section("provenance", "Where this comes from", &provenance(searched)))
        },
    )
}

fn header(searched: &CompletedSearch<'_>, answer: &CapacityAnswer<'_>) -> Markup {
    let (class, sign) = match (answer.needed, answer.range) {
        (Some(NeededVerdict::NotMet(_)), _) | (None, CapacityRange::FewerThan(_)) => {
            ("failed", "✗")
        }
        (Some(NeededVerdict::Unknown(_)), _) | (None, CapacityRange::Unknown) => ("undecided", "?"),
        (Some(NeededVerdict::Met(_)), _)
        | (None, CapacityRange::Between(..) | CapacityRange::AtLeast(..)) => ("passed", "✓"),
    };
    html! {
        header class=(class) {
            p class="session" { (visible(&searched.opening.search)) }
            h1 {
                span class="sign" aria-hidden="true" { (sign) } " "
                (visible(&searched.opening.profile.name)) ": " (visible(&headline(answer))) "."
            }
            @for remark in remarks(answer) { p { (visible(&capital(&remark))) "." } }
        }
    }
}

/// With its first letter as a sentence begins.
fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn claim() -> Markup {
    html! {
        p {
            "Each level was held as a session of its own: reached step by step, left to settle, then measured with "
            "that many in flight, and held on until the last measured conversation was nearly over. Only runs that "
            "were meant to start in the measured stretch are judged."
        }
        p {
            "A level passes where every threshold's whole 95 % interval lies inside its bound, and fails where one "
            "lies wholly outside. What lies across a bound is held longer and otherwise left undecided. Both ends of "
            "the answer are held once more; where two sessions contradict each other a third decides. So each end "
            "is wrong by chance in less than one of twenty searches. This speaks of the hour in which it was "
            "measured and of these scenarios; runs of one session share their minutes, which no interval knows of."
        }
        p {
            "A session in which the generator did not deliver the load says nothing of the agent and is never "
            "counted as its failure."
        }
    }
}

fn provenance(searched: &CompletedSearch<'_>) -> Markup {
    let (opening, spent) = (searched.opening, searched.spent());
    let profile = &opening.profile;
    let settings = &searched.search.rules().settings;
    let money = match spent.money {
        Usd::ZERO => String::new(),
        money if profile.bill.rehearsal => format!("{money}, had the stand-ins been real"),
        money => money.to_string(),
    };
    let facts = [
        ("search", opening.search.clone()),
        ("began", opening.began.clone()),
        ("lasted", searched.duration().to_string()),
        ("sessions", searched.findings.len().to_string()),
        ("runs", spent.runs.to_string()),
        ("at list prices", money),
        ("seed", profile.seed.to_string()),
        ("mode", profile.mode.to_string()),
        ("dispatched by", profile.livekit.dispatch.method().to_string()),
        ("from and to", format!("{} to {} at once", settings.start, settings.most)),
        ("width asked for", settings.width.to_string()),
        ("Rushhour", opening.rushhour.clone()),
    ];
    html! {
        dl class="facts" {
            @for (name, value) in &facts {
                @if !value.is_empty() { div { dt { (name) } dd { (visible(value)) } } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use quick_xml::events::Event;
    use quick_xml::reader::Reader;

    use super::*;
    use crate::capacity::search::SearchEnd;
    use crate::capacity::simulation::{finding, search_with};
    use crate::capacity::trial::{LevelVerdict, Purpose};
    use rushhour_core::event::FailureClass;

    /// The page of sessions with these verdicts, ten at once in the first, eleven in the second, and so on.
    fn page(verdicts: &[LevelVerdict], name: &str) -> String {
        let findings: Vec<_> = (1..)
            .zip(verdicts)
            .map(|(number, verdict)| {
                let failed = if *verdict == LevelVerdict::Failed { 60 } else { 0 };
                let level = 9 + number;
                finding(number, Purpose::Step, level, *verdict, failed, FailureClass::AgentLeft)
            })
            .collect();
        let (mut opening, search) = search_with("start = 10", &findings);
        opening.profile.name = name.to_owned();
        let ending = SearchEnd::Complete;
        let page = capacity_page(&CompletedSearch {
            opening: &opening,
            search: &search,
            findings: &findings,
            ending,
        });
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
        for never in ["<script", "href=\"http", "src=", "url(", "NaN", "inf\""] {
            assert!(!page.contains(never), "the page holds {never:?}");
        }
        page
    }

    #[test]
    fn the_page_answers_first_draws_every_verdict_and_links_every_session() {
        use LevelVerdict::{Failed, Generator, Passed, Undecided};
        let page = page(&[Passed, Undecided, Generator, Failed], "desk");
        let heading = page.find("holds 10 to 13 at once; the first thing to give is the share of");
        assert!(heading.unwrap() < page.find("<svg").unwrap());
        for number in 1..=4 {
            assert!(page.contains(&format!("href=\"levels/{number}/report.html\"")));
        }
        for words in ["not enough data", "the generator's limit", "processor: all of it was used"] {
            assert!(page.contains(words), "{words}");
        }
        // The generator's session stands in no figure against the number at once.
        assert!(page.contains("3 sessions of 10 to 13 at once; the bound is 5%."));
    }

    #[test]
    fn a_search_without_a_session_and_hostile_names_have_a_page() {
        let page = page(&[], "</h1><script>alert(1)</script>\u{202e}");
        assert!(page.contains("No session was held.") && page.contains("it cannot be said"));
    }
}
