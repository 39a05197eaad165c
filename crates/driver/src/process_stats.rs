//! [`ProcessStats`]: the CPU time and memory that this process uses, from `/proc`.

use rushhour_core::units::Micros;

/// Linux reports CPU time in hundredths of a second (`man 5 proc`, USER_HZ).
const TICKS_PER_SECOND: u64 = 100;
/// The unit of `statm`: 4096 bytes on x86-64, and on arm64 unless configured otherwise.
const PAGE: u64 = 4096;

/// What one session uses; a process may run several, one after the other.
pub(super) struct ProcessStats {
    cpu_before: Micros,
}

impl ProcessStats {
    /// Counts from now on.
    pub(super) fn start() -> Self {
        Self { cpu_before: process_totals().unwrap_or_default().0 }
    }

    /// CPU time over all cores since the start, and resident bytes.
    pub(super) fn used(&self) -> (Micros, u64) {
        let (cpu, memory) = process_totals().unwrap_or_default();
        (cpu.saturating_sub(self.cpu_before), memory)
    }
}

/// CPU time over all cores since the process began, and resident bytes; `None` on other systems than Linux.
fn process_totals() -> Option<(Micros, u64)> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some((parse_cpu_time(&stat)?, parse_resident_memory(&statm)?))
}

/// `utime` and `stime`, fields 14 and 15; the name in field 2 may hold spaces and brackets.
fn parse_cpu_time(stat: &str) -> Option<Micros> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Micros((user + system) * 1_000_000 / TICKS_PER_SECOND))
}

fn parse_resident_memory(statm: &str) -> Option<u64> {
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_formats_are_parsed() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 4 0 1000 1 1";
        assert_eq!(parse_cpu_time(stat), Some(Micros::from_secs(3)));
        assert_eq!(parse_resident_memory("1000 25 3 1 0 5 0"), Some(25 * 4096));
        assert_eq!(parse_cpu_time("nonsense"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn cpu_time_before_the_session_does_not_count() {
        let mut sum = 0_u64;
        while process_totals().unwrap().0 < Micros::from_millis(300) {
            sum = (0..1_000_000_u64).fold(sum, |sum, n| std::hint::black_box(sum ^ n));
        }
        let (used, _) = ProcessStats::start().used();
        assert!(used < Micros::from_millis(200), "{used} {sum}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_memory() {
        let (_, memory) = process_totals().unwrap();
        assert!(memory > 100_000, "{memory}");
    }
}
