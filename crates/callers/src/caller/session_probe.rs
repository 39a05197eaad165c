//! Whether the agent's session is still there: a participant stays in the room, `listening`, when its session is closed.

/// What is known of the agent's session from the stream `lk.agent.session`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SessionProbe {
    /// Whether the agent has sent anything on it: then its session answers requests.
    is_hosted: bool,
    /// Whether it was asked.
    was_asked: bool,
    /// Whether it has answered since.
    has_answered: bool,
}

impl SessionProbe {
    /// A message came; it may be a response.
    pub(super) const fn note_message(&mut self, is_response: bool) {
        self.is_hosted = true;
        self.has_answered |= is_response;
    }

    /// Whether the session can be asked, and has not been. It counts as asked from now on.
    pub(super) const fn ask(&mut self) -> bool {
        let asks = self.is_hosted && !self.was_asked;
        self.was_asked |= asks;
        asks
    }

    /// Whether its session answers requests.
    pub(super) const fn is_hosted(self) -> bool {
        self.is_hosted
    }

    pub(super) const fn has_answered(self) -> bool {
        self.has_answered
    }

    /// Whether the session was asked and has not answered.
    pub(super) const fn is_gone(self) -> bool {
        self.was_asked && !self.has_answered
    }
}
