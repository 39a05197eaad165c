//! A service that says a text: OpenAI's `/audio/speech`, which many others have too.

use std::time::Duration;

use serde_json::json;

use super::synthesiser::SynthesisError;
use crate::bounded_file::MAX_CLIP;
use rushhour_core::units::{ForeignText, Secret};
use rushhour_livekit::http::{HttpClient, TrustStore};

/// What is quoted of an answer that is none, at most.
const MAX_QUOTED: usize = 300;

/// A service, and the key for it.
pub(super) struct SpeechService {
    pub(super) url: String,
    pub(super) model: String,
    pub(super) voice: String,
    pub(super) key: Option<Secret>,
    pub(super) trust: TrustStore,
}

impl SpeechService {
    /// Has the service say a text. Blocks the thread, which must not be one of a runtime.
    ///
    /// # Errors
    /// It does not answer, or not with audio.
    pub(super) fn say(&self, text: &str, within: Duration) -> Result<Vec<u8>, SynthesisError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(SynthesisError::NotStarted)?.block_on(self.request(text, within))
    }

    async fn request(&self, text: &str, within: Duration) -> Result<Vec<u8>, SynthesisError> {
        let client = HttpClient::for_service(&self.url, &self.trust, within)?;
        let body = json!({
            "model": self.model,
            "voice": self.voice,
            "input": text,
            "response_format": "wav",
        });
        let mut request = client.post(&self.url).json(&body);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose());
        }
        let limit = usize::try_from(MAX_CLIP).unwrap_or(usize::MAX);
        let response = client.send(request, limit).await?;
        if response.truncated {
            return Err(SynthesisError::TooMuch { limit: MAX_CLIP });
        }
        if !response.is_success() {
            let said = String::from_utf8_lossy(&response.body);
            let is_text = !said.trim().is_empty() && !response.is_html();
            let said = is_text.then(|| ForeignText::at_most(said.trim(), MAX_QUOTED));
            return Err(SynthesisError::Refused { status: response.status, said });
        }
        Ok(response.body)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Has a text said by a service that answers with `answer`; returns the request too.
    fn say(answer: &'static [u8]) -> (String, Result<Vec<u8>, SynthesisError>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1/audio/speech", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let (mut request, mut part) = (Vec::new(), [0; 4_096]);
            while !request.ends_with(b"}") {
                let length = socket.read(&mut part).unwrap();
                request.extend_from_slice(&part[..length]);
            }
            socket.write_all(answer).unwrap();
            String::from_utf8(request).unwrap()
        });
        let service = SpeechService {
            url,
            model: "m".to_owned(),
            voice: "v".to_owned(),
            key: Some(Secret::new("sk-1234567890")),
            trust: TrustStore::system().unwrap(),
        };
        let said = service.say("Good evening.", Duration::from_secs(20));
        (server.join().unwrap(), said)
    }

    #[test]
    fn a_service_gets_the_text_and_its_key() {
        let (request, said) = say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nRIFF");
        assert_eq!(said.unwrap(), b"RIFF");
        let request = request.to_lowercase();
        assert!(request.starts_with("post /v1/audio/speech"), "{request}");
        assert!(request.contains("authorization: bearer sk-1234567890"), "{request}");
        let body: serde_json::Value =
            serde_json::from_str(request.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        let expected =
            json!({"model": "m", "voice": "v", "input": "good evening.", "response_format": "wav"});
        assert_eq!(body, expected);
    }

    #[test]
    fn a_service_that_refuses_is_quoted() {
        let (_, said) = say(b"HTTP/1.1 404 Not Found\r\nContent-Length: 13\r\n\r\nno such voice");
        let error = said.unwrap_err().to_string();
        assert_eq!(error, "it answered 404: no such voice");
        let (_, said) = say(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\nRIFF");
        assert!(matches!(said, Err(SynthesisError::Transport(_))));
    }
}
