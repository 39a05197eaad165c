//! Whether a tool holds the agent's answer back while its state says that it listens.
//!
//! After a filler ("One moment please."), @livekit/agents up to 1.9.0 and livekit-agents before 1.8 tell `listening`
//! until the tool has given its result. livekit-agents from 1.7 on reports when a tool begins and ends; a session of
//! @livekit/agents is asked for its history, where such a call has no result.

use rushhour_core::units::{Micros, SessionTime};

use crate::data::{SessionQuestion, SessionReport};

/// Calls that run at once and are known, at most.
const MAX_CALLS: usize = 32;
/// How long an answer to a question is waited for; who does not answer in time is not asked again.
const ANSWER_WITHIN: Micros = Micros::from_secs(2);

/// What is known of the tools of an agent's session.
#[derive(Debug)]
pub(super) struct ToolCalls {
    /// A tool that runs for longer than this while the agent listens is taken to run in the background.
    longest_tool: Micros,
    /// Reported calls that run, since when.
    running: Vec<(String, SessionTime)>,
    /// The history shows a call that has no result: since when.
    open_since: Option<SessionTime>,
    framework: Framework,
    /// When the last tool that held the answer back was over.
    over_at: Option<SessionTime>,
    /// Whether the session has told of a tool.
    tells_tools: bool,
    /// When the history was asked for, until the answer came.
    history_asked_at: Option<SessionTime>,
    /// Whether the agent listened when it was not known yet whether its history tells.
    has_unasked: bool,
}

/// Whether the session must be asked for tools that run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framework {
    /// It has sent nothing.
    Unknown,
    /// It was asked what it is, then.
    Asked(SessionTime),
    /// It tells only in its history.
    TellsInHistory,
    /// It tells by itself, or not at all.
    NotAsked,
}

impl ToolCalls {
    /// Nothing yet, of a session whose tools run for so long at most while the agent listens.
    pub(super) const fn new(longest_tool: Micros) -> Self {
        Self {
            longest_tool,
            running: Vec::new(),
            open_since: None,
            framework: Framework::Unknown,
            over_at: None,
            tells_tools: false,
            history_asked_at: None,
            has_unasked: false,
        }
    }

    /// What the session is to be asked, now that it has sent something: what it is, and what the agent that listens
    /// already could not be asked before that was known.
    pub(super) fn session_heard(&mut self, now: SessionTime) -> Option<SessionQuestion> {
        match self.framework {
            Framework::Unknown => {
                self.framework = Framework::Asked(now);
                Some(SessionQuestion::Framework)
            }
            Framework::TellsInHistory if std::mem::take(&mut self.has_unasked) => {
                Some(self.ask_history(now))
            }
            _ => None,
        }
    }

    /// What the session is to be asked, now that the agent listens after it was busy.
    pub(super) fn agent_listens(&mut self, now: SessionTime) -> Option<SessionQuestion> {
        if self.history_asked_at.is_some_and(|at| now.since(at) >= ANSWER_WITHIN) {
            self.framework = Framework::NotAsked;
        }
        match self.framework {
            Framework::Unknown | Framework::Asked(_) => {
                self.has_unasked = true;
                None
            }
            Framework::TellsInHistory => Some(self.ask_history(now)),
            Framework::NotAsked => None,
        }
    }

    const fn ask_history(&mut self, now: SessionTime) -> SessionQuestion {
        self.history_asked_at = Some(now);
        SessionQuestion::History
    }

    /// Notes a report. Returns whether a tool that held the answer back is over.
    pub(super) fn note(&mut self, report: SessionReport, at: SessionTime) -> bool {
        let was_running = self.has_tool(at);
        match report {
            SessionReport::Framework(sdk) => {
                self.framework = match sdk.as_str() {
                    "js" => Framework::TellsInHistory,
                    _ => Framework::NotAsked,
                };
            }
            SessionReport::History(has_open_call) => {
                self.history_asked_at = None;
                // Who answers too late is asked again all the same.
                self.framework = match has_open_call {
                    Some(_) => Framework::TellsInHistory,
                    None => Framework::NotAsked,
                };
                match has_open_call {
                    Some(true) => {
                        self.open_since.get_or_insert(at);
                    }
                    Some(false) => self.open_since = None,
                    None => {}
                }
            }
            SessionReport::ToolBegan { call } => {
                self.tells_tools = true;
                if self.running.len() < MAX_CALLS {
                    self.running.push((call, at));
                }
            }
            SessionReport::ToolOver { call } => self.running.retain(|(one, _)| *one != call),
            SessionReport::ToolsOver => {
                self.tells_tools = true;
                self.running.clear();
                self.open_since = None;
            }
            SessionReport::Pong | SessionReport::RtcStats(_) => return false,
        }
        let is_over = was_running && !self.has_tool(at);
        if is_over {
            self.over_at = Some(at);
        }
        is_over
    }

    /// Until when a tool has held the answer back, by `now`.
    pub(super) fn held_back_until(&self, now: SessionTime) -> Option<SessionTime> {
        let running = self.running.iter().map(|(_, since)| *since).chain(self.open_since);
        let until = running.map(|since| now.min(since + self.longest_tool)).max();
        self.over_at.max(until)
    }

    /// Whether a tool is known to run.
    fn has_tool(&self, now: SessionTime) -> bool {
        let runs = |since: SessionTime| now.since(since) < self.longest_tool;
        self.running.iter().any(|(_, since)| runs(*since)) || self.open_since.is_some_and(runs)
    }

    /// Whether a tool runs, or may run: the answer to a question has not come, or the agent's states since
    /// `in_doubt_since` may mean that one does. Where the session tells of its tools, they may mean something else, for
    /// which `longest_silence` is waited.
    pub(super) fn is_running(
        &self,
        in_doubt_since: Option<SessionTime>,
        longest_silence: Micros,
        now: SessionTime,
    ) -> bool {
        let longest = if self.tells_tools { longest_silence } else { self.longest_tool };
        let is_asked = |at: SessionTime| now.since(at) < ANSWER_WITHIN;
        let will_be_asked =
            self.has_unasked && matches!(self.framework, Framework::Asked(at) if is_asked(at));
        self.has_tool(now)
            || will_be_asked
            || self.history_asked_at.is_some_and(is_asked)
            || in_doubt_since.is_some_and(|since| now.since(since) < longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> SessionTime {
        SessionTime(secs * 1_000_000)
    }

    const fn calls() -> ToolCalls {
        ToolCalls::new(Micros::from_secs(30))
    }

    fn is_running(calls: &ToolCalls, now: SessionTime) -> bool {
        calls.is_running(None, Micros::from_secs(5), now)
    }

    #[test]
    fn a_tool_may_run_where_states_leave_it_open_for_less_long_where_the_session_tells_of_tools() {
        let mut calls = calls();
        let may_run = |calls: &ToolCalls, now: u64| {
            calls.is_running(Some(secs(10)), Micros::from_secs(5), secs(now))
        };
        assert!(may_run(&calls, 39) && !may_run(&calls, 40));
        calls.note(SessionReport::ToolsOver, secs(9));
        assert!(may_run(&calls, 14) && !may_run(&calls, 15));
    }

    fn js() -> ToolCalls {
        let mut calls = calls();
        assert_eq!(calls.session_heard(secs(1)), Some(SessionQuestion::Framework));
        assert_eq!(calls.session_heard(secs(1)), None, "once");
        calls.note(SessionReport::Framework("js".to_owned()), secs(1));
        calls
    }

    #[test]
    fn a_session_that_tells_in_its_history_is_asked_whenever_it_listens() {
        let mut calls = js();
        assert_eq!(calls.agent_listens(secs(5)), Some(SessionQuestion::History));
        assert!(is_running(&calls, secs(5)), "it may");
        assert!(!calls.note(SessionReport::History(Some(true)), secs(5)));
        assert!(is_running(&calls, secs(20)));
        assert!(calls.note(SessionReport::ToolsOver, secs(20)), "the answer follows");
        assert!(!is_running(&calls, secs(20)));
        assert_eq!(calls.agent_listens(secs(22)), Some(SessionQuestion::History));
        calls.note(SessionReport::History(Some(false)), secs(22));
        assert!(!is_running(&calls, secs(22)));
    }

    #[test]
    fn an_agent_that_listens_before_its_framework_is_known_is_asked_as_soon_as_it_is() {
        let mut calls = calls();
        assert_eq!(calls.agent_listens(secs(1)), None, "nobody is known to answer");
        assert!(!is_running(&calls, secs(1)), "nor waited for");
        assert_eq!(calls.session_heard(secs(2)), Some(SessionQuestion::Framework));
        assert!(is_running(&calls, secs(3)), "a tool may run");
        assert!(!is_running(&calls, secs(4)), "it does not answer");
        calls.note(SessionReport::Framework("js".to_owned()), secs(3));
        assert_eq!(calls.session_heard(secs(3)), Some(SessionQuestion::History));
        assert!(is_running(&calls, secs(4)));
        assert_eq!(calls.session_heard(secs(4)), None, "once");
    }

    #[test]
    fn who_answers_late_is_asked_again() {
        let mut calls = js();
        assert!(calls.agent_listens(secs(5)).is_some());
        assert_eq!(calls.agent_listens(secs(8)), None);
        calls.note(SessionReport::History(Some(true)), secs(9));
        assert!(is_running(&calls, secs(10)));
        assert_eq!(calls.agent_listens(secs(11)), Some(SessionQuestion::History));
    }

    #[test]
    fn who_does_not_answer_is_not_waited_for_again() {
        let mut calls = js();
        assert!(calls.agent_listens(secs(5)).is_some());
        assert!(!is_running(&calls, secs(7)));
        assert_eq!(calls.agent_listens(secs(9)), None);
        let mut calls = js();
        assert!(calls.agent_listens(secs(5)).is_some());
        calls.note(SessionReport::History(None), secs(5));
        assert_eq!((calls.agent_listens(secs(6)), is_running(&calls, secs(6))), (None, false));
    }

    #[test]
    fn a_python_session_reports_its_tools_and_is_not_asked() {
        let mut calls = calls();
        calls.note(SessionReport::Framework("python".to_owned()), secs(1));
        let began = |call: &str| SessionReport::ToolBegan { call: call.to_owned() };
        let over = |call: &str| SessionReport::ToolOver { call: call.to_owned() };
        calls.note(began("1"), secs(2));
        calls.note(began("2"), secs(3));
        assert!(!calls.note(over("1"), secs(4)) && is_running(&calls, secs(4)));
        assert!(calls.note(over("2"), secs(5)));
        assert_eq!(calls.agent_listens(secs(6)), None);
        assert_eq!(calls.held_back_until(secs(9)), Some(secs(5)));
        calls.note(began("3"), secs(10));
        assert_eq!(calls.held_back_until(secs(12)), Some(secs(12)));
        assert_eq!(calls.held_back_until(secs(60)), Some(secs(40)), "not for longer");
        assert!(is_running(&calls, secs(39)));
        assert!(!is_running(&calls, secs(41)), "it goes on in the background");
    }

    #[test]
    fn a_session_that_never_stops_calling_uses_bounded_memory() {
        let mut calls = calls();
        for number in 0..1_000 {
            calls.note(SessionReport::ToolBegan { call: number.to_string() }, secs(1));
        }
        assert_eq!(calls.running.len(), MAX_CALLS);
    }
}
