//! Processor time of this process, and of the part of it that is the loopback server, as Linux counts it.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// What threads of the loopback server are called.
pub(super) const LOOPBACK_THREADS: &str = "loopback";
/// Linux counts in hundredths of a second, whatever its own clock is (`man 5 proc_pid_stat`, `USER_HZ`).
const TICKS_PER_SECOND: u64 = 100;

/// Processor time, or how much of it was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProcessorTime {
    /// Of the whole process.
    pub(super) process: Duration,
    /// Of everything but the loopback server.
    pub(super) callers: Duration,
}

impl ProcessorTime {
    /// What was used until now; `None` where the system does not say.
    pub(super) fn now() -> Option<Self> {
        let tasks = fs::read_dir("/proc/self/task").ok()?;
        let (mut all, mut loopback) = (0, 0);
        // A thread that has ended in between is not counted; the threads that matter live on.
        for task in tasks.flatten().filter_map(|task| ticks(&task.path())) {
            let (name, ticks) = task;
            all += ticks;
            if name.starts_with(LOOPBACK_THREADS) {
                loopback += ticks;
            }
        }
        let time = |ticks: u64| Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND);
        Some(Self { process: time(all), callers: time(all - loopback) })
    }

    /// What was used since.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            process: self.process.saturating_sub(before.process),
            callers: self.callers.saturating_sub(before.callers),
        }
    }
}

fn ticks(task: &Path) -> Option<(String, u64)> {
    parsed(&fs::read_to_string(task.join("stat")).ok()?)
}

/// The name of a thread, and its ticks in user and in system mode.
fn parsed(stat: &str) -> Option<(String, u64)> {
    // The name is in parentheses, and may hold some itself.
    let (before, after) = stat.rsplit_once(')')?;
    let name = before.split_once('(')?.1.to_owned();
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field)?.parse::<u64>().ok();
    Some((name, ticks(11)? + ticks(12)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_says_its_name_and_its_time() {
        let stat = "4711 (loopback (1)) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 3 0 100 1 1";
        assert_eq!(parsed(stat), Some(("loopback (1)".to_owned(), 300)));
        for broken in ["", "4711 (x) S", "4711 x S 1"] {
            assert_eq!(parsed(broken), None, "{broken}");
        }
    }
}
