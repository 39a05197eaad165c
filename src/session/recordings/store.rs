//! The recordings of a session as its callers, its journal and its end see them.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::keeper::{Keeper, KeeperMessage};
use super::recording_files::RecordingFiles;
use crate::error::CliError;
use crate::session::progress::EventObserver;
use rushhour_callers::{RecordedSide, RecordingSink, RecordingStore};
use rushhour_core::event::{Event, EventKind};
use rushhour_core::profile::Profile;
use rushhour_core::recording::{ConversationRecord, RecordingSelection};
use rushhour_core::units::RunIndex;

/// What may wait to be written, in bytes; where more does, the disk is too slow, and recordings are given up.
const MAX_WAITING: usize = 32 << 20;

/// The recordings of a session.
pub(crate) struct SessionRecordings {
    messages: Sender<KeeperMessage>,
    state: Arc<StoreState>,
    /// Which runs may be kept: nothing is kept by it.
    selection: RecordingSelection,
    keeper: Mutex<Option<JoinHandle<Vec<String>>>>,
}

/// What callers and the keeper share.
#[derive(Default)]
pub(super) struct StoreState {
    /// Bytes that wait to be written.
    pub(super) waiting: AtomicUsize,
    /// Whether nothing is recorded any more.
    pub(super) has_ended: AtomicBool,
    /// Recordings that were given up because the disk was too slow.
    pub(super) too_slow: AtomicUsize,
}

impl SessionRecordings {
    /// Starts to keep recordings in the session's folder, if its profile says so.
    ///
    /// # Errors
    /// Where they cannot be kept there.
    pub(crate) fn start(session: &Path, profile: &Profile) -> Result<Option<Arc<Self>>, CliError> {
        let Some(settings) = profile.recording else { return Ok(None) };
        let files = RecordingFiles::create(session).map_err(|error| {
            CliError::usage(format!("cannot keep recordings in {}", session.display()))
                .caused_by(error)
                .with_hint("make room, or choose another folder with --out")
        })?;
        let selection = RecordingSelection::new(settings, profile.seed);
        let mut kept = selection.clone();
        for earlier in files.earlier() {
            kept.add_earlier(&earlier);
        }
        let (messages, received) = channel();
        let state = Arc::new(StoreState::default());
        let keeper = Keeper::new(files, kept, state.clone());
        let keeper = std::thread::Builder::new()
            .name("recordings".to_owned())
            .spawn(move || keeper.run(&received))
            .map_err(|error| {
                CliError::internal("cannot start the thread that keeps recordings").caused_by(error)
            })?;
        let keeper = Mutex::new(Some(keeper));
        Ok(Some(Arc::new(Self { messages, state, selection, keeper })))
    }
}

impl RecordingStore for SessionRecordings {
    fn open(&self, run: RunIndex) -> Option<Box<dyn RecordingSink>> {
        if self.state.has_ended.load(Relaxed) || !self.selection.may_keep(run) {
            return None;
        }
        let _ = self.messages.send(KeeperMessage::Opened(run));
        let (messages, state) = (self.messages.clone(), self.state.clone());
        Some(Box::new(RunRecording { run, messages, state, is_over: false }))
    }
}

impl EventObserver for SessionRecordings {
    fn note(&self, event: &Event) {
        if let EventKind::Ended { run, outcome, .. } = &event.kind {
            let _ = self.messages.send(KeeperMessage::Ended(*run, outcome.clone()));
        }
    }

    fn finish(&self) -> Vec<String> {
        let _ = self.messages.send(KeeperMessage::Close);
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        keeper.and_then(|keeper| keeper.join().ok()).unwrap_or_default()
    }
}

/// The recording of one run.
struct RunRecording {
    run: RunIndex,
    messages: Sender<KeeperMessage>,
    state: Arc<StoreState>,
    is_over: bool,
}

impl RecordingSink for RunRecording {
    fn write(&mut self, side: RecordedSide, bytes: Vec<u8>) -> bool {
        if self.state.has_ended.load(Relaxed) {
            return false;
        }
        let length = bytes.len();
        if self.state.waiting.fetch_add(length, Relaxed) + length > MAX_WAITING {
            self.state.waiting.fetch_sub(length, Relaxed);
            self.state.too_slow.fetch_add(1, Relaxed);
            return false;
        }
        self.messages.send(KeeperMessage::Write(self.run, side, bytes)).is_ok()
    }

    fn finish(mut self: Box<Self>, record: ConversationRecord) {
        self.is_over = true;
        let _ = self.messages.send(KeeperMessage::Finished(Box::new(record)));
    }
}

impl Drop for RunRecording {
    fn drop(&mut self) {
        if !self.is_over {
            let _ = self.messages.send(KeeperMessage::GivenUp(self.run));
        }
    }
}
