//! Polls: the current state of runs and results.

use serde_json::{Value, json};

use crate::faults::{Fault, FaultGroup};
use crate::http::{Delivery, SandboxRequest, SandboxResponse, retry_after_seconds};
use crate::world::{Phase, Run, World};
use rushhour_core::units::Mode;

use super::routes::error_response;
use super::views::{self, RunView};

const DEFAULT_PAGE_SIZE: usize = 20;
const MAX_PAGE_SIZE: usize = 100;
/// Runs on a page of the bulk endpoint under the fault `poll_paged`.
const BULK_PAGE_SIZE: usize = 2;

/// Runs by id, without those that do not exist.
pub(super) fn bulk(world: &mut World, request: &SandboxRequest<'_>) -> SandboxResponse {
    // The official SDK 1.6.7 sends `ids` from `results.get_runs`.
    let Some(list) = request.parameter("run_ids").or_else(|| request.parameter("ids")) else {
        return SandboxResponse::json(
            400,
            &json!({ "run_ids": ["This query parameter is required."] }),
        );
    };
    let Some(ids) = parse_ids(&list) else {
        return SandboxResponse::json(
            400,
            &json!({ "run_ids": ["Expected comma-separated integers."] }),
        );
    };
    let page = request.parameter("page").and_then(|page| page.parse::<usize>().ok());
    poll(world, &ids, |world, fault| {
        let mut shown = ids.clone();
        shown.retain(|id| !world.omits_from_poll(*id));
        let runs: Vec<RunView<'_>> =
            shown.iter().filter_map(|id| RunView::new(world, *id)).collect();
        match (fault, page) {
            (Some(Fault::PollBulkRefused), _) if ids.len() > 1 => {
                let why = ["Ensure this field has no more than 1 elements."];
                SandboxResponse::json(400, &json!({ "run_ids": why }))
            }
            (Some(Fault::PollOtherForm), _) => {
                SandboxResponse::json(200, &json!({ "detail": "Down for maintenance." }))
            }
            (Some(Fault::PollUpperCase), _) => SandboxResponse::json(200, &in_capitals(&runs)),
            (Some(Fault::PollPaged), _) | (_, Some(_)) => {
                bulk_page(request.path, &list, &runs, page.unwrap_or(1).max(1))
            }
            _ => SandboxResponse::json(200, &runs),
        }
    })
}

/// Runs with their statuses in capitals.
fn in_capitals(runs: &[RunView<'_>]) -> Vec<Value> {
    let mut shown: Vec<Value> =
        runs.iter().filter_map(|run| serde_json::to_value(run).ok()).collect();
    for run in &mut shown {
        if let Some(status) = run.get("status").and_then(Value::as_str) {
            run["status"] = status.to_uppercase().into();
        }
    }
    shown
}

/// A page of the bulk endpoint, which documented versions do not have.
fn bulk_page(path: &str, list: &str, runs: &[RunView<'_>], page: usize) -> SandboxResponse {
    let from = (page - 1).saturating_mul(BULK_PAGE_SIZE).min(runs.len());
    let until = (from + BULK_PAGE_SIZE).min(runs.len());
    let next = (until < runs.len())
        .then(|| format!("https://next.example{path}?run_ids={list}&page={}", page + 1));
    let shown = &runs[from..until];
    let listing = json!({ "count": runs.len(), "next": next, "results": shown });
    SandboxResponse::json(200, &listing)
}

pub(super) fn run(world: &mut World, id: u64) -> SandboxResponse {
    poll(world, &[id], |world, _| {
        let omitted = world.omits_from_poll(id);
        match RunView::new(world, id).filter(|_| !omitted) {
            Some(run) => SandboxResponse::json(200, &run),
            None => error_response(404, "No Run matches the given query."),
        }
    })
}

/// The runs that match the query's filters, newest first, in pages.
pub(super) fn runs(world: &mut World, request: &SandboxRequest<'_>) -> SandboxResponse {
    let parameter = |name: &str| request.parameter(name);
    let statuses: Option<Vec<String>> = parameter("status__in")
        .or_else(|| parameter("status"))
        .map(|statuses| statuses.split(',').map(str::to_owned).collect());
    let ids = parameter("id__in").map(|ids| parse_ids(&ids).unwrap_or_default());
    let result = parameter("result_id").or_else(|| parameter("result__id"));
    let result = result.map(|id| id.parse::<u64>().unwrap_or_default());
    let as_text = parameter("run_as_text").or_else(|| parameter("result__run_as_text"));
    let success = parameter("success");
    let matches = |id: u64, run: &Run| {
        let is = |wanted: &Option<String>, actual: bool| {
            wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(&actual.to_string()))
        };
        let status = run.phase.status();
        statuses.as_ref().is_none_or(|wanted| wanted.iter().any(|one| one == status))
            && ids.as_ref().is_none_or(|wanted| wanted.contains(&id))
            && result.is_none_or(|wanted| wanted == run.result)
            && is(&as_text, run.mode == Mode::Chat)
            && is(&success, run.phase == Phase::Completed { success: true })
    };
    let matching = world.all_runs().rev().filter(|(id, run)| matches(*id, run));
    let found: Vec<u64> = matching.map(|(id, _)| id).collect();
    let Some(page) = Page::requested(request, &found) else {
        return error_response(404, "Invalid page.");
    };
    poll(world, &page.ids, |world, _| {
        let views = page.ids.iter().filter_map(|id| RunView::new(world, *id));
        page.response(&views.collect::<Vec<_>>())
    })
}

pub(super) fn result(world: &mut World, id: u64) -> SandboxResponse {
    let runs = world.result(id).map(|result| result.runs.clone()).unwrap_or_default();
    poll(world, &runs, |world, _| match views::result(world, id) {
        Some(result) => SandboxResponse::json(200, &result),
        None => error_response(404, "No Result matches the given query."),
    })
}

/// All results, newest first, in pages.
pub(super) fn results(world: &mut World, request: &SandboxRequest<'_>) -> SandboxResponse {
    let found: Vec<u64> = world.all_results().map(|(id, _)| id).rev().collect();
    let Some(page) = Page::requested(request, &found) else {
        return error_response(404, "Invalid page.");
    };
    poll(world, &[], |world, _| {
        let views = page.ids.iter().filter_map(|id| views::result_summary(world, *id));
        page.response(&views.collect::<Vec<_>>())
    })
}

/// Counts a poll for these runs and responds after a delay, with an injected fault or with `respond`.
fn poll(
    world: &mut World,
    ids: &[u64],
    respond: impl FnOnce(&mut World, Option<Fault>) -> SandboxResponse,
) -> SandboxResponse {
    let key = world.count_poll(ids);
    let times = world.config.times.cekura;
    let delay = world.sample_delay("poll", &key, times.poll);
    let response = match world.choose_fault(FaultGroup::POLL, &key) {
        Some(Fault::PollTooMany) => {
            let mut response = error_response(429, "Request was throttled.");
            response.retry_after = Some(retry_after_seconds(times.retry_after));
            response
        }
        Some(Fault::PollError) => error_response(500, "Internal server error."),
        Some(Fault::PollHtml) => SandboxResponse::bad_gateway(),
        Some(Fault::PollReset) => SandboxResponse::bad_gateway().with_delivery(Delivery::Reset),
        Some(Fault::PollSlow) => {
            let slow = world.sample_delay("poll slow", &key, times.poll_slow);
            respond(world, None).delayed_by(slow)
        }
        fault => respond(world, fault),
    };
    response.delayed_by(delay)
}

/// A comma-separated list; a JSON array is none.
fn parse_ids(list: &str) -> Option<Vec<u64>> {
    list.split(',').map(|number| number.trim().parse().ok()).collect()
}

/// One page of a list.
struct Page {
    ids: Vec<u64>,
    count: usize,
    previous: Option<String>,
    next: Option<String>,
}

impl Page {
    /// The page that the request asks for; `None` if it does not exist.
    fn requested(request: &SandboxRequest<'_>, found: &[u64]) -> Option<Self> {
        let number = |name: &str, default: usize| match request.parameter(name) {
            Some(text) => text.parse::<usize>().ok().filter(|number| *number > 0),
            None => Some(default),
        };
        let size = number("page_size", DEFAULT_PAGE_SIZE)?.min(MAX_PAGE_SIZE);
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

    fn response<V: serde::Serialize>(&self, views: &[V]) -> SandboxResponse {
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
