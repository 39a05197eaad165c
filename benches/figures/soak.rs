//! A day of a million runs through the session's core, the fold and the journal, in virtual time: what stays in
//! memory and what a run leaves in the journal: `cargo bench -- soak`.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rushhour_core::evaluator::{
    AcceptedSubmission, EvaluatorCapabilities, RunState, RunStatus, SubmitError, SubmitErrorKind,
    UpdateMode,
};
use rushhour_core::event::{Event, EventKind, EventSink, Outcome, RunMapping, RunPhase};
use rushhour_core::plan::Plan;
use rushhour_core::profile::{self, load, no_files};
use rushhour_core::units::{
    DispatchId, EvaluatorRunId, Identity, Micros, RunIndex, SessionId, SessionTime,
};
use rushhour_driver::{
    DriverSettings, PolledAgent, ProcessSample, RequestTiming, RoomNaming, RoomPoll, Session,
    SessionEffect, SessionInput,
};
use rushhour_livekit::AgentParticipant;
use rushhour_report::fold::Fold;
use rushhour_report::journal::{Journal, JournalFile};

const RUNS: u64 = 1_000_000;
/// Events between two waits for the journal: what waits there is not what is measured.
const EVENTS_AHEAD: u64 = 1_000;
const HEALTH_EVERY: Micros = Micros::from_secs(10);

pub(crate) fn figures() {
    let soaked = Soak::hold(RUNS);
    let growth = soaked.memory_at_the_end as f64 / soaked.memory_after_a_tenth as f64 - 1.0;
    super::support::figure(
        &format!("memory of {RUNS} runs in 24 h, from the first tenth to the end"),
        &format!(
            "{} -> {}, {:+.1} %",
            super::support::megabytes(soaked.memory_after_a_tenth),
            super::support::megabytes(soaked.memory_at_the_end),
            growth * 100.0
        ),
        "< +5 %",
        growth < 0.05,
    );
    super::support::figure(
        "  most runs in flight, all it took",
        &format!("{}, {:.0} s", soaked.most_in_flight, soaked.seconds),
        "-",
        true,
    );
    let per_run = soaked.journal_bytes / RUNS;
    super::support::figure(
        &format!("  journal of them ({})", super::support::megabytes(soaked.journal_bytes)),
        &format!("{per_run} bytes a run"),
        "< 2000 bytes a run",
        per_run < 2_000,
    );
}

/// A file of which nothing but the length is kept.
struct Measured(Arc<AtomicU64>);

impl JournalFile for Measured {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.store(length, Ordering::Relaxed);
        Ok(())
    }
}

/// What a day came to.
struct Soak {
    memory_after_a_tenth: u64,
    memory_at_the_end: u64,
    most_in_flight: u64,
    journal_bytes: u64,
    seconds: f64,
}

impl Soak {
    fn hold(runs: u64) -> Self {
        let begun = std::time::Instant::now();
        let text = format!(
            "[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[[scenario]]\nid = 1\ncopies = {runs}\nlasts = \"60s\"\n\
             [[stage]]\nrate = \"12/s\"\n[limits]\nrequests = \"50/s\"\npolls = \"20/s\"\nlooks = \"400/s\"\nin_flight = 2000\n"
        );
        let input = profile::ProfileInput {
            file: "soak",
            bytes: text.as_bytes(),
            environment: &[],
            flags: &[],
            read_file: &no_files,
        };
        let profile = load(input).expect("the profile is valid").profile;
        let manner = EvaluatorCapabilities {
            entries_per_request: 1,
            fill_within: Micros::ZERO,
            poll_every: Micros::from_secs(5),
            runs_per_poll: 100,
            updates: UpdateMode::Poll,
        };
        let plan = Plan::new(profile.clone());
        let settings = DriverSettings::new(&profile, manner);
        let mut session = Session::new(settings, plan.schedule(), RoomNaming::new("soak"));
        let mut kept =
            Kept::new(EventKind::Opened(Box::new(rushhour_core::event::SessionHeader {
                session: SessionId::new("soak"),
                profile,
                planned: Some(runs),
                ..super::journal::opening()
            })));
        let mut world = World::default();
        let (mut most, mut memory_after_a_tenth) = (0, 0);
        session.tick(world.now);
        world.come(world.now + HEALTH_EVERY, health());
        while !session.is_finished() {
            for action in session.take_effects() {
                match action {
                    SessionEffect::Record(event) => kept.take(event),
                    action => world.perform(action),
                }
            }
            most = most.max(kept.started - kept.ended);
            if memory_after_a_tenth == 0 && kept.ended >= runs / 10 {
                memory_after_a_tenth = resident();
            }
            let deadline = session.next_deadline();
            match world.coming.first_key_value().map(|((at, _), _)| *at) {
                Some(at) if at <= deadline => {
                    let (_, input) = world.coming.pop_first().expect("it was just seen");
                    world.now = world.now.max(at);
                    if matches!(input, SessionInput::ProcessStats(_)) {
                        world.come(at + HEALTH_EVERY, health());
                    }
                    session.handle(input, world.now);
                }
                _ => {
                    world.now = world.now.max(deadline);
                    session.tick(world.now);
                }
            }
        }
        let memory_at_the_end = resident();
        assert_eq!(kept.ended, runs, "every run has one outcome");
        Self {
            memory_after_a_tenth,
            memory_at_the_end,
            most_in_flight: most,
            journal_bytes: kept.close(),
            seconds: begun.elapsed().as_secs_f64(),
        }
    }
}

/// What is kept of the day: the journal and its fold.
struct Kept {
    fold: Fold,
    journal: Journal,
    length: Arc<AtomicU64>,
    runtime: tokio::runtime::Runtime,
    taken: u64,
    started: u64,
    ended: u64,
}

impl Kept {
    fn new(opening: EventKind) -> Self {
        let length = Arc::new(AtomicU64::new(0));
        let journal = Journal::new(Measured(Arc::clone(&length))).expect("there are threads");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime can be had");
        let fold = Fold::default();
        let mut kept = Self { fold, journal, length, runtime, taken: 0, started: 0, ended: 0 };
        kept.take(Event { at: SessionTime::START, kind: opening });
        kept
    }

    fn take(&mut self, event: Event) {
        match event.kind {
            EventKind::RunStarted { .. } => self.started += 1,
            EventKind::Ended { .. } => self.ended += 1,
            _ => {}
        }
        self.fold.add(&event).expect("the session's events are in order");
        self.journal.record(event);
        self.taken += 1;
        if self.taken.is_multiple_of(EVENTS_AHEAD) {
            self.runtime.block_on(self.journal.flush()).expect("the length can be counted");
        }
    }

    fn close(self) -> u64 {
        self.runtime.block_on(self.journal.flush()).expect("the length can be counted");
        self.length.load(Ordering::Relaxed)
    }
}

/// A world in which nearly everything goes well, and which remembers no run that is over.
#[derive(Default)]
struct World {
    now: SessionTime,
    coming: BTreeMap<(SessionTime, u64), SessionInput>,
    sequence: u64,
    joins: HashMap<RunIndex, SessionTime>,
    conversations: HashMap<EvaluatorRunId, SessionTime>,
}

impl World {
    fn come(&mut self, at: SessionTime, input: SessionInput) {
        self.sequence += 1;
        self.coming.insert((at, self.sequence), input);
    }

    fn perform(&mut self, action: SessionEffect) {
        let vary = self.sequence.wrapping_mul(2_654_435_761);
        let at = self.now + Micros(5_000 + vary % 40_000);
        let timing = RequestTiming { sent: self.now, answered: at };
        let input = match action {
            SessionEffect::Record(_) | SessionEffect::Finish => return,
            SessionEffect::CreateRoom(planned) => {
                SessionInput::RoomCreated { run: planned.index, timing, result: Ok(()) }
            }
            SessionEffect::Dispatch(planned) => {
                let run = planned.index;
                // One agent in a thousand never comes.
                if run.0 % 1_000 != 7 {
                    self.joins.insert(run, self.now + Micros(300_000 + vary % 2_000_000));
                }
                SessionInput::Dispatched {
                    run,
                    timing,
                    result: Ok(DispatchId::new("AD_123456789012")),
                }
            }
            SessionEffect::PollRoom(run) => {
                let joins = self.joins.get(&run).copied().filter(|joins| *joins <= at);
                let agent = joins.map(|joins| {
                    let identity = Identity::new("agent-AJ_123456789012");
                    let participant =
                        AgentParticipant { identity, joined_at_ms: None, listening: true };
                    PolledAgent { participant, joined: Some(joins) }
                });
                SessionInput::RoomPolled {
                    run,
                    timing,
                    result: Ok(RoomPoll { agent, caller_present: false }),
                }
            }
            SessionEffect::CheckDispatch(run) => {
                SessionInput::DispatchChecked { run, result: Ok(true) }
            }
            SessionEffect::Submit { request, runs } => {
                let run = runs[0].index;
                let name = EvaluatorRunId::new((5_000_000 + run.0).to_string());
                // What became of one submission in a thousand is never known.
                let result = if run.0 % 1_000 == 13 {
                    Err(SubmitError::new(SubmitErrorKind::Unknown, "no answer in time"))
                } else {
                    let over = at + Micros::from_secs(30 + vary % 60);
                    self.conversations.insert(name.clone(), over);
                    let mapping = RunMapping::Proven;
                    Ok(AcceptedSubmission { result: None, runs: vec![Some(name)], mapping })
                };
                SessionInput::Submitted { request, timing, result }
            }
            SessionEffect::PollStatus { runs } => {
                let sights = runs.iter().filter_map(|(_, name)| self.sight(name, at)).collect();
                let runs = runs.into_iter().map(|(run, _)| run).collect();
                SessionInput::StatusPolled { runs, timing, result: Ok(sights) }
            }
            SessionEffect::EndCall { run, .. } => SessionInput::CallEnded { run },
            SessionEffect::DeleteRoom(run) => {
                self.joins.remove(&run);
                SessionInput::RoomDeleted { run, result: Ok(()) }
            }
        };
        self.come(at, input);
    }

    fn sight(&mut self, name: &EvaluatorRunId, at: SessionTime) -> Option<RunStatus> {
        let over = *self.conversations.get(name)?;
        let state = if at < over {
            RunState::InProgress(RunPhase::Running)
        } else {
            self.conversations.remove(name);
            RunState::Ended(Outcome::Completed { judged: Some(true) })
        };
        Some(RunStatus {
            run: name.clone(),
            state,
            status: "in_progress".into(),
            conversation_duration: None,
        })
    }
}

fn health() -> SessionInput {
    SessionInput::ProcessStats(ProcessSample { cpu: Micros::ZERO, memory: 0, callers: None })
}

/// This process's resident memory in bytes (`man 5 proc`, `VmRSS`).
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells it");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it is there");
    let kilobytes = line.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok());
    kilobytes.expect("it is a number") * 1024
}
