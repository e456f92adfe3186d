//! What may never come to an end, and must not hold up a tick.
//!
//! Who reads a command line, a stack, a table of mounts, a cgroup or what is known of an open file waits for locks of the kernel or of the process
//! that it belongs to, which a hung disk can hold. Such reads are done by a thread of their own, for so long at most; one that does not come back is
//! left behind, and another takes its place. What one of them hangs in is not asked for again until it comes back.

use std::{
    cell::RefCell,
    collections::HashMap,
    fs,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

use super::cost::Stopwatch;

/// For one of them, and for all of a tick together.
const PATIENCE: Duration = Duration::from_millis(100);
const OF_A_TICK: Duration = Duration::from_millis(200);
/// Threads that may be left behind at once; until one comes back nothing is read then.
const BEHIND: usize = 16;
/// They read files and put lines together.
const STACK: usize = 128 << 10;

type Work = Box<dyn FnOnce() + Send>;

/// What threads that were left behind hang in, by their number.
type Behind = Arc<Mutex<HashMap<u64, String>>>;

#[derive(Default)]
struct Helper {
    work: Option<mpsc::Sender<Work>>,
    /// Of the thread that works now.
    number: u64,
    behind: Behind,
    /// Of this tick.
    spent: Duration,
    /// Since the start.
    given_up: u64,
}

thread_local! {
    static HELPER: RefCell<Helper> = RefCell::default();
}

/// Does that work; `None`: not in time, or not at all because others did not come back, or this did not.
pub fn in_time<T: Send + 'static>(what: impl Into<String>, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    HELPER.with_borrow_mut(|helper| helper.run(what.into(), work))
}

/// The text of a file.
pub fn text(path: String) -> Option<String> {
    in_time(path.clone(), move || fs::read_to_string(path).ok())?
}

/// The thread that works now ends when it has nothing to do. The next has the rights of whoever asks for it then.
pub fn dismiss() {
    HELPER.with_borrow_mut(|helper| helper.work = None);
}

/// Begins a tick.
pub fn begin_tick() {
    HELPER.with_borrow_mut(|helper| helper.spent = Duration::ZERO);
}

/// How often something was not done in time, since the start.
pub fn given_up() -> u64 {
    HELPER.with_borrow(|helper| helper.given_up)
}

fn locked(behind: &Behind) -> MutexGuard<'_, HashMap<u64, String>> {
    behind.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Helper {
    fn run<T: Send + 'static>(&mut self, what: String, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let done = self.attempt(what, work);
        self.given_up += u64::from(done.is_none());
        done
    }

    fn attempt<T: Send + 'static>(&mut self, what: String, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let left = self.left();
        if left.is_zero() || self.is_no_use(&what) {
            return None;
        }
        let (sender, answer) = mpsc::sync_channel(1);
        let work: Work = Box::new(move || {
            let _ = sender.send(work());
        });
        if self.work.is_none() {
            self.number += 1;
            self.work = Some(spawn(self.number, &self.behind)?);
        }
        self.work.as_ref()?.send(work).ok()?;
        let done = self.wait(&answer, left);
        if done.is_none() {
            locked(&self.behind).insert(self.number, what);
            // It ends when it finds that nobody sends it anything any more.
            self.work = None;
        }
        done
    }

    fn left(&self) -> Duration {
        OF_A_TICK.saturating_sub(self.spent).min(PATIENCE)
    }

    fn is_no_use(&self, what: &str) -> bool {
        let behind = locked(&self.behind);
        behind.len() >= BEHIND || behind.values().any(|hangs| hangs == what)
    }

    fn wait<T>(&mut self, answer: &mpsc::Receiver<T>, most: Duration) -> Option<T> {
        let watch = Stopwatch::start();
        let done = answer.recv_timeout(most).ok();
        self.spent += watch.elapsed();
        done
    }
}

fn spawn(number: u64, behind: &Behind) -> Option<mpsc::Sender<Work>> {
    let (sender, work) = mpsc::channel::<Work>();
    let behind = behind.clone();
    let run = move || {
        work.iter().for_each(|work| work());
        // Its sender is dropped when it was left behind or dismissed, and at the end of the run.
        locked(&behind).remove(&number);
    };
    begin(run)?;
    Some(sender)
}

/// Begins a thread of its own, which has the rights of whoever begins it.
pub fn begin(run: impl FnOnce() + Send + 'static) -> Option<()> {
    thread::Builder::new().name("reader".into()).stack_size(STACK).spawn(run).ok().map(drop)
}

/// This thread, and whatever it begins, runs after others.
pub fn yield_to_others() {
    // SAFETY: no memory is involved.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 10) };
}

/// A search that may take longer than a tick on a large host: what is not found in time comes with a later one.
pub struct Later<T>(Option<mpsc::Receiver<T>>);

impl<T> Default for Later<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Send + 'static> Later<T> {
    /// A search was begun, and what it found was not asked for since.
    pub fn goes_on(&self) -> bool {
        self.0.is_some()
    }

    /// What was found; begins the search, unless it goes on already. `None`: not yet.
    pub fn get(&mut self, search: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        if self.goes_on() {
            return self.found();
        }
        self.begin(search);
        let answer = self.0.take()?;
        let found = HELPER.with_borrow_mut(|helper| helper.wait(&answer, helper.left()));
        if found.is_none() {
            self.0 = Some(answer);
        }
        found
    }

    /// Begins a search that nobody waits for at all.
    pub fn begin(&mut self, search: impl FnOnce() -> T + Send + 'static) {
        let (sender, answer) = mpsc::sync_channel(1);
        let begun = begin(move || {
            let _ = sender.send(search());
        });
        self.0 = begun.map(|()| answer);
    }

    /// What was found, if the search has ended.
    pub fn found(&mut self) -> Option<T> {
        let found = match self.0.as_ref()?.try_recv() {
            Err(mpsc::TryRecvError::Empty) => return None,
            found => found.ok(),
        };
        self.0 = None;
        found
    }
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

    fn release(fifo: &PathBuf) {
        drop(fs::OpenOptions::new().write(true).open(fifo).unwrap());
    }

    #[test]
    fn what_hangs_is_left_behind() {
        let path = fifo("hangs");
        let mut helper = Helper::default();
        let run = |helper: &mut Helper, what: usize, file: Option<PathBuf>| {
            helper.spent = Duration::ZERO;
            helper.run(what.to_string(), move || file.map_or(7, |file| fs::read(file).unwrap().len()))
        };
        assert_eq!(run(&mut helper, 0, None), Some(7));
        let watch = Stopwatch::start();
        for hung in 1..=BEHIND {
            assert_eq!(run(&mut helper, hung, Some(path.clone())), None);
            let is_full = hung == BEHIND;
            assert_eq!(run(&mut helper, 0, None), (!is_full).then_some(7), "after {hung}");
        }
        assert!(watch.elapsed() < PATIENCE * 2 * BEHIND as u32, "{:?}", watch.elapsed());
        assert_eq!(helper.given_up, BEHIND as u64 + 1);
        // They come back.
        release(&path);
        while !locked(&helper.behind).is_empty() {
            thread::yield_now();
        }
        assert_eq!(run(&mut helper, 1, None), Some(7));
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn what_hangs_is_not_asked_for_again_and_the_rest_is() {
        let path = fifo("again");
        let mut helper = Helper::default();
        let file = path.clone();
        assert!(helper.run("hangs".into(), move || fs::read(file).map(|_| ())).is_none());
        helper.spent = Duration::ZERO;
        let watch = Stopwatch::start();
        assert!(helper.run("hangs".into(), || ()).is_none());
        assert!(watch.elapsed() < PATIENCE / 2, "{:?}", watch.elapsed());
        assert_eq!(helper.run("other".into(), || 3), Some(3));
        release(&path);
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_tick_waits_for_so_long_in_all() {
        let mut helper = Helper { spent: OF_A_TICK, ..Helper::default() };
        assert!(helper.run("late".into(), || 1).is_none());
        helper.spent = Duration::ZERO;
        assert_eq!(helper.run("late".into(), || 1), Some(1));
    }

    #[test]
    fn a_search_is_waited_for_at_later_ticks() {
        let path = fifo("search");
        let mut later = Later::default();
        let file = path.clone();
        assert!(later.get(move || fs::read(file).unwrap().len()).is_none());
        let watch = Stopwatch::start();
        assert!(later.get(|| unreachable!("it goes on")).is_none());
        assert!(watch.elapsed() < PATIENCE / 2, "{:?}", watch.elapsed());
        release(&path);
        let found = std::iter::from_fn(|| Some(later.get(|| unreachable!("it goes on")))).flatten().next();
        assert_eq!(found, Some(0));
        begin_tick();
        assert_eq!(later.get(|| 5), Some(5));
        fs::remove_file(&path).unwrap();
    }
}
