//! HTTP requests and responses without sockets: what was received, and what to send, when and how completely.

use rushhour_core::units::{Micros, SessionTime};

const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// A request whose body has been read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SandboxRequest<'a> {
    /// In capitals.
    pub(crate) method: &'a str,
    /// Still percent-encoded.
    pub(crate) path: &'a str,
    /// Without the question mark, still percent-encoded.
    pub(crate) query: &'a str,
    pub(crate) authorization: Option<&'a str>,
    /// The `X-CEKURA-API-KEY` header.
    pub(crate) cekura_key: Option<&'a str>,
    /// Empty if the request has no `Content-Type`.
    pub(crate) content_type: &'a str,
    pub(crate) body: &'a [u8],
}

impl SandboxRequest<'_> {
    /// The first query parameter of this name, decoded.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = url::form_urlencoded::parse(self.query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

/// How much of a response the client receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Complete,
    /// Half of the body, although `Content-Length` announces all of it; then the connection closes.
    Truncated,
    /// The whole body, followed by this many spaces.
    Padded(usize),
    /// Nothing: the connection is reset.
    Reset,
    /// Nothing: the connection stays open and silent.
    Never,
}

/// A submission whose response has not been sent yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PendingSubmission {
    pub(crate) id: u64,
    /// The runs that it created.
    pub(crate) runs: Vec<u64>,
    pub(crate) received: SessionTime,
}

/// A response, and how to send it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SandboxResponse {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: Vec<u8>,
    pub(crate) delivery: Delivery,
    /// From the request to the response.
    pub(crate) delay: Micros,
    /// The submission that this responds to; the truth log records when it is sent.
    pub(crate) submission: Option<PendingSubmission>,
}

impl SandboxResponse {
    /// A complete response without delay.
    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            content_type,
            retry_after: None,
            body: body.into(),
            delivery: Delivery::Complete,
            delay: Micros::ZERO,
            submission: None,
        }
    }

    pub(crate) fn text(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, PLAIN_TEXT, body)
    }

    pub(crate) fn json(status: u16, body: &impl serde::Serialize) -> Self {
        let body =
            serde_json::to_vec(body).expect("our own types have text keys and finite numbers");
        Self::new(status, "application/json", body)
    }

    /// What a proxy sends when it cannot reach the service behind it.
    pub(crate) fn bad_gateway() -> Self {
        const PAGE: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
             <center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";
        Self::new(502, "text/html", PAGE)
    }

    pub(crate) fn with_delivery(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// The same, this much later.
    pub(crate) fn delayed_by(mut self, delay: Micros) -> Self {
        self.delay = self.delay + delay;
        self
    }

    /// The outcome that truth log and counts record: the status, `reset` or `silence`.
    pub(crate) fn outcome(&self) -> String {
        match self.delivery {
            Delivery::Complete | Delivery::Padded(_) => self.status.to_string(),
            Delivery::Truncated => format!("{} truncated", self.status),
            Delivery::Reset => "reset".to_owned(),
            Delivery::Never => "silence".to_owned(),
        }
    }
}

/// A wait in whole seconds, rounded up, for `Retry-After`.
pub(crate) fn retry_after_seconds(wait: Micros) -> String {
    wait.0.div_ceil(1_000_000).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let request = SandboxRequest {
            query: "a=1%2C2&run_ids=3,4&x=%zz+%41%&a=5",
            ..SandboxRequest::default()
        };
        assert_eq!(request.parameter("a").unwrap(), "1,2");
        assert_eq!(request.parameter("run_ids").unwrap(), "3,4");
        assert_eq!(request.parameter("x").unwrap(), "%zz A%");
        assert_eq!(request.parameter("b"), None);
    }
}
