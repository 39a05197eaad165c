//! How the load generator, its workers and the agent's workers are while a session runs: the last thing that each said of
//! itself, beside the peaks that a report has.

use maud::{Markup, html};

use super::provenance::facts;
use crate::fold::FoldedWorker;
use crate::live::LiveSnapshot;
use crate::render::table::{Cell, Column, Frame, Number, Table};
use rushhour_core::event::{AgentHealth, GeneratorHealth, WorkerHealth, WorkerLoss};
use rushhour_core::units::{SessionTime, WorkerId};

/// The load generator in the last interval that it reported on.
pub(super) fn generator_now(at: SessionTime, health: &GeneratorHealth) -> Markup {
    let cores = health.cpu.as_secs_f64() / health.interval.as_secs_f64().max(f64::MIN_POSITIVE);
    let callers = health.callers.filter(|callers| callers.ticks > 0);
    html! {
        p {
            "In the " (health.interval) " before " (at.since(SessionTime::START)) ": " (format!("{cores:.2}"))
            " cores, memory " (format!("{:.1} MB", health.memory as f64 / 1e6)) ", longest delay of the event loop "
            (health.loop_lag)
            @if let Some(callers) = callers {
                ", " (callers.callers) " callers, late ticks " (share(callers.late_ticks, callers.ticks))
                ", the latest by " (callers.latest_tick)
            }
            "."
        }
    }
}

fn share(part: u64, all: u64) -> String {
    format!("{:.2} %", part as f64 / all as f64 * 100.0)
}

/// A worker over the session, and in the last interval that it reported on.
type WorkerRow<'a> = (WorkerId, &'a FoldedWorker, Option<&'a (SessionTime, WorkerHealth)>);

pub(super) fn workers(snapshot: &LiveSnapshot) -> Markup {
    let percent = |share: f64| Cell::text(format!("{:.2} %", share * 100.0));
    let table = Table::new([
        Column::text("worker", |row: &WorkerRow<'_>| Cell::code(row.0.to_string())),
        Column::number("callers, last interval", |row: &WorkerRow<'_>| {
            row.2.map_or_else(Cell::absent, |(_, last)| Cell::count(u64::from(last.callers)))
        }),
        Column::number("at most", |row: &WorkerRow<'_>| Cell::count(u64::from(row.1.callers))),
        Column::number("capacity", |row: &WorkerRow<'_>| Cell::count(u64::from(row.1.capacity))),
        Column::number("late ticks, last interval", |row: &WorkerRow<'_>| {
            let last = row.2.map(|(_, last)| last).filter(|last| last.ticks > 0);
            last.map_or_else(Cell::absent, |last| Cell::text(share(last.late_ticks, last.ticks)))
        }),
        Column::number("in all", move |row: &WorkerRow<'_>| {
            row.1.late_share().map_or_else(Cell::absent, percent)
        }),
        Column::number("clock known within", |row: &WorkerRow<'_>| {
            row.1
                .clock_within
                .map_or_else(Cell::absent, |within| Cell::number(Number::micros(within)))
        }),
        Column::number("last heard of after", |row: &WorkerRow<'_>| {
            row.2.map_or_else(Cell::absent, |(at, last)| {
                Cell::text(at.since(SessionTime::START).saturating_sub(last.silent))
            })
        }),
        Column::text("state", |row: &WorkerRow<'_>| {
            Cell::text(row.1.lost.map_or("counted on", loss_words))
        }),
    ])
    .with_rows(
        snapshot.folded.workers.iter().map(|(id, all)| (id, all, snapshot.workers.get(&id))),
    );
    table.html(Frame::Scrolled)
}

/// Why a worker is not counted on.
pub(super) const fn loss_words(loss: WorkerLoss) -> &'static str {
    match loss {
        WorkerLoss::Silent => "it is silent",
        WorkerLoss::Draining => "it takes no more runs",
        WorkerLoss::Unprepared => "it could not prepare the session",
    }
}

/// The agent's workers as they last said.
pub(super) fn agent(snapshot: &LiveSnapshot) -> Markup {
    let Some((at, health)) = &snapshot.agent else { return html! {} };
    html! {
        (agent_totals(*at, health))
        @if !health.workers.is_empty() { (agent_workers(&health.workers)) }
    }
}

fn agent_workers(workers: &[AgentHealth]) -> Markup {
    type Row<'a> = (usize, &'a AgentHealth);
    let count = |value: Option<u64>| value.map_or_else(Cell::absent, Cell::count);
    let table = Table::new([
        Column::text("worker", |row: &Row<'_>| {
            row.1.name.as_ref().map_or_else(|| Cell::text(row.0), Cell::foreign)
        }),
        Column::number("jobs", move |row: &Row<'_>| count(row.1.jobs)),
        Column::number("load", |row: &Row<'_>| {
            row.1
                .load
                .map_or_else(Cell::absent, |load| Cell::text(format!("{:.0} %", load * 100.0)))
        }),
        Column::number("memory", |row: &Row<'_>| {
            let megabytes = |bytes: u64| Cell::text(format!("{:.1} MB", bytes as f64 / 1e6));
            row.1.memory.map_or_else(Cell::absent, megabytes)
        }),
        Column::text("error", |row: &Row<'_>| {
            row.1.error.as_ref().map_or_else(Cell::absent, Cell::foreign)
        }),
    ])
    .with_rows(workers.iter().enumerate().map(|(index, health)| (index + 1, health)));
    table.html(Frame::Scrolled)
}

fn agent_totals(at: SessionTime, health: &AgentHealth) -> Markup {
    let count = |value: Option<u64>| value.map_or(String::new(), |value| value.to_string());
    let memory = health.memory.map(|bytes| format!("{:.1} MB", bytes as f64 / 1e6));
    let load = health.load.map(|load| format!("{:.0} %", load * 100.0));
    facts(&[
        ("asked at", at.since(SessionTime::START).to_string()),
        ("jobs", count(health.jobs)),
        ("load", load.unwrap_or_default()),
        ("memory", memory.unwrap_or_default()),
        ("processes", count(health.children)),
        ("error", health.error.clone().unwrap_or_default()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::LiveFold;
    use crate::session::Criterion;
    use crate::session::test_sessions::SessionBuilder;
    use rushhour_core::event::{CallersHealth, Event, EventKind};
    use rushhour_core::units::Micros;

    fn worker(at: u64, callers: u32, late_ticks: u64, silent: Micros) -> Event {
        let worker = WorkerId::new(1);
        let health = WorkerHealth {
            worker,
            capacity: 50,
            callers,
            ticks: 1_000,
            late_ticks,
            latest_tick: Micros::ZERO,
            clock_offset: None,
            clock_within: None,
            clock_jumped: false,
            round_trip: None,
            silent,
            lost: None,
        };
        Event { at: SessionTime(at * 1_000_000), kind: EventKind::WorkerHealth(health) }
    }

    #[test]
    fn the_last_interval_stands_beside_the_peaks() {
        let builder = SessionBuilder::chat("");
        let mut fold = LiveFold::default();
        for event in builder.events() {
            fold.add(event).expect("one session");
        }
        for event in [worker(10, 40, 30, Micros::ZERO), worker(20, 7, 10, Micros::from_secs(4))] {
            fold.add(&event).expect("one session");
        }
        let snapshot = fold.snapshot(Criterion::Interval, None).expect("it began");
        let html = workers(&snapshot).into_string();
        for cell in [">7<", ">40<", ">50<", ">1.00 %<", ">2.00 %<", ">16.0s<"] {
            assert!(html.contains(cell), "{cell} in {html}");
        }
    }

    #[test]
    fn the_generator_is_as_it_was_in_its_last_interval() {
        let callers = CallersHealth {
            callers: 12,
            ticks: 200,
            late_ticks: 1,
            latest_tick: Micros::from_millis(7),
        };
        let health = GeneratorHealth {
            interval: Micros::from_secs(10),
            cpu: Micros::from_secs(5),
            memory: 25_000_000,
            loop_lag: Micros::from_millis(3),
            callers: Some(callers),
            ..GeneratorHealth::default()
        };
        let html = generator_now(SessionTime(70_000_000), &health).into_string();
        for words in
            ["In the 10.0s before 70.0s: 0.50 cores, memory 25.0 MB", "12 callers", "0.50 %"]
        {
            assert!(html.contains(words), "{words} in {html}");
        }
    }
}
