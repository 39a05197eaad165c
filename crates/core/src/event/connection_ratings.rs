//! How LiveKit rated the connection of a participant: its own measure, from loss, jitter and round-trip time.

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::units::{Micros, SessionTime};

/// LiveKit's rating of a connection, from the worst to the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionRating {
    /// Nothing comes any more.
    Lost,
    /// Listeners notice it.
    Poor,
    /// Some loss or delay.
    Good,
    /// Nothing to notice.
    Excellent,
}

/// How LiveKit rated a connection in the course of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionRatings {
    /// The worst rating.
    pub worst: ConnectionRating,
    /// For how long there was a rating.
    pub rated: Micros,
    /// For how much of it the rating was poor or lost.
    #[serde(default, skip_serializing_if = "is_default")]
    pub below_good: Micros,
}

/// The ratings of a connection so far. LiveKit tells a rating when it changes, so each holds until the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConnectionHistory {
    past: Option<ConnectionRatings>,
    current: Option<(ConnectionRating, SessionTime)>,
}

impl ConnectionHistory {
    /// The rating from `at` on.
    pub fn note(&mut self, rating: ConnectionRating, at: SessionTime) {
        self.past = self.until(at);
        self.current = Some((rating, at));
    }

    /// Nobody is rated from `at` on, until the next rating.
    pub fn pause(&mut self, at: SessionTime) {
        self.past = self.until(at);
        self.current = None;
    }

    /// The ratings until `end`; `None` where there was none.
    pub fn until(&self, end: SessionTime) -> Option<ConnectionRatings> {
        let Some((rating, since)) = self.current else { return self.past };
        let lasted = end.since(since);
        let below_good = if rating < ConnectionRating::Good { lasted } else { Micros::ZERO };
        let now = ConnectionRatings { worst: rating, rated: lasted, below_good };
        Some(match self.past {
            None => now,
            Some(past) => ConnectionRatings {
                worst: past.worst.min(rating),
                rated: past.rated + lasted,
                below_good: past.below_good + below_good,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rating_holds_until_the_next() {
        let second = |second: u64| SessionTime(second * 1_000_000);
        let mut history = ConnectionHistory::default();
        assert_eq!(history.until(second(9)), None);
        for (rating, at) in [
            (ConnectionRating::Excellent, 5),
            (ConnectionRating::Poor, 10),
            (ConnectionRating::Good, 13),
            (ConnectionRating::Lost, 20),
        ] {
            history.note(rating, second(at));
        }
        history.pause(second(21));
        let ratings = history.until(second(40)).unwrap();
        assert_eq!(ratings.worst, ConnectionRating::Lost);
        assert_eq!(
            (ratings.rated, ratings.below_good),
            (Micros::from_secs(16), Micros::from_secs(4))
        );
    }

    #[test]
    fn a_connection_that_was_never_poor_writes_only_what_it_was_at_worst() {
        let ratings = ConnectionRatings {
            worst: ConnectionRating::Good,
            rated: Micros(7),
            below_good: Micros::ZERO,
        };
        let text = serde_json::to_string(&ratings).unwrap();
        assert_eq!(text, r#"{"worst":"good","rated":7}"#);
        assert_eq!(serde_json::from_str::<ConnectionRatings>(&text).unwrap(), ratings);
    }
}
