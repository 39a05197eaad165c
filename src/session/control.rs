//! Marks and stops of a running session, by a socket in its folder that only its owner can reach.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::info;

use super::late_stop::LateStop;
use crate::print;
use crate::signals::EVERY_RUN_HAS_ENDED;
use rushhour_core::event::{Event, EventKind, EventSink};
use rushhour_core::units::{ForeignText, SessionTime};
use rushhour_driver::{SessionClock, SessionInput};
use rushhour_report::fold::MAX_MARKS;

/// The socket, in a session's folder while it runs.
const SOCKET: &str = "control.sock";
/// How long a request may take; another one waits meanwhile.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest request, in bytes.
const MAX_REQUEST: u64 = 16 * 1024;
/// The longest text of a mark, in bytes: it is drawn on charts.
pub(crate) const MAX_MARK: usize = 120;

/// What is asked of a running session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ControlRequest {
    /// Mark this moment.
    Mark {
        /// What it marks.
        text: String,
    },
    /// Start no more runs; a second time, end those in flight.
    Stop {
        /// Whether to end the runs in flight at once.
        now: bool,
    },
}

/// What a running session answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ControlAnswer {
    /// It was done, at this time of the session, in microseconds.
    Done {
        /// The time.
        at_us: u64,
    },
    /// Every run had ended. A mark was not made; a stop ends what the session still waits for, and nothing follows it.
    Ended,
    /// It was not done.
    Refused {
        /// Why.
        reason: String,
    },
}

/// Why a session does not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlError {
    /// No process runs it.
    #[error("no session runs in it")]
    NotRunning(#[source] io::Error),
    /// It does not answer in time, or not in our words.
    #[error("its process does not answer")]
    Silent(#[source] io::Error),
}

/// The folder opened, and the socket's path through it: the path of a socket is at most 107 bytes long, that of a
/// folder any length.
fn socket_path(folder: &Path) -> io::Result<(fs::File, PathBuf)> {
    let opened = fs::File::open(folder)?;
    let direct = folder.join(SOCKET);
    let through = PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd()));
    let path = if through.exists() { through.join(SOCKET) } else { direct };
    Ok((opened, path))
}

/// Listens until it is dropped, which removes the socket.
pub(crate) struct Control {
    task: JoinHandle<()>,
    socket: PathBuf,
}

impl Drop for Control {
    fn drop(&mut self) {
        self.task.abort();
        let _ = fs::remove_file(&self.socket);
    }
}

impl Control {
    /// Listens in the session's folder. Must be called within a runtime.
    ///
    /// # Errors
    /// Where no socket can be made there.
    pub(crate) fn listen(
        folder: &Path,
        clock: SessionClock,
        sink: Arc<dyn EventSink>,
        inputs: UnboundedSender<SessionInput>,
        late_stop: LateStop,
    ) -> io::Result<Self> {
        let socket = folder.join(SOCKET);
        // One that is there is of a process that died; the journal's lock keeps a second one from running.
        let _ = fs::remove_file(&socket);
        let (_opened, path) = socket_path(folder)?;
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o600))?;
        let served = Served { clock, sink, inputs, late_stop, marks: 0 };
        let task = tokio::spawn(served.serve(listener));
        Ok(Self { task, socket })
    }
}

/// A session that takes requests.
struct Served {
    clock: SessionClock,
    sink: Arc<dyn EventSink>,
    /// Closed when every run has ended.
    inputs: UnboundedSender<SessionInput>,
    late_stop: LateStop,
    marks: usize,
}

impl Served {
    async fn serve(mut self, listener: UnixListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            // One after the other, and none for long.
            let _ = timeout(REQUEST_TIMEOUT, self.answer(stream)).await;
        }
    }

    async fn answer(&mut self, stream: UnixStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        (&mut stream).take(MAX_REQUEST).read_line(&mut line).await?;
        let answer = match serde_json::from_str(&line) {
            Ok(ControlRequest::Mark { text }) => self.mark(&text).await,
            Ok(ControlRequest::Stop { now }) => self.stop(now),
            Err(_) => ControlAnswer::Refused { reason: "it does not know this request".to_owned() },
        };
        let mut line = serde_json::to_vec(&answer)?;
        line.push(b'\n');
        stream.write_all(&line).await?;
        stream.flush().await
    }

    async fn mark(&mut self, text: &str) -> ControlAnswer {
        let text = ForeignText::at_most(text.trim(), MAX_MARK);
        if text.is_empty() {
            return ControlAnswer::Refused { reason: "the mark has no text".to_owned() };
        }
        // A mark belongs between the runs of a journal, not after its end.
        if self.inputs.is_closed() {
            return ControlAnswer::Ended;
        }
        if self.marks >= MAX_MARKS {
            let reason = format!("a session has at most {MAX_MARKS} marks");
            return ControlAnswer::Refused { reason };
        }
        self.marks += 1;
        let at: SessionTime = self.clock.now();
        info!(text = text.as_str(), "marked");
        print::stderr(&format!("\nmarked: {text}"));
        self.sink.record(Event { at, kind: EventKind::Mark { text } });
        match self.sink.flush().await {
            Ok(()) => ControlAnswer::Done { at_us: at.0 },
            Err(error) => ControlAnswer::Refused { reason: error.to_string() },
        }
    }

    fn stop(&self, now: bool) -> ControlAnswer {
        info!(now, "stop requested by `rushhour stop`");
        let is_told = (0..=u8::from(now)).all(|_| self.inputs.send(SessionInput::Stop).is_ok());
        let what = match (is_told, now) {
            (false, _) => EVERY_RUN_HAS_ENDED,
            (true, true) => {
                "ending the runs in flight, deleting their rooms and writing the reports"
            }
            (true, false) => "no more runs will start, and the runs in flight will be finished",
        };
        print::stderr(&format!("\nrushhour stop: {what}"));
        if !is_told {
            self.late_stop.request();
            return ControlAnswer::Ended;
        }
        ControlAnswer::Done { at_us: self.clock.now().0 }
    }
}

/// Asks the session that runs in `folder`.
///
/// # Errors
/// Where none runs there, or it does not answer.
pub(crate) async fn ask(
    folder: &Path,
    request: &ControlRequest,
) -> Result<ControlAnswer, ControlError> {
    let stream = async {
        let (_opened, path) = socket_path(folder)?;
        UnixStream::connect(path).await
    };
    let mut stream = BufReader::new(stream.await.map_err(ControlError::NotRunning)?);
    let exchange = async {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        stream.write_all(&line).await?;
        let mut answer = String::new();
        (&mut stream).take(MAX_REQUEST).read_line(&mut answer).await?;
        serde_json::from_str(&answer).map_err(io::Error::from)
    };
    match timeout(2 * REQUEST_TIMEOUT, exchange).await {
        Ok(answered) => answered.map_err(ControlError::Silent),
        Err(_) => Err(ControlError::Silent(io::ErrorKind::TimedOut.into())),
    }
}
