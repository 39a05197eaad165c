//! Nights: a session against those before it, and `history.html`, each series from night to night.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::super::visible::visible;
use super::chart::{ChartFigure, LineStyle, through};
use super::document::{section, whole};
use super::scale::Tick;
use super::tables::scrolled;
use super::upward::Upward;
use crate::soak::{
    MIN_NIGHTS, NightlyComparison, NightlyFinding, NightlyJudgement, NightlyRun, SeriesUnit,
    SoakAnalysis, nightly_sentence,
};

const LEVEL: LineStyle = LineStyle(0);
const ALARM: LineStyle = LineStyle(4);

/// One profile's nights in order, each with what it came to against those before it.
pub type JudgedNights<'a> = Vec<(&'a NightlyRun, NightlyComparison)>;

/// A session against the nights before it.
pub(super) fn against(soak: &SoakAnalysis) -> Markup {
    let nights = &soak.nightly;
    html! {
        @if nights.series.is_empty() {
            p {
                "There are " (nights.compared) " nights before of this profile that say something; from "
                (MIN_NIGHTS) " on a session is compared with them."
            }
        } @else {
            (scrolled(&html! {
                table {
                    thead { tr {
                        th scope="col" { "series" } th scope="col" { "nights" } th scope="col" { "now" }
                        th scope="col" { "before, on average" } th scope="col" { "one more like them" }
                        th scope="col" { "found" }
                    } }
                    tbody { @for one in &nights.series { (row(one)) } }
                }
            }))
            p class="aside" {
                "One more night like those before lies in the range, all series judged as one family. Growth from night "
                "to night is found by a self-starting CUSUM. Either counts only where the change matters."
            }
        }
    }
}

fn row(one: &NightlyJudgement) -> Markup {
    let amount = |value: f64| one.unit.amount(value);
    let (class, words) = match one.finding {
        NightlyFinding::Within => ("passed", "✓ as before"),
        NightlyFinding::Above => ("failed", "✗ above"),
        NightlyFinding::Creeps => ("failed", "✗ creeps"),
        NightlyFinding::Below => ("undecided", "– below"),
    };
    html! {
        tr {
            th scope="row" { (one.series) }
            td { (one.previous_runs) }
            td { (amount(one.level)) }
            td { (amount(one.mean)) }
            td { (amount(one.low.max(0.0))) " to " (amount(one.high)) }
            td { span class={ "verdict " (class) } { (words) } }
        }
    }
}

/// `history.html`: each series of each profile from night to night, as one page without network or script.
pub fn history_page(profiles: &[JudgedNights<'_>]) -> String {
    let nights: usize = profiles.iter().map(Vec::len).sum();
    let body = html! {
        header class="unjudged" {
            p class="session" { "history" }
            h1 { (nights) " nights of " (profiles.len()) " profiles" }
            p {
                "A night is a session that `rushhour soak` judged. Profiles that differ in anything are not compared: "
                "each has a part of its own."
            }
        }
        main {
            @for (number, nights) in profiles.iter().enumerate() {
                @if let Some((last, _)) = nights.last() {
                    (section(&format!("profile-{number}"), &title(last), &profile(number, nights)))
                }
            }
        }
    };
    whole("Nights", &body)
}

fn title(night: &NightlyRun) -> String {
    let hash: String = night.profile_hash.chars().take(8).collect();
    visible(&format!("{} ({hash})", night.profile))
}

fn profile(number: usize, nights: &JudgedNights<'_>) -> Markup {
    let names: BTreeSet<&String> =
        nights.iter().flat_map(|(night, _)| night.series.keys()).collect();
    html! {
        (scrolled(&html! {
            table {
                thead { tr {
                    th scope="col" { "began" } th scope="col" { "session" } th scope="col" { "runs" }
                    th scope="col" { "failed" } th scope="col" { "came to" } th scope="col" { "against the nights before" }
                } }
                tbody {
                    @for (night, judged) in nights {
                        tr {
                            td { (day(night)) }
                            td { (visible(&night.session)) }
                            td { (night.runs) }
                            td { (night.failed) }
                            td { (night.verdict.label()) }
                            td { (in_words(judged)) }
                        }
                    }
                }
            }
        }))
        @for (place, name) in names.iter().enumerate() { (chart(&format!("nights-{number}-{place}"), name, nights)) }
    }
}

/// What a night came to against those before it, in a few words.
fn in_words(judged: &NightlyComparison) -> String {
    if judged.series.is_empty() {
        return "too few before".to_owned();
    }
    let worse: Vec<&str> = judged
        .series
        .iter()
        .filter(|one| one.finding.is_worse())
        .map(|one| one.series.as_str())
        .collect();
    if worse.is_empty() {
        "as they were".to_owned()
    } else {
        format!("worse: {}", worse.join(", "))
    }
}

/// The day and the time to the minute.
fn day(night: &NightlyRun) -> String {
    visible(&night.started.chars().take(16).collect::<String>().replace('T', " "))
}

struct NightMark<'a> {
    night: &'a NightlyRun,
    level: f64,
    comparison: &'a NightlyComparison,
    judged: Option<&'a NightlyJudgement>,
}

fn chart(id: &str, name: &str, nights: &JudgedNights<'_>) -> Markup {
    let spots: Vec<NightMark<'_>> = nights
        .iter()
        .filter(|(night, _)| night.is_conclusive())
        .filter_map(|(night, comparison)| {
            let judged = comparison.series.iter().find(|one| one.series == name);
            Some(NightMark { night, level: night.series.get(name)?.level, comparison, judged })
        })
        .collect();
    let Some(last) = spots.last() else { return html! {} };
    let unit = last.night.series.get(name).map_or(SeriesUnit::Microseconds, |figure| figure.unit);
    let highs = spots.iter().filter_map(|spot| Some(spot.judged?.high));
    let up = Upward::of(unit, spots.iter().map(|spot| spot.level).chain(highs));
    let alarms = spots.iter().filter(|spot| spot.judged.is_some_and(|one| one.finding.is_worse()));
    let alarms = alarms.count();
    ChartFigure {
        id,
        title: html! { (name) },
        name: format!("{name} from night to night"),
        description: format!("{} nights, {alarms} worse than those before them.", spots.len()),
        note: html! {},
        table: table(name, &spots),
    }
    .draw(|canvas| {
        let place = |index: usize| (index as f64 + 0.5) / spots.len() as f64;
        let x = |index: usize| canvas.x(place(index));
        let y = |value: f64| canvas.y(up.at(value));
        let every = spots.len().div_ceil(canvas.ticks_across / 2).max(1);
        let across: Vec<Tick> = spots
            .iter()
            .enumerate()
            .step_by(every)
            .map(|(index, spot)| (place(index), day(spot.night).chars().skip(5).take(5).collect()))
            .collect();
        let points = || spots.iter().enumerate().map(|(index, spot)| (x(index), y(spot.level)));
        let band = || {
            spots.iter().enumerate().filter_map(|(index, spot)| {
                let judged = spot.judged?;
                Some((x(index), y(judged.low.max(0.0)), y(judged.high)))
            })
        };
        let upper: Vec<_> = band().map(|(x, _, high)| Some((x, high))).collect();
        let lower: Vec<_> = band().map(|(x, low, _)| Some((x, low))).collect();
        let key = [
            (LEVEL, "each night, shaded: where it should lie".to_owned()),
            (ALARM, "worse than the nights before".to_owned()),
        ];
        let (height, key) = canvas.key(if alarms > 0 { &key } else { &key[..1] });
        let drawn = html! {
            (canvas.frame(&across, &up.ticks(), ("night", &up.name(name))))
            @if upper.len() > 1 {
                path class=(LEVEL.class("band")) d=(format!("{}z", through(upper.into_iter().chain(lower.into_iter().rev())))) {}
            }
            (LEVEL.path(&through(points().map(Some))))
            @for ((x, y), spot) in points().zip(&spots) {
                @if spot.judged.is_some_and(|one| one.finding.is_worse()) { (ALARM.mark(x, y)) } @else { (LEVEL.mark(x, y)) }
            }
            (key)
        };
        (height, drawn)
    })
}

fn table(name: &str, spots: &[NightMark<'_>]) -> Markup {
    scrolled(&html! {
        table {
            thead { tr {
                th scope="col" { "night" } th scope="col" { (name) } th scope="col" { "should lie in" } th scope="col" { "found" }
            } }
            tbody {
                @for spot in spots {
                    tr {
                        td { (day(spot.night)) }
                        @match spot.judged {
                            Some(judged) => {
                                td { (judged.unit.amount(spot.level)) }
                                td { (judged.unit.amount(judged.low.max(0.0))) " to " (judged.unit.amount(judged.high)) }
                                td { (nightly_sentence(spot.comparison, judged)) }
                            }
                            None => { td { (spot.night.series.get(name).map_or_else(String::new, |one| one.unit.amount(spot.level))) } td { "n/a" } td { "too few before" } }
                        }
                    }
                }
            }
        }
    })
}
