//! The harness: the binary, its working directory, session folders, schemas, real peers.

mod binary;
mod certificates;
#[cfg(feature = "native")]
mod connect_proxy;
mod cutting_proxy;
#[cfg(feature = "fleet")]
mod delaying_proxy;
mod events;
mod forged_journal;
mod forger;
mod framework_agents;
mod hostile_server;
#[cfg(feature = "native")]
pub(crate) mod hostile_signalling;
#[cfg(feature = "fleet")]
mod nats;
mod peers;
#[cfg(feature = "fleet")]
mod prometheus;
mod rng;
mod sandbox_process;
mod schema;
mod secrets;
mod server_media;
mod session;
mod side_by_side;
mod synthetic_session;
mod test_dir;
mod truth;
#[cfg(feature = "native")]
mod udp_proxy;
mod wait;

pub(crate) use binary::{CommandOutput, RunningCommand, Rushhour};
#[cfg(feature = "native")]
pub(crate) use certificates::{Authority, ServerCertificate, TlsFront};
#[cfg(feature = "native")]
pub(crate) use connect_proxy::ConnectProxy;
#[cfg(feature = "native")]
pub(crate) use cutting_proxy::CuttingProxy;
#[cfg(feature = "fleet")]
pub(crate) use delaying_proxy::DelayingProxy;
pub(crate) use events::{count_events, count_facts, last_event_time, wait_for_events};
pub(crate) use forged_journal::ForgedJournal;
pub(crate) use forger::Forger;
pub(crate) use framework_agents::{Framework, framework_table};
pub(crate) use hostile_server::HostileServer;
#[cfg(feature = "fleet")]
pub(crate) use nats::{NatsRefusal, NatsServer};
pub(crate) use peers::{LiveKitServer, Peers, ServerVersion, python_facts};
#[cfg(feature = "fleet")]
pub(crate) use prometheus::Prometheus;
pub(crate) use rng::SplitMix64;
pub(crate) use sandbox_process::SandboxProcess;
pub(crate) use schema::{Schema, assert_valid};
pub(crate) use secrets::{PLANTED_API_SECRET, PLANTED_CEKURA_KEY, PLANTED_PASSWORD};
#[cfg(feature = "native")]
pub(crate) use server_media::{ServerMedia, ServerTurn, ServerUdp};
pub(crate) use session::{Row, Session, rows};
pub(crate) use side_by_side::side_by_side;
pub(crate) use synthetic_session::SyntheticSession;
pub(crate) use test_dir::TestDir;
pub(crate) use truth::Truth;
#[cfg(feature = "native")]
pub(crate) use udp_proxy::UdpProxy;
pub(crate) use wait::{PATIENCE, wait_until};
