//! Whether a room may be deleted: only one of ours, and only of a session that is proven dead or long past its end.

use std::collections::HashSet;

use rushhour_core::units::{Micros, RoomName, SessionId};
use rushhour_livekit::{RoomInfo, parse_room_owner};

/// A room counts as left behind this long after its planned end: clocks disagree, and retries take time.
const GRACE: Micros = Micros::from_secs(30 * 60);

/// What this machine knows of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SessionLiveness {
    /// A process holds its journal.
    Running,
    /// Its journal is here and no process holds it: the rooms that it names are nobody's any more.
    Over(HashSet<RoomName>),
    /// Its journal is not here, or cannot be read or locked.
    Nothing,
}

/// What is to become of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SweepVerdict {
    /// Its session is over.
    Over,
    /// Its session is not known here; the room is this far past the end that was planned for it.
    PastItsEnd(Micros),
    /// Its session is running on this machine.
    Running,
    /// Its session may be running elsewhere: this much is left until nobody can want it any more.
    MayBeWanted(Micros),
    /// Its session may be running elsewhere, and the server does not say when the room was made.
    AgeUnknown,
}

impl SweepVerdict {
    /// Whether the room is deleted.
    pub(crate) const fn is_dead(self) -> bool {
        matches!(self, Self::Over | Self::PastItsEnd(_))
    }
}

/// A room of a session, and what is to become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoomDecision {
    pub(crate) sight: RoomInfo,
    pub(crate) session: SessionId,
    /// How long it has been there, where the server says so.
    pub(crate) age: Option<Micros>,
    pub(crate) verdict: SweepVerdict,
}

/// Judges a room at `now_ms` on the server's clock. None where it carries no mark of a session: it is
/// somebody else's, whatever it is called.
pub(crate) fn judge(
    sight: RoomInfo,
    known: impl FnOnce(&SessionId) -> SessionLiveness,
    now_ms: i64,
) -> Option<RoomDecision> {
    let session = parse_room_owner(&sight.metadata)?.session;
    let age = sight.created_at_ms.map(|made| {
        Micros::from_millis(u64::try_from(now_ms.saturating_sub(made)).unwrap_or_default())
    });
    let verdict = match known(&session) {
        SessionLiveness::Running => SweepVerdict::Running,
        SessionLiveness::Over(rooms) if rooms.contains(&sight.room) => SweepVerdict::Over,
        // Another machine may have begun a session of the same name in the same second.
        SessionLiveness::Over(_) | SessionLiveness::Nothing => by_age(age, sight.empty_timeout),
    };
    Some(RoomDecision { sight, session, age, verdict })
}

/// A session asks for its rooms to stay as long as a run may take from its making to its end, waiting
/// included: that long after its making, its run is over, in whatever way.
fn by_age(age: Option<Micros>, lifetime: Micros) -> SweepVerdict {
    let Some(age) = age else { return SweepVerdict::AgeUnknown };
    let wanted = lifetime + GRACE;
    if age > wanted {
        SweepVerdict::PastItsEnd(age.saturating_sub(lifetime))
    } else {
        SweepVerdict::MayBeWanted(wanted.saturating_sub(age))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_core::units::RunIndex;
    use rushhour_livekit::room_metadata;

    const MADE: i64 = 1_784_000_000_000;

    fn room(name: &str, metadata: &str) -> RoomInfo {
        RoomInfo {
            room: RoomName::new(name),
            metadata: metadata.to_owned(),
            created_at_ms: Some(MADE),
            empty_timeout: Micros::from_secs(600),
            participants: 2,
        }
    }

    fn ours() -> RoomInfo {
        room("rushhour-1", &room_metadata(&SessionId::new("a"), RunIndex(1)))
    }

    fn over(names: &[&str]) -> SessionLiveness {
        SessionLiveness::Over(names.iter().map(|name| RoomName::new(*name)).collect())
    }

    fn verdict(known: SessionLiveness, age_s: i64) -> SweepVerdict {
        judge(ours(), |_| known, MADE + age_s * 1_000).unwrap().verdict
    }

    #[test]
    fn a_room_without_our_mark_is_nobody_we_know() {
        let years = MADE + 100_000_000_000;
        for metadata in ["", "{}", "{\"session\":\"a\"}", "rushhour"] {
            let judged = judge(room("rushhour-1", metadata), |_| over(&["rushhour-1"]), years);
            assert_eq!(judged, None, "{metadata}");
        }
    }

    #[test]
    fn a_living_sessions_room_stays_whatever_its_age() {
        assert_eq!(verdict(SessionLiveness::Running, 1_000_000), SweepVerdict::Running);
        assert!(!verdict(SessionLiveness::Running, 1_000_000).is_dead());
    }

    #[test]
    fn a_journal_that_nobody_holds_proves_the_end_of_the_rooms_that_it_names() {
        assert_eq!(verdict(over(&["rushhour-1"]), 1), SweepVerdict::Over);
        // A session of the same name elsewhere: its rooms are called otherwise.
        assert!(!verdict(over(&["rushhour-2"]), 1).is_dead());
    }

    #[test]
    fn without_a_journal_only_age_beyond_the_planned_end_counts() {
        let end = 600 + 30 * 60;
        assert_eq!(
            verdict(SessionLiveness::Nothing, end),
            SweepVerdict::MayBeWanted(Micros::ZERO),
            "to the second"
        );
        assert_eq!(
            verdict(SessionLiveness::Nothing, end + 1),
            SweepVerdict::PastItsEnd(Micros::from_secs(30 * 60 + 1))
        );
        assert_eq!(
            verdict(SessionLiveness::Nothing, -50),
            SweepVerdict::MayBeWanted(Micros::from_secs(2_400))
        );
        let ageless = RoomInfo { created_at_ms: None, ..ours() };
        let judged = judge(ageless, |_| SessionLiveness::Nothing, i64::MAX).unwrap();
        assert_eq!((judged.verdict, judged.age), (SweepVerdict::AgeUnknown, None));
        assert!(!judged.verdict.is_dead());
    }
}
