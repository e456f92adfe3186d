//! Names of the kernel's functions, from /proc/kallsyms: return addresses of a stack → function names.
//!
//! The file is read when the first stack is asked about, never before: a pass makes the kernel print some 100,000 lines
//! (40 to 50 ms and 2.1 MiB on Linux 6.18 without modules), which a run that sees no stall does not pay. No tick waits for its end.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead, BufReader},
    time::Duration,
};

use super::in_time::Later;

const FILE: &str = "/proc/kallsyms";

/// Longest function that we believe in: the file has no sizes, and what lies further behind the last known start belongs
/// to a module that was loaded since. The longest in Linux 6.18 has 21 KiB, and modules lie side by side.
const LONGEST: u32 = 64 << 10;

/// A pass again only this long after the last one: an address without a name may stay so for ever.
const PAUSE: Duration = Duration::from_secs(60);

/// Why there are no names.
#[derive(Debug, thiserror::Error)]
pub enum NoSymbols {
    #[error("the kernel hides its addresses: needs CAP_SYSLOG, and sysctl kernel.kptr_restrict below 2")]
    Hidden,
    #[error("{FILE} names no function: the kernel was built without CONFIG_KALLSYMS")]
    Empty,
    #[error("cannot read {FILE}: {0}")]
    Read(#[from] io::Error),
}

/// Looks up names of kernel functions.
#[derive(Default)]
pub struct Symbols {
    table: SymbolTable,
    pass: Later<Result<SymbolTable, NoSymbols>>,
    /// On the clock of samples.
    read_at: Option<Duration>,
    unavailable: Option<NoSymbols>,
}

impl Symbols {
    /// Reads nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The functions that the return addresses of a stack lead back into, in its order; a `None` among them: not a function of the kernel,
    /// or not known. `None` of all: the file is being read.
    pub fn names(&mut self, stack: &[u64], now: Duration) -> Option<Vec<Option<&str>>> {
        let is_read = self.prepare(stack, now, read);
        let known = |&address| self.table.name(address);
        is_read.then(|| stack.iter().map(known).collect())
    }

    /// Why there are no names, once that was found out.
    pub fn unavailable(&self) -> Option<&NoSymbols> {
        self.unavailable.as_ref()
    }

    /// Begins to read the file if these addresses need it and it was not read just now; takes what was read. Whether it
    /// need not be waited for.
    fn prepare<R>(&mut self, stack: &[u64], now: Duration, read: R) -> bool
    where
        R: FnOnce() -> Result<SymbolTable, NoSymbols> + Send + 'static,
    {
        // The upper half of the address space is the kernel's; a stack's buffer ends in zeros.
        let unknown = |&address: &u64| address >> 63 == 1 && self.table.name(address).is_none();
        let paused = self.read_at.is_some_and(|at| now.saturating_sub(at) < PAUSE);
        if !self.pass.goes_on() {
            if paused || !stack.iter().any(unknown) {
                return true;
            }
            self.read_at = Some(now);
            // Gives the old table back first: two at a time would double the peak.
            self.table = SymbolTable::default();
        }
        let Some(read) = self.pass.get(read) else {
            // Without a thread nothing was begun.
            self.read_at = self.read_at.filter(|_| self.pass.goes_on());
            return false;
        };
        self.unavailable = read.map(|table| self.table = table).err();
        true
    }
}

/// Functions of a few return addresses, from one pass that keeps nothing else: for who asks about some places in the kernel, and not
/// about stacks.
pub fn find(return_addresses: &[u64]) -> Result<HashMap<u64, String>, NoSymbols> {
    find_in(BufReader::with_capacity(4 << 10, File::open(FILE)?), return_addresses)
}

fn find_in(mut file: impl BufRead, return_addresses: &[u64]) -> Result<HashMap<u64, String>, NoSymbols> {
    let mut nearest: HashMap<u64, (u64, String)> = HashMap::new();
    let (mut line, mut hidden, mut any) = (Vec::with_capacity(256), false, false);
    while file.read_until(b'\n', &mut line)? > 0 {
        match function(&line) {
            Some((0, _)) => hidden = true,
            Some((start, name)) => {
                any = true;
                for &address in return_addresses {
                    // It points behind the call, which may be the last instruction of its function.
                    let inside = start < address && address - 1 - start < u64::from(LONGEST);
                    if inside && nearest.get(&address).is_none_or(|(known, _)| *known < start) {
                        nearest.insert(address, (start, name.to_owned()));
                    }
                }
            }
            None => {}
        }
        line.clear();
    }
    match (any, hidden) {
        (false, true) => Err(NoSymbols::Hidden),
        (false, false) => Err(NoSymbols::Empty),
        (true, _) => Ok(nearest.into_iter().map(|(address, (_, name))| (address, name)).collect()),
    }
}

fn read() -> Result<SymbolTable, NoSymbols> {
    // The kernel hands out one page per read, whatever the buffer.
    SymbolTable::read(BufReader::with_capacity(4 << 10, File::open(FILE)?))
}

/// Where a function starts, and where its name does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Start {
    offset: u32,
    name: u32,
}

/// 8 bytes per function and its name: 30 bytes on average.
#[derive(Default)]
struct SymbolTable {
    base: u64,
    starts: Vec<Start>,
    /// A newline behind each.
    names: String,
}

impl SymbolTable {
    fn read(mut file: impl BufRead) -> Result<Self, NoSymbols> {
        let (mut table, mut line, mut hidden) = (Self::default(), Vec::with_capacity(256), false);
        while file.read_until(b'\n', &mut line)? > 0 {
            match function(&line) {
                Some((0, _)) => hidden = true,
                Some((address, name)) => table.add(address, name),
                None => {}
            }
            line.clear();
        }
        match (table.starts.is_empty(), hidden) {
            (true, true) => return Err(NoSymbols::Hidden),
            (true, false) => return Err(NoSymbols::Empty),
            (false, _) => {}
        }
        // The kernel itself comes in order, its modules don't. Of several names for one address the first counts, as in
        // the kernel's own stacks.
        table.starts.sort_unstable();
        table.starts.dedup_by_key(|start| start.offset);
        table.starts.shrink_to_fit();
        table.names.shrink_to_fit();
        Ok(table)
    }

    fn add(&mut self, address: u64, name: &str) {
        if self.starts.is_empty() {
            // The kernel comes first; its modules are within 2 GiB of it, before or behind, so that calls reach.
            self.base = address.saturating_sub(1 << 31);
        }
        let offset = address.checked_sub(self.base).and_then(|offset| u32::try_from(offset).ok());
        let (Some(offset), Ok(name_at)) = (offset, u32::try_from(self.names.len())) else { return };
        if self.starts.last().is_some_and(|last| last.offset == offset) {
            return;
        }
        self.starts.push(Start { offset, name: name_at });
        self.names.push_str(name);
        self.names.push('\n');
    }

    fn name(&self, return_address: u64) -> Option<&str> {
        // It points behind the call, which may be the last instruction of its function.
        let offset = u32::try_from(return_address.checked_sub(1)?.checked_sub(self.base)?).ok()?;
        let behind = self.starts.partition_point(|start| start.offset <= offset);
        let start = self.starts.get(behind.checked_sub(1)?)?;
        let known = offset - start.offset < LONGEST;
        known.then(|| self.names.get(start.name as usize..)?.split('\n').next()).flatten()
    }
}

/// Address and name in a line (`ffffffff81000000 t name.isra.0`; in a module, a tab and its name follow), if it is a
/// function.
fn function(line: &[u8]) -> Option<(u64, &str)> {
    let (address, rest) = str::from_utf8(line).ok()?.split_once(' ')?;
    let name = rest.strip_prefix(['t', 'T', 'w', 'W'])?.strip_prefix(' ')?;
    // Padding in front of each function, half of all lines on new kernels; no call returns there.
    if name.starts_with("__pfx_") || name.starts_with("__cfi_") {
        return None;
    }
    let name = name.split(['\t', ' ', '\n']).next()?;
    Some((u64::from_str_radix(address, 16).ok()?, without_suffix(name)))
}

/// The name in the source, without what the compiler put behind it (`.isra.0`, `.constprop.0.cold`, `.llvm.123`).
pub fn without_suffix(name: &str) -> &str {
    match name.find('.') {
        Some(at) if at > 0 => &name[..at],
        _ => name,
    }
}

#[cfg(test)]
mod tests;
