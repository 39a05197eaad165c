//! How well agents heard callers, and how they took turns: over time, and by the number of conversations at once.

use maud::{Markup, html};

use super::chart::{Canvas, ChartFigure, LineStyle, line_through};
use super::over_time::end;
use super::scale::{Axis, Scale};
use super::stages::stages;
use crate::fold::FoldedSession;
use crate::render::table::{Cell, Column, Number, Unit};
use crate::session::{Bin, LoadTurns, TurnSums};

/// A share of what callers said, or of their turns.
type Share = (&'static str, fn(&TurnSums) -> Option<f64>);

const SHARES: [Share; 3] = [
    ("misheard", |turns| turns.words.rate()),
    ("talked over", |turns| turns.quality.talk_over_share()),
    ("overlap", |turns| turns.quality.overlap_share()),
];

/// A moment, or a load, with its turns.
type Place = (f64, TurnSums);

/// The chart over time; `None` where nothing is known.
pub(super) fn turns_over_time(
    folded: &FoldedSession,
    bins: &[Bin],
    table: Markup,
) -> Option<Markup> {
    let time = Scale::time(end(bins));
    let places: Vec<Place> = bins.iter().map(|bin| (time.at(bin.middle()), bin.turns)).collect();
    let figure = ChartFigure {
        id: "turns-time",
        title: html! { "Misheard and talked over, over time" },
        name: "Misheard and talked over, over time".to_owned(),
        description: String::new(),
        note: html! {},
        table,
    };
    chart(figure, &places, |canvas, shares| {
        html! {
            (stages(folded, canvas, time))
            (canvas.axes(&Axis { name: "session time", ticks: &time.time_ticks(canvas.ticks_across) }, shares))
        }
    })
}

/// The chart by conversations at once; `None` where nothing is known.
pub(super) fn turns_against_load(by_load: &[LoadTurns], table: Markup) -> Option<Markup> {
    let most = by_load.iter().map(|load| load.in_flight).max().unwrap_or(0);
    let loads = Scale::up_to(most as f64);
    let places: Vec<Place> =
        by_load.iter().map(|load| (loads.at(load.in_flight as f64), load.turns)).collect();
    let figure = ChartFigure {
        id: "turns-load",
        title: html! { "Misheard and talked over, by conversations at once" },
        name: "Misheard and talked over, by conversations at once".to_owned(),
        description: format!("Up to {most} conversations at once. "),
        note: html! { "Each mark is the turns that were said at all moments with about as many conversations." },
        table,
    };
    chart(figure, &places, |canvas, shares| {
        canvas.axes(
            &Axis { name: "at once", ticks: &loads.number_ticks(canvas.ticks_across) },
            shares,
        )
    })
}

/// A line for each share that is known.
fn chart(
    figure: ChartFigure<'_>,
    places: &[Place],
    axes: impl Fn(&Canvas, &Axis<'_>) -> Markup,
) -> Option<Markup> {
    let percent = |share: Share, turns: &TurnSums| share.1(turns).map(|share| share * 100.0);
    let most_of = |share: Share| {
        let known = places.iter().filter_map(|(_, turns)| percent(share, turns));
        known.reduce(f64::max)
    };
    let shown: Vec<(LineStyle, Share, f64)> = SHARES
        .into_iter()
        .enumerate()
        .filter_map(|(index, share)| Some((LineStyle(index), share, most_of(share)?)))
        .collect();
    let highest = shown.iter().map(|(.., most)| *most).reduce(f64::max)?;
    let most: Vec<String> =
        shown.iter().map(|(_, (name, _), most)| format!("{name} {most:.1} %")).collect();
    let description = format!("{}The most of each: {}.", figure.description, most.join(", "));
    let figure = ChartFigure { description, ..figure };
    let scale = Scale::up_to(highest);
    Some(figure.draw(|canvas| {
        let names: Vec<(LineStyle, String)> =
            shown.iter().map(|(style, (name, _), _)| (*style, (*name).to_owned())).collect();
        let (height, legend) = canvas.legend(&names);
        let points = |share: Share| -> Vec<Option<(f64, f64)>> {
            let point = |(x, turns): &Place| {
                Some((canvas.x(*x), canvas.y(scale.at(percent(share, turns)?))))
            };
            places.iter().map(point).collect()
        };
        let drawn = html! {
            (axes(canvas, &Axis { name: "%", ticks: &scale.number_ticks(5) }))
            @for (style, share, _) in &shown {
                @let points = points(*share);
                (style.path(&line_through(points.iter().copied())))
                @for (x, y) in points.iter().flatten() { (style.mark(*x, *y)) }
            }
            (legend)
        };
        (height, drawn)
    }))
}

/// The columns of how turns were heard and taken.
pub(super) fn turn_columns<'a, R: 'a>(
    turns: impl Fn(&R) -> TurnSums + Copy + 'a,
) -> impl Iterator<Item = Column<'a, R>> {
    let shares = SHARES.into_iter().map(move |(name, share)| {
        Column::number(name, move |row: &R| {
            share(&turns(row)).map_or_else(
                || Cell::missing("n/a"),
                |share| Cell::number(Number::new(share, Unit::Percent(1))),
            )
        })
    });
    let words = Column::number("words", move |row: &R| Cell::count(turns(row).words.said()));
    let taken = Column::number("turns", move |row: &R| Cell::count(turns(row).quality.turns));
    let dead_air = Column::number("longest dead air", move |row: &R| {
        let longest = turns(row).quality.dead_air;
        longest
            .map_or_else(|| Cell::missing("n/a"), |longest| Cell::number(Number::micros(longest)))
    });
    [words, taken].into_iter().chain(shares).chain([dead_air])
}

#[cfg(test)]
mod tests {
    use crate::render::html::session_page;
    use crate::render::html::tests::check_page;
    use crate::session::Criterion;
    use crate::session::test_sessions::{spoken, taken};

    #[test]
    fn what_agents_misheard_and_talked_over_is_drawn_over_time_and_against_load() {
        let (folded, verdict) = taken(&[(2, 120, 0), (10, 120, 2)]).closed();
        let page = session_page(&folded, &verdict, Criterion::Interval);
        check_page(&page);
        for id in ["turns-time", "turns-load"] {
            let figure = page.split(&format!("<figure id=\"{id}\">")).nth(1).unwrap();
            let figure = figure.split("</figure>").next().unwrap();
            for part in ["misheard", "talked over", "overlap", "longest dead air", "3.00s"] {
                assert!(figure.contains(part), "{id}: {part}");
            }
        }
        let told = "It did not yield to 30 of 72 interruptions (41.7 %) and stopped for 30 of 144 back-channels (20.8 %).";
        assert!(page.contains(told));
    }

    #[test]
    fn nothing_is_drawn_where_nobody_knows_how_turns_were_taken() {
        let folded = spoken(&[(2, 120, &[0, 1])]);
        let verdict = crate::session::SessionVerdict::of(&folded, Criterion::Interval);
        let page = session_page(&folded, &verdict, Criterion::Interval);
        assert!(page.contains("speech-gaps") && !page.contains("turns-time"));
    }
}
