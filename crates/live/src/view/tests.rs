use std::future::ready;

use super::*;
use crate::push::MetricsPush;
use rushhour_core::event::Event;
use rushhour_core::profile::testing::{opened_with, profile_of};
use rushhour_report::render::LivePart;

#[derive(Debug)]
struct Collector;

impl MetricsPush for Collector {
    fn every(&self) -> Duration {
        Duration::from_hours(1)
    }

    fn encode(&self, _: &LiveFold, _: Option<u64>) -> Option<Vec<u8>> {
        Some(Vec::new())
    }

    fn send(&self, _: Vec<u8>, _: Option<Duration>) -> PushInProgress {
        Box::pin(ready(()))
    }
}

async fn pushes_after(messages: Vec<FeedMessage>) -> bool {
    run_to_end(messages, LiveEnd::default()).await.0
}

/// Whether something is pushed at the end, and the last page.
async fn run_to_end(messages: Vec<FeedMessage>, last: LiveEnd) -> (bool, Arc<DrawnPage>) {
    let (sender, feed) = mpsc::channel(messages.len().max(1));
    for message in messages {
        sender.try_send(message).expect("there is room for all");
    }
    let (end, over) = oneshot::channel();
    end.send(last).expect("the view is not told yet");
    let (asked, scrapes) = mpsc::channel(1);
    let pages = watch::Sender::new(Arc::default());
    let shared = Arc::new(Shared { pages, wanted: Notify::new(), scrapes: asked });
    let pusher = Pusher::new(Box::new(Collector), Instant::now());
    let criterion = Criterion::default();
    let missing = Missing::new(Arc::default(), || {});
    let view = View::new(Arc::clone(&shared), criterion, missing, Some(pusher), LiveFold::default);
    let pushes = view.run(Inputs { feed, scrapes, over }).await.is_some();
    let page = Arc::clone(&shared.pages.borrow());
    (pushes, page)
}

#[tokio::test]
async fn the_last_page_is_the_report() {
    let header = LivePart { id: "header", html: "holds 4".to_owned() };
    let report = PageParts { title: "desk: capacity".to_owned(), parts: vec![header] };
    let note = "over".to_owned();
    let end = LiveEnd { note: note.clone(), report: Some(report), linger: None };
    let (_, page) = run_to_end(Vec::new(), end).await;
    assert_eq!((page.title.as_str(), &page.over), ("desk: capacity", &Some(note)));
    assert_eq!(page.live_parts()[0].html, "holds 4");
    assert_eq!(page.number, 1, "whoever watches is shown it");
}

fn opened() -> Event {
    let text = "mode = \"chat\"\n[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[[scenario]]\nid = 30\ncopies = 1\n[[stage]]\nrate = \"10/s\"\n";
    opened_with(profile_of(text))
}

/// A view that runs, and who asks it.
struct Running {
    feed: mpsc::Sender<FeedMessage>,
    scrapes: mpsc::Sender<Scrape>,
    over: oneshot::Sender<LiveEnd>,
    viewing: tokio::task::JoinHandle<()>,
}

impl Running {
    fn start() -> Self {
        let (feed, events) = mpsc::channel(1);
        let (end, over) = oneshot::channel();
        let (asked, scrapes) = mpsc::channel(1);
        let pages = watch::Sender::new(Arc::default());
        let shared = Shared { pages, wanted: Notify::new(), scrapes: asked.clone() };
        let missing = Missing::new(Arc::default(), || {});
        let criterion = Criterion::default();
        let view = View::new(Arc::new(shared), criterion, missing, None, LiveFold::default);
        let inputs = Inputs { feed: events, scrapes, over };
        let viewing = tokio::spawn(async { drop(view.run(inputs).await) });
        Self { feed, scrapes: asked, over: end, viewing }
    }

    fn begin(&self) {
        let begun = FeedMessage::Event(Box::new(opened()));
        self.feed.try_send(begun).expect("there is room");
    }

    /// Whether metrics are those of a session that has begun.
    async fn has_begun(&self) -> bool {
        let (answer, answered) = oneshot::channel();
        let scrape = Scrape { format: MetricsFormat::Prometheus, answer };
        self.scrapes.send(scrape).await.expect("it takes scrapes");
        answered.await.expect("it answers").contains("rushhour_info")
    }
}

#[tokio::test]
async fn an_answer_has_every_event_before_it() {
    let view = Running::start();
    view.begin();
    assert!(view.has_begun().await);
}

#[tokio::test]
async fn the_scrape_after_the_end_has_the_figures_of_the_end() {
    let view = Running::start();
    assert!(!view.has_begun().await);
    view.begin();
    // That answer serves others for a second, but not those that come after the end.
    let Running { feed: _feed, scrapes, over, viewing } = view;
    let linger: Option<Linger> = Some(Box::pin(std::future::pending()));
    over.send(LiveEnd { linger, ..LiveEnd::default() }).expect("it has not ended");
    let (answer, answered) = oneshot::channel();
    scrapes.try_send(Scrape { format: MetricsFormat::Prometheus, answer }).expect("there is room");
    assert!(answered.await.expect("it answers").contains("rushhour_info"));
    viewing.await.expect("it ends after that");
}

#[tokio::test]
async fn nobody_is_waited_for_longer_than_is_asked() {
    let Running { feed: _feed, scrapes: _scrapes, over, viewing } = Running::start();
    let linger: Option<Linger> = Some(Box::pin(ready(())));
    over.send(LiveEnd { linger, ..LiveEnd::default() }).expect("it has not ended");
    viewing.await.expect("it ends by itself");
}

fn session() -> LiveSession {
    LiveSession { now: Box::new(|| SessionTime::START), runs: 1, last_start: SessionTime::START }
}

#[tokio::test]
async fn what_comes_from_a_journal_is_not_pushed_before_the_session_goes_on() {
    let beginning = || Beginning { session: session(), missing_before: 0 };
    assert!(pushes_after(vec![FeedMessage::Begin(beginning())]).await);
    assert!(!pushes_after(vec![FeedMessage::Replay(beginning())]).await);
    let goes_on = vec![FeedMessage::Replay(beginning()), FeedMessage::GoOn(session())];
    assert!(pushes_after(goes_on).await);
}
