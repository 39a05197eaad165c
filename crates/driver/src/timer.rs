//! [`DeadlineTimer`]: wakes the event loop on time. tokio's own timer has a resolution of a millisecond, by which runs
//! would start late.

#[cfg(any(not(target_os = "linux"), feature = "portable"))]
pub(super) use coarse::DeadlineTimer;
#[cfg(all(target_os = "linux", not(feature = "portable")))]
pub(super) use precise::DeadlineTimer;

#[cfg(all(target_os = "linux", not(feature = "portable")))]
mod precise {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::unix::AsyncFd;

    /// A kernel timer (`man 2 timerfd_create`): some tens of microseconds late on an idle machine.
    pub(crate) struct DeadlineTimer {
        timer: AsyncFd<OwnedFd>,
    }

    impl DeadlineTimer {
        /// A timer that is not set; must be created within a runtime.
        pub(crate) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            #[expect(
                deprecated,
                reason = "it is unsound for types that do not own their descriptor; this one does, and the replacement is unsafe"
            )]
            let timer = AsyncFd::new(timer)?;
            Ok(Self { timer })
        }

        /// Sets it to expire in `wait` from now, in place of any earlier setting.
        pub(crate) fn set(&self, wait: Duration) -> io::Result<()> {
            // Zero would disarm the timer.
            let wait = wait.max(Duration::from_nanos(1));
            let value = Timespec {
                tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: wait.subsec_nanos().into(),
            };
            let once = Timespec { tv_sec: 0, tv_nsec: 0 };
            let spec = Itimerspec { it_interval: once, it_value: value };
            timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &spec)?;
            Ok(())
        }

        /// Waits until it expires.
        pub(crate) async fn expired(&self) -> io::Result<()> {
            loop {
                let mut guard = self.timer.readable().await?;
                let mut count = [0_u8; 8];
                let read = guard.try_io(|timer| {
                    rustix::io::read(timer.get_ref(), &mut count).map_err(io::Error::from)
                });
                if let Ok(result) = read {
                    return result.map(|_| ());
                }
            }
        }
    }
}

// In tests on Linux too, where nothing else uses it.
#[cfg(any(test, not(target_os = "linux"), feature = "portable"))]
#[expect(clippy::unnecessary_wraps, reason = "it has the functions of the precise one")]
mod coarse {
    use std::io;
    use std::sync::Mutex;
    use std::time::Duration;

    use tokio::time::Instant;

    /// tokio's own timer, at most a millisecond late on an idle machine.
    pub(crate) struct DeadlineTimer {
        at: Mutex<Instant>,
    }

    impl DeadlineTimer {
        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self { at: Mutex::new(Instant::now() + Duration::from_secs(1)) })
        }

        pub(crate) fn set(&self, wait: Duration) -> io::Result<()> {
            let mut at = self.at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *at = Instant::now() + wait.min(Duration::from_hours(1));
            Ok(())
        }

        pub(crate) async fn expired(&self) -> io::Result<()> {
            let at = *self.at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            tokio::time::sleep_until(at).await;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    /// Both timers have the same functions, and no trait: only one of them is used on a system.
    macro_rules! expires_once_after_the_last_setting {
        ($timer:ty) => {
            let timer = <$timer>::new().unwrap();
            timer.set(Duration::from_mins(1)).unwrap();
            timer.set(Duration::from_millis(5)).unwrap();
            timer.expired().await.unwrap();
            timer.set(Duration::ZERO).unwrap();
            timer.expired().await.unwrap();
            timer.set(Duration::from_mins(1)).unwrap();
            let again = tokio::time::timeout(Duration::from_millis(30), timer.expired()).await;
            assert!(again.is_err(), "it was set to later");
        };
    }

    #[tokio::test]
    async fn it_expires_once_after_the_last_setting() {
        expires_once_after_the_last_setting!(super::DeadlineTimer);
    }

    #[tokio::test]
    async fn the_one_of_other_systems_does_so_too() {
        expires_once_after_the_last_setting!(super::coarse::DeadlineTimer);
    }
}
