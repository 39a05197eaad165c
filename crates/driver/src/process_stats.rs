//! How this process is doing: processor time and memory, as the kernel tells them.

use rushhour_core::units::Micros;

/// Linux counts processor time in hundredths of a second for every program (`man 5 proc`, USER_HZ).
const TICKS_PER_SECOND: u64 = 100;
/// The page size on which `statm` counts; 4096 bytes on x86-64, and on arm64 unless set otherwise.
const PAGE: u64 = 4096;

/// What a session uses of the machine: a process may hold several, one after the other.
pub(super) struct ProcessStats {
    cpu_before: Micros,
}

impl ProcessStats {
    /// From now on.
    pub(super) fn watch() -> Self {
        Self { cpu_before: machine().unwrap_or_default().0 }
    }

    /// Processor time used over all cores since then, and bytes resident.
    pub(super) fn used(&self) -> (Micros, u64) {
        let (cpu, memory) = machine().unwrap_or_default();
        (cpu.saturating_sub(self.cpu_before), memory)
    }
}

/// Processor time used over all cores since the process began, and bytes resident; nothing where the
/// system does not tell, which is everywhere but Linux.
fn machine() -> Option<(Micros, u64)> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some((cpu_of(&stat)?, resident_of(&statm)?))
}

/// `utime` and `stime`, fields 14 and 15; the name in field 2 may hold spaces and brackets.
fn cpu_of(stat: &str) -> Option<Micros> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Micros((user + system) * 1_000_000 / TICKS_PER_SECOND))
}

fn resident_of(statm: &str) -> Option<u64> {
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_figures_are_read() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 4 0 1000 1 1";
        assert_eq!(cpu_of(stat), Some(Micros::from_secs(3)));
        assert_eq!(resident_of("1000 25 3 1 0 5 0"), Some(25 * 4096));
        assert_eq!(cpu_of("nonsense"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_was_used_before_a_session_is_not_its_own() {
        let mut sum = 0_u64;
        while machine().unwrap().0 < Micros::from_millis(300) {
            sum = (0..1_000_000_u64).fold(sum, |sum, n| std::hint::black_box(sum ^ n));
        }
        let (used, _) = ProcessStats::watch().used();
        assert!(used < Micros::from_millis(200), "{used} {sum}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_memory() {
        let (_, memory) = machine().unwrap();
        assert!(memory > 100_000, "{memory}");
    }
}
