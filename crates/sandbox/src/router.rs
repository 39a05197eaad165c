//! One door for every request: to the LiveKit side or to Cekura's, by its path.

use rushhour_core::units::SessionTime;

use super::exchange::{SandboxRequest, SandboxResponse};
use super::world::World;
use super::{cekura, livekit};

/// Answers a request that came in at `now`.
pub(crate) fn answer(
    world: &mut World,
    request: &SandboxRequest<'_>,
    now: SessionTime,
) -> SandboxResponse {
    world.advance(now);
    let (label, answer) = if request.path.starts_with("/twirp/") {
        livekit::answer(world, request)
    } else if request.path.starts_with("/test_framework/") {
        cekura::answer(world, request)
    } else if request.path == "/" {
        // LiveKit's health check.
        ("/", SandboxResponse::new(200, "text/plain; charset=utf-8", "OK"))
    } else {
        (
            "elsewhere",
            SandboxResponse::new(404, "text/plain; charset=utf-8", "404 page not found\n"),
        )
    };
    world.count_request(label, answer.outcome());
    answer
}
