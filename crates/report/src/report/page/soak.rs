//! `soak.html`: whether the agent stayed well, as one page: the answer, each series with its line, what was left
//! behind, the nights before.

use maud::{Markup, html};

use super::super::verdict::{Criterion, SessionVerdict};
use super::super::visible::visible;
use super::chart::{ChartFigure, LineStyle, through};
use super::document::{section, whole};
use super::nights::against;
use super::provenance::provenance;
use super::scale::Scale;
use super::stages::stages;
use super::tables::{generator, scrolled, sideways, thresholds};
use super::upward::Upward;
use crate::fold::FoldedSession;
use crate::soak::{
    FALSE_ALARMS, LeakCheck, LeakFinding, SeriesFinding, SeriesJudgement, Slope, SoakAnalysis,
    SoakVerdict, SoakWindows, leak_sentence, percent, series_sentence, soak_headline, soak_notes,
};
use rushhour_core::units::Micros;

const VALUES: LineStyle = LineStyle(0);
const TREND: LineStyle = LineStyle(1);
const LEVELS: LineStyle = LineStyle(4);
/// Points of a line that is bent by its axis.
const BENDS: u32 = 24;

/// A soak as one page that needs no network and no script.
pub fn soak_page(
    soak: &SoakAnalysis,
    folded: &FoldedSession,
    overall: &SessionVerdict,
    judgement: Criterion,
) -> String {
    let body = html! {
        (header(soak))
        main {
            (section("series", "What was followed", &html! { (table(soak)) (charts(soak, folded)) }))
            (section("left", "What was left behind", &leaks(&soak.leaks)))
            (section("nights", "The nights before", &against(soak)))
            (section("thresholds", "Thresholds", &thresholds(overall, judgement)))
            (section("generator", "The generator", &generator(folded, overall)))
            (section("provenance", "Where this comes from", &provenance(folded)))
        }
    };
    whole(&format!("{}: {}", visible(&soak.profile), soak.verdict.label()), &body)
}

fn header(soak: &SoakAnalysis) -> Markup {
    let (class, sign) = match soak.verdict {
        SoakVerdict::Steady => ("passed", "✓"),
        SoakVerdict::Drifts => ("failed", "✗"),
        SoakVerdict::NotEnoughData => ("undecided", "?"),
        SoakVerdict::Invalid => ("invalid", "!"),
    };
    html! {
        header class=(class) {
            p class="session" { (visible(&soak.session)) }
            h1 {
                span class="sign" aria-hidden="true" { (sign) } " "
                (soak.verdict.label()) ": " (visible(&soak_headline(soak))) "."
            }
            p {
                (soak.runs) " measured runs over " (soak.windows.span()) ", " (soak.failed) " failed; "
                (soak.windows.windows.len()) " windows of " (soak.windows.width) "."
            }
            @for note in &soak_notes(soak) { p class="warning" { (visible(note)) "." } }
        }
    }
}

fn found(finding: SeriesFinding) -> Markup {
    let (class, words) = match finding {
        SeriesFinding::TooFew => ("undecided", "? too few windows"),
        SeriesFinding::Steady => ("passed", "✓ steady"),
        SeriesFinding::Immaterial => ("passed", "✓ does not matter"),
        SeriesFinding::Rises => ("failed", "✗ grows"),
        SeriesFinding::StepsUp => ("failed", "✗ steps up"),
        SeriesFinding::Falls => ("undecided", "– shrinks"),
        SeriesFinding::StepsDown => ("undecided", "– steps down"),
    };
    html! { span class={ "verdict " (class) } { (words) } }
}

fn table(soak: &SoakAnalysis) -> Markup {
    if soak.series.is_empty() {
        return html! { p { "Nothing was measured that could be followed." } };
    }
    html! {
        (sideways(&html! {
            table {
                thead { tr {
                    th scope="col" { "series" } th scope="col" { "found" } th scope="col" { "begins" } th scope="col" { "ends" }
                    th scope="col" { "change over it all" } th scope="col" { "first stretch, last stretch" }
                } }
                tbody {
                    @for one in &soak.series {
                        @let amount = |value: f64| one.series.unit().amount(value);
                        tr {
                            th scope="row" { (one.series.name()) } td { (found(one.finding)) }
                            @match &one.slope {
                                Some(slope) => {
                                    td { (amount(slope.start.max(0.0))) } td { (amount(slope.end.max(0.0))) }
                                    td { (amount(slope.change_low)) " to " (amount(slope.change_high)) }
                                }
                                None => { td { (amount(one.level)) } td { "n/a" } td { "n/a" } }
                            }
                            td { @match &one.first_last {
                                Some(ends) => { (amount(ends.first)) ", " (amount(ends.last)) }
                                None => { "n/a" }
                            } }
                        }
                    }
                }
            }
        }))
        p class="aside" {
            "A series drifts where the interval of its change leaves out zero and the change is more than "
            (percent(soak.criteria.settings.material.fraction())) " of where it began (" (percent(soak.criteria.settings.material_failures.fraction()))
            " in points for failures). Lines are Theil's and Sen's, intervals by resampling stretches of neighbouring "
            "windows, all " (soak.family) " series judged as one family: in a steady session the chance that any is "
            "called drifting is at most " (percent(FALSE_ALARMS)) ". The first and the last stretch are an hour "
            "each, or a sixth of a shorter session."
        }
    }
}

fn charts(soak: &SoakAnalysis, folded: &FoldedSession) -> Markup {
    let is_steady = |one: &&SeriesJudgement| {
        matches!(
            one.finding,
            SeriesFinding::Steady | SeriesFinding::Immaterial | SeriesFinding::TooFew
        )
    };
    let drawn = soak.series.iter().filter(|one| !one.points.is_empty());
    let (steady, other): (Vec<_>, Vec<_>) = drawn.partition(is_steady);
    // What changes is looked for first.
    html! { @for one in other.into_iter().chain(steady) { (chart(one, soak, folded)) } }
}

/// A line and the ends of what it may have been, at a moment along the session from 0 to 1.
fn line_at(slope: &Slope, along: f64) -> (f64, f64, f64) {
    let middle = f64::midpoint(slope.start, slope.end);
    let from_middle = along - 0.5;
    let ends = [slope.change_low, slope.change_high].map(|change| middle + change * from_middle);
    let (low, high) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
    (middle + slope.change * from_middle, low.max(0.0), high.max(0.0))
}

fn chart(one: &SeriesJudgement, soak: &SoakAnalysis, folded: &FoldedSession) -> Markup {
    let (name, unit) = (one.series.name(), one.series.unit());
    let sentence = series_sentence(soak, one);
    let windows = &soak.windows;
    let hour = 3.6e9;
    let end = windows.start_of(windows.windows.len());
    let time = Scale::time(Micros(end.0));
    let values = one.points.iter().map(|point| point.value);
    let up = Upward::of(unit, values.clone());
    let ends = one.points.first().zip(one.points.last());
    let least = values.clone().fold(f64::INFINITY, f64::min);
    let most = values.fold(0.0, f64::max);
    ChartFigure {
        id: &format!("series-{}", name.replace(['.', ' '], "-")),
        title: html! { (name) },
        name: format!("{name} through the session"),
        description: format!(
            "{} windows, from {} to {}; {sentence}.",
            one.points.len(),
            unit.amount(least),
            unit.amount(most),
        ),
        note: html! { (visible(&sentence)) "." },
        table: values_table(one, windows),
    }
    .draw(|canvas| {
        let across: Vec<_> = time
            .time_ticks(canvas.ticks_across)
            .into_iter()
            .map(|(value, words)| (time.at(value), words))
            .collect();
        let x = |hours: f64| canvas.x(time.at(hours * hour));
        let y = |value: f64| canvas.y(up.at(value));
        let marks: Vec<(f64, f64)> =
            one.points.iter().map(|point| (x(point.hours), y(point.value))).collect();
        let mut key = vec![(VALUES, "each window".to_owned())];
        let line =
            one.slope.filter(|_| one.step.is_none()).zip(ends).map(|(slope, (first, last))| {
                let bend = |step: u32| {
                    let along = f64::from(step) / f64::from(BENDS);
                    let (value, low, high) = line_at(&slope, along);
                    (x(first.hours + (last.hours - first.hours) * along), y(value), y(low), y(high))
                };
                let bends: Vec<_> = (0..=BENDS).map(bend).collect();
                let upper = bends.iter().map(|(x, _, _, high)| Some((*x, *high)));
                let lower = bends.iter().rev().map(|(x, _, low, _)| Some((*x, *low)));
                let band = format!("{}z", through(upper.chain(lower)));
                (through(bends.iter().map(|(x, value, ..)| Some((*x, *value)))), band)
            });
        if line.is_some() {
            key.push((TREND, "line, shaded: its interval".to_owned()));
        }
        let levels = one.step.as_ref().zip(ends).map(|(step, (first, last))| {
            let at = step.at.0 as f64 / hour;
            through([
                Some((x(first.hours), y(step.before))),
                Some((x(at), y(step.before))),
                Some((x(at), y(step.after))),
                Some((x(last.hours), y(step.after))),
            ])
        });
        if levels.is_some() {
            key.push((LEVELS, "step".to_owned()));
        }
        let (height, key) = canvas.key(&key);
        let drawn = html! {
            (stages(folded, canvas, time))
            (canvas.frame(&across, &up.ticks(), ("session time", &up.name(&name))))
            @if let Some((line, band)) = &line {
                path class=(TREND.class("band")) d=(band) {}
                (TREND.path(line))
            }
            @if let Some(levels) = &levels { (LEVELS.path(levels)) }
            (VALUES.path(&through(marks.iter().map(|mark| Some(*mark)))))
            @for (x, y) in &marks { (VALUES.mark(*x, *y)) }
            (key)
        };
        (height, drawn)
    })
}

fn values_table(one: &SeriesJudgement, windows: &SoakWindows) -> Markup {
    scrolled(&html! {
        table {
            thead { tr { th scope="col" { "from" } th scope="col" { "runs" } th scope="col" { (one.series.name()) } } }
            tbody {
                @for point in &one.points {
                    tr {
                        td { (Micros(windows.start_of(point.index).0)) }
                        td { (windows.windows.get(point.index).map_or(0, |window| window.runs)) }
                        td { (one.series.unit().amount(point.value)) }
                    }
                }
            }
        }
    })
}

fn leaks(leaks: &[LeakCheck]) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { "looked at" } th scope="col" { "verdict" } } }
            tbody {
                @for leak in leaks {
                    @let (class, words) = match leak.finding {
                        LeakFinding::Released => ("passed", "✓ given back"),
                        LeakFinding::Leaked => ("failed", "✗ left behind"),
                        LeakFinding::NotObserved => ("undecided", "? not looked at"),
                    };
                    tr {
                        td { (visible(&leak_sentence(leak))) }
                        td { span class={ "verdict " (class) } { (words) } }
                    }
                }
            }
        }
    }
}
