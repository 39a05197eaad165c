//! An answer as it came: status, the headers that matter, and a body of bounded size.

use std::time::SystemTime;

use rushhour_core::units::Micros;

/// An answer to a request.
#[derive(Debug, Clone)]
pub struct HttpResponse {
    /// The HTTP status.
    pub status: u16,
    /// How long the service asks us to wait, where it does.
    pub retry_after: Option<Micros>,
    /// The other side's wall clock, to the second, where it tells.
    pub date: Option<SystemTime>,
    /// The body, at most as long as the caller allowed.
    pub body: Vec<u8>,
    /// Whether the body was longer than allowed and is cut.
    pub cut: bool,
}

impl HttpResponse {
    /// Whether the status is one of success.
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// Whether the body looks like a page for people rather than an answer for programs.
    pub fn is_page(&self) -> bool {
        let start: Vec<u8> =
            self.body.iter().copied().skip_while(u8::is_ascii_whitespace).take(9).collect();
        let start = String::from_utf8_lossy(&start).to_ascii_lowercase();
        start.starts_with("<!doctype") || start.starts_with("<html")
    }
}

/// Reads a `Retry-After` header in either form, seconds or a date (RFC 9110, section 10.2.3). A date
/// counts from the answer's own `Date`, so that a clock that disagrees with the service's does no harm.
pub(super) fn retry_after(
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
        let wait = |header, date| retry_after(Some(header), date, now);
        assert_eq!(wait("3", None), Some(Micros::from_secs(3)));
        assert_eq!(wait(" 0.5 ", None), Some(Micros::from_millis(500)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:40 GMT", None), Some(Micros::from_secs(3)));
        let theirs = Some("Sun, 06 Nov 1994 08:49:30 GMT");
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:40 GMT", theirs), Some(Micros::from_secs(10)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT", None), Some(Micros::ZERO));
        assert_eq!(wait("soon", None), None);
        assert_eq!(wait("-1", None), None);
        assert_eq!(retry_after(None, theirs, now), None);
    }

    #[test]
    fn a_page_is_told_from_an_answer() {
        let answer = |body: &str| HttpResponse {
            status: 502,
            retry_after: None,
            date: None,
            body: body.as_bytes().to_vec(),
            cut: false,
        };
        assert!(answer("\n <!DOCTYPE html><title>502</title>").is_page());
        assert!(answer("<HTML>").is_page());
        assert!(!answer("{\"detail\":\"<html>\"}").is_page());
        assert!(!answer("").is_page());
    }
}
