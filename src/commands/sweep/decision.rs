//! Whether a room may be deleted: only one of ours, and only of a session that is known to be dead or long past its end.

use std::collections::HashSet;

use rushhour_core::units::{Micros, RoomName, SessionId};
use rushhour_livekit::{RoomInfo, parse_room_owner};

/// How long after its planned end a room counts as left behind: clocks differ, and retries take time.
const GRACE: Micros = Micros::from_secs(30 * 60);

/// What this machine knows of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SessionLiveness {
    /// A process holds its journal.
    Running,
    /// Its journal is here and no process holds it, so nobody uses the rooms that it names.
    Ended(HashSet<RoomName>),
    /// Its journal is not here, or cannot be read or locked.
    Unknown,
}

/// What happens to a room, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SweepVerdict {
    /// Deleted: its session has ended.
    SessionEnded,
    /// Deleted: its session is not known here, and the room is this far past its planned end.
    PastItsEnd(Micros),
    /// Kept: its session is running on this machine.
    SessionRunning,
    /// Kept: its session may be running elsewhere, for this much longer at most.
    MayBeInUse(Micros),
    /// Kept: its session may be running elsewhere, and the server does not say when the room was created.
    AgeUnknown,
}

impl SweepVerdict {
    /// Whether the room is to be deleted.
    pub(crate) const fn is_dead(self) -> bool {
        matches!(self, Self::SessionEnded | Self::PastItsEnd(_))
    }
}

/// A room of a session, and what happens to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoomDecision {
    pub(crate) room: RoomInfo,
    pub(crate) session: SessionId,
    /// How long ago it was created, where the server says so.
    pub(crate) age: Option<Micros>,
    pub(crate) verdict: SweepVerdict,
}

/// Decides about a room at `now_ms` on the server's clock. None where its metadata names no session: it is somebody
/// else's, whatever its name.
pub(crate) fn decide(
    room: RoomInfo,
    liveness: impl FnOnce(&SessionId) -> SessionLiveness,
    now_ms: i64,
) -> Option<RoomDecision> {
    let session = parse_room_owner(&room.metadata)?.session;
    let age = room.created_at_ms.map(|made| {
        Micros::from_millis(u64::try_from(now_ms.saturating_sub(made)).unwrap_or_default())
    });
    let verdict = match liveness(&session) {
        SessionLiveness::Running => SweepVerdict::SessionRunning,
        SessionLiveness::Ended(rooms) if rooms.contains(&room.room) => SweepVerdict::SessionEnded,
        // Another machine may have begun a session of the same name in the same second.
        SessionLiveness::Ended(_) | SessionLiveness::Unknown => by_age(age, room.empty_timeout),
    };
    Some(RoomDecision { room, session, age, verdict })
}

/// Decides by age alone. A session sets the empty timeout of its rooms to the longest that a run may take from the
/// creation of its room to its end, waiting included: after that, the run has ended, whatever happened.
fn by_age(age: Option<Micros>, empty_timeout: Micros) -> SweepVerdict {
    let Some(age) = age else { return SweepVerdict::AgeUnknown };
    let limit = empty_timeout + GRACE;
    if age > limit {
        SweepVerdict::PastItsEnd(age.saturating_sub(empty_timeout))
    } else {
        SweepVerdict::MayBeInUse(limit.saturating_sub(age))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_core::units::RunIndex;
    use rushhour_livekit::room_metadata;

    const CREATED: i64 = 1_784_000_000_000;

    fn room(metadata: &str) -> RoomInfo {
        RoomInfo {
            room: RoomName::new("rushhour-1"),
            metadata: metadata.to_owned(),
            created_at_ms: Some(CREATED),
            empty_timeout: Micros::from_secs(600),
            participants: 2,
        }
    }

    fn ours() -> RoomInfo {
        room(&room_metadata(&SessionId::new("a"), RunIndex(1)))
    }

    fn ended(rooms: &[&str]) -> SessionLiveness {
        SessionLiveness::Ended(rooms.iter().map(|name| RoomName::new(*name)).collect())
    }

    fn verdict(liveness: SessionLiveness, age_s: i64) -> SweepVerdict {
        decide(ours(), |_| liveness, CREATED + age_s * 1_000).unwrap().verdict
    }

    #[test]
    fn a_room_that_names_no_session_is_somebody_elses() {
        let years_later = CREATED + 100_000_000_000;
        for metadata in ["", "{}", "{\"session\":\"a\"}", "rushhour"] {
            let decision = decide(room(metadata), |_| ended(&["rushhour-1"]), years_later);
            assert_eq!(decision, None, "{metadata}");
        }
    }

    #[test]
    fn the_room_of_a_running_session_is_kept_whatever_its_age() {
        assert_eq!(verdict(SessionLiveness::Running, 1_000_000), SweepVerdict::SessionRunning);
        assert!(!verdict(SessionLiveness::Running, 1_000_000).is_dead());
    }

    #[test]
    fn a_journal_that_no_process_holds_proves_the_end_of_the_rooms_that_it_names() {
        assert_eq!(verdict(ended(&["rushhour-1"]), 1), SweepVerdict::SessionEnded);
        // A session of the same name on another machine: its rooms have other names.
        assert!(!verdict(ended(&["rushhour-2"]), 1).is_dead());
    }

    #[test]
    fn without_a_journal_only_an_age_beyond_the_planned_end_counts() {
        let end = 600 + 30 * 60;
        assert_eq!(
            verdict(SessionLiveness::Unknown, end),
            SweepVerdict::MayBeInUse(Micros::ZERO),
            "to the second"
        );
        assert_eq!(
            verdict(SessionLiveness::Unknown, end + 1),
            SweepVerdict::PastItsEnd(Micros::from_secs(30 * 60 + 1))
        );
        assert_eq!(
            verdict(SessionLiveness::Unknown, -50),
            SweepVerdict::MayBeInUse(Micros::from_secs(2_400))
        );
        let ageless = RoomInfo { created_at_ms: None, ..ours() };
        let decision = decide(ageless, |_| SessionLiveness::Unknown, i64::MAX).unwrap();
        assert_eq!((decision.verdict, decision.age), (SweepVerdict::AgeUnknown, None));
        assert!(!decision.verdict.is_dead());
    }
}
