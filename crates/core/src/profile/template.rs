//! The commented profile that `rushhour init` writes.

/// A profile to start from, with every table explained.
pub const fn starting_profile() -> &'static str {
    include_str!("starting_profile.toml")
}
