//! Polls: runs and results as they stand now.

use serde_json::json;

use crate::exchange::{Delivery, SandboxRequest, SandboxResponse};
use crate::faults::{Fault, Group};
use crate::world::{Phase, Run, World};
use rushhour_core::units::{Micros, Mode};

use super::routes::refusal;
use super::submit::whole_seconds;
use super::views::{self, RunView};

const PAGE_SIZE: usize = 20;
const LARGEST_PAGE: usize = 100;

/// Runs by number; numbers that nobody knows are left out.
pub(super) fn bulk(world: &mut World, request: &SandboxRequest<'_>) -> SandboxResponse {
    // `ids` is what the official SDK 1.6.7 sends from `results.get_runs`.
    let Some(list) = request.parameter("run_ids").or_else(|| request.parameter("ids")) else {
        return SandboxResponse::json(
            400,
            &json!({ "run_ids": ["This query parameter is required."] }),
        );
    };
    let Some(ids) = numbers(&list) else {
        return SandboxResponse::json(
            400,
            &json!({ "run_ids": ["Expected comma-separated integers."] }),
        );
    };
    polled(world, &ids, |world| {
        let shown: Vec<u64> = ids.iter().copied().filter(|id| !world.left_out(*id)).collect();
        let runs: Vec<RunView<'_>> =
            shown.iter().filter_map(|id| RunView::of(world, *id)).collect();
        SandboxResponse::json(200, &runs)
    })
}

pub(super) fn run(world: &mut World, id: u64) -> SandboxResponse {
    polled(world, &[id], |world| {
        let left_out = world.left_out(id);
        match RunView::of(world, id).filter(|_| !left_out) {
            Some(run) => SandboxResponse::json(200, &run),
            None => refusal(404, "No Run matches the given query."),
        }
    })
}

/// Runs by what they are, the newest first, in pages.
pub(super) fn runs(world: &mut World, request: &SandboxRequest<'_>) -> SandboxResponse {
    let list = |name: &str| request.parameter(name);
    let statuses: Option<Vec<String>> = list("status__in")
        .or_else(|| list("status"))
        .map(|statuses| statuses.split(',').map(str::to_owned).collect());
    let ids = list("id__in").map(|ids| numbers(&ids).unwrap_or_default());
    let result = list("result_id").or_else(|| list("result__id"));
    let result = result.map(|id| id.parse::<u64>().unwrap_or_default());
    let as_text = list("run_as_text").or_else(|| list("result__run_as_text"));
    let success = list("success");
    let fits = |id: u64, run: &Run| {
        let is = |wanted: &Option<String>, actual: bool| {
            wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(&actual.to_string()))
        };
        let status = run.phase.status();
        statuses.as_ref().is_none_or(|wanted| wanted.iter().any(|one| one == status))
            && ids.as_ref().is_none_or(|wanted| wanted.contains(&id))
            && result.is_none_or(|wanted| wanted == run.folder)
            && is(&as_text, run.mode == Mode::Chat)
            && is(&success, run.phase == Phase::Completed { success: true })
    };
    let fitting = world.all_runs().rev().filter(|(id, run)| fits(*id, run));
    let found: Vec<u64> = fitting.map(|(id, _)| id).collect();
    let Some(page) = Page::of(request, &found) else {
        return refusal(404, "Invalid page.");
    };
    polled(world, &page.ids, |world| {
        let views = page.ids.iter().filter_map(|id| RunView::of(world, *id));
        page.answer(&views.collect::<Vec<_>>())
    })
}

pub(super) fn result(world: &mut World, id: u64) -> SandboxResponse {
    let runs = world.folder(id).map(|folder| folder.runs.clone()).unwrap_or_default();
    polled(world, &runs, |world| match views::result(world, id) {
        Some(result) => SandboxResponse::json(200, &result),
        None => refusal(404, "No Result matches the given query."),
    })
}

/// Results, the newest first, in pages.
pub(super) fn results(world: &mut World, request: &SandboxRequest<'_>) -> SandboxResponse {
    let found: Vec<u64> = world.all_folders().map(|(id, _)| id).rev().collect();
    let Some(page) = Page::of(request, &found) else {
        return refusal(404, "Invalid page.");
    };
    polled(world, &[], |world| {
        let views = page.ids.iter().filter_map(|id| views::result_summary(world, *id));
        page.answer(&views.collect::<Vec<_>>())
    })
}

/// Counts the poll, lets faults strike, and answers in its own time.
fn polled(
    world: &mut World,
    ids: &[u64],
    answer: impl FnOnce(&mut World) -> SandboxResponse,
) -> SandboxResponse {
    let key = world.count_poll(ids);
    let times = world.config.times.cekura;
    let wait = world.time("poll", &key, times.poll);
    match world.fault(Group::POLL, &key) {
        Some(Fault::PollTooMany) => {
            let mut answer = refusal(429, "Request was throttled.");
            answer.retry_after = Some(whole_seconds(times.retry_after));
            answer.later(wait)
        }
        Some(Fault::PollError) => refusal(500, "Internal server error.").later(wait),
        Some(Fault::PollHtml) => SandboxResponse::bad_gateway().later(wait),
        Some(Fault::PollReset) => {
            SandboxResponse::bad_gateway().delivered(Delivery::Reset).later(wait)
        }
        Some(Fault::PollSlow) => {
            let slow: Micros = world.time("poll slow", &key, times.poll_slow);
            answer(world).later(wait + slow)
        }
        _ => answer(world).later(wait),
    }
}

/// A plain list of numbers; a JSON array is none.
fn numbers(list: &str) -> Option<Vec<u64>> {
    list.split(',').map(|number| number.trim().parse().ok()).collect()
}

/// One page of a longer list.
struct Page {
    ids: Vec<u64>,
    count: usize,
    previous: Option<String>,
    next: Option<String>,
}

impl Page {
    /// The page that the request asks for; `None` where there is no such page.
    fn of(request: &SandboxRequest<'_>, found: &[u64]) -> Option<Self> {
        let number = |name: &str, default: usize| match request.parameter(name) {
            Some(text) => text.parse::<usize>().ok().filter(|number| *number > 0),
            None => Some(default),
        };
        let size = number("page_size", PAGE_SIZE)?.min(LARGEST_PAGE);
        let page = number("page", 1)?;
        let ids: Vec<u64> =
            found.iter().skip(size.checked_mul(page - 1)?).take(size).copied().collect();
        if ids.is_empty() && page > 1 {
            return None;
        }
        let link = |page: usize| format!("{}?page={page}&page_size={size}", request.path);
        Some(Self {
            ids,
            count: found.len(),
            previous: (page > 1).then(|| link(page - 1)),
            next: (page * size < found.len()).then(|| link(page + 1)),
        })
    }

    fn answer<V: serde::Serialize>(&self, views: &[V]) -> SandboxResponse {
        #[derive(serde::Serialize)]
        struct Listing<'a, V> {
            count: usize,
            next: Option<&'a str>,
            previous: Option<&'a str>,
            results: &'a [V],
        }
        let (next, previous) = (self.next.as_deref(), self.previous.as_deref());
        SandboxResponse::json(200, &Listing { count: self.count, next, previous, results: views })
    }
}

#[cfg(test)]
mod tests;
