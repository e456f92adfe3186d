//! The loads. Of each it is known who waits, for what.
//!
//! Those who are compared are on one CPU, in a cgroup of their own, and one at a time waits for I/O: of such a cgroup pressure (some) is the
//! sum of its waits.

use std::{
    cell::OnceCell,
    fs::File,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::OpenOptionsExt,
    },
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;

use super::{
    super::{
        accounts::{PressureGroup, busy_ns, pressure_ns, run_queues},
        cpu::{
            quota::Group,
            work::{last_processor, pin, spin},
        },
        devices::{FewDirty, Filesystem, MIB, Slow, buffered, direct},
        findings::{healthy::compile_while, network::lossy_while},
        io::work::{BLOCK, asynchronous_writes, syncs, write_range},
        oom::waits::reader_at_limit,
        tcp::net::Net,
        workload::{Report, Workload},
    },
    Audit, Audited, Comparison,
};

pub struct Load {
    pub name: &'static str,
    pub run: fn(&Audit) -> Result<Audited>,
}

pub const LOADS: &[Load] = &[
    Load { name: "idle", run: idle },
    Load { name: "sync", run: sync },
    Load { name: "aio", run: aio },
    Load { name: "dirty", run: dirty },
    Load { name: "lock", run: lock },
    Load { name: "memory", run: memory },
    Load { name: "quota", run: quota },
    Load { name: "spinners", run: spinners },
    Load { name: "processes", run: processes },
    Load { name: "compile", run: compile },
    Load { name: "pipes", run: pipes },
    Load { name: "loss", run: loss },
];

const FOREVER: Duration = Duration::from_secs(600);
/// Until a new process sleeps, and can be moved.
const BEGUN: Duration = Duration::from_millis(20);

/// Tasks that are compared, and the account of their pressure. Dropped in this order.
struct Witnesses<const N: usize> {
    processes: [Workload; N],
    group: Option<PressureGroup>,
}

impl<const N: usize> Witnesses<N> {
    fn new(work: impl Fn() -> Report) -> Result<Self> {
        let processes: Vec<Workload> = (0..N).map(|_| Workload::new(&work)).collect::<Result<_>>()?;
        std::thread::sleep(BEGUN);
        let group = PressureGroup::of(&processes.iter().collect::<Vec<_>>())?;
        let cpu = last_processor()?;
        processes.iter().for_each(|process| pin(process.pid, cpu));
        let processes = processes.try_into().map_err(|_| anyhow!("another number of processes"))?;
        Ok(Self { processes, group })
    }

    fn go(&self) {
        self.processes.iter().for_each(Workload::go);
    }

    /// Waits for a disk; nothing, where there is no account of pressure.
    fn pressure<'a>(&'a self, disk: &'a str) -> Vec<Comparison<'a>> {
        let is_on = move |what: &str, on: &str| {
            what == "dirty_pages" || on == disk && ["disk", "sync", "io_throttle"].contains(&what)
        };
        let dir = self.group.as_ref().map(|group| &group.dir);
        let comparison = |dir| Comparison::of_ledger("I/O pressure", is_on, move || pressure_ns(dir, "io"));
        dir.map(|dir: &'a PathBuf| comparison(dir)).into_iter().collect()
    }
}

fn idle(audit: &Audit) -> Result<Audited> {
    audit.watch("idle", &[], || ())
}

/// As a database: each block is safe before the next is written.
fn sync(audit: &Audit) -> Result<Audited> {
    let slow = Slow::new(4 * MIB)?;
    let fd = buffered(&slow.device.name)?;
    let witness = Witnesses::<1>::new(|| syncs(&fd))?;
    let comparisons = witness.pressure(&slow.device.name);
    slow.slow_while(|| audit.watch("sync", &comparisons, || witness.go()))
}

/// A process that has direct writes under way all the time waits as long as the disk has one.
fn aio(audit: &Audit) -> Result<Audited> {
    let slow = Slow::new(4 * MIB)?;
    let disk = &slow.device.name;
    let fd = direct(disk)?;
    let writer = Workload::new(|| asynchronous_writes(&fd, 4))?;
    let is_of = |what: &str, on: &str| on == disk && ["asynchronous_io", "disk"].contains(&what);
    let busy = Comparison::of_ledger("diskstats", is_of, || busy_ns(disk));
    slow.slow_while(|| audit.watch("aio", &[busy], || writer.go()))
}

/// A writer through the page cache, of whose disk few pages may be dirty.
fn dirty(audit: &Audit) -> Result<Audited> {
    let slow = Slow::new(24 * MIB)?;
    let _limit = FewDirty::of(&slow.device.name)?;
    let on_it = Filesystem::on(&slow.device.name)?;
    let file: OwnedFd = File::create_new(on_it.path.join("file"))?.into();
    let witness = Witnesses::<1>::new(|| {
        loop {
            write_range(&file, BLOCK, 0, 8 * MIB);
        }
    })?;
    let comparisons = witness.pressure(&slow.device.name);
    slow.slow_while(|| audit.watch("dirty", &comparisons, || witness.go()))
}

/// Three that make one file longer past the page cache: one waits for the disk, the others for the file's lock.
fn lock(audit: &Audit) -> Result<Audited> {
    let slow = Slow::new(32 * MIB)?;
    let on_it = Filesystem::on(&slow.device.name)?;
    let file: OwnedFd =
        File::options().create(true).append(true).custom_flags(libc::O_DIRECT).open(on_it.path.join("file"))?.into();
    let witnesses = Witnesses::<3>::new(|| {
        loop {
            write_range(&file, BLOCK, 0, MIB);
            // SAFETY: no memory is involved.
            unsafe { libc::ftruncate(file.as_raw_fd(), 0) };
        }
    })?;
    let comparisons = witnesses.pressure(&slow.device.name);
    slow.slow_while(|| audit.watch("lock", &comparisons, || witnesses.go()))
}

/// A reader whose cgroup has no room for its file.
fn memory(audit: &Audit) -> Result<Audited> {
    let reader = reader_at_limit(1, u32::MAX)?;
    // In the cgroup with the limit, where that has an account.
    let own =
        if pressure_ns(&reader.group.dir, "memory").is_ok() { None } else { PressureGroup::of(&[&reader.process])? };
    let dir = own.as_ref().map_or(&reader.group.dir, |own| &own.dir).clone();
    pin(reader.process.pid, last_processor()?);
    let pressure = || pressure_ns(&dir, "memory");
    let comparison = || Comparison::of_ledger("memory pressure", |what, _| what == "memory", pressure);
    let comparisons: Vec<_> = pressure().is_ok().then(comparison).into_iter().collect();
    let audited = audit.watch("memory", &comparisons, || reader.process.go());
    drop(reader);
    audited
}

/// A task that may have a fifth of a CPU.
fn quota(audit: &Audit) -> Result<Audited> {
    let group = Group::new()?;
    let spinner = Workload::new(|| [spin(FOREVER), 0])?;
    std::fs::write(group.dir.join("cgroup.procs"), spinner.pid.to_string())?;
    let name = group.name();
    let is_of = |what: &str, on: &str| what == "quota" && on == name;
    let comparison = Comparison::of_ledger("cpu.stat", is_of, || group.throttled_ns());
    let audited = audit.watch("quota", &[comparison], || spinner.go());
    drop(spinner);
    audited
}

/// Ten for each CPU.
fn spinners(audit: &Audit) -> Result<Audited> {
    let processors = std::thread::available_parallelism()?.get();
    let spinner = |_| Workload::new(|| [spin(FOREVER), 0]);
    let spinners: Vec<Workload> = (0..10 * processors).map(spinner).collect::<Result<_>>()?;
    // Of all tasks: others wait beside them, too.
    let begun = OnceCell::new();
    let waited = || -> Result<u64> {
        let now = run_queues()?;
        let begun = begun.get_or_init(|| now.clone());
        Ok(now.iter().map(|(thread, ns)| ns.saturating_sub(begun.get(thread).copied().unwrap_or(0))).sum())
    };
    let comparison = Comparison::of_ledger("schedstat", |what, _| what == "run_queue", waited);
    audit.watch("spinners", &[comparison], || spinners.iter().for_each(Workload::go))
}

/// Many that begin, execute a program, and end.
fn processes(audit: &Audit) -> Result<Audited> {
    let spawner = || {
        Workload::new(|| {
            let words = [c"true".as_ptr(), std::ptr::null()];
            loop {
                // SAFETY: the child does nothing but execute, or leave.
                unsafe {
                    let child = libc::fork();
                    if child == 0 {
                        libc::execv(c"/bin/true".as_ptr(), words.as_ptr());
                        libc::_exit(1);
                    }
                    libc::waitpid(child, std::ptr::null_mut(), 0);
                }
            }
        })
    };
    let spawners = [spawner()?, spawner()?];
    audit.watch("processes", &[], || spawners.iter().for_each(Workload::go))
}

fn compile(audit: &Audit) -> Result<Audited> {
    Ok(compile_while(|| audit.watch("compile", &[], || ()))?.0)
}

/// Two that hand each other a byte.
fn pipes(audit: &Audit) -> Result<Audited> {
    let mut ends = [[0; 2]; 2];
    for ends in &mut ends {
        // SAFETY: room for two descriptors.
        ensure!(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } == 0, "pipe");
    }
    let pass_on = |from: i32, to: i32| {
        move || {
            let mut byte = 0u8;
            let byte = (&raw mut byte).cast::<libc::c_void>();
            // SAFETY: room for a byte.
            while unsafe { libc::write(to, byte, 1) == 1 && libc::read(from, byte, 1) == 1 } {}
            [0; 2]
        }
    };
    let players = [pass_on(ends[0][0], ends[1][1]), pass_on(ends[1][0], ends[0][1])];
    let players = players.map(Workload::new).into_iter().collect::<Result<Vec<_>>>()?;
    let audited = audit.watch("pipes", &[], || players.iter().for_each(Workload::go));
    // SAFETY: descriptors of our own.
    ends.as_flattened().iter().for_each(|&end| _ = unsafe { libc::close(end) });
    audited
}

/// A connection of whose packets one in ten is lost.
fn loss(audit: &Audit) -> Result<Audited> {
    let net = Net::new()?;
    let pair = net.connect("127.0.0.1")?;
    let segments = |snapshots: &[Value]| {
        let totals = snapshots.iter().filter_map(|snapshot| snapshot["totals"]["segments"].as_u64());
        totals.sum()
    };
    let retransmitted = || net.counter("RetransSegs").context("no counter");
    let comparison = Comparison { what: "snmp", ours: Box::new(segments), kernels: Box::new(retransmitted), unit: 1.0 };
    lossy_while(&[pair], || audit.watch("loss", &[comparison], || ()))
}
