//! What may never come to an end, and must not hold up a tick.
//!
//! Who reads a command line, a table of mounts or what is known of an open file waits for locks of the process that it belongs to, which a hung disk
//! can hold. Such reads are done by a thread of their own, for so long at most; one that does not come back is left behind, and another takes its
//! place.

use std::{
    cell::RefCell,
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use super::cost::Stopwatch;

/// For one of them, and for all of a tick together.
const PATIENCE: Duration = Duration::from_millis(50);
const OF_A_TICK: Duration = Duration::from_millis(100);
/// Threads that may be left behind at once; until one comes back nothing is read then.
const BEHIND: usize = 4;
/// They read files and put lines together.
const STACK: usize = 128 << 10;

type Work = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Helper {
    work: Option<mpsc::Sender<Work>>,
    /// Threads that were left behind and have not come back.
    behind: Arc<AtomicUsize>,
    /// Of this tick.
    spent: Duration,
    /// Since the start.
    given_up: u64,
}

thread_local! {
    static HELPER: RefCell<Helper> = RefCell::default();
}

/// Does that work; `None`: not in time, or not at all because others did not come back.
pub fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    HELPER.with_borrow_mut(|helper| helper.run(work))
}

/// The text of a file.
pub fn text(path: String) -> Option<String> {
    in_time(move || fs::read_to_string(path).ok())?
}

/// Begins a tick.
pub fn begin_tick() {
    HELPER.with_borrow_mut(|helper| helper.spent = Duration::ZERO);
}

/// How often something was not done in time, since the start.
pub fn given_up() -> u64 {
    HELPER.with_borrow(|helper| helper.given_up)
}

impl Helper {
    fn run<T: Send + 'static>(&mut self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let done = self.attempt(work);
        self.given_up += u64::from(done.is_none());
        done
    }

    fn attempt<T: Send + 'static>(&mut self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let left = OF_A_TICK.saturating_sub(self.spent).min(PATIENCE);
        if left.is_zero() || self.behind.load(Ordering::Acquire) >= BEHIND {
            return None;
        }
        let (sender, answer) = mpsc::sync_channel(1);
        let work: Work = Box::new(move || {
            let _ = sender.send(work());
        });
        if self.work.is_none() {
            self.work = Some(spawn(&self.behind)?);
        }
        self.work.as_ref()?.send(work).ok()?;
        let watch = Stopwatch::start();
        let done = answer.recv_timeout(left).ok();
        self.spent += watch.elapsed();
        if done.is_none() {
            // It ends when it finds that nobody sends it anything any more.
            self.work = None;
            self.behind.fetch_add(1, Ordering::AcqRel);
        }
        done
    }
}

fn spawn(behind: &Arc<AtomicUsize>) -> Option<mpsc::Sender<Work>> {
    let (sender, work) = mpsc::channel::<Work>();
    let behind = behind.clone();
    let thread = thread::Builder::new().name("reader".into()).stack_size(STACK);
    let run = move || {
        work.iter().for_each(|work| work());
        // Its sender is dropped only when it was left behind, or at the end of the run.
        let _ = behind.fetch_update(Ordering::AcqRel, Ordering::Acquire, |behind| behind.checked_sub(1));
    };
    thread.spawn(run).ok()?;
    Some(sender)
}

#[cfg(test)]
mod tests {
    use std::{ffi::CString, path::PathBuf};

    use super::*;

    /// Whoever opens it for reading waits until somebody opens it for writing.
    fn fifo(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("stillwatch-{name}-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        let text = CString::new(path.to_str().unwrap()).unwrap();
        // SAFETY: the path lives here.
        assert_eq!(unsafe { libc::mkfifo(text.as_ptr(), 0o600) }, 0);
        path
    }

    #[test]
    fn what_hangs_is_left_behind() {
        let path = fifo("hangs");
        let mut helper = Helper::default();
        assert_eq!(helper.run(|| 7), Some(7));
        let watch = Stopwatch::start();
        for _ in 0..BEHIND {
            let file = path.clone();
            helper.spent = Duration::ZERO;
            assert!(helper.run(move || fs::read(file)).is_none());
            helper.spent = Duration::ZERO;
            assert_eq!(helper.run(|| 8), (helper.behind.load(Ordering::Acquire) < BEHIND).then_some(8));
        }
        assert!(helper.run(|| 9).is_none(), "too many are left behind");
        assert!(watch.elapsed() < PATIENCE * 3 * BEHIND as u32, "{:?}", watch.elapsed());
        assert_eq!(helper.given_up, BEHIND as u64 + 2);
        // They come back.
        drop(fs::OpenOptions::new().write(true).open(&path).unwrap());
        while helper.behind.load(Ordering::Acquire) > 0 {
            thread::yield_now();
        }
        assert_eq!(helper.run(|| 10), Some(10));
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_tick_waits_for_so_long_in_all() {
        let mut helper = Helper { spent: OF_A_TICK, ..Helper::default() };
        assert!(helper.run(|| 1).is_none());
        helper.spent = Duration::ZERO;
        assert_eq!(helper.run(|| 1), Some(1));
    }
}
