//! Reports for the terminal.

mod comparison;
mod history;
mod session;
mod soak;
mod wrap;

pub use comparison::comparison_text;
pub use history::history_text;
pub use session::session_text;
pub use soak::soak_text;
