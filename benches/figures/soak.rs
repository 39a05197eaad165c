//! A day of a million runs through the session's state machine, the fold and the journal, in virtual time: how memory
//! grows, and how many journal bytes a run takes: `cargo bench -- soak`.

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
    DispatchId, EvaluatorRunId, ForeignText, Identity, Micros, RunIndex, SessionId, SessionTime,
};
use rushhour_driver::{
    DispatchCheck, DriverSettings, PolledAgent, ProcessSample, RequestTiming, RoomNaming, RoomPoll,
    Session, SessionEffect, SessionInput,
};
use rushhour_livekit::{AgentParticipant, DispatchedJob, JobStatus};
use rushhour_report::fold::Fold;
use rushhour_report::journal::{Journal, JournalFile};

const RUNS: u64 = 1_000_000;
/// Events between two flushes of the journal, so that its queue does not count as memory of the session.
const EVENTS_AHEAD: u64 = 1_000;
const STATS_EVERY: Micros = Micros::from_secs(10);

pub(crate) fn figures() {
    let day = Day::simulate(RUNS);
    let growth = day.memory_at_the_end as f64 / day.memory_after_a_tenth as f64 - 1.0;
    super::support::figure(
        &format!("memory of {RUNS} runs in 24 h, from the first tenth to the end"),
        &format!(
            "{} -> {}, {:+.1} %",
            super::support::megabytes(day.memory_after_a_tenth),
            super::support::megabytes(day.memory_at_the_end),
            growth * 100.0
        ),
        "< +5 %",
        growth < 0.05,
    );
    super::support::figure(
        "  most runs in flight, all it took",
        &format!("{}, {:.0} s", day.most_in_flight, day.seconds),
        "-",
        true,
    );
    let bytes_per_run = day.journal_bytes / RUNS;
    super::support::figure(
        &format!("  journal of them ({})", super::support::megabytes(day.journal_bytes)),
        &format!("{bytes_per_run} bytes a run"),
        "< 2000 bytes a run",
        bytes_per_run < 2_000,
    );
}

/// A file that keeps only its length.
struct LengthOnly(Arc<AtomicU64>);

impl JournalFile for LengthOnly {
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

/// The measurements of a simulated day.
struct Day {
    memory_after_a_tenth: u64,
    memory_at_the_end: u64,
    most_in_flight: u64,
    journal_bytes: u64,
    seconds: f64,
}

impl Day {
    fn simulate(runs: u64) -> Self {
        let start = std::time::Instant::now();
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
        let capabilities = EvaluatorCapabilities {
            entries_per_request: 1,
            fill_within: Micros::ZERO,
            poll_every: Micros::from_secs(5),
            runs_per_poll: 100,
            updates: UpdateMode::Poll,
        };
        let plan = Plan::new(profile.clone());
        let settings = DriverSettings::new(&profile, capabilities);
        let mut session = Session::new(settings, plan.schedule(), RoomNaming::new("soak"));
        let mut recorder =
            Recorder::new(EventKind::Opened(Box::new(rushhour_core::event::SessionHeader {
                session: SessionId::new("soak"),
                profile,
                planned: Some(runs),
                ..super::journal::header()
            })));
        let mut world = World::default();
        let (mut most, mut memory_after_a_tenth) = (0, 0);
        session.tick(world.now);
        world.schedule(world.now + STATS_EVERY, process_stats());
        while !session.is_finished() {
            for effect in session.take_effects() {
                match effect {
                    SessionEffect::Record(event) => recorder.record(event),
                    effect => world.execute(effect),
                }
            }
            most = most.max(recorder.started - recorder.ended);
            if memory_after_a_tenth == 0 && recorder.ended >= runs / 10 {
                memory_after_a_tenth = resident();
            }
            let deadline = session.next_deadline();
            match world.scheduled.first_key_value().map(|((at, _), _)| *at) {
                Some(at) if at <= deadline => {
                    let (_, input) = world.scheduled.pop_first().expect("it was just found");
                    world.now = world.now.max(at);
                    if matches!(input, SessionInput::ProcessStats(_)) {
                        world.schedule(at + STATS_EVERY, process_stats());
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
        assert_eq!(recorder.ended, runs, "every run has one outcome");
        Self {
            memory_after_a_tenth,
            memory_at_the_end,
            most_in_flight: most,
            journal_bytes: recorder.close(),
            seconds: start.elapsed().as_secs_f64(),
        }
    }
}

/// Records the day's events in a journal and folds them.
struct Recorder {
    fold: Fold,
    journal: Journal,
    length: Arc<AtomicU64>,
    runtime: tokio::runtime::Runtime,
    recorded: u64,
    started: u64,
    ended: u64,
}

impl Recorder {
    fn new(opening: EventKind) -> Self {
        let length = Arc::new(AtomicU64::new(0));
        let journal = Journal::new(LengthOnly(Arc::clone(&length))).expect("there are threads");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime can be built");
        let fold = Fold::default();
        let mut recorder =
            Self { fold, journal, length, runtime, recorded: 0, started: 0, ended: 0 };
        recorder.record(Event { at: SessionTime::START, kind: opening });
        recorder
    }

    fn record(&mut self, event: Event) {
        match event.kind {
            EventKind::RunStarted { .. } => self.started += 1,
            EventKind::Ended { .. } => self.ended += 1,
            _ => {}
        }
        self.fold.add(&event).expect("the session's events are in order");
        self.journal.record(event);
        self.recorded += 1;
        if self.recorded.is_multiple_of(EVENTS_AHEAD) {
            self.runtime.block_on(self.journal.flush()).expect("the length can be counted");
        }
    }

    fn close(self) -> u64 {
        self.runtime.block_on(self.journal.flush()).expect("the length can be counted");
        self.length.load(Ordering::Relaxed)
    }
}

/// LiveKit and an evaluator in which nearly everything succeeds, and which forget runs that have ended.
#[derive(Default)]
struct World {
    now: SessionTime,
    scheduled: BTreeMap<(SessionTime, u64), SessionInput>,
    sequence: u64,
    joins: HashMap<RunIndex, SessionTime>,
    conversations: HashMap<EvaluatorRunId, SessionTime>,
}

impl World {
    fn schedule(&mut self, at: SessionTime, input: SessionInput) {
        self.sequence += 1;
        self.scheduled.insert((at, self.sequence), input);
    }

    fn execute(&mut self, effect: SessionEffect) {
        let variation = self.sequence.wrapping_mul(2_654_435_761);
        let at = self.now + Micros(5_000 + variation % 40_000);
        let timing = RequestTiming { sent: self.now, answered: at };
        let input = match effect {
            SessionEffect::Record(_)
            | SessionEffect::Finish
            | SessionEffect::TellHiddenAgent(_) => return,
            SessionEffect::CreateRoom(planned) => {
                SessionInput::RoomCreated { run: planned.index, timing, result: Ok(()) }
            }
            SessionEffect::Dispatch(planned) => {
                let run = planned.index;
                // One agent in a thousand never joins.
                if run.0 % 1_000 != 7 {
                    self.joins.insert(run, self.now + Micros(300_000 + variation % 2_000_000));
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
                    let participant = AgentParticipant {
                        identity,
                        joined_at_ms: None,
                        listening: true,
                        hidden: false,
                    };
                    PolledAgent { participant, joined: Some(joins) }
                });
                SessionInput::RoomPolled {
                    run,
                    timing,
                    result: Ok(RoomPoll { agent, caller_present: false }),
                }
            }
            SessionEffect::CheckDispatch(run) => {
                let job = DispatchedJob {
                    status: JobStatus::Running,
                    error: ForeignText::default(),
                    identity: Some(Identity::new("agent-AJ_123456789012")),
                };
                let check = DispatchCheck { job: Some(job), ..DispatchCheck::default() };
                SessionInput::DispatchChecked { run, result: Ok(check) }
            }
            SessionEffect::HearCaller { run, .. } => {
                SessionInput::CallerHeard { run, until: self.now }
            }
            SessionEffect::Submit { request, runs } => {
                let run = runs[0].index;
                let name = EvaluatorRunId::new((5_000_000 + run.0).to_string());
                // The outcome of one submission in a thousand stays unknown.
                let result = if run.0 % 1_000 == 13 {
                    Err(SubmitError::new(SubmitErrorKind::Unknown, "no answer in time"))
                } else {
                    let end = at + Micros::from_secs(30 + variation % 60);
                    self.conversations.insert(name.clone(), end);
                    let mapping = RunMapping::Proven;
                    Ok(AcceptedSubmission {
                        result: None,
                        runs: vec![Some(name)],
                        mapping,
                        worker: None,
                    })
                };
                SessionInput::Submitted { request, timing, result }
            }
            SessionEffect::PollStatus { runs } => {
                let statuses = runs.iter().filter_map(|(_, name)| self.status(name, at)).collect();
                let runs = runs.into_iter().map(|(run, _)| run).collect();
                SessionInput::StatusPolled { runs, timing, result: Ok(statuses) }
            }
            SessionEffect::EndCall { run, .. } => SessionInput::CallEnded { run },
            SessionEffect::DeleteRoom(run) => {
                self.joins.remove(&run);
                SessionInput::RoomDeleted { run, result: Ok(()) }
            }
        };
        self.schedule(at, input);
    }

    fn status(&mut self, name: &EvaluatorRunId, at: SessionTime) -> Option<RunStatus> {
        let end = *self.conversations.get(name)?;
        let state = if at < end {
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

fn process_stats() -> SessionInput {
    SessionInput::ProcessStats(ProcessSample {
        cpu: Micros::ZERO,
        memory: 0,
        callers: None,
        workers: Vec::new(),
    })
}

/// This process's resident memory in bytes (`man 5 proc`, `VmRSS`).
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it has this line");
    let kilobytes = line.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok());
    kilobytes.expect("it is a number") * 1024
}
