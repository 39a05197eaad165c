//! The page and the metrics of a session while it runs.

use std::path::Path;

use clap::Args;
use tracing::info;

use crate::error::CliError;
use crate::known_secrets;
use crate::print;
use rushhour_live::{ListenAddress, LiveError, LiveOptions, LiveServer, PageToken};
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
}

impl LiveArgs {
    /// Listens where the user asked for it, and says where; pushes metrics where the environment names a collector.
    ///
    /// # Errors
    /// Where that is not possible: the user wants to watch the session, so it does not begin.
    pub(crate) fn start(&self, criterion: Criterion) -> Result<Option<LiveServer>, CliError> {
        #[cfg(feature = "otlp")]
        let push = super::otlp::push_of_environment();
        #[cfg(not(feature = "otlp"))]
        let push = None;
        let is_served = self.live.is_some() || self.metrics.is_some();
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
        Ok(Some(server))
    }
}

/// Shows the end of a session in `folder` to those who watch: the report, where it says more than the session's events.
pub(crate) fn close(
    server: Option<LiveServer>,
    folder: &Path,
    report: impl FnOnce() -> Option<Result<PageParts, CliError>>,
) {
    if let Some(server) = server {
        let report = server.page().and_then(|_| report()).and_then(|read| {
            // What was drawn before stays.
            read.inspect_err(|error| info!(%error, "the page does not show the report")).ok()
        });
        let folder = folder.display();
        let note = format!(
            "The session has ended, and this page changes no more. Reports are in {folder}"
        );
        server.close(&known_secrets::redacted(&note), report);
    }
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
