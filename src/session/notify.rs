//! Tells a webhook that a session has ended.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tracing::info;
use url::Url;

use super::journal_hosts::TrustArgs;
use crate::bounded_file::read_bounded;
use crate::credentials;
use crate::error::CliError;
use crate::known_secrets;
use crate::print;
use crate::signals::interrupted;
use rushhour_core::profile::{NoticeFormat, Profile};
use rushhour_core::profile::{TargetKind, target_kind};
use rushhour_core::units::{ForeignText, Secret};
use rushhour_livekit::http::{HttpClient, TransportError, TrustStore};

/// The address to tell, which takes precedence over the profile's.
pub(crate) const URL_VARIABLE: &str = "RUSHHOUR_NOTIFY_URL";
/// What is sent in the header Authorization.
pub(crate) const AUTHORIZATION_VARIABLE: &str = "RUSHHOUR_NOTIFY_AUTHORIZATION";

/// How often it is sent, as long as it is not accepted.
const ATTEMPTS: u32 = 3;
/// How long one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// The wait before the second attempt; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// How long all of it may take.
const MAX_TIME: Duration = Duration::from_secs(20);
/// How much of an answer is read.
const MAX_ANSWER: usize = 4 * 1024;
/// The longest file that is sent: a summary is some kilobytes long.
const MAX_SUMMARY: u64 = 4 * 1024 * 1024;

/// Why nobody was told.
#[derive(Debug, thiserror::Error)]
enum NotifyError {
    /// It cannot be sent.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The webhook does not want it.
    #[error("it was answered with {status}: {answer}")]
    Refused {
        /// The status.
        status: u16,
        /// The beginning of the answer.
        answer: ForeignText,
    },
    /// All of it took too long.
    #[error("it was not accepted within {MAX_TIME:?}")]
    TooSlow,
    /// Somebody interrupted.
    #[error("interrupted")]
    Interrupted,
}

impl NotifyError {
    /// Whether another attempt may succeed.
    const fn is_passing(&self) -> bool {
        match self {
            Self::Transport(_) => true,
            Self::Refused { status, .. } => matches!(*status, 408 | 425 | 429 | 500..=599),
            Self::TooSlow | Self::Interrupted => false,
        }
    }
}

/// Tells the webhook that the environment or the profile names, if one does. `summary` is sent, or `text` where the
/// format is one for people. Whatever becomes of it, the session's result stays what it is.
pub(crate) fn notify(
    profile: &Profile,
    summary: impl FnOnce() -> Result<Vec<u8>, CliError>,
    text: impl FnOnce() -> Result<String, CliError>,
) {
    let settings = profile.notify.as_ref();
    let named = std::env::var(URL_VARIABLE).ok().map(|url| url.trim().to_owned());
    let url = named
        .filter(|url| !url.is_empty())
        .or_else(|| settings.and_then(|settings| settings.url.clone()));
    let Some(url) = url else {
        if settings.is_some() {
            print::stderr(&format!(
                "Nobody was told of the end: [notify] has no url, and {URL_VARIABLE} is not set."
            ));
        }
        return;
    };
    if !is_private(&url) {
        // The profile's was checked before; it is said once what is wrong with one of the environment.
        print::stderr(&format!(
            "Nobody was told of the end: write {URL_VARIABLE} as a URL that begins with https://."
        ));
        return;
    }
    let format = settings.map_or(NoticeFormat::Summary, |settings| settings.format);
    let body = match format {
        NoticeFormat::Summary => summary(),
        NoticeFormat::Slack => text().map(|text| slack(&text).to_string().into_bytes()),
        NoticeFormat::Teams => text().map(|text| teams(&text).to_string().into_bytes()),
    };
    let told = body.and_then(|body| send(&url, &body));
    match told {
        Ok(()) => info!("told of the session's end"),
        Err(error) => print::stderr(&format!("Nobody was told of the end: {}", error.one_line())),
    }
}

/// Tells the webhook that there is no result, and why: nobody may be there to read standard error. Whoever was asked and
/// declined is there.
pub(crate) fn notify_failure(profile: &Profile, error: &CliError) {
    if error.is_declined() {
        return;
    }
    let (name, reason) = (&profile.name, known_secrets::redacted(&error.one_line()));
    let summary = json!({ "profile": name, "error": reason }).to_string().into_bytes();
    notify(profile, || Ok(summary), || Ok(format!("No result of {name}: {reason}")));
}

/// A summary that was written to a file.
pub(crate) fn summary_file(path: &Path) -> Result<Vec<u8>, CliError> {
    read_bounded(path, MAX_SUMMARY).map_err(CliError::from_internal)
}

/// Tells of the end of a session that was resumed. Whoever wrote its journal chose the webhook that it names, so that one is told
/// only if the user trusts it.
pub(crate) fn notify_resumed(
    profile: &Profile,
    trust: TrustArgs,
    summary: impl FnOnce() -> Result<Vec<u8>, CliError>,
    text: impl FnOnce() -> Result<String, CliError>,
) {
    let is_named = std::env::var(URL_VARIABLE).is_ok_and(|url| !url.trim().is_empty());
    let names_webhook = profile.notify.as_ref().is_some_and(|settings| settings.url.is_some());
    if names_webhook && !is_named && !trust.trust_hosts {
        print::stderr(&format!(
            "Nobody was told of the end: only the journal names the webhook. Name it in {URL_VARIABLE}, or use --trust-hosts."
        ));
        return;
    }
    notify(profile, summary, text);
}

/// Whether nobody on the way reads what is sent there.
pub(crate) fn is_private(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| match url.scheme() {
        "https" => true,
        "http" => matches!(target_kind(&url), TargetKind::Loopback | TargetKind::Private),
        _ => false,
    })
}

fn send(url: &str, body: &[u8]) -> Result<(), CliError> {
    let authorization = credentials::optional_from_environment(AUTHORIZATION_VARIABLE)?;
    known_secrets::remember_address(url);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::from_internal)?;
    let trust = TrustStore::system().map_err(CliError::from_internal)?;
    let client =
        HttpClient::for_service(url, &trust, ATTEMPT_TIMEOUT).map_err(CliError::from_internal)?;
    let told = runtime.block_on(async {
        tokio::select! {
            told = timeout(MAX_TIME, post(&client, url, body, authorization.as_ref())) => {
                told.unwrap_or(Err(NotifyError::TooSlow))
            }
            _ = interrupted() => Err(NotifyError::Interrupted),
        }
    });
    told.map_err(|error| CliError::usage("the webhook did not accept it").caused_by(error))
}

async fn post(
    client: &HttpClient,
    url: &str,
    body: &[u8],
    authorization: Option<&Secret>,
) -> Result<(), NotifyError> {
    let mut wait = FIRST_WAIT;
    for attempt in 1.. {
        match post_once(client, url, body, authorization).await {
            Err(error) if error.is_passing() && attempt < ATTEMPTS => sleep(wait).await,
            result => return result,
        }
        wait *= 2;
    }
    Ok(())
}

async fn post_once(
    client: &HttpClient,
    url: &str,
    body: &[u8],
    authorization: Option<&Secret>,
) -> Result<(), NotifyError> {
    let mut request = client.post(url).header("content-type", "application/json");
    if let Some(secret) = authorization {
        request = request.header("authorization", secret.expose());
    }
    let response = client.send(request.body(body.to_vec()), MAX_ANSWER).await?;
    if response.is_success() {
        return Ok(());
    }
    let answer = ForeignText::at_most(&String::from_utf8_lossy(&response.body), 200);
    Err(NotifyError::Refused { status: response.status, answer })
}

/// Slack's incoming webhooks: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/>.
fn slack(text: &str) -> Value {
    // What Slack would read as mentions and links.
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    json!({ "text": text })
}

/// An adaptive card, as Teams' workflows for webhooks take it.
fn teams(text: &str) -> Value {
    let blocks: Vec<Value> = text
        .lines()
        .map(|line| json!({ "type": "TextBlock", "text": plain(line), "wrap": true }))
        .collect();
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
    });
    let attachment =
        json!({ "contentType": "application/vnd.microsoft.card.adaptive", "content": card });
    json!({ "type": "message", "attachments": [attachment] })
}

/// Cards know some Markdown, which could be links.
fn plain(line: &str) -> String {
    line.replace(['[', ']', '*', '_'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_in_clear_stays_on_private_networks() {
        for (url, is_sent) in [
            ("https://hooks.example.com/x", true),
            ("http://127.0.0.1:9/x", true),
            ("http://hooks.example.com/x", false),
            ("ftp://127.0.0.1/x", false),
            ("hooks.example.com", false),
        ] {
            assert_eq!(is_private(url), is_sent, "{url}");
        }
    }

    #[test]
    fn chats_get_text_and_no_mentions_or_links() {
        assert_eq!(slack("a <!channel> & b"), json!({ "text": "a &lt;!channel&gt; &amp; b" }));
        let card = teams("Passed: x\n[a](http://evil.example)");
        let body = &card["attachments"][0]["content"]["body"];
        assert_eq!(body[0]["text"], "Passed: x");
        assert_eq!(body[1]["text"], " a (http://evil.example)");
        assert_eq!(card["type"], "message");
    }

    #[test]
    fn only_what_may_pass_is_sent_again() {
        let refused = |status| NotifyError::Refused { status, answer: ForeignText::default() };
        for (status, again) in [(429, true), (503, true), (400, false), (404, false), (301, false)]
        {
            assert_eq!(refused(status).is_passing(), again, "{status}");
        }
        assert!(!NotifyError::TooSlow.is_passing() && !NotifyError::Interrupted.is_passing());
    }
}
