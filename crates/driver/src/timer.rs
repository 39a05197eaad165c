//! Waking the loop on time: the runtime's own timer counts in milliseconds, and a start must not wait for the next.

#[cfg(any(not(target_os = "linux"), feature = "portable"))]
pub(super) use coarse::Alarm;
#[cfg(all(target_os = "linux", not(feature = "portable")))]
pub(super) use precise::Alarm;

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

    /// A timer of the kernel's (`man 2 timerfd_create`): some tens of microseconds late on an idle machine.
    pub(crate) struct Alarm {
        timer: AsyncFd<OwnedFd>,
    }

    impl Alarm {
        /// An alarm that is not set; must be made within a runtime.
        pub(crate) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            #[expect(
                deprecated,
                reason = "it is unsound for types that do not own what they say; this one does, and the replacement is unsafe"
            )]
            let timer = AsyncFd::new(timer)?;
            Ok(Self { timer })
        }

        /// Sets it to ring in `wait` from now, in place of whatever it was set to.
        pub(crate) fn set(&self, wait: Duration) -> io::Result<()> {
            // A timer set to nothing is switched off; the shortest wait is one nanosecond.
            let wait = wait.max(Duration::from_nanos(1));
            let value = Timespec {
                tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: wait.subsec_nanos().into(),
            };
            let never_again = Timespec { tv_sec: 0, tv_nsec: 0 };
            let spec = Itimerspec { it_interval: never_again, it_value: value };
            timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &spec)?;
            Ok(())
        }

        /// Waits until it rings.
        pub(crate) async fn rung(&self) -> io::Result<()> {
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

#[cfg(any(not(target_os = "linux"), feature = "portable"))]
mod coarse {
    use std::io;
    use std::sync::Mutex;
    use std::time::Duration;

    use tokio::time::Instant;

    /// The runtime's own timer, a millisecond late at the most on an idle machine.
    pub(crate) struct Alarm {
        at: Mutex<Instant>,
    }

    impl Alarm {
        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self { at: Mutex::new(Instant::now() + Duration::from_secs(1)) })
        }

        pub(crate) fn set(&self, wait: Duration) -> io::Result<()> {
            let mut at = self.at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *at = Instant::now() + wait.min(Duration::from_secs(3600));
            Ok(())
        }

        pub(crate) async fn rung(&self) -> io::Result<()> {
            let at = *self.at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            tokio::time::sleep_until(at).await;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Alarm;

    #[tokio::test]
    async fn it_rings_once_after_the_last_setting() {
        let alarm = Alarm::new().unwrap();
        alarm.set(Duration::from_mins(1)).unwrap();
        alarm.set(Duration::from_millis(5)).unwrap();
        alarm.rung().await.unwrap();
        alarm.set(Duration::ZERO).unwrap();
        alarm.rung().await.unwrap();
        alarm.set(Duration::from_mins(1)).unwrap();
        let again = tokio::time::timeout(Duration::from_millis(30), alarm.rung()).await;
        assert!(again.is_err(), "it was set to later");
    }
}
