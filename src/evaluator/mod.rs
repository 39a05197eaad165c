//! Who talks to the agent: one trait at this seam, and who stands behind it.

mod seam;

pub mod cekura;
#[cfg(feature = "native")]
pub mod native;

pub use seam::{
    Accepted, AskError, Entry, Evaluator, Following, Manner, News, Sight, SightState, SubmitError,
    SubmitErrorKind, Told,
};
