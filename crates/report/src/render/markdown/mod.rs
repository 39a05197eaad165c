//! Reports in Markdown, for pull requests and job summaries.

mod comparison;
mod session;

pub use comparison::comparison_markdown;
pub use session::session_markdown;
