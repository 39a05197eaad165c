//! Callers in this process, against livekit-server and the calibration agent in processes of their own: what a caller
//! allocates (`cargo bench -- native-allocations`), and what hearing costs beside sending alone (`native-deaf`).

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rushhour_callers::audio::{Clip, Playback};
use rushhour_callers::caller::PreparedScript;
use rushhour_callers::engine::{
    Engine, EngineClock, JoinRequest, LeaveReason, NetworkAccess, NextTick, ParticipantControl,
    ParticipantHandle, ParticipantHandler,
};
use rushhour_callers::participant::{JoinConfig, ParticipantEvent};
use rushhour_callers::{NativeCallers, SessionTime};
use rushhour_core::evaluator::{ConversationRequest, Evaluator, UpdateKind};
use rushhour_core::profile::{EvaluatorSettings, ProfileInput, load};
use rushhour_core::units::{
    AgentName, EvaluatorRunId, Identity, Micros, Mode, RoomName, RunIndex, ScenarioId, Secret,
};
use rushhour_livekit::{ParticipantClaims, TokenDispatch, TokenRequest};
use stats_alloc::{INSTRUMENTED_SYSTEM, Stats};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::native::{chat_script, profile, voice_script};
use super::native_rig::{AGENT, AgentProcess, CLIP, Rig, sample};
use super::support::figure;

/// Joins per second.
const JOINS: u32 = 8;
/// How long the last callers have to get into their conversations.
const SETTLE: Duration = Duration::from_secs(5);
/// How long conversations are measured.
const WINDOW: Duration = Duration::from_secs(15);
/// Callers that hear take turns with deaf ones so often.
const ROUNDS: usize = 5;
/// More turns than the bench lasts.
const TURNS: u32 = 100;

/// What callers of one mode take in memory.
pub(crate) fn allocations() {
    let Some(inside) = Inside::start(&["--turn-delay", "200ms", "--speech", "1s"]) else { return };
    for (mode, callers, pause) in [(Mode::Voice, 40, "1ms"), (Mode::Chat, 100, "1550ms")] {
        let before = INSTRUMENTED_SYSTEM.stats();
        let hearing = inside.hearing(mode, callers, pause);
        let held = INSTRUMENTED_SYSTEM.stats();
        let measured = measure(callers, || hearing.turns.load(Relaxed));
        let many = measured.allocations;
        figure(
            &format!("{mode} caller of {callers}: allocations a second"),
            &format!("{many:.1}"),
            "< 5",
            many < 5.0,
        );
        println!(
            "  of {:.0} bytes on average; {:.2} turns a second; on the heap {:.1} kB a caller",
            measured.mean_bytes,
            measured.turns,
            (live_bytes(held) - live_bytes(before)) / 1e3 / f64::from(callers),
        );
        inside.end(&hearing);
    }
}

/// What hearing costs: callers that hear, and then as many that say the same, just as often, and are deaf.
pub(crate) fn deaf() {
    const CALLERS: u32 = 40;
    let Some(inside) = Inside::start(&["--turn-delay", "200ms", "--speech", "1s"]) else { return };
    let (mut hearing_costs, mut deaf_costs) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let hearing = inside.hearing(Mode::Voice, CALLERS, "1ms");
        let heard = measure(CALLERS, || hearing.turns.load(Relaxed));
        inside.end(&hearing);
        let deaf = inside.deaf(CALLERS, Duration::from_secs_f64(1.0 / heard.turns));
        let sent = measure(CALLERS, || deaf.turns.load(Relaxed));
        drop(deaf);
        std::thread::sleep(SETTLE);
        println!(
            "  round {round}: hearing {:.4} % of a core, {:.2} turns a second; deaf {:.4} %, {:.2}",
            heard.percent, heard.turns, sent.percent, sent.turns
        );
        hearing_costs.push(heard.percent);
        deaf_costs.push(sent.percent);
    }
    let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len() as f64;
    let (hearing, deaf) = (mean(&hearing_costs), mean(&deaf_costs));
    figure(
        &format!("a caller of {CALLERS} that hears, against a deaf one"),
        &format!("{:.2} ({hearing:.3}, {deaf:.3} %)", hearing / deaf),
        "< 2 times",
        hearing < 2.0 * deaf,
    );
}

/// Bytes that are allocated.
fn live_bytes(stats: Stats) -> f64 {
    stats.bytes_allocated as f64 - stats.bytes_deallocated as f64
}

/// What each caller took while it was measured.
struct PerCaller {
    /// Allocations per second, those that grow or shrink one included.
    allocations: f64,
    mean_bytes: f64,
    /// Of a core.
    percent: f64,
    /// Per second.
    turns: f64,
}

/// A server, an agent, and a runtime for callers.
struct Inside {
    // Dropped in this order.
    _agent: AgentProcess,
    rig: Rig,
    _folder: tempfile::TempDir,
    runtime: Runtime,
    /// Rooms that were used.
    rooms: AtomicU64,
}

/// Callers that have conversations.
struct HearingCallers {
    callers: Arc<NativeCallers>,
    runs: Vec<RunIndex>,
    turns: Arc<AtomicU64>,
    updates: JoinHandle<()>,
}

/// Callers that only send.
struct Deaf {
    turns: Arc<AtomicU64>,
    _controls: Vec<ParticipantControl>,
    _engine: Engine,
}

impl Inside {
    fn start(agent: &[&str]) -> Option<Self> {
        let rig = Rig::start()?;
        let folder = tempfile::tempdir().expect("a temporary folder can be created");
        let agent = rig.agent(folder.path(), agent);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime can be built");
        Some(Self { _agent: agent, rig, _folder: folder, runtime, rooms: AtomicU64::new(0) })
    }

    /// A token for a room of its own, into which the agent is dispatched.
    fn token(&self) -> (RoomName, Secret) {
        let number = self.rooms.fetch_add(1, Relaxed);
        let room = RoomName::new(format!("inside-{number}"));
        let request = TokenRequest {
            identity: Identity::new(format!("caller-{number}")),
            room: room.clone(),
            lifetime: Micros::from_secs(600),
            agent: Some(TokenDispatch {
                agent: AgentName::new(AGENT),
                metadata: String::new(),
                room_metadata: String::new(),
            }),
            participant: ParticipantClaims::default(),
        };
        (room, Rig::token_signer().sign(request).expect("the rig has a key"))
    }

    /// Lets callers join one after the other, and waits until they are in their conversations.
    fn join(&self, callers: u32, mut join: impl FnMut(u64, RoomName, Secret)) {
        let _entered = self.runtime.enter();
        for number in 0..u64::from(callers) {
            let (room, token) = self.token();
            join(number, room, token);
            std::thread::sleep(Duration::from_secs(1) / JOINS);
        }
        std::thread::sleep(SETTLE);
    }

    fn hearing(&self, mode: Mode, callers: u32, pause: &str) -> HearingCallers {
        let native = {
            let _entered = self.runtime.enter();
            Arc::new(native_callers(mode, callers, pause))
        };
        let turns = Arc::new(AtomicU64::new(0));
        let (told, counted) = (native.clone(), turns.clone());
        let updates = self.runtime.spawn(async move {
            loop {
                if let UpdateKind::Turn(_) = told.next_update().await.kind {
                    counted.fetch_add(1, Relaxed);
                }
            }
        });
        let mut runs = Vec::new();
        self.join(callers, |number, room, token| {
            let request = ConversationRequest {
                run: RunIndex(number),
                scenario: ScenarioId::new("s"),
                mode,
                network: None,
                livekit_url: self.rig.url(),
                room,
                token,
            };
            runs.push(request.run);
            self.runtime.block_on(native.submit(vec![request])).expect("it was started");
        });
        HearingCallers { callers: native, runs, turns, updates }
    }

    fn end(&self, hearing: &HearingCallers) {
        self.runtime.block_on(async {
            for run in &hearing.runs {
                let id = EvaluatorRunId::of_native(*run);
                let _ = hearing.callers.end_call(id).await;
            }
        });
        hearing.updates.abort();
        std::thread::sleep(SETTLE);
    }

    fn deaf(&self, callers: u32, every: Duration) -> Deaf {
        let engine = {
            let _entered = self.runtime.enter();
            Engine::start(EngineClock::start(), threads()).expect("there are threads")
        };
        let (clip, turns) = (clip(), Arc::new(AtomicU64::new(0)));
        let mut controls = Vec::new();
        self.join(callers, |_, _, token| {
            let handler = DeafCaller {
                clip: clip.clone(),
                every: Micros::from(every),
                next_clip: SessionTime::START,
                playback: None,
                turns: turns.clone(),
            };
            let config = JoinConfig { publish_audio: true, ..JoinConfig::default() };
            let request =
                JoinRequest { config, ..JoinRequest::new(self.rig.url(), token, handler) };
            controls.push(engine.join(request));
        });
        Deaf { turns, _controls: controls, _engine: engine }
    }
}

/// What each caller takes now; `turns` counts those of all.
fn measure(callers: u32, turns: impl Fn() -> u64) -> PerCaller {
    let start = Instant::now();
    let process = || sample(std::process::id(), 0.0).map_or(0.0, |sample| sample.cpu_seconds);
    let before = (INSTRUMENTED_SYSTEM.stats(), process(), turns());
    std::thread::sleep(WINDOW);
    let after = (INSTRUMENTED_SYSTEM.stats(), process(), turns());
    let caller_seconds = start.elapsed().as_secs_f64() * f64::from(callers);
    let taken = after.0 - before.0;
    let count = taken.allocations + taken.reallocations;
    PerCaller {
        allocations: count as f64 / caller_seconds,
        mean_bytes: taken.bytes_allocated as f64 / count.max(1) as f64,
        percent: (after.1 - before.1) * 100.0 / caller_seconds,
        turns: (after.2 - before.2) as f64 / caller_seconds,
    }
}

/// As many as `rushhour run` takes.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn clip_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles/scripts/clips").join(name)
}

fn clip() -> Clip {
    let bytes = fs::read(clip_path(CLIP)).expect("the clip is shipped");
    Clip::from_bytes(&bytes).expect("it is a clip")
}

/// Callers as `rushhour run` would start them.
fn native_callers(mode: Mode, callers: u32, pause: &str) -> NativeCallers {
    let text = profile(&mode.to_string(), callers, "rate = \"5/s\"", "300s");
    let script = match mode {
        Mode::Voice => voice_script(TURNS, pause),
        Mode::Chat => chat_script(TURNS, pause),
    };
    let loaded = load(ProfileInput {
        file: "profile.toml",
        bytes: text.as_bytes(),
        environment: &[],
        flags: &[],
        read_file: &|_| Ok(script.clone().into_bytes()),
    });
    let profile = loaded.expect("it is a valid profile").profile;
    let EvaluatorSettings::Native(settings) = profile.evaluator else {
        panic!("the profile has native callers")
    };
    let clip = clip();
    let scripts: HashMap<_, _> = profile
        .mix
        .scenarios()
        .iter()
        .filter_map(|scenario| {
            let script = scenario.script.as_ref()?;
            let prepared = PreparedScript::new(script, mode, |_| io::Result::Ok(clip.clone()));
            Some(((scenario.id.clone(), mode), Arc::new(prepared.expect("it is a script"))))
        })
        .collect();
    let native = NativeCallers::new(settings, Vec::new(), profile.seed, scripts);
    let network = NetworkAccess::system().expect("the system has authorities");
    native.start(EngineClock::start(), threads(), network).expect("there are threads");
    native
}

/// Says a clip again and again, and drops whatever it receives.
struct DeafCaller {
    clip: Clip,
    every: Micros,
    next_clip: SessionTime,
    playback: Option<Playback>,
    turns: Arc<AtomicU64>,
}

impl ParticipantHandler for DeafCaller {
    fn on_event(
        &mut self,
        event: ParticipantEvent,
        _: SessionTime,
        handle: &mut dyn ParticipantHandle,
    ) {
        if let ParticipantEvent::DataChannelOpen = event {
            self.playback = Some(Playback::new(handle.next_tick(), 0));
        }
    }

    fn on_tick(&mut self, handle: &mut dyn ParticipantHandle) -> NextTick {
        let now = handle.now();
        if let Some(playback) = &mut self.playback {
            if now >= self.next_clip {
                self.next_clip = now + self.every;
                self.turns.fetch_add(1, Relaxed);
                playback.play(self.clip.clone());
            }
            while let Some(frame) = playback.next_due(now) {
                handle.send_audio(&frame.payload, frame.rtp_time, frame.marker);
            }
        }
        NextTick::Next
    }

    fn on_left(&mut self, _: LeaveReason, _: SessionTime) {}
}
