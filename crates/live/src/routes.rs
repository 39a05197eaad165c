//! What is served: the page, its style and script, its changes as server-sent events, and metrics.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST,
    LOCATION, REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream::{self, Stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::time::timeout;

use super::access::{Access, Admission, Credentials};
use super::page::DrawnPage;
use super::view::{Scrape, Shared};
use rushhour_report::render::{MetricsFormat, live_frame, live_style};

/// The most viewers at once; a browser tab is one.
const MAX_VIEWERS: usize = 16;
/// How often a viewer to whom nothing is sent is told that the connection holds.
const ALIVE_EVERY: Duration = Duration::from_secs(15);
/// When a browser whose connection broke tries again.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// How long a viewer waits for a page that is drawn for it.
const DRAWING_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a scrape waits for its answer.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(5);

const SCRIPT: &str = include_str!("live.js");

/// Nothing is loaded but what this server has, nothing is sent elsewhere, and no other page may show this one.
const POLICY: &str = "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN_METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Clone)]
struct Served {
    shared: Arc<Shared>,
    viewers: Arc<Semaphore>,
}

/// What a listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// The page, and metrics beside it.
    Page,
    /// Metrics alone.
    Metrics,
}

pub(crate) fn router(shared: Arc<Shared>, content: Content) -> Router {
    let served = Served { shared, viewers: Arc::new(Semaphore::new(MAX_VIEWERS)) };
    let metrics = Router::new().route("/metrics", get(metrics));
    let all = match content {
        Content::Metrics => metrics,
        Content::Page => metrics
            .route("/", get(page))
            .route("/events", get(events))
            .route("/live.js", get(async || text("text/javascript; charset=utf-8", SCRIPT)))
            .route("/style.css", get(async || text("text/css; charset=utf-8", live_style()))),
    };
    all.with_state(served)
}

/// Answers those requests that must not reach a route.
pub(crate) fn refuse(access: &Access, request: &Parts) -> Option<Response> {
    let header = |name: HeaderName| {
        // One that is no text names nothing of ours.
        request.headers.get(name).map(|value| value.to_str().unwrap_or(""))
    };
    let query = request.uri.query().unwrap_or("");
    let parameter = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "t");
    let parameter = parameter.map(|(_, value)| value.into_owned());
    let target = request.uri.authority().map(ToString::to_string);
    let shown = Credentials {
        host: header(HOST),
        target_host: target.as_deref(),
        authorization: header(AUTHORIZATION),
        cookies: header(COOKIE),
        parameter: parameter.as_deref(),
    };
    let refused = match access.admit(&shown) {
        Admission::WrongHost => {
            return Some((StatusCode::MISDIRECTED_REQUEST, access.where_to_open()).into_response());
        }
        Admission::NoToken => (
            StatusCode::UNAUTHORIZED,
            "Open the address that Rushhour printed, with its token; or send it as `Authorization: Bearer TOKEN`.\n",
        ),
        _ if request.method != Method::GET && request.method != Method::HEAD => {
            (StatusCode::METHOD_NOT_ALLOWED, "This page is read-only.\n")
        }
        Admission::SetCookie if request.uri.path() == "/" => return Some(with_cookie(access)),
        Admission::SetCookie | Admission::Granted => return None,
    };
    Some(refused.into_response())
}

/// The token leaves the address, so that no history and no copied address has it.
fn with_cookie(access: &Access) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers.insert(LOCATION, HeaderValue::from_static("/"));
    let cookie = access.set_cookie().and_then(|text| HeaderValue::try_from(text).ok());
    if let Some(mut cookie) = cookie {
        cookie.set_sensitive(true);
        headers.insert(SET_COOKIE, cookie);
    }
    response
}

/// Headers of every response.
pub(crate) fn harden(response: &mut Response) {
    let headers = response.headers_mut();
    let same_origin = HeaderName::from_static("cross-origin-resource-policy");
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (same_origin, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

fn text(content_type: &'static str, text: impl IntoResponse) -> Response {
    ([(CONTENT_TYPE, content_type)], text).into_response()
}

/// The page as it is now, so that it can be read without JavaScript too.
async fn page(State(served): State<Served>) -> Response {
    let mut pages = served.shared.pages.subscribe();
    pages.mark_unchanged();
    let is_over = pages.borrow().over.is_some();
    if !is_over {
        served.shared.wanted.notify_one();
        // A page that is not drawn in time is shown as it was.
        let _ = timeout(DRAWING_TIMEOUT, pages.changed()).await;
    }
    let drawn = Arc::clone(&pages.borrow());
    let title = if drawn.number == 0 { "Rushhour" } else { &drawn.title };
    let html = live_frame(title, &drawn.live_parts());
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
}

/// The parts of the page that have changed, each time that it was drawn. Who reads slowly skips drawings.
async fn events(State(served): State<Served>) -> Response {
    let Ok(permit) = Arc::clone(&served.viewers).try_acquire_owned() else {
        let full = format!("{MAX_VIEWERS} viewers follow the session already.\n");
        return (StatusCode::SERVICE_UNAVAILABLE, full).into_response();
    };
    let mut pages = served.shared.pages.subscribe();
    pages.mark_changed();
    served.shared.wanted.notify_one();
    let viewer = Viewer { pages, seen: 0, is_told: false, _permit: permit };
    let stream = updates(viewer);
    // A comment would keep the connection as well, but the page's script would not see it.
    let alive =
        KeepAlive::new().interval(ALIVE_EVERY).event(Event::default().event("alive").data("-"));
    let mut response = Sse::new(stream).keep_alive(alive).into_response();
    // A proxy in between must not hold events back.
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    response.headers_mut().insert(unbuffered, HeaderValue::from_static("no"));
    response
}

/// Somebody who follows the session.
struct Viewer {
    pages: watch::Receiver<Arc<DrawnPage>>,
    /// The number of the drawing that it has.
    seen: u64,
    /// Whether it was told that the session is over.
    is_told: bool,
    _permit: OwnedSemaphorePermit,
}

fn updates(viewer: Viewer) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(viewer, |mut viewer| async move {
        loop {
            if viewer.is_told {
                return None;
            }
            let drawn = Arc::clone(&viewer.pages.borrow_and_update());
            if drawn.number > viewer.seen {
                let update = drawn.update_since(viewer.seen);
                viewer.seen = drawn.number;
                let event = Event::default().event("parts").retry(RETRY_DELAY).data(&*update);
                return Some((Ok(event), viewer));
            }
            if let Some(note) = &drawn.over {
                viewer.is_told = true;
                let note = note.replace(['\r', '\n'], " ");
                return Some((Ok(Event::default().event("over").data(note)), viewer));
            }
            // The view ends after its last drawing, which this viewer has seen then.
            if viewer.pages.changed().await.is_err() {
                return None;
            }
        }
    })
}

async fn metrics(State(served): State<Served>, headers: HeaderMap) -> Response {
    let accepted = headers.get_all(ACCEPT);
    let is_open = |value: &HeaderValue| {
        value.to_str().is_ok_and(|text| text.contains("application/openmetrics-text"))
    };
    let format = if accepted.iter().any(is_open) {
        MetricsFormat::OpenMetrics
    } else {
        MetricsFormat::Prometheus
    };
    let (answer, answered) = oneshot::channel();
    let asked = served.shared.scrapes.try_send(Scrape { format, answer });
    let text = match asked {
        Ok(()) => timeout(SCRAPE_TIMEOUT, answered).await,
        Err(_) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
    };
    let Ok(Ok(text)) = text else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let content_type = match format {
        MetricsFormat::OpenMetrics => OPEN_METRICS,
        MetricsFormat::Prometheus => PLAIN_METRICS,
    };
    ([(CONTENT_TYPE, content_type)], text.to_string()).into_response()
}
