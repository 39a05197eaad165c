//! Sessions of several machines as one: their events on one clock, their runs numbered one after another.

use rushhour_core::event::{AcceptedRun, Event, EventKind, SessionHeader};
use rushhour_core::profile::{Profile, SessionMode};
use rushhour_core::units::{Micros, PairId, RunIndex, SessionId, SessionTime};

/// What merging needs to know of a journal.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JournalExtent {
    /// The session's header.
    pub opening: Option<SessionHeader>,
    /// One more than the highest run index.
    pub runs: u64,
    /// One more than the highest submission number.
    pub requests: u64,
    /// The time of the last event.
    pub last: SessionTime,
    /// Whether the session was completed.
    pub closed: bool,
}

impl JournalExtent {
    /// Adds an event.
    pub fn add(&mut self, event: &Event) {
        self.last = self.last.max(event.at);
        match &event.kind {
            EventKind::Opened(opening) => self.opening = Some((**opening).clone()),
            EventKind::RunStarted { run, .. } | EventKind::RunSkipped { run, .. } => {
                // A caller that calls again is no further run of the plan.
                self.runs = self.runs.max(run.first_call().0 + 1);
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
    /// A journal, by its index, does not begin with a session.
    #[error("journal {} does not begin with a session", .0 + 1)]
    NotOpened(usize),
    /// The same session twice.
    #[error("{0} is given twice: its runs would count twice")]
    Twice(String),
    /// The profiles differ.
    #[error(
        "the profiles of {one} and {other} differ in more than their seed, so their figures describe different loads; `--force` merges them anyway"
    )]
    Profiles {
        /// The first session.
        one: String,
        /// The session that differs from it.
        other: String,
    },
    /// The sessions have different parts.
    #[error(
        "{one} and {other} have different modes, stages, scenarios or networks, so their runs cannot be merged"
    )]
    Parts {
        /// The first session.
        one: String,
        /// The session that differs from it.
        other: String,
    },
    /// A session's anchor is not a time.
    #[error("the start time of {0} cannot be read, so its clock cannot be aligned with the others")]
    Anchor(String),
}

/// Where one session's events go in the merged session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergePlacement {
    /// The session.
    pub session: SessionId,
    /// How much later it began than the first session.
    pub offset: Micros,
    /// The new index of its first run.
    pub first_run: u64,
    /// The new number of its first submission.
    pub first_request: u64,
}

/// How sessions become one.
#[derive(Debug, Clone, PartialEq)]
pub struct Merge {
    /// The header of the merged session.
    pub opening: SessionHeader,
    /// Where each session's events go, in the order given.
    pub placements: Vec<MergePlacement>,
    /// The time of the last event.
    pub last: SessionTime,
    /// Whether all sessions were completed.
    pub closed: bool,
    /// Whether several sessions have the same plan and seed, so that they started their runs at the same offsets.
    pub shares_seed: bool,
}

impl Merge {
    /// Aligns sessions by their wall clocks. Refuses profiles that differ in more than seed and name unless `force`.
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
        let mut starts = Vec::new();
        for (index, opening) in openings.iter().enumerate() {
            let name = || opening.session.as_str().to_owned();
            if openings[..index].iter().any(|other| is_same_session(opening, other)) {
                return Err(MergeError::Twice(name()));
            }
            let (one, other) = (first.session.as_str().to_owned(), name());
            if parts(&first.profile) != parts(&opening.profile) {
                return Err(MergeError::Parts { one, other });
            }
            if !force && without_seed(&first.profile) != without_seed(&opening.profile) {
                return Err(MergeError::Profiles { one, other });
            }
            let anchor: jiff::Timestamp =
                opening.anchor.parse().map_err(|_| MergeError::Anchor(name()))?;
            starts.push(anchor.as_microsecond());
        }
        let earliest = starts.iter().copied().min().unwrap_or_default();
        let (mut first_run, mut first_request) = (0, 0);
        let mut placements = Vec::new();
        for ((extent, opening), start) in extents.iter().zip(&openings).zip(&starts) {
            placements.push(MergePlacement {
                session: opening.session.clone(),
                offset: Micros(start.abs_diff(earliest)),
                first_run,
                first_request,
            });
            first_run += extent.runs;
            first_request += extent.requests;
        }
        let seeds: Vec<u64> = openings.iter().map(|opening| opening.profile.seed).collect();
        let shares_seed = (1..seeds.len()).any(|index| seeds[..index].contains(&seeds[index]));
        let leader = starts.iter().position(|start| *start == earliest).unwrap_or(0);
        let opening = SessionHeader {
            session,
            planned: openings.iter().map(|opening| opening.planned).sum(),
            // Processor use is a share of a machine's own cores: with the fewest cores, the check is strictest.
            cores: openings.iter().map(|opening| opening.cores).min().unwrap_or(1),
            ..openings[leader].clone()
        };
        let ends = extents.iter().zip(&placements).map(|(extent, at)| extent.last + at.offset);
        let last = ends.max().unwrap_or(SessionTime::START);
        let closed = extents.iter().all(|extent| extent.closed);
        Ok(Self { opening, placements, last, closed, shares_seed })
    }
}

fn is_same_session(one: &SessionHeader, other: &SessionHeader) -> bool {
    one.session == other.session && one.anchor == other.anchor
}

fn without_seed(profile: &Profile) -> Profile {
    Profile { seed: 0, name: String::new(), ..profile.clone() }
}

/// The parts that runs belong to by position.
#[derive(PartialEq, Eq)]
struct SessionParts<'a> {
    mode: SessionMode,
    /// Their names, and whether they are measured.
    stages: Vec<(&'a str, bool)>,
    scenarios: Vec<&'a str>,
    networks: Vec<&'a str>,
}

fn parts(profile: &Profile) -> SessionParts<'_> {
    let stages = profile.stages.iter().map(|stage| (stage.name.as_str(), stage.measured));
    let scenarios = profile.mix.scenarios().into_iter().map(|scenario| scenario.name.as_str());
    let networks = profile.networks.iter().map(|network| network.name.as_str());
    SessionParts {
        mode: profile.mode,
        stages: stages.collect(),
        scenarios: scenarios.collect(),
        networks: networks.collect(),
    }
}

impl MergePlacement {
    /// The event in the merged session. None for events of which the merged session has one for all, or that do not
    /// make one series: headers, ends, and the health of each machine's own worker and server.
    pub fn relocate(&self, event: Event) -> Option<Event> {
        let kind = self.kind(event.kind)?;
        Some(Event { at: event.at + self.offset, kind })
    }

    fn run(&self, run: RunIndex) -> RunIndex {
        RunIndex(run.0 + self.first_run)
    }

    /// A session has no more pairs than runs, so the pairs of the next one begin above them.
    fn pair(&self, pair: PairId) -> PairId {
        PairId(pair.0 + self.first_run)
    }

    /// The event of a run that was started or skipped.
    fn start(&self, mut kind: EventKind) -> EventKind {
        match &mut kind {
            EventKind::RunStarted { run, pair, redial_of, intended, free, .. } => {
                *run = self.run(*run);
                *redial_of = redial_of.map(|run| self.run(run));
                *pair = pair.map(|pair| self.pair(pair));
                *intended += self.offset;
                *free += self.offset;
            }
            EventKind::RunSkipped { run, pair, redial_of, intended, .. } => {
                *run = self.run(*run);
                *redial_of = redial_of.map(|run| self.run(run));
                *pair = pair.map(|pair| self.pair(pair));
                *intended += self.offset;
            }
            _ => {}
        }
        kind
    }

    fn kind(&self, kind: EventKind) -> Option<EventKind> {
        use EventKind as E;
        let (run, at) = (|run| self.run(run), |at: SessionTime| at + self.offset);
        let request = |request: u64| request + self.first_request;
        Some(match kind {
            kind @ E::Mark { .. } => kind,
            E::Opened(_) | E::Closed | E::AgentHealth(_) | E::RoomsListed { .. } => return None,
            kind @ (E::RunStarted { .. } | E::RunSkipped { .. }) => self.start(kind),
            E::RestNotStarted { from, count } => E::RestNotStarted { from: run(from), count },
            E::RoomCreated { run: n, sent, answered } => {
                E::RoomCreated { run: run(n), sent: at(sent), answered: at(answered) }
            }
            E::Dispatched { run: n, dispatch, sent, answered } => {
                E::Dispatched { run: run(n), dispatch, sent: at(sent), answered: at(answered) }
            }
            E::AgentSeen { run: n, identity, after, seen, joined } => E::AgentSeen {
                run: run(n),
                identity,
                after: at(after),
                seen: at(seen),
                joined: joined.map(at),
            },
            E::AgentReady { run: n, after, seen } => {
                E::AgentReady { run: run(n), after: at(after), seen: at(seen) }
            }
            E::Greeted { run: n, at: when } => E::Greeted { run: run(n), at: at(when) },
            E::MediaPath { run: n, path } => E::MediaPath { run: run(n), path },
            E::Turn { run: n, turn } => E::Turn { run: run(n), turn: Box::new(turn.on_clock(at)) },
            E::Reconnected { run: n, reconnect } => {
                E::Reconnected { run: run(n), reconnect: reconnect.on_clock(at) }
            }
            E::ModelUsage { run: n, usage } => E::ModelUsage { run: run(n), usage },
            E::RpcCalls { run: n, calls } => E::RpcCalls { run: run(n), calls },
            E::Conversation { run: n, summary } => {
                E::Conversation { run: run(n), summary: summary.on_clock(at) }
            }
            E::AudioSent { run: n, frames } => E::AudioSent { run: run(n), frames },
            E::SubmitIntent { request: n, runs } => {
                E::SubmitIntent { request: request(n), runs: runs.into_iter().map(run).collect() }
            }
            E::SubmitRetry { request: n, attempt, reason, wait } => {
                E::SubmitRetry { request: request(n), attempt, reason, wait }
            }
            E::Submitted { request: n, admitted, sent, answered, result, accepted, mapping } => {
                let accepted = accepted.into_iter().map(|one| AcceptedRun {
                    run: run(one.run),
                    ready: at(one.ready),
                    ..one
                });
                E::Submitted {
                    request: request(n),
                    admitted: at(admitted),
                    sent: at(sent),
                    answered: at(answered),
                    result,
                    accepted: accepted.collect(),
                    mapping,
                }
            }
            E::EvaluatorSeen { run: n, after, seen } => {
                E::EvaluatorSeen { run: run(n), after: at(after), seen: at(seen) }
            }
            E::PhaseSeen { run: n, phase, status: word, after, seen } => {
                E::PhaseSeen { run: run(n), phase, status: word, after: at(after), seen: at(seen) }
            }
            E::Ended { run: n, outcome, after, seen, conversation_duration } => E::Ended {
                run: run(n),
                outcome,
                after: at(after),
                seen: at(seen),
                conversation_duration,
            },
            E::RoomDeleted { run: n } => E::RoomDeleted { run: run(n) },
            E::RoomNotDeleted { run: n, detail } => E::RoomNotDeleted { run: run(n), detail },
            E::Health(health) => E::Health(health),
            E::WorkerHealth(health) => E::WorkerHealth(health),
            E::Resumed { wall, torn, downtime: unwatched, open } => E::Resumed {
                wall,
                torn,
                downtime: unwatched,
                open: open.into_iter().map(run).collect(),
            },
            E::Stopping { reason, detail } => {
                let detail = format!("{}: {detail}", self.session.as_str()).into();
                E::Stopping { reason, detail }
            }
        })
    }
}
