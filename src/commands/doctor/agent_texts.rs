//! What agents write, as our callers take it in: words on the topics of chat and of transcriptions, also those from before
//! their author was announced, and not what an agent understood of the caller.

use rushhour_callers::data::DataEvent;
use rushhour_core::units::{Identity, SessionTime};

/// The topic on which agents write what they say.
const TRANSCRIPTION_TOPIC: &str = "lk.transcription";
/// The topic of written messages.
pub(super) const CHAT_TOPIC: &str = "lk.chat";
/// The attribute that names the track whose words a text has.
const TRANSCRIBED_TRACK: &str = "lk.transcribed_track_id";
/// Streams and authors that are remembered, at most.
const MOST: usize = 64;

/// The texts of everybody, since who of them is an agent may become known later.
#[derive(Debug, Default)]
pub(super) struct AgentTexts {
    own_identity: Option<Identity>,
    own_tracks: Vec<String>,
    /// When the first turn was said, if it was.
    turn_at: Option<SessionTime>,
    streams: Vec<OpenStream>,
    authors: Vec<Author>,
}

#[derive(Debug)]
struct OpenStream {
    id: String,
    author: Identity,
    is_transcription: bool,
}

#[derive(Debug)]
struct Author {
    identity: Identity,
    first: SessionTime,
    /// The first text after the turn.
    first_answer: Option<SessionTime>,
    has_transcribed: bool,
}

impl AgentTexts {
    pub(super) fn set_own_identity(&mut self, identity: Identity) {
        self.own_identity = Some(identity);
    }

    pub(super) fn add_own_track(&mut self, sid: String) {
        self.own_tracks.push(sid);
    }

    /// The first turn was said: what comes now answers it.
    pub(super) const fn turn_said(&mut self, at: SessionTime) {
        self.turn_at = Some(at);
    }

    /// Takes in an event. Returns whose words it brought, if it brought any.
    pub(super) fn handle_data(&mut self, event: &DataEvent, at: SessionTime) -> Option<Identity> {
        match event {
            DataEvent::TextStreamOpened { stream_id, sender, topic, attributes } => {
                let of_track = attributes.get(TRANSCRIBED_TRACK);
                let is_text = topic == TRANSCRIPTION_TOPIC || topic == CHAT_TOPIC;
                if is_text
                    && self.streams.len() < MOST
                    && !of_track.is_some_and(|sid| self.own_tracks.contains(sid))
                {
                    let (id, author) = (stream_id.clone(), sender.clone());
                    let is_transcription = topic == TRANSCRIPTION_TOPIC;
                    self.streams.push(OpenStream { id, author, is_transcription });
                }
                None
            }
            DataEvent::TextChunk { stream_id, text } if !text.trim().is_empty() => {
                let stream = self.streams.iter().find(|stream| stream.id == *stream_id)?;
                let (author, is_transcription) = (stream.author.clone(), stream.is_transcription);
                Some(self.wrote(author, is_transcription, at))
            }
            DataEvent::TextStreamClosed { stream_id, .. }
            | DataEvent::TextIncomplete { stream_id } => {
                self.streams.retain(|stream| stream.id != *stream_id);
                None
            }
            DataEvent::TextReceived { sender, text } if !text.trim().is_empty() => {
                Some(self.wrote(sender.clone(), false, at))
            }
            DataEvent::SegmentTranscribed { sender, speaker, track_sid, text, .. }
                if !text.trim().is_empty()
                    && self.own_identity.as_ref() != Some(speaker)
                    && !self.own_tracks.contains(track_sid) =>
            {
                Some(self.wrote(sender.clone(), true, at))
            }
            _ => None,
        }
    }

    fn wrote(&mut self, identity: Identity, is_transcription: bool, at: SessionTime) -> Identity {
        let answers = self.turn_at.is_some_and(|turn_at| at > turn_at);
        let known = self.authors.iter_mut().find(|author| author.identity == identity);
        if let Some(author) = known {
            author.has_transcribed |= is_transcription;
            author.first_answer = author.first_answer.or(answers.then_some(at));
        } else if self.authors.len() < MOST {
            self.authors.push(Author {
                identity: identity.clone(),
                first: at,
                first_answer: answers.then_some(at),
                has_transcribed: is_transcription,
            });
        }
        identity
    }

    /// When an agent wrote first.
    pub(super) fn first(&self, is_agent: impl Fn(&Identity) -> bool) -> Option<SessionTime> {
        self.of(is_agent).map(|author| author.first).min()
    }

    /// When an agent wrote first after the turn.
    pub(super) fn first_answer(&self, is_agent: impl Fn(&Identity) -> bool) -> Option<SessionTime> {
        self.of(is_agent).filter_map(|author| author.first_answer).min()
    }

    /// Whether an agent wrote down what it said.
    pub(super) fn is_transcribed(&self, is_agent: impl Fn(&Identity) -> bool) -> bool {
        self.of(is_agent).any(|author| author.has_transcribed)
    }

    fn of(&self, is_agent: impl Fn(&Identity) -> bool) -> impl Iterator<Item = &Author> {
        self.authors.iter().filter(move |author| is_agent(&author.identity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_agent(identity: &Identity) -> bool {
        identity.as_str() == "agent"
    }

    /// Texts of the agent on a topic, whose header has these attributes.
    fn writes(texts: &mut AgentTexts, at: u64, topic: &str, track: Option<&str>, text: &str) {
        let stream_id = format!("s{at}");
        let attributes = track.map(|sid| (TRANSCRIBED_TRACK.to_owned(), sid.to_owned()));
        let opened = DataEvent::TextStreamOpened {
            stream_id: stream_id.clone(),
            sender: Identity::new("agent"),
            topic: topic.to_owned(),
            attributes: attributes.into_iter().collect(),
        };
        texts.handle_data(&opened, SessionTime(at));
        let chunk = DataEvent::TextChunk { stream_id, text: text.to_owned() };
        texts.handle_data(&chunk, SessionTime(at + 1));
    }

    #[test]
    fn only_words_on_the_topics_of_texts_are_a_greeting() {
        let mut texts = AgentTexts::default();
        writes(&mut texts, 1, "lk.custom", None, "{}");
        writes(&mut texts, 2, TRANSCRIPTION_TOPIC, None, " ");
        assert_eq!(texts.first(is_agent), None);
        writes(&mut texts, 5, CHAT_TOPIC, None, "Welcome.");
        assert_eq!(
            (texts.first(is_agent), texts.is_transcribed(is_agent)),
            (Some(SessionTime(6)), false)
        );
        writes(&mut texts, 8, TRANSCRIPTION_TOPIC, Some("TR_agent"), "Welcome.");
        assert!(texts.is_transcribed(is_agent));
    }

    #[test]
    fn a_text_from_before_its_author_was_announced_counts() {
        let mut texts = AgentTexts::default();
        writes(&mut texts, 1, CHAT_TOPIC, None, "Welcome.");
        assert_eq!(texts.first(|_| false), None, "nobody is announced");
        assert_eq!(texts.first(is_agent), Some(SessionTime(2)));
    }

    #[test]
    fn what_it_understood_of_the_caller_is_no_transcript_of_the_agent() {
        let mut texts = AgentTexts::default();
        texts.set_own_identity(Identity::new("doctor"));
        texts.add_own_track("TR_own".to_owned());
        writes(&mut texts, 1, TRANSCRIPTION_TOPIC, Some("TR_own"), "Hello.");
        let segment = |speaker: &str, text: &str| DataEvent::SegmentTranscribed {
            sender: Identity::new("agent"),
            speaker: Identity::new(speaker),
            track_sid: String::new(),
            segment: "SG_1".to_owned(),
            text: text.to_owned(),
            is_final: true,
        };
        texts.handle_data(&segment("doctor", "Hello."), SessionTime(3));
        assert!(!texts.is_transcribed(is_agent));
        texts.handle_data(&segment("agent", "Hi."), SessionTime(4));
        assert!(texts.is_transcribed(is_agent));
    }

    #[test]
    fn an_answer_comes_after_the_turn() {
        let mut texts = AgentTexts::default();
        writes(&mut texts, 1, CHAT_TOPIC, None, "Welcome.");
        texts.turn_said(SessionTime(10));
        assert_eq!(texts.first_answer(is_agent), None);
        writes(&mut texts, 20, CHAT_TOPIC, None, "Yes.");
        writes(&mut texts, 30, CHAT_TOPIC, None, "Indeed.");
        assert_eq!(texts.first_answer(is_agent), Some(SessionTime(21)));
    }
}
