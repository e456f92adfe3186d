//! What memory each process holds: one walk of the kernel's own over all tasks, which hands over those that hold some.

use std::{
    fs::File,
    io::Read,
    mem::size_of,
    time::{Duration, Instant},
};

use aya::{Ebpf, programs::Iter};
use stillwatch_common::oom::Resident;

/// What the kernel hands over at once.
const CHUNK: usize = 64 << 10;
const RECORD: usize = size_of::<Resident>();

/// The walk is cut short after this time.
pub const BUDGET: Duration = Duration::from_millis(20);

/// How a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walk {
    Whole,
    CutShort,
}

pub struct Residents {
    buffer: Box<[u8]>,
}

impl Residents {
    pub fn new() -> Self {
        Self { buffer: vec![0; CHUNK].into() }
    }

    /// Visits every process that holds memory worth mentioning. An error says why there is nothing.
    pub fn walk(&mut self, ebpf: &mut Ebpf, visit: impl FnMut(&Resident)) -> Result<Walk, String> {
        let program = ebpf.program_mut("memory_iter").ok_or("no such program")?;
        let program: &mut Iter = program.try_into().map_err(|error: aya::programs::ProgramError| error.to_string())?;
        let id = program.attach().map_err(|error| error.to_string())?;
        let link = program.take_link(id).map_err(|error| error.to_string())?;
        let file = link.into_file().map_err(|error| error.to_string())?;
        self.read(file, visit).map_err(|error| error.to_string())
    }

    fn read(&mut self, mut file: File, mut visit: impl FnMut(&Resident)) -> std::io::Result<Walk> {
        let start = Instant::now();
        let mut held = 0;
        loop {
            let bytes = file.read(&mut self.buffer[held..])?;
            if bytes == 0 {
                return Ok(Walk::Whole);
            }
            let whole = (held + bytes) / RECORD * RECORD;
            for record in self.buffer[..whole].chunks_exact(RECORD) {
                // SAFETY: the program writes whole ones, of plain integers.
                let found = unsafe { record.as_ptr().cast::<Resident>().read_unaligned() };
                visit(&found);
            }
            self.buffer.copy_within(whole..held + bytes, 0);
            held = held + bytes - whole;
            if start.elapsed() > BUDGET {
                return Ok(Walk::CutShort);
            }
        }
    }
}
