//! From hyper's requests to the world and back: reads, waits, and lets answers arrive as whole as they may.

use std::future;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderValue, RETRY_AFTER};
use hyper::{HeaderMap, Response};
use tokio::time::{Instant, sleep_until};

use rushhour_core::units::SessionTime;

use super::connection::ResetOnClose;
use super::exchange::{Delivery, Receipt, SandboxRequest, SandboxResponse};
use super::router;
use super::truth::SandboxTruth;
use super::truth_log::OpenTruthLog;
use super::world::World;

/// The longest request body, in bytes.
const LONGEST_BODY: usize = 16 * 1_024 * 1_024;
const SPACES: &[u8] = &[b' '; 64 * 1_024];

/// The world with its clock and its log, shared by all connections.
pub(super) struct SandboxState {
    state: Mutex<WorldState>,
    start: Instant,
}

struct WorldState {
    world: World,
    log: OpenTruthLog,
}

/// The connection is to be dropped without an answer.
#[derive(Debug, thiserror::Error)]
#[error("dropped by a fault")]
pub(super) struct Dropped;

impl SandboxState {
    /// A shell whose clock read zero at `start`.
    pub(super) const fn new(world: World, log: OpenTruthLog, start: Instant) -> Self {
        Self { state: Mutex::new(WorldState { world, log }), start }
    }

    /// Lets happen what is due, and writes what is known.
    pub(super) fn settle(&self) {
        let now = self.now();
        let WorldState { world, log } = &mut *self.state();
        world.advance(now);
        log.write(&world.take_facts());
        log.flush();
    }

    /// What is true now.
    pub(super) fn truth(&self) -> SandboxTruth {
        self.settle();
        let state = self.state();
        state.world.truth(state.log.failure().map(str::to_owned))
    }

    /// Answers one request.
    pub(super) async fn answer(
        &self,
        request: hyper::Request<Incoming>,
        reset: &ResetOnClose,
    ) -> Result<Response<AnswerBody>, Dropped> {
        let received = self.now();
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, LONGEST_BODY).collect().await else {
            let too_large =
                SandboxResponse::new(413, "text/plain; charset=utf-8", "body too large\n");
            return Ok(self.response(too_large));
        };
        let body = body.to_bytes();
        let mut answer = {
            let request = SandboxRequest {
                method: head.method.as_str(),
                path: head.uri.path(),
                query: head.uri.query().unwrap_or_default(),
                authorization: text(&head.headers, AUTHORIZATION.as_str()),
                cekura_key: text(&head.headers, "x-cekura-api-key"),
                content_type: text(&head.headers, CONTENT_TYPE.as_str()).unwrap_or_default(),
                body: &body,
            };
            router::answer(&mut self.state().world, &request, received)
        };
        let mut open = OpenReceipt { shell: self, receipt: answer.receipt.take() };
        if answer.delivery == Delivery::Never {
            open.close(answer.outcome(), None);
            return future::pending().await;
        }
        sleep_until(self.start + (received + answer.after).since(SessionTime::START).as_duration())
            .await;
        if answer.delivery == Delivery::Reset {
            open.close(answer.outcome(), None);
            reset.set();
            return Err(Dropped);
        }
        open.close(answer.outcome(), Some(self.now()));
        Ok(self.response(answer))
    }

    /// The answer with the date on the sandbox's own wall clock, which may be wrong by intention.
    fn response(&self, answer: SandboxResponse) -> Response<AnswerBody> {
        let date = self.state().world.anchor.http_now(self.now());
        let mut response = response(answer);
        if let Ok(date) = HeaderValue::try_from(date) {
            response.headers_mut().insert(DATE, date);
        }
        response
    }

    fn now(&self) -> SessionTime {
        SessionTime::START + self.start.elapsed().into()
    }

    fn state(&self) -> MutexGuard<'_, WorldState> {
        // A panic elsewhere must not take the truth with it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A submission whose answer is not yet on its way; where the client leaves before that, this is noted.
struct OpenReceipt<'a> {
    shell: &'a SandboxState,
    receipt: Option<Receipt>,
}

impl OpenReceipt<'_> {
    fn close(&mut self, outcome: String, answered: Option<SessionTime>) {
        if let Some(receipt) = self.receipt.take() {
            let now = self.shell.now();
            let WorldState { world, .. } = &mut *self.shell.state();
            world.advance(now);
            world.note_answer(receipt, outcome, answered);
        }
    }
}

impl Drop for OpenReceipt<'_> {
    fn drop(&mut self) {
        self.close("abandoned".to_owned(), None);
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn response(answer: SandboxResponse) -> Response<AnswerBody> {
    let SandboxResponse { status, content_type, retry_after, body, delivery, .. } = answer;
    let mut response = Response::new(AnswerBody::new(body, delivery));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(value) = retry_after.and_then(|text| HeaderValue::try_from(text).ok()) {
        headers.insert(RETRY_AFTER, value);
    }
    response
}

/// How far a body is that breaks off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// What came before has to reach the client first: hyper throws away what it has not sent yet.
    AfterFlush,
    Now,
}

/// A body that may be cut in half or padded with spaces.
#[derive(Debug)]
pub(super) struct AnswerBody {
    text: Option<Bytes>,
    padding: usize,
    cut: Option<Cut>,
    announced: u64,
}

impl AnswerBody {
    fn new(body: Vec<u8>, delivery: Delivery) -> Self {
        let padding = match delivery {
            Delivery::Padded(padding) => padding,
            _ => 0,
        };
        let announced = (body.len() + padding) as u64;
        let mut text = Bytes::from(body);
        let cut = (delivery == Delivery::Half).then_some(Cut::AfterFlush);
        if cut.is_some() {
            text.truncate(text.len() / 2);
        }
        Self { text: Some(text).filter(|text| !text.is_empty()), padding, cut, announced }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(text) = self.text.take() {
            return Poll::Ready(Some(Ok(Frame::data(text))));
        }
        if self.padding > 0 {
            let chunk = self.padding.min(SPACES.len());
            self.padding -= chunk;
            let spaces = Bytes::from_static(SPACES).slice(..chunk);
            return Poll::Ready(Some(Ok(Frame::data(spaces))));
        }
        match self.cut.take() {
            Some(Cut::AfterFlush) => {
                self.cut = Some(Cut::Now);
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Cut::Now) => Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.text.is_none() && self.padding == 0 && self.cut.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}
