//! A response: status, the headers that matter, and a body of bounded size.

use std::time::SystemTime;

use rushhour_core::units::Micros;

/// A response to a request.
#[derive(Debug, Clone)]
pub struct HttpResponse {
    /// The HTTP status.
    pub status: u16,
    /// How long the server asks us to wait (`Retry-After`).
    pub retry_after: Option<Micros>,
    /// The server's wall clock, to the second (`Date`).
    pub date: Option<SystemTime>,
    /// The body, of at most the length that the caller allowed.
    pub body: Vec<u8>,
    /// Whether the body was longer than allowed, and the rest was dropped.
    pub truncated: bool,
}

impl HttpResponse {
    /// Whether the status is 200 to 299.
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// Whether the body is a web page, such as a proxy's, rather than an API's response.
    pub fn is_html(&self) -> bool {
        let start: Vec<u8> =
            self.body.iter().copied().skip_while(u8::is_ascii_whitespace).take(9).collect();
        let start = String::from_utf8_lossy(&start).to_ascii_lowercase();
        start.starts_with("<!doctype") || start.starts_with("<html")
    }
}

/// Reads a `Retry-After` header in either form, seconds or a date (RFC 9110, section 10.2.3). A date
/// counts from the response's own `Date`, so that it does not matter whether the clocks agree.
pub(super) fn parse_retry_after(
    header: Option<&str>,
    date: Option<&str>,
    now: SystemTime,
) -> Option<Micros> {
    let header = header?.trim();
    if let Ok(seconds) = header.parse::<f64>() {
        return (seconds.is_finite() && seconds >= 0.0).then(|| Micros::from_secs_f64(seconds));
    }
    let until = httpdate::parse_http_date(header).ok()?;
    let from = date.and_then(|date| httpdate::parse_http_date(date.trim()).ok()).unwrap_or(now);
    Some(until.duration_since(from).map_or(Micros::ZERO, Micros::from))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn both_forms_of_retry_after_are_read() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let wait = |header, date| parse_retry_after(Some(header), date, now);
        assert_eq!(wait("3", None), Some(Micros::from_secs(3)));
        assert_eq!(wait(" 0.5 ", None), Some(Micros::from_millis(500)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:40 GMT", None), Some(Micros::from_secs(3)));
        let server_date = Some("Sun, 06 Nov 1994 08:49:30 GMT");
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:40 GMT", server_date), Some(Micros::from_secs(10)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT", None), Some(Micros::ZERO));
        assert_eq!(wait("soon", None), None);
        assert_eq!(wait("-1", None), None);
        assert_eq!(parse_retry_after(None, server_date, now), None);
    }

    #[test]
    fn a_web_page_is_recognised() {
        let response = |body: &str| HttpResponse {
            status: 502,
            retry_after: None,
            date: None,
            body: body.as_bytes().to_vec(),
            truncated: false,
        };
        assert!(response("\n <!DOCTYPE html><title>502</title>").is_html());
        assert!(response("<HTML>").is_html());
        assert!(!response("{\"detail\":\"<html>\"}").is_html());
        assert!(!response("").is_html());
    }
}
