//! Standard output that the ticks never wait for.
//!
//! A terminal that was stopped, or a pipe that nobody reads, blocks whoever writes to it. So a thread of its own writes, and what it has not written
//! yet waits in a queue that is bounded: of what is too much, the oldest interval is dropped, and counted.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tokio::sync::Notify;

use crate::{for_tests, snapshot::Lost};

/// What may wait.
const BLOCKS: usize = 64;
const BYTES: usize = 4 << 20;
/// Whoever does not read for so long at the end of a run does not get the rest of it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Collects a block, and hands it over when it is flushed.
pub struct Out {
    block: Vec<u8>,
    /// Blocks that may wait.
    room: usize,
    queue: Arc<Queue>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    failed: Notify,
}

#[derive(Default)]
struct State {
    blocks: VecDeque<Vec<u8>>,
    /// One is being written.
    writing: bool,
    written: u64,
    dropped: u64,
    failed: Option<io::Error>,
    over: bool,
}

impl State {
    /// Blocks that are not written.
    fn left(&self) -> usize {
        self.blocks.len() + usize::from(self.writing)
    }
}

/// What becomes of what was handed over.
pub struct Unread(Arc<Queue>);

impl Unread {
    pub fn lost(&self) -> Lost {
        Lost { cause: "intervals that nobody read", count: self.0.state().dropped }
    }

    /// All was written that was handed over.
    pub fn is_idle(&self) -> bool {
        self.0.state().left() == 0
    }

    /// Until it is so, as long as somebody reads.
    pub fn wait(&self) {
        drop(self.0.drain(self.0.state()));
    }

    /// Waits until something could not be written: why. `BrokenPipe`: the reader has seen enough.
    pub async fn failed(&self) -> io::Error {
        loop {
            self.0.failed.notified().await;
            if let Some(error) = self.0.state().failed.take() {
                return error;
            }
        }
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is news; false: there was none for that long.
    fn wait<'a>(&self, state: MutexGuard<'a, State>, most: Duration) -> (MutexGuard<'a, State>, bool) {
        let (state, waited) = self.changed.wait_timeout(state, most).unwrap_or_else(PoisonError::into_inner);
        (state, !waited.timed_out())
    }

    /// Waits until all is written, as long as somebody reads.
    fn drain<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        while state.failed.is_none() && state.left() > 0 {
            let before = state.written;
            let news;
            (state, news) = self.wait(state, PATIENCE);
            if !news && state.written == before {
                break;
            }
        }
        state
    }

    /// The thread that writes.
    fn write_to(&self, mut out: impl Write) {
        let mut state = self.state();
        loop {
            let Some(block) = state.blocks.pop_front() else {
                if state.over {
                    return;
                }
                (state, _) = self.wait(state, Duration::from_secs(3600));
                continue;
            };
            state.writing = true;
            drop(state);
            let result = out.write_all(&block).and_then(|()| out.flush());
            state = self.state();
            state.writing = false;
            state.written += 1;
            if let Err(error) = result {
                state.failed = Some(error);
                state.blocks.clear();
                self.failed.notify_one();
            }
            self.changed.notify_all();
        }
    }
}

impl Out {
    pub fn to(out: impl Write + Send + 'static) -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let writer = queue.clone();
        thread::Builder::new().name("output".into()).spawn(move || writer.write_to(out))?;
        let room = for_tests::entries("STILLWATCH_QUEUE").map_or(BLOCKS, |blocks| blocks as usize);
        Ok(Self { block: Vec::new(), room, queue })
    }

    pub fn unread(&self) -> Unread {
        Unread(self.queue.clone())
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.block.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// Hands the block over. Fails where an earlier one could not be written.
    fn flush(&mut self) -> io::Result<()> {
        let mut state = self.queue.state();
        if let Some(error) = state.failed.take() {
            return Err(error);
        }
        let block = std::mem::take(&mut self.block);
        if block.is_empty() {
            return Ok(());
        }
        state.blocks.push_back(block);
        let mut bytes: usize = state.blocks.iter().map(Vec::len).sum();
        while state.blocks.len() > self.room || (bytes > BYTES && state.blocks.len() > 1) {
            bytes -= state.blocks.pop_front().map_or(0, |block| block.len());
            state.dropped += 1;
        }
        self.queue.changed.notify_all();
        Ok(())
    }
}

impl Drop for Out {
    /// Waits for the rest, as long as somebody reads it.
    fn drop(&mut self) {
        let mut state = self.queue.state();
        state.over = true;
        self.queue.changed.notify_all();
        state = self.queue.drain(state);
        let left = if state.failed.is_some() { 0 } else { state.left() };
        drop(state);
        if left > 0 {
            tracing::warn!("nobody reads what is printed: {left} intervals are not");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Writes when it is told to, and fails when nobody can tell it any more.
    struct Slow(mpsc::Receiver<()>, mpsc::Sender<Vec<u8>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().map_err(|_| io::ErrorKind::BrokenPipe)?;
            let _ = self.1.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow() -> (Out, mpsc::Sender<()>, mpsc::Receiver<Vec<u8>>) {
        let ((go, wait), (sender, seen)) = (mpsc::channel(), mpsc::channel());
        (Out::to(Slow(wait, sender)).unwrap(), go, seen)
    }

    /// One that is being written.
    fn stuck() -> (Out, mpsc::Sender<()>, mpsc::Receiver<Vec<u8>>) {
        let (mut out, go, seen) = slow();
        print(&mut out, 0).unwrap();
        while !out.queue.state().writing {
            thread::yield_now();
        }
        (out, go, seen)
    }

    fn print(out: &mut Out, number: usize) -> io::Result<()> {
        write!(out, "{number}")?;
        out.flush()
    }

    #[test]
    fn nobody_waits_for_who_does_not_read() {
        let (mut out, go, seen) = stuck();
        (1..=BLOCKS + 7).for_each(|number| print(&mut out, number).unwrap());
        assert_eq!(out.unread().lost().count, 7);
        (0..=BLOCKS).for_each(|_| go.send(()).unwrap());
        drop(out);
        let seen: Vec<String> = seen.try_iter().map(|block| String::from_utf8(block).unwrap()).collect();
        let right: Vec<String> = [0].into_iter().chain(8..=BLOCKS + 7).map(|number| number.to_string()).collect();
        assert_eq!(seen, right, "the oldest are missing, and the rest is in order");
    }

    #[test]
    fn who_has_seen_enough_ends_the_run() {
        let (mut out, go, _seen) = slow();
        drop(go);
        print(&mut out, 0).unwrap();
        while out.queue.state().failed.is_none() {
            thread::yield_now();
        }
        assert_eq!(print(&mut out, 1).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn large_blocks_are_dropped_sooner() {
        let (mut out, _go, _seen) = stuck();
        for _ in 0..3 {
            out.write_all(&vec![b'x'; BYTES / 2]).unwrap();
            out.flush().unwrap();
        }
        assert_eq!(out.unread().lost().count, 1);
    }
}
