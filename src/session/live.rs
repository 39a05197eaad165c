//! The page and the metrics of a session while it runs.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use tracing::info;

use crate::error::CliError;
use crate::known_secrets;
use crate::print;
use crate::signals::interrupted;
use rushhour_live::{
    LingeringServer, ListenAddress, LiveError, LiveFeed, LiveOptions, LiveServer, PageToken,
};
use rushhour_report::render::PageParts;
use rushhour_report::session::Criterion;

/// The token of the page and of metrics, chosen by the user.
pub(crate) const TOKEN_VARIABLE: &str = "RUSHHOUR_LIVE_TOKEN";

/// Where to watch a session while it runs.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct LiveArgs {
    /// Serve a page that shows the session while it runs, and metrics at /metrics: at 127.0.0.1:5665, or at ADDRESS.
    ///
    /// The page is read-only. On an address that other machines can reach it asks for a token: the one in
    /// RUSHHOUR_LIVE_TOKEN, or a random one that is printed.
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "127.0.0.1:5665")]
    live: Option<ListenAddress>,
    /// Serve metrics for Prometheus at /metrics, without a page: at 127.0.0.1:5665, or at ADDRESS.
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "127.0.0.1:5665")]
    metrics: Option<ListenAddress>,
    /// After the session's end, wait this long for Prometheus to scrape the last figures.
    ///
    /// The process ends after that scrape, or on Ctrl-C. With 0 it waits for none.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    metrics_linger: u16,
}

/// What is served while a session runs.
pub(crate) struct LiveView {
    server: LiveServer,
    /// How long metrics stay after the end.
    linger: Duration,
}

impl LiveView {
    pub(crate) const fn feed(&self) -> &LiveFeed {
        self.server.feed()
    }
}

/// Metrics that stay for one more scrape.
pub(crate) struct LastScrape {
    server: LingeringServer,
    at_most: Duration,
}

impl LastScrape {
    /// Waits until they were scraped, the time is up, or somebody interrupts.
    pub(crate) fn wait(self) {
        self.server.wait(self.at_most);
    }
}

impl LiveArgs {
    /// Listens where the user asked for it, and says where; pushes metrics where the environment names a collector.
    ///
    /// # Errors
    /// Where that is not possible: the user wants to watch the session, so it does not begin.
    pub(crate) fn start(&self, criterion: Criterion) -> Result<Option<LiveView>, CliError> {
        #[cfg(feature = "otlp")]
        let push = super::otlp::push_of_environment();
        #[cfg(not(feature = "otlp"))]
        let push = None;
        let is_served = self.live.is_some() || self.metrics.is_some();
        let linger = Duration::from_secs(self.metrics_linger.into());
        if !is_served && linger > Duration::ZERO {
            return Err(CliError::usage("--metrics-linger needs --metrics or --live"));
        }
        if !is_served && push.is_none() {
            return Ok(None);
        }
        let page = self.live.clone();
        // The page has metrics beside it.
        let metrics = self.metrics.clone().filter(|address| Some(address) != page.as_ref());
        let chosen = std::env::var(TOKEN_VARIABLE).ok();
        let chosen = chosen.filter(|token| is_served && !token.is_empty());
        let is_chosen = chosen.is_some();
        let token = chosen.map(|token| PageToken::chosen(&token)).transpose().map_err(|error| {
            CliError::usage(format!("{TOKEN_VARIABLE} cannot be used")).caused_by(error)
        })?;
        let options = LiveOptions { page, metrics, token, criterion, push, on_missing };
        let server = LiveServer::start(options).map_err(cannot_serve)?;
        // A token that the user chose is not repeated; one that we chose is known to nobody yet.
        let shown = |url: &str| match url.split_once('?') {
            Some((address, _)) if is_chosen => {
                format!("{address} with the token in {TOKEN_VARIABLE}")
            }
            _ => url.to_owned(),
        };
        if let Some(page) = server.page() {
            print::stderr(&format!("The session can be watched at {}", shown(page)));
        }
        if let Some(metrics) = server.metrics() {
            print::stderr(&format!("Metrics are at {}", shown(metrics)));
        }
        Ok(Some(LiveView { server, linger }))
    }
}

/// Shows the end of a session in `folder` to those who watch: the report, where it says more than the session's events.
/// Returns metrics that are to stay.
pub(crate) fn close(
    view: Option<LiveView>,
    folder: &Path,
    report: impl FnOnce() -> Option<Result<PageParts, CliError>>,
) -> Option<LastScrape> {
    let LiveView { server, linger } = view?;
    let report = server.page().and_then(|_| report()).and_then(|read| {
        // What was drawn before stays.
        read.inspect_err(|error| info!(%error, "the page does not show the report")).ok()
    });
    let folder = folder.display();
    let note =
        format!("The session has ended, and this page changes no more. Reports are in {folder}");
    let note = known_secrets::redacted(&note);
    if linger.is_zero() {
        server.close(&note, report);
        return None;
    }
    print::stderr(&format!(
        "Metrics stay until they are scraped once more, at most for {} s; Ctrl-C ends that.",
        linger.as_secs()
    ));
    let until = Box::pin(async move {
        tokio::select! {
            () = tokio::time::sleep(linger) => {}
            _ = interrupted() => {}
        }
    });
    let server = server.close_lingering(&note, report, until);
    Some(LastScrape { server, at_most: linger })
}

fn on_missing() {
    print::stderr(
        "Events came faster than the live page and metrics could take them, so these are incomplete. The journal and the reports have all of them.",
    );
}

fn cannot_serve(error: LiveError) -> CliError {
    match error {
        LiveError::Listen { address, source } => {
            let is_taken = source.kind() == std::io::ErrorKind::AddrInUse;
            let hint = if is_taken {
                "another program listens there, perhaps another session; choose another port, or 0 for any free one"
            } else {
                "choose an address of this machine, such as 127.0.0.1:0"
            };
            CliError::usage(format!("cannot listen on {address}")).caused_by(source).with_hint(hint)
        }
        other @ (LiveError::Token(_) | LiveError::Thread(_)) => CliError::from_internal(other),
    }
}
