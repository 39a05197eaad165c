//! Rushhour as its users meet it: the binary, whole sessions, real peers.
//!
//! `support` is the harness, in the domain's words. `command_line` is about messages, exit codes and files;
//! `sessions` about whole sessions against the stand-ins, `resuming` about those that were killed; `sandbox`
//! about the stand-ins themselves; `evidence` about sessions held against each other; `reports` about what is
//! made of a journal, down to the page in a browser; `participants` about our own participants in real rooms,
//! `native` about our own callers there, `judging` about their runs judged by Cekura's stand-in; `pairing`
//! about voice against chat; `agents` about the calibration agent; `doctoring` and `sweeping` about looking
//! before a session and clearing up after it; `soaking` about whether an agent stays well; `trouble` about
//! full disks, signals, dying
//! servers and pairs of faults; `parsers` and `hostile_input` about bytes from outside; `peers` about the
//! real LiveKit server, a real agent worker, the official Cekura SDK and other readers of our files; `frameworks`
//! about agents on the frameworks that people use; `logging` about the log and what must not be in it.

#![expect(clippy::disallowed_methods, reason = "the binary and its peers live in real time")]

#[cfg(feature = "native")]
mod agents;
mod capacity;
mod command_line;
mod doctoring;
mod evidence;
mod frameworks;
#[cfg(feature = "native")]
mod hostile_input;
#[cfg(feature = "native")]
mod judging;
mod logging;
#[cfg(feature = "native")]
mod native;
mod packaging;
mod pairing;
#[cfg(feature = "native")]
mod parsers;
#[cfg(feature = "native")]
mod participants;
mod peers;
mod reports;
mod resuming;
mod sandbox;
mod sessions;
mod soaking;
mod support;
mod sweeping;
mod trouble;
