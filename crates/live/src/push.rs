//! Metrics that are sent to somebody, instead of being fetched.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use rushhour_report::live::LiveFold;

/// A request that is being sent.
pub type PushInProgress = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How long the last metrics may take to be sent.
pub(crate) const LAST_PUSH: Duration = Duration::from_secs(2);

/// Where metrics are sent to.
pub trait MetricsPush: fmt::Debug + Send {
    /// How often.
    fn every(&self) -> Duration;

    /// Metrics of a session so far, of which so many runs are forecast, as they are sent; none before its first event.
    fn encode(&self, fold: &LiveFold, forecast: Option<u64>) -> Option<Vec<u8>>;

    /// Sends them, and says what fails; the next ones are sent after it. The last ones may take no longer than `within`.
    fn send(&self, body: Vec<u8>, within: Option<Duration>) -> PushInProgress;
}

/// Sends one body after another, and leaves out those that are due while one is being sent: counters never fall, so the
/// next one has everything.
#[derive(Debug)]
pub(crate) struct Pusher {
    to: Box<dyn MetricsPush>,
    next: Instant,
    sending: Option<JoinHandle<()>>,
}

impl Pusher {
    pub(crate) fn new(to: Box<dyn MetricsPush>, now: Instant) -> Self {
        Self { next: now + to.every(), to, sending: None }
    }

    /// Sends if it is time to.
    pub(crate) fn push_if_due(&mut self, fold: &LiveFold, forecast: Option<u64>) {
        if Instant::now() >= self.next {
            self.push(fold, forecast);
        }
    }

    /// Sends, unless something is being sent. Must be called within a runtime.
    pub(crate) fn push(&mut self, fold: &LiveFold, forecast: Option<u64>) {
        self.next = Instant::now() + self.to.every();
        if self.sending.as_ref().is_some_and(|sending| !sending.is_finished()) {
            return;
        }
        let body = self.to.encode(fold, forecast);
        self.sending = body.map(|body| tokio::spawn(self.to.send(body, None)));
    }

    /// Gives up what is being sent, for the last body of a session that another one follows: nothing after it has its
    /// figures. Must be called within a runtime.
    pub(crate) fn push_last_of_session(&mut self, fold: &LiveFold, forecast: Option<u64>) {
        if let Some(sending) = self.sending.take() {
            sending.abort();
        }
        self.push(fold, forecast);
    }

    /// Gives up what is being sent, for the last body; `None` where there is none.
    pub(crate) fn last(self, fold: &LiveFold, forecast: Option<u64>) -> Option<PushInProgress> {
        if let Some(sending) = self.sending {
            sending.abort();
        }
        self.to.encode(fold, forecast).map(|body| self.to.send(body, Some(LAST_PUSH)))
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[derive(Debug, Clone)]
    struct Hanging {
        sent: Arc<AtomicU64>,
        every: Duration,
    }

    impl Hanging {
        fn new(every: Duration) -> (Self, Pusher) {
            let hanging = Self { sent: Arc::default(), every };
            let pusher = Pusher::new(Box::new(hanging.clone()), Instant::now());
            (hanging, pusher)
        }

        fn sent(&self) -> u64 {
            self.sent.load(Ordering::Relaxed)
        }
    }

    impl MetricsPush for Hanging {
        fn every(&self) -> Duration {
            self.every
        }

        fn encode(&self, _: &LiveFold, forecast: Option<u64>) -> Option<Vec<u8>> {
            forecast.map(|_| Vec::new())
        }

        fn send(&self, _: Vec<u8>, _: Option<Duration>) -> PushInProgress {
            self.sent.fetch_add(1, Ordering::Relaxed);
            Box::pin(pending())
        }
    }

    #[tokio::test]
    async fn one_that_hangs_is_waited_for_except_by_the_last() {
        let (hanging, mut pusher) = Hanging::new(Duration::ZERO);
        let fold = LiveFold::default();
        for _ in 0..3 {
            pusher.push_if_due(&fold, Some(1));
            assert_eq!(hanging.sent(), 1, "the first one is being sent");
        }
        pusher.push_last_of_session(&fold, Some(1));
        assert_eq!(hanging.sent(), 2);
        assert!(pusher.last(&fold, Some(1)).is_some());
        assert_eq!(hanging.sent(), 3);
    }

    #[tokio::test]
    async fn nothing_is_sent_before_its_time_or_without_a_session() {
        let (hanging, mut pusher) = Hanging::new(Duration::from_hours(1));
        let fold = LiveFold::default();
        pusher.push_if_due(&fold, Some(1));
        pusher.push(&fold, None);
        assert!(pusher.last(&fold, None).is_none());
        assert_eq!(hanging.sent(), 0);
    }
}
