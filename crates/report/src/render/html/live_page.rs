//! The page that a running session serves, in parts that are redrawn while it runs: those of `report.html`, with the
//! header of a session that has not ended, its last events, and who holds its conversations.

use maud::{DOCTYPE, Markup, html};

use super::capacity;
use super::live_health::{agent, generator_now, loss_words, workers};
use super::page::section;
use super::parts::{LivePart, PageSection};
use super::recordings::RecordedRuns;
use super::session_page::{header, sections, tone};
use super::soak;
use crate::capacity::{SearchSpend, TrialFinding};
use crate::fold::FoldedSession;
use crate::live::{LiveSnapshot, RecentEvent, RecentKind};
use crate::render::sentences::bill::limits_sentence;
use crate::render::sentences::session::{verdict_sentence, warnings};
use crate::render::visible;
use crate::session::{Criterion, LimitsUsed, OverallVerdict};
use crate::soak::SoakAnalysis;
use rushhour_core::units::SessionTime;

const INCOMPLETE: &str = "Events came faster than this page could take them, so its figures are incomplete. The journal has all of them, and so will the report.";

/// What is known of a running session beside its events.
#[derive(Debug, Clone, Copy)]
pub struct LiveContext<'a> {
    /// What decides whether a threshold passed.
    pub criterion: Criterion,
    /// The time on the session's clock.
    pub now: SessionTime,
    /// The last intended start, as it is forecast.
    pub last_start: SessionTime,
    /// The levels before this session, in a search for capacity.
    pub levels: &'a [LevelSoFar],
    /// What [`live_drift`] has drawn of a soak; it is drawn less often than the rest.
    pub drift: Option<&'a str>,
    /// What is said of the judging that goes on after the session.
    pub judging: Option<&'a str>,
    /// Whether events are missing from what is shown.
    pub is_incomplete: bool,
}

/// A level of a search for capacity that has ended.
#[derive(Debug, Clone)]
pub struct LevelSoFar {
    /// What became of it, in a line.
    pub line: String,
    /// What its session found.
    pub finding: TrialFinding,
}

/// The page's parts, the header first. After the session's end they are those of its report.
pub fn live_parts(snapshot: &LiveSnapshot, context: &LiveContext<'_>) -> Vec<LivePart> {
    let LiveSnapshot { folded, verdict, .. } = snapshot;
    let criterion = context.criterion;
    let head = if folded.closed {
        header(folded, verdict, criterion)
    } else {
        running_header(snapshot, context)
    };
    let mut parts = vec![LivePart { id: "header", html: head.into_string() }];
    let mut push = |section: PageSection| parts.push(section.drawn());
    if let Some(judging) = context.judging {
        push(PageSection::new("judging", "Judging", html! { p { (visible(judging)) } }));
    }
    if !context.levels.is_empty() {
        let findings: Vec<TrialFinding> =
            context.levels.iter().map(|level| level.finding.clone()).collect();
        let levels = levels(context.levels, &findings, folded);
        push(PageSection::new("levels", "Levels so far", levels));
        let thresholds = &folded.opening.profile.thresholds;
        let figures = capacity::figures(thresholds, &findings);
        push(PageSection::new("figures", "Thresholds by level so far", figures));
    }
    if let Some(drift) = context.drift {
        parts.push(LivePart { id: "drift", html: drift.to_owned() });
    }
    let mut push = |section: PageSection| parts.push(section.drawn());
    for section in sections(folded, verdict, criterion, &RecordedRuns::default()) {
        let is_before_events = section.id == "failures";
        if is_before_events {
            push(PageSection::new("events", "Last events", events(&snapshot.recent)));
        }
        let is_generator = section.id == "generator";
        push(section);
        let generator = snapshot.generator.as_ref().filter(|_| is_generator && !folded.closed);
        if let Some((at, health)) = generator {
            let now = generator_now(*at, health);
            push(PageSection::new("generator-now", "Load generator in its last interval", now));
        }
        if is_generator && !folded.workers.is_empty() {
            push(PageSection::new("workers", "Workers", workers(snapshot)));
        }
        if is_generator && snapshot.agent.is_some() {
            push(PageSection::new("agent", "The agent's workers", agent(snapshot)));
        }
    }
    parts
}

/// The page's title.
pub fn live_title(snapshot: &LiveSnapshot) -> String {
    let LiveSnapshot { folded, verdict, .. } = snapshot;
    let so_far = if folded.closed { "" } else { " so far" };
    let name = visible(&folded.opening.profile.name);
    format!("{name}: {}{so_far}", OverallVerdict::of(verdict).label())
}

/// The page around its parts. Style and script come from the same server, and nothing else is loaded.
pub fn live_frame(title: &str, parts: &[LivePart]) -> String {
    let (head, rest) = parts.split_at(parts.len().min(1));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (visible(title)) }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/style.css";
                script src="/live.js" defer {}
            }
            body {
                p id="connection" class="aside" role="status" {
                    @if parts.is_empty() { "Waiting for the session to begin." }
                }
                div id="head" { @for part in head { (placed(part)) } }
                main { @for part in rest { (placed(part)) } }
                noscript { p class="aside" { "Without JavaScript, reload the page to see it as it is now." } }
            }
        }
    };
    let mut page = page.into_string();
    page.push('\n');
    page
}

fn placed(part: &LivePart) -> Markup {
    html! { div id=(format!("part-{}", part.id)) { (maud::PreEscaped(&part.html)) } }
}

fn running_header(snapshot: &LiveSnapshot, context: &LiveContext<'_>) -> Markup {
    let LiveSnapshot { folded, verdict, .. } = snapshot;
    let overall = OverallVerdict::of(verdict);
    let is_measured = folded.measured.ended() > 0;
    let tone = if is_measured { tone(overall) } else { super::page::HeaderTone::None };
    html! {
        header class=(tone.class()) {
            p class="session" { (visible(folded.opening.session.as_str())) ", running" }
            h1 {
                (tone.sign())
                @if is_measured {
                    (overall.label()) " so far: " (visible(&verdict_sentence(folded, verdict, context.criterion))) "."
                } @else {
                    "Running: no run of a measured stage has ended yet."
                }
            }
            p { (progress(folded, context)) }
            @if context.is_incomplete { p class="warning" { (INCOMPLETE) } }
            @for rule in verdict.validity.broken() { p class="warning" { (rule.with_advice()) "." } }
            @for warning in warnings(folded) { p class="warning" { (visible(&warning)) } }
        }
    }
}

/// How far the session is, in one sentence.
fn progress(folded: &FoldedSession, context: &LiveContext<'_>) -> String {
    let tally = &folded.tally;
    let last_start = context.last_start;
    let mut parts = vec![
        format!("{} of {} runs started", tally.started, folded.planned()),
        format!(
            "{} in flight of at most {}",
            tally.open(),
            folded.opening.profile.limits.in_flight
        ),
        format!("{} completed", tally.completed),
        format!("{} failed", tally.failed_total()),
    ];
    for (count, word) in [(tally.skipped, "skipped"), (tally.not_started, "not started")] {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    if context.now < last_start && folded.stops.is_empty() {
        parts.push(format!("the last start in {}", whole_seconds(last_start.since(context.now))));
    }
    let elapsed = whole_seconds(context.now.since(SessionTime::START));
    format!("After {elapsed}: {}.", parts.join(", "))
}

fn whole_seconds(time: rushhour_core::units::Micros) -> rushhour_core::units::Micros {
    rushhour_core::units::Micros::from_secs(time.0 / 1_000_000)
}

/// How a soak drifts so far, as it is shown between other parts.
pub fn live_drift(analysis: &SoakAnalysis, folded: &FoldedSession) -> String {
    let content = html! {
        p {
            "As if the soak had ended after " (folded.last_event.since(SessionTime::START)) ". Whoever looks often sees "
            "more chance findings than the one judgement at the end, which also looks for leaks."
        }
        (soak::drift(analysis, folded))
    };
    section("drift", "Drift so far", &content).into_string()
}

fn levels(levels: &[LevelSoFar], findings: &[TrialFinding], folded: &FoldedSession) -> Markup {
    // The last level is listed, and its session shown, until the next one begins.
    let is_shown = |one: &TrialFinding| one.folder.ends_with(folded.opening.session.as_str());
    let before = findings.iter().filter(|one| !is_shown(one)).map(|one| one.spent);
    let before = before.fold(SearchSpend::default(), SearchSpend::plus);
    let used = LimitsUsed::of(folded).after(before);
    html! {
        ol { @for level in levels { li { (visible(&level.line)) } } }
        @if let Some(limits) = limits_sentence(&used) { p { "The whole search: " (limits) } }
        (capacity::levels(findings))
    }
}

fn events(recent: &[RecentEvent]) -> Markup {
    html! {
        ol class="events" {
            @for event in recent {
                li {
                    span class="at" { (event.at.since(SessionTime::START)) }
                    span { (happened(&event.what)) }
                }
            }
        }
    }
}

fn happened(what: &RecentKind) -> Markup {
    match what {
        RecentKind::Began => html! { "The session began." },
        RecentKind::Stage(name) => html! { "Stage " (visible(name)) " began." },
        RecentKind::Failed { run, class, detail } => html! {
            "Run " (run) " failed: " code { (class.name()) }
            @if !detail.is_empty() { ": " (visible(detail)) }
        },
        RecentKind::Mark(text) => html! { "Marked: " strong { (visible(text)) } },
        RecentKind::WorkerLost(worker, loss) => {
            html! { "Worker " code { (worker) } " is not counted on: " (loss_words(*loss)) "." }
        }
        RecentKind::Stopping(detail) => html! { "No more runs start: " (visible(detail)) "." },
        RecentKind::Resumed => html! { "Another process resumed the session." },
        RecentKind::Ended => html! { "The session ended." },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::session_page;
    use super::super::tests::check_page;
    use super::*;
    use crate::capacity::simulation::finding;
    use crate::capacity::{LevelVerdict, Purpose};
    use crate::live::LastHeard;
    use crate::render::sentences::session::NOT_FINISHED;
    use crate::session::test_sessions::{Fate, HOSTILE, SessionBuilder, ordinary};
    use crate::session::{SessionVerdict, Verdict};
    use rushhour_core::event::FailureClass;
    use rushhour_core::units::{Micros, SessionId, Usd};

    const CONTEXT: LiveContext<'_> = LiveContext {
        criterion: Criterion::Interval,
        now: SessionTime(61_500_000),
        last_start: SessionTime(90_000_000),
        levels: &[],
        drift: None,
        judging: None,
        is_incomplete: false,
    };

    fn snapshot((mut folded, verdict): (FoldedSession, SessionVerdict)) -> LiveSnapshot {
        folded.is_running = !folded.closed;
        folded.forecast = Some(100);
        LiveSnapshot {
            folded,
            verdict,
            recent: Vec::new(),
            generator: None,
            workers: LastHeard::new(),
            agent: None,
        }
    }

    /// The parts as a page, after checking what must hold for every page.
    fn checked(parts: &[LivePart]) -> String {
        let ids: BTreeSet<&str> = parts.iter().map(|part| part.id).collect();
        assert_eq!(ids.len(), parts.len(), "every part has an id of its own");
        let page = parts.iter().fold(String::new(), |page, part| page + &part.html);
        check_page(&format!("<body>{page}</body></html>"));
        page
    }

    #[test]
    fn a_running_session_has_a_verdict_so_far() {
        let mut builder = SessionBuilder::chat("[thresholds]\n\"agent_join p95\" = \"< 2s\"\n");
        for run in 0..40 {
            let completes = Fate::Completes(Micros::from_millis(250));
            builder.run(SessionTime(run * 100_000), Micros::ZERO, completes);
        }
        builder.run(SessionTime(5_000_000), Micros::ZERO, Fate::StaysOpen);
        let running = snapshot(builder.killed());
        let parts = live_parts(&running, &CONTEXT);
        let page = checked(&parts);
        assert_eq!(parts[0].id, "header");
        assert!(parts[0].html.contains("Not enough data so far: "), "{}", parts[0].html);
        let progress = "After 61.0s: 41 of 100 runs started, 1 in flight of at most ";
        assert!(parts[0].html.contains(progress), "{}", parts[0].html);
        assert!(parts[0].html.contains("the last start in 28.0s"), "{}", parts[0].html);
        assert!(!page.contains(NOT_FINISHED), "it is known to run");
        assert!(page.contains(">1 in flight<") && !page.contains("got no further"));
        assert_eq!(live_title(&running), "p: Not enough data so far");
        let incomplete = LiveContext { is_incomplete: true, ..CONTEXT };
        assert!(live_parts(&running, &incomplete)[0].html.contains(INCOMPLETE));
    }

    #[test]
    fn nothing_is_judged_before_a_run_has_ended() {
        let mut builder = SessionBuilder::chat("[thresholds]\n\"agent_join p95\" = \"< 2s\"\n");
        builder.run(SessionTime(0), Micros::ZERO, Fate::StaysOpen);
        let parts = live_parts(&snapshot(builder.killed()), &CONTEXT);
        let words = "Running: no run of a measured stage has ended yet.";
        assert!(parts[0].html.contains(words), "{}", parts[0].html);
    }

    #[test]
    fn what_others_say_is_escaped() {
        let mut builder = SessionBuilder::chat("");
        builder.run(SessionTime(0), Micros::ZERO, Fate::Fails(HOSTILE));
        let mut running = snapshot(builder.killed());
        running.recent = vec![
            RecentEvent { at: SessionTime(1), what: RecentKind::Mark(HOSTILE.into()) },
            RecentEvent { at: SessionTime(2), what: RecentKind::Stage(HOSTILE.to_owned()) },
        ];
        let failed = FailureClass::AgentLeft;
        let finding = finding(1, Purpose::Step, 10, LevelVerdict::Passed, 0, failed);
        let levels = [LevelSoFar { line: HOSTILE.to_owned(), finding }];
        let page = checked(&live_parts(&running, &LiveContext { levels: &levels, ..CONTEXT }));
        assert!(page.contains("Levels so far"), "{page}");
        assert!(page.contains("Levels in the order in which they were tried"), "{page}");
        let title = live_frame(HOSTILE, &[]);
        assert!(title.contains("&lt;script&gt;") && !title.contains("<script>"), "{title}");
    }

    #[test]
    fn judging_is_said_to_go_on() {
        let parts = live_parts(&snapshot(ordinary(30, "")), &CONTEXT);
        assert!(parts.iter().all(|part| part.id != "judging"));
        let context = LiveContext { judging: Some("Judging 3 <of> 30 runs."), ..CONTEXT };
        let parts = live_parts(&snapshot(ordinary(30, "")), &context);
        checked(&parts);
        assert_eq!(parts[1].id, "judging");
        assert!(parts[1].html.contains("Judging 3 &lt;of&gt; 30 runs."), "{}", parts[1].html);
    }

    #[test]
    fn limits_of_a_search_are_those_of_all_its_levels() {
        let limits = "[limits]\nbudget = \"6 USD\"\nmax_runs = 260\n";
        let mut builder = SessionBuilder::chat(limits);
        builder.run(SessionTime(0), Micros::ZERO, Fate::StaysOpen);
        let mut running = snapshot(builder.killed());
        let failed = FailureClass::AgentLeft;
        let mut finding = finding(1, Purpose::Step, 10, LevelVerdict::Passed, 0, failed);
        finding.spent.money = Usd::from_dollars(4.0);
        finding.spent.runs = 240;
        let levels = [LevelSoFar { line: "session 1".to_owned(), finding }];
        let context = LiveContext { levels: &levels, ..CONTEXT };
        let page = checked(&live_parts(&running, &context));
        let whole = "The whole search: Of the budget of 10.00 USD, 4.00 USD is used so far; ";
        assert!(page.contains(whole), "{page}");
        assert!(page.contains("Of at most 500 runs, 241 started."), "{page}");
        let own = "Of the budget of 6.00 USD, 0.00 USD is used so far; until it ends, each of 1 run in flight counts at its worst, ";
        assert!(page.contains(own), "{page}");
        // The level that has ended is shown until the next one begins, and counts once.
        running.folded.opening.session = SessionId::new("1");
        let page = checked(&live_parts(&running, &context));
        assert!(page.contains("The whole search: Of the budget of 6.00 USD, 0.00 USD"), "{page}");
    }

    #[test]
    fn the_page_of_the_end_has_every_part_of_the_report() {
        let session = ordinary(300, "[thresholds]\nfailed = \"< 50%\"\n");
        let report = session_page(&session.0, &session.1, Criterion::Interval);
        assert!(session.1.thresholds.iter().all(|found| found.verdict == Verdict::Passed));
        for part in live_parts(&snapshot(session), &CONTEXT) {
            let is_own = part.id == "events";
            assert!(is_own || report.contains(&part.html), "{}", part.id);
        }
    }
}
