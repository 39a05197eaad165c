//! Seeded trials on data whose truth is known: intervals hold it as often as they say, and where
//! nothing differs, alarms stay rare.

mod any_input;
mod arms;
mod changes;
mod durations;
mod pairs;
mod quantiles;
mod rates;
mod trials;
