//! Handles requests below `/test_framework/`: checks path, key and method, then dispatches.

use serde_json::json;

use crate::http::{SandboxRequest, SandboxResponse};
use crate::world::World;
use rushhour_core::units::Mode;

use super::{billing, polls, submit};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Submit(Mode),
    BulkRuns,
    Runs,
    Run(u64),
    EndCall(u64),
    Results,
    Result(u64),
    EndCalls(u64),
    Billing,
}

impl Route {
    fn parse(path: &str) -> Option<Self> {
        let path = path.strip_prefix("/test_framework/")?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let parts: Vec<&str> = path.split('/').collect();
        let (resource, rest) = match parts.as_slice() {
            ["billing", "info"] => return Some(Self::Billing),
            ["v1" | "v2", resource, rest @ ..] => (*resource, rest),
            _ => return None,
        };
        let number = |text: &str| text.parse::<u64>().ok();
        match (resource.strip_suffix("-external").unwrap_or(resource), rest) {
            ("scenarios", ["run_scenarios_livekit"]) => Some(Self::Submit(Mode::Voice)),
            ("scenarios", ["run_scenarios_livekit_chat"]) => Some(Self::Submit(Mode::Chat)),
            ("runs", []) => Some(Self::Runs),
            ("runs", ["bulk"]) => Some(Self::BulkRuns),
            ("runs", [id]) => number(id).map(Self::Run),
            ("runs", [id, "end_call"]) => number(id).map(Self::EndCall),
            ("results", []) => Some(Self::Results),
            ("results", [id]) => number(id).map(Self::Result),
            ("results", [id, "end_calls"]) => number(id).map(Self::EndCalls),
            _ => None,
        }
    }

    const fn method(self) -> &'static str {
        match self {
            Self::Submit(_) | Self::EndCall(_) | Self::EndCalls(_) => "POST",
            _ => "GET",
        }
    }

    /// The name under which requests are counted.
    const fn label(self) -> &'static str {
        match self {
            Self::Submit(Mode::Voice) => "run_scenarios_livekit",
            Self::Submit(Mode::Chat) => "run_scenarios_livekit_chat",
            Self::BulkRuns => "runs/bulk",
            Self::Runs => "runs",
            Self::Run(_) => "runs/{id}",
            Self::EndCall(_) => "runs/{id}/end_call",
            Self::Results => "results",
            Self::Result(_) => "results/{id}",
            Self::EndCalls(_) => "results/{id}/end_calls",
            Self::Billing => "billing/info",
        }
    }
}

/// Handles a request below `/test_framework/`. Returns the name under which it is counted, and the response.
pub(crate) fn handle(
    world: &mut World,
    request: &SandboxRequest<'_>,
) -> (&'static str, SandboxResponse) {
    let Some(route) = Route::parse(request.path) else {
        return ("cekura", error_response(404, "Not found."));
    };
    (route.label(), handle_route(world, request, route))
}

fn handle_route(world: &mut World, request: &SandboxRequest<'_>, route: Route) -> SandboxResponse {
    match request.cekura_key {
        None | Some("") => {
            return error_response(401, "Authentication credentials were not provided.");
        }
        Some(key) if key != world.config.cekura_key.expose() => {
            return error_response(403, "Invalid API key.");
        }
        Some(_) => {}
    }
    if request.method != route.method() {
        return error_response(405, &format!("Method \"{}\" not allowed.", request.method));
    }
    match route {
        Route::Submit(mode) => submit::handle(world, request, mode),
        Route::BulkRuns => polls::bulk(world, request),
        Route::Runs => polls::runs(world, request),
        Route::Run(id) => polls::run(world, id),
        Route::Results => polls::results(world, request),
        Route::Result(id) => polls::result(world, id),
        Route::EndCall(id) => end_calls(world, world.run(id).map(|_| vec![id])),
        Route::EndCalls(id) => end_calls(world, world.result(id).map(|result| result.runs.clone())),
        Route::Billing => billing::info(world),
    }
}

fn end_calls(world: &mut World, runs: Option<Vec<u64>>) -> SandboxResponse {
    let Some(runs) = runs else { return error_response(404, "Not found.") };
    world.end_calls(&runs);
    SandboxResponse::new(200, "application/json", "")
}

/// An error as Django's REST framework formats it.
pub(super) fn error_response(status: u16, detail: &str) -> SandboxResponse {
    SandboxResponse::json(status, &json!({ "detail": detail }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_path_is_the_same_route() {
        for path in [
            "/test_framework/v1/scenarios-external/run_scenarios_livekit_chat/",
            "/test_framework/v1/scenarios-external/run_scenarios_livekit_chat",
            "/test_framework/v1/scenarios/run_scenarios_livekit_chat/",
            "/test_framework/v2/scenarios/run_scenarios_livekit_chat",
        ] {
            assert_eq!(Route::parse(path), Some(Route::Submit(Mode::Chat)), "{path}");
        }
        let route = |path: &str| Route::parse(&format!("/test_framework/{path}"));
        assert_eq!(route("v2/runs/bulk/"), Some(Route::BulkRuns));
        assert_eq!(route("v1/runs-external/bulk"), Some(Route::BulkRuns));
        assert_eq!(route("v1/runs-external/12"), Some(Route::Run(12)));
        assert_eq!(route("v1/runs-external/12/end_call"), Some(Route::EndCall(12)));
        assert_eq!(route("v1/results/7/end_calls"), Some(Route::EndCalls(7)));
        assert_eq!(route("v1/results"), Some(Route::Results));
        assert_eq!(route("billing/info/"), Some(Route::Billing));
        for unknown in ["v3/runs/", "v1/runs/x/", "v1/runs/1/trace/", "v1/", "", "v1/runs//"] {
            assert_eq!(route(unknown), None, "{unknown}");
        }
    }
}
