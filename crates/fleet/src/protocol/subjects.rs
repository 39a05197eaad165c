//! The subjects of a namespace.

use rushhour_core::units::WorkerId;

/// The subjects of a namespace. Each is one role's alone: a worker subscribes `rh.<namespace>.w.<worker>.>` and
/// `rh.<namespace>.all.>`, and publishes below `rh.<namespace>.up.`.
#[derive(Debug, Clone)]
pub(crate) struct Subjects {
    prefix: String,
}

impl Subjects {
    /// The subjects of a namespace, which must be one ([`is_namespace`]).
    ///
    /// [`is_namespace`]: rushhour_core::profile::WorkersSettings::is_namespace
    pub(crate) fn new(namespace: &str) -> Self {
        Self { prefix: format!("rh.{namespace}") }
    }

    /// Commands for a worker.
    pub(crate) fn command(&self, worker: WorkerId) -> String {
        format!("{}.w.{worker}.command", self.prefix)
    }

    /// What every worker hears.
    pub(crate) fn all(&self) -> String {
        format!("{}.all.*", self.prefix)
    }

    /// Asks every worker to say that it is there.
    pub(crate) fn roll_call(&self) -> String {
        format!("{}.all.roll", self.prefix)
    }

    /// A worker says that it is there.
    pub(crate) fn beat(&self, worker: WorkerId) -> String {
        format!("{}.up.beat.{worker}", self.prefix)
    }

    /// The beats of every worker.
    pub(crate) fn beats(&self) -> String {
        format!("{}.up.beat.*", self.prefix)
    }

    /// Updates for a coordinator.
    pub(crate) fn updates(&self, coordinator: WorkerId) -> String {
        format!("{}.up.{coordinator}.updates", self.prefix)
    }

    /// Requests for scripts and clips of a coordinator.
    pub(crate) fn blobs(&self, coordinator: WorkerId) -> String {
        format!("{}.up.{coordinator}.blobs", self.prefix)
    }

    /// What replies come to, for each process its own, so that nobody else may listen.
    pub(crate) fn inbox(&self, process: WorkerId) -> String {
        format!("_INBOX_{}.{process}", self.prefix.replace('.', "_"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subjects_of_a_worker_are_its_own() {
        let subjects = Subjects::new("team-a");
        let worker = WorkerId::new(0x0a1b_2c3d);
        assert_eq!(subjects.command(worker), "rh.team-a.w.0a1b2c3d.command");
        assert_eq!(subjects.beat(worker), "rh.team-a.up.beat.0a1b2c3d");
        assert_eq!(subjects.updates(worker), "rh.team-a.up.0a1b2c3d.updates");
        assert_eq!(subjects.inbox(worker), "_INBOX_rh_team-a.0a1b2c3d");
    }
}
