//! The page of a search, in the order in which it is read.

use maud::{Markup, html};

use super::figures::figures;
use super::levels::levels;
use crate::capacity::{CapacityAnswer, CapacityRange, CompletedSearch, NeededVerdict};
use crate::render::html::page::{Beside, HeaderTone};
use crate::render::html::parts::{PageParts, PageSection};
use crate::render::html::provenance::facts;
use crate::render::sentences::capacity::{capacity_headline, capacity_remarks};
use crate::render::sentences::capitalised;
use crate::render::table::Frame;
use crate::render::tables::capacity::{LevelReports, session_table};
use crate::render::visible;
use rushhour_core::units::Usd;

/// A search as one page.
pub fn capacity_page(searched: &CompletedSearch<'_>) -> String {
    parts_with(searched, LevelReports::Beside).framed(Beside::Nothing)
}

/// The same in parts, beside which the reports of the levels do not lie.
pub fn capacity_parts(searched: &CompletedSearch<'_>) -> PageParts {
    parts_with(searched, LevelReports::Elsewhere)
}

fn parts_with(searched: &CompletedSearch<'_>, reports: LevelReports) -> PageParts {
    let thresholds = &searched.opening.profile.thresholds;
    let sessions = session_table(searched, reports).html(Frame::Whole);
    PageParts::new(
        format!("{}: capacity", visible(&searched.opening.profile.name)),
        header(searched, &searched.answer()),
        [
            PageSection::new("levels", "Search", levels(searched.findings)),
            PageSection::new(
                "figures",
                "Thresholds by level",
                figures(thresholds, searched.findings),
            ),
            PageSection::new("sessions", "Sessions", sessions),
            PageSection::new("claim", "How to read the answer", method()),
            PageSection::new("provenance", "Provenance", provenance(searched)),
        ],
    )
}

fn header(searched: &CompletedSearch<'_>, answer: &CapacityAnswer<'_>) -> Markup {
    let tone = match (answer.needed, answer.range) {
        (Some(NeededVerdict::NotMet(_)), _) | (None, CapacityRange::FewerThan(_)) => {
            HeaderTone::Failed
        }
        (Some(NeededVerdict::Unknown(_)), _) | (None, CapacityRange::Unknown) => {
            HeaderTone::Undecided
        }
        (Some(NeededVerdict::Met(_)), _)
        | (None, CapacityRange::Between(..) | CapacityRange::AtLeast(..)) => HeaderTone::Passed,
    };
    html! {
        header class=(tone.class()) {
            p class="session" { (visible(&searched.opening.search)) }
            h1 {
                (tone.sign()) (visible(&searched.opening.profile.name)) ": "
                (visible(&capacity_headline(answer))) "."
            }
            @for remark in capacity_remarks(answer) { p { (visible(&capitalised(&remark))) "." } }
        }
    }
}

fn method() -> Markup {
    html! {
        p {
            "Each level is a session of its own: the load ramps up to it, settles, is measured with that many "
            "conversations in flight, and continues until the last measured conversation is nearly over. Only runs "
            "with an intended start in the measured stage are judged."
        }
        p {
            "A level passes if the whole 95 % interval of every threshold is inside its bound, and fails if one is "
            "wholly outside. If an interval includes the bound, the level is measured for longer, and otherwise stays "
            "undecided. Both ends of the answer are confirmed by a second session; if two sessions contradict each "
            "other, a third one decides. So each end is wrong by chance in less than one of twenty searches. The answer "
            "is about the hour in which it was measured and about these scenarios. Runs of one session share the "
            "conditions of their minutes, which no interval accounts for."
        }
        p {
            "A session whose load generator did not deliver the load says nothing about the agent and never counts as "
            "its failure."
        }
    }
}

fn provenance(searched: &CompletedSearch<'_>) -> Markup {
    let (opening, spent) = (searched.opening, searched.spent());
    let profile = &opening.profile;
    let settings = &searched.search.rules().settings;
    let money = match spent.money {
        Usd::ZERO => String::new(),
        money if profile.bill.rehearsal => format!("{money}, if the stand-ins were real"),
        money => money.to_string(),
    };
    facts(&[
        ("search", opening.search.clone()),
        ("started", opening.began.clone()),
        ("lasted", searched.duration().to_string()),
        ("sessions", searched.findings.len().to_string()),
        ("runs", spent.runs.to_string()),
        ("cost at list prices", money),
        ("seed", profile.seed.to_string()),
        ("mode", profile.mode.to_string()),
        ("dispatched by", profile.livekit.dispatch.method().to_string()),
        ("levels", format!("from {} up to {} at once", settings.start, settings.most)),
        ("requested width", settings.width.to_string()),
        ("Rushhour", opening.rushhour.clone()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::simulation::{finding, search_with};
    use crate::capacity::{LevelVerdict, Purpose, SearchEnd};
    use crate::render::html::tests::check_page;
    use rushhour_core::event::FailureClass;

    /// The page of sessions with these verdicts: 10 at once in the first, 11 in the second, and so on.
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
        check_page(&page);
        page
    }

    #[test]
    fn the_answer_comes_first_and_every_session_is_drawn_and_linked() {
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
        // The session with a generator fault is in no chart of a threshold.
        assert!(page.contains("3 sessions of 10 to 13 at once; the bound is 5%."));
    }

    #[test]
    fn those_who_watched_get_the_answer_and_no_link_that_leads_nowhere() {
        use LevelVerdict::{Failed, Passed};
        let verdicts = [(10, Passed, 0), (11, Failed, 60)];
        let findings: Vec<_> = (1..)
            .zip(verdicts)
            .map(|(number, (level, verdict, failed))| {
                finding(number, Purpose::Step, level, verdict, failed, FailureClass::AgentLeft)
            })
            .collect();
        let (opening, search) = search_with("start = 10", &findings);
        let ending = SearchEnd::Complete;
        let completed =
            CompletedSearch { opening: &opening, search: &search, findings: &findings, ending };
        let PageParts { title, parts } = capacity_parts(&completed);
        assert!(title.ends_with(": capacity"), "{title}");
        assert_eq!(parts[0].id, "header");
        assert!(parts[0].html.contains("holds 10 at once, and not 11"), "{}", parts[0].html);
        assert!(parts.iter().any(|part| part.html.contains("levels/2")), "the folders are named");
        assert!(parts.iter().all(|part| !part.html.contains("href=\"levels")));
    }

    #[test]
    fn a_search_without_a_session_and_with_a_hostile_name_has_a_page() {
        let page = page(&[], "</h1><script>alert(1)</script>\u{202e}");
        assert!(page.contains("No session was run.") && page.contains("it is unknown how many"));
    }
}
