//! Speech from text: the words of a script that have no clip, said by a program or a service, once before the session.
//!
//! `spoken_scripts` finds what is to be said and puts it under the scenario's conditions, `synthesiser` has it said,
//! `program` and `service` say it, and `cache` keeps it for the next session.

mod cache;
mod program;
mod service;
mod spoken_scripts;
mod stream_header;
mod synthesiser;

pub(crate) use spoken_scripts::SpokenScripts;
