//! The loop that lends the session a clock, an inbox and hands.

use tokio::sync::mpsc;
use tokio::time::{Duration, MissedTickBehavior};

use super::clock::SessionClock;
use super::effects::{SessionEffect, SessionInput};
use super::executor::{Executor, Services};
use super::process_stats::ProcessStats;
use super::session::Session;
use super::timer::Alarm;
use rushhour_core::event::EventSinkError;

/// How often the journal's health is looked at.
const JOURNAL_EVERY: Duration = Duration::from_secs(1);
/// How often the process's health is noted.
const HEALTH_EVERY: Duration = Duration::from_secs(10);
/// Inputs taken in before the loop looks at the clock again.
const INPUTS_AT_ONCE: usize = 64;

/// Drives a session to its end. Each message of `wishes` is a wish for an end: [`SessionInput::Stop`], the first
/// to drain and the second now, or [`SessionInput::Abort`].
///
/// # Errors
/// Where what happened could not be kept, everything having been brought to an end first; or where the
/// system has no timer to lend.
pub async fn drive(
    mut session: Session,
    outside: Services,
    clock: SessionClock,
    mut wishes: mpsc::UnboundedReceiver<SessionInput>,
) -> Result<(), EventSinkError> {
    // As many inputs as actions are under way, which the limit of runs in flight bounds.
    let (sender, mut inbox) = mpsc::unbounded_channel();
    let performer = Executor { outside, clock, inbox: sender };
    let evaluator = performer.outside.evaluator.clone();
    let mut journal = tokio::time::interval(JOURNAL_EVERY);
    let mut health = tokio::time::interval(HEALTH_EVERY);
    journal.set_missed_tick_behavior(MissedTickBehavior::Delay);
    health.set_missed_tick_behavior(MissedTickBehavior::Delay);
    health.reset();
    let machine = ProcessStats::watch();
    let mut nobody_wishes = false;
    let no_timer =
        |error: std::io::Error| EventSinkError(format!("there is no timer to be had: {error}"));
    let alarm = Alarm::new().map_err(no_timer)?;
    session.tick(clock.now());
    loop {
        for action in session.take_actions() {
            if action == SessionEffect::Finish {
                return performer.outside.sink.flush().await;
            }
            performer.perform(action);
        }
        alarm.set(clock.until(session.next_deadline())).map_err(no_timer)?;
        tokio::select! {
            Some(input) = inbox.recv() => {
                session.handle(input, clock.now());
                for _ in 1..INPUTS_AT_ONCE {
                    let Ok(input) = inbox.try_recv() else { break };
                    session.handle(input, clock.now());
                }
            }
            told = evaluator.next_update() => {
                session.handle(performer.take_in(told), clock.now());
            }
            rung = alarm.rung() => {
                rung.map_err(no_timer)?;
                session.tick(clock.now());
            }
            wish = wishes.recv(), if !nobody_wishes => match wish {
                Some(wish) => session.handle(wish, clock.now()),
                None => nobody_wishes = true,
            },
            _ = health.tick() => {
                let (cpu, memory) = machine.used();
                let callers = performer.outside.evaluator.health();
                session.handle(SessionInput::ProcessStats { cpu, memory, callers }, clock.now());
            }
            _ = journal.tick() => performer.look_at_the_journal(),
        }
    }
}
