//! Connects hyper to the world: reads requests, waits out delays, and sends or withholds responses.

use std::future;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HOST, HeaderValue, RETRY_AFTER};
use hyper::{HeaderMap, Response};
use tokio::time::{Instant, sleep_until};

use rushhour_core::is_local_host;
use rushhour_core::units::SessionTime;

use super::connection::ResetOnClose;
use super::http::{Delivery, PendingSubmission, SandboxRequest, SandboxResponse};
use super::response_body::ResponseBody;
use super::router;
use super::truth::SandboxTruth;
use super::truth_log::OpenTruthLog;
use super::world::World;

/// The longest request body, in bytes.
const MAX_REQUEST_BODY: usize = 16 * 1_024 * 1_024;

/// The world with its clock and its log, shared by all connections.
pub(super) struct SandboxService {
    inner: Mutex<LoggedWorld>,
    start: Instant,
}

struct LoggedWorld {
    world: World,
    log: OpenTruthLog,
}

/// A fault drops the connection without a response.
#[derive(Debug, thiserror::Error)]
#[error("a fault dropped the connection")]
pub(super) struct ConnectionDropped;

impl SandboxService {
    /// A service whose clock read zero at `start`.
    pub(super) const fn new(world: World, log: OpenTruthLog, start: Instant) -> Self {
        Self { inner: Mutex::new(LoggedWorld { world, log }), start }
    }

    /// Advances the world to now and writes the new facts to the log.
    pub(super) fn update(&self) {
        let now = self.now();
        let LoggedWorld { world, log } = &mut *self.lock();
        world.advance(now);
        log.write(&world.take_facts());
        log.flush();
    }

    pub(super) fn truth(&self) -> SandboxTruth {
        self.update();
        let inner = self.lock();
        inner.world.truth(inner.log.failure().map(str::to_owned))
    }

    pub(super) async fn handle(
        &self,
        request: hyper::Request<Incoming>,
        reset: &ResetOnClose,
    ) -> Result<Response<ResponseBody>, ConnectionDropped> {
        let received = self.now();
        let (head, body) = request.into_parts();
        if !is_local_host(head.headers.get(HOST).map(|host| host.to_str().unwrap_or(""))) {
            return Ok(self.finish(SandboxResponse::text(421, "not this host\n")));
        }
        let Ok(body) = Limited::new(body, MAX_REQUEST_BODY).collect().await else {
            return Ok(self.finish(SandboxResponse::text(413, "body too large\n")));
        };
        let body = body.to_bytes();
        let mut response = {
            let request = SandboxRequest {
                method: head.method.as_str(),
                path: head.uri.path(),
                query: head.uri.query().unwrap_or_default(),
                authorization: header(&head.headers, AUTHORIZATION.as_str()),
                cekura_key: header(&head.headers, "x-cekura-api-key"),
                content_type: header(&head.headers, CONTENT_TYPE.as_str()).unwrap_or_default(),
                body: &body,
            };
            router::handle(&mut self.lock().world, &request, received)
        };
        let mut recorder =
            SubmissionRecorder { service: self, submission: response.submission.take() };
        if response.delivery == Delivery::Never {
            recorder.record(response.outcome(), None);
            return future::pending().await;
        }
        let due = (received + response.delay).since(SessionTime::START).as_duration();
        sleep_until(self.start + due).await;
        if response.delivery == Delivery::Reset {
            recorder.record(response.outcome(), None);
            reset.set();
            return Err(ConnectionDropped);
        }
        recorder.record(response.outcome(), Some(self.now()));
        Ok(self.finish(response))
    }

    /// Converts a response and dates it by the sandbox's wall clock, which may be wrong on purpose.
    fn finish(&self, response: SandboxResponse) -> Response<ResponseBody> {
        let date = self.lock().world.anchor.http_date(self.now());
        let mut response = to_hyper(response);
        if let Ok(date) = HeaderValue::try_from(date) {
            response.headers_mut().insert(DATE, date);
        }
        response
    }

    fn now(&self) -> SessionTime {
        SessionTime::START + self.start.elapsed().into()
    }

    fn lock(&self) -> MutexGuard<'_, LoggedWorld> {
        // A panic on another connection must not hide the ground truth.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Records how a submission was answered. If the client leaves before that, dropping it records so.
struct SubmissionRecorder<'a> {
    service: &'a SandboxService,
    submission: Option<PendingSubmission>,
}

impl SubmissionRecorder<'_> {
    fn record(&mut self, outcome: String, answered: Option<SessionTime>) {
        if let Some(submission) = self.submission.take() {
            let now = self.service.now();
            let world = &mut self.service.lock().world;
            world.advance(now);
            world.record_submission_outcome(submission, outcome, answered);
        }
    }
}

impl Drop for SubmissionRecorder<'_> {
    fn drop(&mut self) {
        self.record("abandoned".to_owned(), None);
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn to_hyper(response: SandboxResponse) -> Response<ResponseBody> {
    let SandboxResponse { status, content_type, retry_after, body, delivery, .. } = response;
    let mut response = Response::new(ResponseBody::new(body, delivery));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(value) = retry_after.and_then(|text| HeaderValue::try_from(text).ok()) {
        headers.insert(RETRY_AFTER, value);
    }
    response
}
