//! A sandbox without sockets: requests of any shape are answered, for tests that throw bytes at it.

use rushhour_core::units::SessionTime;

use super::SandboxConfig;
use super::clock::Anchor;
use super::exchange::SandboxRequest;
use super::router;
use super::world::World;

/// A sandbox that is asked by calling it.
pub struct InProcessSandbox {
    world: World,
    now: SessionTime,
}

/// A request as it may come from anybody.
#[derive(Debug, Clone, Copy)]
pub struct AnyRequest<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The path, undecoded.
    pub path: &'a str,
    /// What follows the question mark, undecoded.
    pub query: &'a str,
    /// The header `Authorization`.
    pub authorization: Option<&'a str>,
    /// The header `Content-Type`.
    pub content_type: &'a str,
    /// The body.
    pub body: &'a [u8],
}

impl InProcessSandbox {
    /// A sandbox whose wall clock reads `unix_micros`, in microseconds since 1970.
    pub fn new(config: SandboxConfig, unix_micros: u64) -> Self {
        let world = World::new(config, Anchor::new(unix_micros), "127.0.0.1:7881");
        Self { world, now: SessionTime::START }
    }

    /// Answers a request with the right key for Cekura, a second after the last one; gives the status and the body.
    pub fn answer(&mut self, request: AnyRequest<'_>) -> (u16, Vec<u8>) {
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
        self.now += rushhour_core::units::Micros::from_secs(1);
        let answer = router::answer(&mut self.world, &request, self.now);
        (answer.status, answer.body)
    }
}
