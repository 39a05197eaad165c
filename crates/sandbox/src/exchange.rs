//! Requests and answers apart from sockets: what came in, what goes out, when, and how whole.

use rushhour_core::units::{Micros, SessionTime};

/// A request, read to its end.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SandboxRequest<'a> {
    /// The HTTP method in capitals.
    pub(crate) method: &'a str,
    /// The path, undecoded.
    pub(crate) path: &'a str,
    /// What follows the question mark, undecoded.
    pub(crate) query: &'a str,
    /// The header `Authorization`.
    pub(crate) authorization: Option<&'a str>,
    /// The header `X-CEKURA-API-KEY`.
    pub(crate) cekura_key: Option<&'a str>,
    /// The header `Content-Type`; empty where there is none.
    pub(crate) content_type: &'a str,
    /// The body.
    pub(crate) body: &'a [u8],
}

impl SandboxRequest<'_> {
    /// A parameter of the query, decoded; the first where there are several.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        self.query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key) == name).then(|| decode(value))
        })
    }
}

/// Decodes a form-encoded text; what is not UTF-8 becomes the replacement character.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        let escaped = hex.and_then(|pair| u8::from_str_radix(pair, 16).ok());
        (bytes, rest) = match (first, escaped) {
            (b'%', Some(byte)) => ([bytes, vec![byte]].concat(), &tail[2..]),
            (b'+', _) => ([bytes, vec![b' ']].concat(), tail),
            (other, _) => ([bytes, vec![*other]].concat(), tail),
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// How whole an answer arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// All of it.
    Whole,
    /// Half of the body, though its length was announced; then the connection closes.
    Half,
    /// The whole body and this many spaces behind it.
    Padded(usize),
    /// None of it: the connection is reset.
    Reset,
    /// None of it: the connection stays open and silent.
    Never,
}

/// What is noted once a submission's answer is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// The submission's number.
    pub(crate) submission: u64,
    /// The runs that it made.
    pub(crate) runs: Vec<u64>,
    /// When it came in.
    pub(crate) received: SessionTime,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SandboxResponse {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The header `Content-Type`.
    pub(crate) content_type: &'static str,
    /// The header `Retry-After`.
    pub(crate) retry_after: Option<String>,
    /// The body.
    pub(crate) body: Vec<u8>,
    /// How whole it arrives.
    pub(crate) delivery: Delivery,
    /// How long after the request.
    pub(crate) after: Micros,
    /// What is noted once it is on its way.
    pub(crate) receipt: Option<Receipt>,
}

impl SandboxResponse {
    /// An answer at once, with a body of this type.
    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            content_type,
            retry_after: None,
            body: body.into(),
            delivery: Delivery::Whole,
            after: Micros::ZERO,
            receipt: None,
        }
    }

    /// An answer in JSON.
    pub(crate) fn json(status: u16, body: &impl serde::Serialize) -> Self {
        let body =
            serde_json::to_vec(body).expect("our own types have text keys and finite numbers");
        Self::new(status, "application/json", body)
    }

    /// What a proxy says when it cannot reach the service behind it.
    pub(crate) fn bad_gateway() -> Self {
        const PAGE: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
             <center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";
        Self::new(502, "text/html", PAGE)
    }

    /// The same, delivered so.
    pub(crate) fn delivered(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// The same, this much later.
    pub(crate) fn later(mut self, by: Micros) -> Self {
        self.after = self.after + by;
        self
    }

    /// How it went, in a word: the status, `reset` or `silence`.
    pub(crate) fn outcome(&self) -> String {
        match self.delivery {
            Delivery::Whole | Delivery::Padded(_) => self.status.to_string(),
            Delivery::Half => format!("{} truncated", self.status),
            Delivery::Reset => "reset".to_owned(),
            Delivery::Never => "silence".to_owned(),
        }
    }
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
