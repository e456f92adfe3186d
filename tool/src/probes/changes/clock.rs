//! When this boot began, and when the wall's clock was set.

use jiff::{SignedDuration, Timestamp};

use super::watching::{Found, Glance, Watched};
use crate::sample::{ChangeKind, Did};

/// Slewing moves it by half a millisecond in a second.
const STEP: SignedDuration = SignedDuration::from_millis(100);

/// At the first look.
pub struct Boot;

impl Watched for Boot {
    fn look(&mut self, glance: &Glance, found: &mut Found) {
        if glance.is_first() {
            let read = |what: &str| std::fs::read_to_string(format!("/proc/sys/kernel/{what}")).unwrap_or_default();
            let mut boot = Glance::kept(
                glance.since_boot(std::time::Duration::ZERO),
                ChangeKind::Boot,
                Did::Began,
                format!("Linux {}", read("osrelease").trim()),
                "CLOCK_BOOTTIME",
            );
            boot.to = Some(read("version").trim().to_owned());
            found.changes.push(boot);
        }
    }
}

/// The wall's time of the boot moves with every step.
#[derive(Default)]
pub struct Steps {
    boot: Option<Timestamp>,
    /// A look may be held up between two clocks: a step is still there at the next.
    doubted: Option<(Timestamp, Glanced)>,
}

/// When that was seen, and the look before.
type Glanced = (Timestamp, Option<Timestamp>);

impl Watched for Steps {
    fn look(&mut self, glance: &Glance, found: &mut Found) {
        let now = glance.since_boot(std::time::Duration::ZERO);
        let Some(known) = self.boot else {
            self.boot = Some(now);
            return;
        };
        let by = now.duration_since(known);
        if by.abs() < STEP {
            (self.boot, self.doubted) = (Some(now), None);
            return;
        }
        let Some((at, after)) =
            self.doubted.take().filter(|(boot, _)| now.duration_since(*boot).abs() < STEP).map(|it| it.1)
        else {
            self.doubted = Some((now, (glance.now.wall, glance.before)));
            return;
        };
        self.boot = Some(now);
        let mut step = glance.seen(ChangeKind::Clock, Did::Changed, "time of day", "CLOCK_REALTIME");
        (step.at, step.after, step.to) = (at, after, Some(format!("{:+.3}s", by.as_secs_f64())));
        found.changes.push(step);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::watching::tests::glance, *};

    /// That second, the wall being set by so many milliseconds.
    fn at(clock: &mut Steps, second: i64, by: i64) -> Vec<crate::sample::Change> {
        let mut glance = glance(second);
        glance.now.wall = glance.now.wall.checked_add(SignedDuration::from_millis(by)).unwrap();
        let mut found = Found::default();
        clock.look(&glance, &mut found);
        found.changes
    }

    #[test]
    fn a_step_is_one_that_stays() {
        let mut clock = Steps::default();
        for (second, by) in [(0, 0), (1, 1), (2, 700), (3, 1), (4, 90), (5, 130), (6, -3000)] {
            assert!(at(&mut clock, second, by).is_empty(), "{second}");
        }
        let [step] = &at(&mut clock, 7, -3001)[..] else { panic!("no step") };
        assert_eq!((step.to.as_deref(), step.after), (Some("-3.131s"), glance(6).before));
        assert!(at(&mut clock, 8, -3001).is_empty());
    }

    #[test]
    fn this_boot_began_when_the_kernel_says_so() {
        let mut found = Found::default();
        Boot.look(&glance(0), &mut found);
        // The look is a thousand seconds after it.
        assert_eq!(found.changes[0].at, glance(-1000).now.wall);
        Boot.look(&glance(1), &mut found);
        assert_eq!(found.changes.len(), 1);
    }
}
