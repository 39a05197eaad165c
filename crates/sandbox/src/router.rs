//! Routes a request by its path to the LiveKit or the Cekura stand-in.

use rushhour_core::units::SessionTime;

use super::http::{SandboxRequest, SandboxResponse};
use super::world::World;
use super::{cekura, livekit};

/// Handles a request that arrived at `now`.
pub(crate) fn handle(
    world: &mut World,
    request: &SandboxRequest<'_>,
    now: SessionTime,
) -> SandboxResponse {
    world.advance(now);
    let (label, response) = if request.path.starts_with("/twirp/") {
        livekit::handle(world, request)
    } else if request.path.starts_with("/test_framework/") {
        cekura::handle(world, request)
    } else if request.path == "/" {
        // LiveKit's health check.
        ("/", SandboxResponse::text(200, "OK"))
    } else {
        ("elsewhere", SandboxResponse::text(404, "404 page not found\n"))
    };
    world.count_request(label, response.outcome());
    response
}
