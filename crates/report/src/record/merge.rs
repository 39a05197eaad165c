//! Sessions of several machines as one: their events on one clock, their runs numbered one after another.

use rushhour_core::event::{AcceptedRun, Event, EventKind, SessionHeader};
use rushhour_core::profile::{Profile, SessionMode};
use rushhour_core::units::{Micros, PairId, RunIndex, SessionId, SessionTime};

/// What has to be known of a journal before it can be merged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JournalExtent {
    /// How it began.
    pub opening: Option<SessionHeader>,
    /// One more than the highest number of a run.
    pub runs: u64,
    /// One more than the highest number of a submission.
    pub requests: u64,
    /// Its last event.
    pub last: SessionTime,
    /// Whether it came to its end.
    pub closed: bool,
}

impl JournalExtent {
    /// Takes in an event.
    pub fn add(&mut self, event: &Event) {
        self.last = self.last.max(event.at);
        match &event.kind {
            EventKind::Opened(opening) => self.opening = Some((**opening).clone()),
            EventKind::RunStarted { run, .. } | EventKind::RunSkipped { run, .. } => {
                self.runs = self.runs.max(run.0 + 1);
            }
            EventKind::RestNotStarted { from, count } => {
                self.runs = self.runs.max(from.0.saturating_add(*count));
            }
            EventKind::SubmitIntent { request, .. }
            | EventKind::SubmitRetry { request, .. }
            | EventKind::Submitted { request, .. } => {
                self.requests = self.requests.max(request + 1);
            }
            EventKind::Closed => self.closed = true,
            _ => {}
        }
    }
}

/// Why sessions cannot be merged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// A journal without a session.
    #[error("session {0} has no beginning")]
    NotOpened(usize),
    /// The same session twice.
    #[error("{0} is given twice: its runs would count twice")]
    Twice(String),
    /// Their profiles differ.
    #[error(
        "the profiles of {one} and {other} differ in more than their seed: figures of different loads are not one figure; `--force` merges them all the same"
    )]
    Profiles {
        /// The first.
        one: String,
        /// The one that differs from it.
        other: String,
    },
    /// Their runs do not belong to the same parts.
    #[error(
        "{one} and {other} have other modes, stages or scenarios: their runs have no common names, and cannot be merged"
    )]
    Parts {
        /// The first.
        one: String,
        /// The one that differs from it.
        other: String,
    },
    /// A session's beginning has no time.
    #[error("{0} began at no time that can be read, so that its clock cannot be set beside others")]
    Anchor(String),
}

/// Where one session's events go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergePlacement {
    /// The session.
    pub session: SessionId,
    /// How much later it began than the first.
    pub later: Micros,
    /// The number that its first run gets.
    pub first_run: u64,
    /// The number that its first submission gets.
    pub first_request: u64,
}

/// How sessions become one.
#[derive(Debug, Clone, PartialEq)]
pub struct Merge {
    /// How the merged session began.
    pub opening: SessionHeader,
    /// Where each one's events go, in the order given.
    pub placements: Vec<MergePlacement>,
    /// The last event's time.
    pub last: SessionTime,
    /// Whether all came to their end.
    pub closed: bool,
    /// Whether several walked the same plan with the same seed, and therefore started in step.
    pub in_step: bool,
}

impl Merge {
    /// Sets sessions beside each other by their wall clocks. Those whose profiles differ in more than
    /// seed and name are refused unless `force`.
    ///
    /// # Errors
    /// Where they cannot be merged.
    pub fn of(
        extents: &[JournalExtent],
        session: SessionId,
        force: bool,
    ) -> Result<Self, MergeError> {
        let openings = extents
            .iter()
            .enumerate()
            .map(|(index, extent)| extent.opening.as_ref().ok_or(MergeError::NotOpened(index)))
            .collect::<Result<Vec<_>, _>>()?;
        let first = *openings.first().ok_or(MergeError::NotOpened(0))?;
        let mut begins = Vec::new();
        for (index, opening) in openings.iter().enumerate() {
            let name = || opening.session.as_str().to_owned();
            if openings[..index].iter().any(|other| is_same(opening, other)) {
                return Err(MergeError::Twice(name()));
            }
            let (one, other) = (first.session.as_str().to_owned(), name());
            if !has_same_parts(&first.profile, &opening.profile) {
                return Err(MergeError::Parts { one, other });
            }
            if !force && but_for_seed(&first.profile) != but_for_seed(&opening.profile) {
                return Err(MergeError::Profiles { one, other });
            }
            let anchor: jiff::Timestamp =
                opening.anchor.parse().map_err(|_| MergeError::Anchor(name()))?;
            begins.push(anchor.as_microsecond());
        }
        let earliest = begins.iter().copied().min().unwrap_or_default();
        let (mut first_run, mut first_request) = (0, 0);
        let mut placements = Vec::new();
        for ((extent, opening), begin) in extents.iter().zip(&openings).zip(&begins) {
            placements.push(MergePlacement {
                session: opening.session.clone(),
                later: Micros(begin.abs_diff(earliest)),
                first_run,
                first_request,
            });
            first_run += extent.runs;
            first_request += extent.requests;
        }
        let seeds: Vec<u64> = openings.iter().map(|opening| opening.profile.seed).collect();
        let in_step = (1..seeds.len()).any(|index| seeds[..index].contains(&seeds[index]));
        let leader = begins.iter().position(|begin| *begin == earliest).unwrap_or(0);
        let opening = SessionHeader {
            session,
            planned: openings.iter().map(|opening| opening.planned).sum(),
            // Each machine's share of its own cores is told: the fewest is the strictest.
            cores: openings.iter().map(|opening| opening.cores).min().unwrap_or(1),
            ..openings[leader].clone()
        };
        let ends = extents.iter().zip(&placements).map(|(extent, at)| extent.last + at.later);
        let last = ends.max().unwrap_or(SessionTime::START);
        let closed = extents.iter().all(|extent| extent.closed);
        Ok(Self { opening, placements, last, closed, in_step })
    }
}

fn is_same(one: &SessionHeader, other: &SessionHeader) -> bool {
    one.session == other.session && one.anchor == other.anchor
}

fn but_for_seed(profile: &Profile) -> Profile {
    Profile { seed: 0, name: String::new(), ..profile.clone() }
}

/// Whether stages and scenarios are the same at the same positions, and the mode is.
fn has_same_parts(one: &Profile, other: &Profile) -> bool {
    names(one) == names(other)
}

fn names(profile: &Profile) -> (SessionMode, Vec<(&str, bool)>, Vec<&str>) {
    let stages = profile.stages.iter().map(|stage| (stage.name.as_str(), stage.measured));
    let scenarios = profile.mix.scenarios().into_iter().map(|scenario| scenario.name.as_str());
    (profile.mode, stages.collect(), scenarios.collect())
}

impl MergePlacement {
    /// The event in the merged session; none for a beginning or an end, of which there is one for all, and for
    /// looks at a machine's own worker.
    pub fn place(&self, event: Event) -> Option<Event> {
        let happening = self.happening(event.kind)?;
        Some(Event { at: event.at + self.later, kind: happening })
    }

    /// A session has no more pairs than runs, so that those of another begin above them.
    fn pair(&self, pair: PairId) -> PairId {
        PairId(pair.0 + self.first_run)
    }

    fn run(&self, run: RunIndex) -> RunIndex {
        RunIndex(run.0 + self.first_run)
    }

    fn happening(&self, happening: EventKind) -> Option<EventKind> {
        use EventKind as H;
        let (run, at) = (|run| self.run(run), |at: SessionTime| at + self.later);
        let request = |request: u64| request + self.first_request;
        Some(match happening {
            // There is one beginning and one end for all; and each machine looked at a worker and a server of its
            // own, which together are no series.
            H::Opened(_) | H::Closed | H::AgentHealth(_) | H::RoomsListed { .. } => return None,
            H::RunStarted { run: n, stage, scenario, copy, mode, pair, intended, free, room } => {
                let (intended, free) = (at(intended), at(free));
                let (run, pair) = (run(n), pair.map(|pair| self.pair(pair)));
                H::RunStarted { run, stage, scenario, copy, mode, pair, intended, free, room }
            }
            H::RunSkipped { run: n, stage, scenario, copy, mode, pair, intended } => {
                let (intended, pair) = (at(intended), pair.map(|pair| self.pair(pair)));
                H::RunSkipped { run: run(n), stage, scenario, copy, mode, pair, intended }
            }
            H::RestNotStarted { from, count } => H::RestNotStarted { from: run(from), count },
            H::RoomCreated { run: n, sent, answered } => {
                H::RoomCreated { run: run(n), sent: at(sent), answered: at(answered) }
            }
            H::Dispatched { run: n, dispatch, sent, answered } => {
                H::Dispatched { run: run(n), dispatch, sent: at(sent), answered: at(answered) }
            }
            H::AgentSeen { run: n, identity, after, seen, joined } => H::AgentSeen {
                run: run(n),
                identity,
                after: at(after),
                seen: at(seen),
                joined: joined.map(at),
            },
            H::AgentReady { run: n, after, seen } => {
                H::AgentReady { run: run(n), after: at(after), seen: at(seen) }
            }
            H::Greeted { run: n, at: when } => H::Greeted { run: run(n), at: at(when) },
            H::Turn { run: n, turn } => H::Turn { run: run(n), turn: turn.shifted(self.later) },
            H::ModelUsage { run: n, usage: used } => H::ModelUsage { run: run(n), usage: used },
            H::AudioSent { run: n, frames } => H::AudioSent { run: run(n), frames },
            H::SubmitIntent { request: n, runs } => {
                H::SubmitIntent { request: request(n), runs: runs.into_iter().map(run).collect() }
            }
            H::SubmitRetry { request: n, attempt, reason, wait } => {
                H::SubmitRetry { request: request(n), attempt, reason, wait }
            }
            H::Submitted {
                request: n,
                admitted,
                sent,
                answered,
                result,
                accepted: entered,
                mapping,
            } => {
                let entered = entered.into_iter().map(|one| AcceptedRun {
                    run: run(one.run),
                    ready: at(one.ready),
                    ..one
                });
                H::Submitted {
                    request: request(n),
                    admitted: at(admitted),
                    sent: at(sent),
                    answered: at(answered),
                    result,
                    accepted: entered.collect(),
                    mapping,
                }
            }
            H::EvaluatorSeen { run: n, after, seen } => {
                H::EvaluatorSeen { run: run(n), after: at(after), seen: at(seen) }
            }
            H::PhaseSeen { run: n, phase: sighting, status: word, after, seen } => H::PhaseSeen {
                run: run(n),
                phase: sighting,
                status: word,
                after: at(after),
                seen: at(seen),
            },
            H::Ended { run: n, outcome, after, seen, conversation_duration: talked } => H::Ended {
                run: run(n),
                outcome,
                after: at(after),
                seen: at(seen),
                conversation_duration: talked,
            },
            H::RoomDeleted { run: n } => H::RoomDeleted { run: run(n) },
            H::RoomNotDeleted { run: n, detail } => H::RoomNotDeleted { run: run(n), detail },
            H::Health(health) => H::Health(health),
            H::Resumed { wall, torn, downtime: unwatched, open } => H::Resumed {
                wall,
                torn,
                downtime: unwatched,
                open: open.into_iter().map(run).collect(),
            },
            H::Stopping { reason, detail } => {
                H::Stopping { reason, detail: format!("{}: {detail}", self.session.as_str()) }
            }
        })
    }
}
