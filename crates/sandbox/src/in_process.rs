//! A sandbox without sockets, for tests that feed it arbitrary bytes.

use rushhour_core::units::{Micros, SessionTime};

use super::SandboxConfig;
use super::clock::Anchor;
use super::http::SandboxRequest;
use super::router;
use super::world::World;

/// A sandbox that handles requests by function call.
pub struct InProcessSandbox {
    world: World,
    now: SessionTime,
}

/// A request with arbitrary contents.
#[derive(Debug, Clone, Copy)]
pub struct RawRequest<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The path, still percent-encoded.
    pub path: &'a str,
    /// The query without its question mark, still percent-encoded.
    pub query: &'a str,
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The `Content-Type` header.
    pub content_type: &'a str,
    /// The body.
    pub body: &'a [u8],
}

impl InProcessSandbox {
    /// A sandbox whose wall clock starts at `unix_micros`, in microseconds since 1970.
    pub fn new(config: SandboxConfig, unix_micros: u64) -> Self {
        let address = ([127, 0, 0, 1], 7881).into();
        let world = World::new(config, Anchor::new(unix_micros), address);
        Self { world, now: SessionTime::START }
    }

    /// Handles a request one second after the one before, with the right Cekura key. Returns the HTTP status and
    /// the body.
    pub fn handle(&mut self, request: RawRequest<'_>) -> (u16, Vec<u8>) {
        let key = self.world.config.cekura_key.clone();
        let request = SandboxRequest {
            method: request.method,
            path: request.path,
            query: request.query,
            authorization: request.authorization,
            cekura_key: Some(key.expose()),
            content_type: request.content_type,
            body: request.body,
        };
        self.now += Micros::from_secs(1);
        let response = router::handle(&mut self.world, &request, self.now);
        (response.status, response.body)
    }
}
