//! Every message says which protocol it is of, so that one of another version, or of somebody else, is told as such.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{MAX_MESSAGE, PROTOCOL, VERSION};

#[derive(Serialize)]
struct Outgoing<'a, T> {
    rushhour: u32,
    version: &'a str,
    body: &'a T,
}

/// What is read of any message first.
#[derive(Deserialize)]
struct Head {
    rushhour: u32,
    version: String,
}

#[derive(Deserialize)]
struct Incoming<T> {
    body: T,
}

/// A message that is not one of this protocol's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForeignMessage {
    /// It is not of Rushhour at all.
    #[error("this is not a message of Rushhour")]
    NotOurs,
    /// It is of another version.
    #[error(
        "it is of Rushhour {version}, protocol {protocol}; this is {VERSION}, protocol {PROTOCOL}: run the same version everywhere"
    )]
    OtherVersion {
        /// The protocol.
        protocol: u32,
        /// The version.
        version: String,
    },
    /// It is larger than any message is.
    #[error("it has {0} bytes, and no message has more than {MAX_MESSAGE}")]
    TooLarge(usize),
}

/// A message as it is sent.
pub(crate) fn encode<T: Serialize>(body: &T) -> Bytes {
    let outgoing = Outgoing { rushhour: PROTOCOL, version: VERSION, body };
    let bytes = serde_json::to_vec(&outgoing);
    bytes.expect("messages are made of texts, numbers and lists, which JSON can hold").into()
}

/// Reads a message.
///
/// # Errors
/// It is not one of this protocol's.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ForeignMessage> {
    if bytes.len() > MAX_MESSAGE {
        return Err(ForeignMessage::TooLarge(bytes.len()));
    }
    let head: Head = serde_json::from_slice(bytes).map_err(|_| ForeignMessage::NotOurs)?;
    if head.rushhour != PROTOCOL || head.version != VERSION {
        // It may be anything: a version is a short text.
        let version = head.version.chars().filter(char::is_ascii_graphic).take(32).collect();
        return Err(ForeignMessage::OtherVersion { protocol: head.rushhour, version });
    }
    // The error of the parser may repeat a token.
    let incoming: Incoming<T> =
        serde_json::from_slice(bytes).map_err(|_| ForeignMessage::NotOurs)?;
    Ok(incoming.body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_sent() {
        assert_eq!(decode::<Vec<u32>>(&encode(&vec![1_u32, 2])), Ok(vec![1, 2]));
    }

    #[test]
    fn what_is_not_ours_is_told_as_such() {
        for text in ["", "hello", "{}", "[1]", "{\"rushhour\":1}", "null", "\u{0}"] {
            assert_eq!(decode::<u32>(text.as_bytes()), Err(ForeignMessage::NotOurs), "{text}");
        }
        let body = encode(&"text");
        assert_eq!(decode::<u32>(&body), Err(ForeignMessage::NotOurs));
        let other = "{\"rushhour\":9,\"version\":\"7.0\\u001b[31m\",\"body\":{}}";
        let error = decode::<u32>(other.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("Rushhour 7.0[31m, protocol 9"), "{error}");
        let large = vec![b'x'; MAX_MESSAGE + 1];
        assert_eq!(decode::<u32>(&large), Err(ForeignMessage::TooLarge(MAX_MESSAGE + 1)));
    }
}
