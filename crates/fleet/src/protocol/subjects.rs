//! The subjects of a namespace.

use rushhour_core::units::WorkerId;

/// What a process is to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It hears commands.
    Worker,
    /// It commands, or asks.
    Coordinator,
}

impl Role {
    /// The role in the list of the server's connections.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Coordinator => "coordinator",
        }
    }
}

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

    /// What replies come to: for a worker among its commands, for others among what workers say, so that neither role
    /// needs a right to anything else.
    pub(crate) fn inbox(&self, role: Role, process: WorkerId) -> String {
        let side = match role {
            Role::Worker => "w",
            Role::Coordinator => "up",
        };
        format!("{}.{side}.{process}.inbox", self.prefix)
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
        assert_eq!(subjects.inbox(Role::Worker, worker), "rh.team-a.w.0a1b2c3d.inbox");
        assert_eq!(subjects.inbox(Role::Coordinator, worker), "rh.team-a.up.0a1b2c3d.inbox");
    }
}
