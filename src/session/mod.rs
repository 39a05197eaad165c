//! Running a session: from a loaded profile to a folder with a journal and reports.
//!
//! `new_session` starts one and `drive` sees it to its end, for `run`, `soak`, `capacity`, `judge` and `resume`
//! alike. `clients` are the services it talks to, `recordings` keeps conversations. `live` shows a session while it runs,
//! `otlp` pushes its metrics, and `control` takes marks and stops. `judging` has runs of a session judged, in a session of
//! its own.

pub(crate) mod abort_on_fail;
pub(crate) mod clients;
pub(crate) mod control;
pub(crate) mod cost;
pub(crate) mod drive;
pub(crate) mod folder;
pub(crate) mod forecast_text;
pub(crate) mod journal_hosts;
pub(crate) mod judging;
pub(crate) mod late_stop;
pub(crate) mod live;
pub(crate) mod marked_rooms;
pub(crate) mod native_callers;
pub(crate) mod new_session;
pub(crate) mod notify;
#[cfg(feature = "otlp")]
pub(crate) mod otlp;
pub(crate) mod progress;
#[cfg(feature = "native")]
pub(crate) mod recordings;
pub(crate) mod trust;
#[cfg(feature = "fleet")]
pub(crate) mod worker_callers;
pub(crate) mod worker_monitor;
