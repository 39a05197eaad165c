//! Pushes a running session's metrics to a collector over OTLP/HTTP, where the environment names one.
//!
//! OpenTelemetry's SDK is not used: it has no way in for histograms that are counted already, so every sample would be
//! counted twice; and it pushes from a thread of its own with a blocking client.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tracing::{debug, info};
use url::{Position, Url};

use super::notify::is_private;
use crate::error::CliError;
use crate::known_secrets::{self, OTLP_HEADERS, is_secret_header};
use crate::print;
use rushhour_core::units::{ForeignText, Secret};
use rushhour_live::{MetricsPush, PushInProgress};
use rushhour_livekit::http::{HttpClient, TransportError, TrustStore};
use rushhour_report::live::LiveFold;
use rushhour_report::render::{OtlpEncoding, rejected_points, session_otlp};

/// The shortest and the longest interval; what lies beyond is rounded.
const INTERVALS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_hours(1));
const DEFAULT_INTERVAL: Duration = Duration::from_mins(1);
/// The longest that a request may take.
const MAX_TIMEOUT: Duration = Duration::from_mins(1);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of an answer is read.
const MAX_ANSWER: usize = 4 * 1024;
/// How much of it is shown, in bytes.
const MAX_QUOTED: usize = 200;
/// The most headers, and the most attributes of the resource.
const MAX_PAIRS: usize = 64;

/// Why metrics are not pushed.
#[derive(Debug, thiserror::Error)]
enum OtlpError {
    /// What the environment says cannot be used.
    #[error("{variable} {problem}")]
    Setting {
        /// The variable.
        variable: &'static str,
        /// What is wrong with it, and what to write instead.
        problem: &'static str,
    },
    /// No client can be made, or nothing can be sent.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The collector does not want them.
    #[error("it answered with {status}: {answer}")]
    Refused {
        /// The status.
        status: u16,
        /// The beginning of the answer.
        answer: ForeignText,
    },
    /// The collector takes some of them only.
    #[error("it rejected {points} of the data points: {why}")]
    Rejected {
        /// How many it does not take.
        points: u64,
        /// What it says of them.
        why: ForeignText,
    },
}

/// What the environment says of pushing metrics.
#[derive(Debug)]
struct OtlpSettings {
    url: Url,
    encoding: OtlpEncoding,
    headers: HeaderMap,
    every: Duration,
    timeout: Duration,
    /// Attributes of the resource.
    attributes: Vec<(String, String)>,
}

/// Where metrics are pushed to, if the environment names a collector. One that cannot be used is told of, and the session
/// goes on without it.
pub(crate) fn push_of_environment() -> Option<Box<dyn MetricsPush>> {
    // A variable that is empty counts as unset.
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let pushed =
        OtlpSettings::read(&variable).and_then(|settings| settings.map(OtlpPush::new).transpose());
    match pushed {
        Ok(pushed) => {
            let pushed = pushed?;
            let (host, every) = (&pushed.host, pushed.settings.every.as_secs());
            print::stderr(&format!("Metrics are pushed to {host} by OTLP, every {every} s."));
            Some(Box::new(pushed))
        }
        Err(error) => {
            print::stderr(&format!("No metrics are pushed by OTLP: {}", in_one_line(error)));
            None
        }
    }
}

fn in_one_line(error: OtlpError) -> String {
    CliError::from_usage(error).one_line()
}

impl OtlpSettings {
    /// Reads the environment; `None` where it names no collector, or switches metrics off.
    fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, OtlpError> {
        let is = |name: &str, value: &str| {
            variable(name).is_some_and(|found| found.trim().eq_ignore_ascii_case(value))
        };
        if is("OTEL_SDK_DISABLED", "true") || is("OTEL_METRICS_EXPORTER", "none") {
            return Ok(None);
        }
        let Some(url) = endpoint(variable)? else { return Ok(None) };
        let headers = match headers(variable)? {
            Some((variable, headers)) if !headers.is_empty() && !is_private(url.as_str()) => {
                let problem = "are not sent in clear over other networks: write an endpoint that begins with https://";
                return Err(OtlpError::Setting { variable, problem });
            }
            found => found.map(|(_, headers)| headers).unwrap_or_default(),
        };
        let interval = milliseconds(variable("OTEL_METRIC_EXPORT_INTERVAL"));
        let timeouts = ["OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];
        let timeout = milliseconds(first_set(timeouts, variable).map(|(_, text)| text));
        Ok(Some(Self {
            url,
            encoding: encoding(variable)?,
            headers,
            every: interval.unwrap_or(DEFAULT_INTERVAL).clamp(INTERVALS.0, INTERVALS.1),
            timeout: match timeout {
                // No limit.
                Some(timeout) if timeout.is_zero() => MAX_TIMEOUT,
                timeout => timeout.unwrap_or(DEFAULT_TIMEOUT).min(MAX_TIMEOUT),
            },
            attributes: resource(variable),
        }))
    }
}

/// The first of two variables that is set, with its value: that for metrics alone comes before that for all signals.
fn first_set(
    names: [&'static str; 2],
    variable: &dyn Fn(&str) -> Option<String>,
) -> Option<(&'static str, String)> {
    names.into_iter().find_map(|name| Some((name, variable(name)?)))
}

/// The address for metrics: one of their own as it is, or that for all signals with their path.
fn endpoint(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Url>, OtlpError> {
    let names = ["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
    let Some((variable, text)) = first_set(names, variable) else { return Ok(None) };
    let invalid = |problem| OtlpError::Setting { variable, problem };
    let no_url = || invalid("is not a URL that begins with http:// or https://");
    let mut url = Url::parse(text.trim()).map_err(|_| no_url())?;
    known_secrets::remember_address(url.as_str());
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(no_url());
    }
    if variable == names[1] {
        // Before a query, if there is one.
        let path = format!("{}/v1/metrics", url.path().trim_end_matches('/'));
        url.set_path(&path);
        known_secrets::remember_address(url.as_str());
    }
    let may_hold_secrets =
        !url.username().is_empty() || url.password().is_some() || url.query().is_some();
    if may_hold_secrets && !is_private(url.as_str()) {
        return Err(invalid(
            "has a user name, a password or a query, which are not sent in clear over other networks: write one that begins with https://",
        ));
    }
    Ok(Some(url))
}

fn encoding(variable: &dyn Fn(&str) -> Option<String>) -> Result<OtlpEncoding, OtlpError> {
    let names = ["OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
    let Some((variable, protocol)) = first_set(names, variable) else {
        return Ok(OtlpEncoding::Protobuf);
    };
    match protocol.trim() {
        "http/protobuf" => Ok(OtlpEncoding::Protobuf),
        "http/json" => Ok(OtlpEncoding::Json),
        _ => Err(OtlpError::Setting {
            variable,
            problem: "is neither http/protobuf nor http/json, which usually go to port 4318",
        }),
    }
}

fn milliseconds(text: Option<String>) -> Option<Duration> {
    text?.trim().parse().ok().map(Duration::from_millis)
}

/// Pairs as W3C Baggage has them: `name=value,other=value`, values with percent signs decoded.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| {
        let (name, value) = pair.split_once('=')?;
        // This is no form, in which both would mean something else.
        let value = value.trim().replace('+', "%2B").replace('&', "%26");
        let value =
            url::form_urlencoded::parse(format!("v={value}").as_bytes()).next()?.1.into_owned();
        Some((name.trim().to_owned(), value))
    });
    pairs.take(MAX_PAIRS).collect()
}

/// Headers of every request, and the variable that has them.
fn headers(
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<(&'static str, HeaderMap)>, OtlpError> {
    let Some((variable, text)) = first_set(OTLP_HEADERS, variable) else { return Ok(None) };
    let headers = pairs(&text).and_then(|pairs| {
        let headers = pairs.iter().map(|(name, value)| {
            if is_secret_header(name, value) {
                known_secrets::remember(&Secret::new(value.as_str()));
            }
            let name: HeaderName = name.parse().ok()?;
            let mut value = HeaderValue::from_str(value).ok()?;
            value.set_sensitive(true);
            Some((name, value))
        });
        headers.collect::<Option<HeaderMap>>()
    });
    let problem = "is not of the form `name=value,other=value`";
    let headers = headers.ok_or(OtlpError::Setting { variable, problem })?;
    Ok(Some((variable, headers)))
}

/// Attributes of the resource, its name among them.
fn resource(variable: &dyn Fn(&str) -> Option<String>) -> Vec<(String, String)> {
    let given = variable("OTEL_RESOURCE_ATTRIBUTES").and_then(|text| pairs(&text));
    let mut attributes = given.unwrap_or_default();
    let name = variable("OTEL_SERVICE_NAME").map(|name| name.trim().to_owned());
    let of_attributes = attributes.iter().find(|(key, _)| key == "service.name");
    let name = name.or_else(|| of_attributes.map(|(_, name)| name.clone()));
    attributes.retain(|(key, _)| key != "service.name");
    attributes.push(("service.name".to_owned(), name.unwrap_or_else(|| "rushhour".to_owned())));
    if !attributes.iter().any(|(key, _)| key == "service.version") {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        attributes.push(("service.version".to_owned(), version));
    }
    attributes
}

/// A collector that takes metrics.
#[derive(Debug)]
struct OtlpPush {
    settings: OtlpSettings,
    client: HttpClient,
    /// The collector's host, which may be shown.
    host: String,
    /// Whether it was said that they do not arrive.
    is_told: Arc<AtomicBool>,
}

impl OtlpPush {
    fn new(settings: OtlpSettings) -> Result<Self, OtlpError> {
        let trust = TrustStore::system().map_err(TransportError::from)?;
        let client = HttpClient::for_service(settings.url.as_str(), &trust, settings.timeout)?;
        let host = settings.url[Position::BeforeHost..Position::AfterPort].to_owned();
        Ok(Self { settings, client, host, is_told: Arc::default() })
    }
}

impl MetricsPush for OtlpPush {
    fn every(&self) -> Duration {
        self.settings.every
    }

    fn encode(&self, fold: &LiveFold, forecast: Option<u64>) -> Option<Vec<u8>> {
        #[expect(clippy::disallowed_methods, reason = "samples have the time of the wall clock")]
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        session_otlp(fold, forecast, &self.settings.attributes, now, self.settings.encoding)
    }

    fn send(&self, body: Vec<u8>, within: Option<Duration>) -> PushInProgress {
        let (client, is_told, host) =
            (self.client.clone(), self.is_told.clone(), self.host.clone());
        let encoding = self.settings.encoding;
        let content_type = match encoding {
            OtlpEncoding::Protobuf => "application/x-protobuf",
            OtlpEncoding::Json => "application/json",
        };
        let request = client
            .post(self.settings.url.as_str())
            .headers(self.settings.headers.clone())
            .header("content-type", content_type)
            .timeout(
                within.map_or(self.settings.timeout, |within| within.min(self.settings.timeout)),
            )
            .body(body);
        Box::pin(async move {
            let sent = client.send(request, MAX_ANSWER).await.map_err(OtlpError::from);
            let sent = sent.and_then(|response| {
                if !response.is_success() {
                    let answer = String::from_utf8_lossy(&response.body);
                    let answer = ForeignText::at_most(&answer, MAX_QUOTED);
                    return Err(OtlpError::Refused { status: response.status, answer });
                }
                match rejected_points(&response.body, encoding) {
                    Some((points, why)) => {
                        let why = ForeignText::at_most(&why, MAX_QUOTED);
                        Err(OtlpError::Rejected { points, why })
                    }
                    None => Ok(()),
                }
            });
            match sent {
                Ok(()) => debug!("pushed metrics"),
                Err(error) if is_told.swap(true, Ordering::Relaxed) => {
                    info!(error = in_one_line(error), "metrics were not pushed");
                }
                Err(error) => print::stderr(&format!(
                    "{host} did not take metrics: {}. Nothing else changes, and later failures are only logged.",
                    in_one_line(error)
                )),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<OtlpSettings>, OtlpError> {
        OtlpSettings::read(&|name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn nothing_is_pushed_unless_the_environment_names_a_collector() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        for variables in [
            &[][..],
            &[("OTEL_SERVICE_NAME", "a")],
            &[endpoint, ("OTEL_SDK_DISABLED", "true")],
            &[endpoint, ("OTEL_METRICS_EXPORTER", "none")],
        ] {
            assert!(read(variables).unwrap().is_none(), "{variables:?}");
        }
        let settings = read(&[endpoint]).unwrap().unwrap();
        assert_eq!(settings.url.as_str(), "http://127.0.0.1:4318/v1/metrics");
        assert_eq!(settings.every, Duration::from_mins(1));
        assert_eq!(settings.encoding, OtlpEncoding::Protobuf);
        assert_eq!(settings.attributes[0], ("service.name".to_owned(), "rushhour".to_owned()));
    }

    #[test]
    fn the_environment_says_how_they_are_pushed() {
        let settings = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://all.example/"),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "https://metrics.example/own"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Basic%20a+b%3D, x-scope-orgid=7&8"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "5"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "no number"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=stage,service.name=other"),
            ("OTEL_SERVICE_NAME", "load"),
        ]);
        let settings = settings.unwrap().unwrap();
        assert_eq!(settings.url.as_str(), "https://metrics.example/own");
        assert_eq!(settings.encoding, OtlpEncoding::Json);
        assert_eq!(settings.headers["authorization"], "Basic a+b=");
        assert_eq!(settings.headers["x-scope-orgid"], "7&8");
        assert_eq!((settings.every, settings.timeout), (INTERVALS.0, DEFAULT_TIMEOUT));
        let named: Vec<&str> = settings.attributes.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(named, ["deployment.environment", "service.name", "service.version"]);
        assert_eq!(settings.attributes[1].1, "load");
        assert!(!format!("{settings:?}").contains("Basic"), "{settings:?}");
        let settings = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://all.example/otlp/?x=1/"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
        ]);
        let settings = settings.unwrap().unwrap();
        assert_eq!(settings.url.as_str(), "https://all.example/otlp/v1/metrics?x=1/");
        assert_eq!(settings.timeout, MAX_TIMEOUT);
    }

    #[test]
    fn what_cannot_be_used_is_told_without_showing_it() {
        const ALL: &str = "OTEL_EXPORTER_OTLP_HEADERS";
        const OF_METRICS: &str = "OTEL_EXPORTER_OTLP_METRICS_HEADERS";
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        let far = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example");
        for (variables, variable) in [
            (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318 hunter2")][..], endpoint.0),
            (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://hunter2")], endpoint.0),
            (&[endpoint, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], "OTEL_EXPORTER_OTLP_PROTOCOL"),
            (&[endpoint, (ALL, "hunter2")], ALL),
            (&[endpoint, (ALL, "a b=hunter2")], ALL),
            (&[endpoint, (ALL, "a=b"), (OF_METRICS, "hunter2")], OF_METRICS),
            // In clear over the internet.
            (&[far, (ALL, "api-key=hunter2")], ALL),
            (&[far, (OF_METRICS, "api-key=hunter2")], OF_METRICS),
            (&[far, (ALL, "a=b"), (OF_METRICS, "api-key=hunter2")], OF_METRICS),
            (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:hunter2@collector.example")], endpoint.0),
            (
                &[(
                    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
                    "http://collector.example/?api-key=hunter2",
                )],
                "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
            ),
        ] {
            let error = read(variables).unwrap_err().to_string();
            let says = error.split(' ').next();
            assert!(says == Some(variable) && !error.contains("hunter2"), "{error}");
        }
    }
}
