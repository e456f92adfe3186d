//! The loads of `cargo xtask bench`.
//!
//! `calls CPU COUNT`: getppid in a loop; nothing is cheaper to the kernel, so nothing shows the added cost better.
//! `pairs CPU COUNT`: a byte into a pipe and out again, which never blocks: the system calls of a context switch of
//! `perf bench sched pipe` without the switch.
//! `reads CPU COUNT DEVICE`: 4 KiB at random places, past the page cache: every read is a request.
//! `writes CPU COUNT DEVICE`: overwrites a file of COUNT clean pages on the device's ext4, page by page: nothing but memory
//! is written to before the next round cleans them again.
//! `echo CPU COUNT`: a byte to the other end of a TCP connection and back. `echo-tail` answers with the 99th percentile of its rounds.
//! `connects CPU COUNT`: opens, accepts and closes a connection. Both in a network namespace of their own.
//! `lossy CPU COUNT`: writes a kilobyte to a TCP connection that loses one packet in twenty, 3000 times a second, and answers with the
//! number of segments that were retransmitted.
//! `busy THREADS`: many threads that make many different system calls, until standard input ends.
//! `processes COUNT`: many processes that wake twice a second for the same calls, until standard input ends.
//! `files DEVICE`: writes a file on the device's ext4, syncs it and reads it back, until standard input ends.
//!
//! All but the last four make COUNT rounds for every line on standard input, and answer with the nanoseconds per round.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    os::{
        fd::AsRawFd,
        unix::fs::{FileExt, OpenOptionsExt},
    },
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

/// What the busy load's calls may write to.
const BUFFER: usize = 4096;
/// Bytes that are read or written at once.
const PAGE: u64 = 4096;
/// Pages between two syncs of `files`.
const PAGES: u64 = 64;
/// Exists everywhere; what is mounted there is only seen by the process that does it, and gone with it.
const MOUNT_POINT: &std::ffi::CStr = c"/mnt";

/// Direct reads want it aligned.
#[repr(align(4096))]
struct Page([u8; PAGE as usize]);

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| -> Result<u64> { Ok(args.get(at).context("a number is missing")?.parse()?) };
    let device = |at: usize| args.get(at).context("a device is missing");
    match args.first().map(String::as_str) {
        Some("calls") => {
            // SAFETY: no arguments, no effect.
            timed(number(1)?, number(2)?, || Ok(()), |_| unsafe { libc::syscall(libc::SYS_getppid) } > 0)
        }
        Some("pairs") => {
            let mut ends = [0; 2];
            // SAFETY: room for two descriptors.
            ensure!(unsafe { libc::pipe(ends.as_mut_ptr()) } == 0, "pipe: {}", io::Error::last_os_error());
            let mut byte = 0u32;
            let data = (&raw mut byte).cast();
            let pair = |_| {
                // SAFETY: room for four bytes.
                unsafe { libc::write(ends[1], data, 4) == 4 && libc::read(ends[0], data, 4) == 4 }
            };
            timed(number(1)?, number(2)?, || Ok(()), pair)
        }
        Some("reads") => {
            let mut file = direct(Path::new(device(3)?))?;
            let pages = file.seek(io::SeekFrom::End(0))? / PAGE;
            let (mut page, mut random) = (Page([0; PAGE as usize]), 0);
            let read = |_| file.read_exact_at(&mut page.0, next(&mut random) % pages * PAGE).is_ok();
            timed(number(1)?, number(2)?, || Ok(()), read)
        }
        Some("writes") => {
            let file = File::create(mount(device(3)?)?.join("pages"))?;
            let page = [1; PAGE as usize];
            timed(number(1)?, number(2)?, || file.sync_data(), |at| file.write_all_at(&page, at * PAGE).is_ok())
        }
        Some("echo") => {
            let mut echo = echo()?;
            timed(number(1)?, number(2)?, || Ok(()), |_| echo())
        }
        Some("echo-tail") => tail(number(1)?, number(2)?, echo()?),
        Some("connects") => {
            own_network()?;
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let to = listener.local_addr()?;
            let connect = |_| TcpStream::connect(to).is_ok_and(|_client| listener.accept().is_ok());
            timed(number(1)?, number(2)?, || Ok(()), connect)
        }
        Some("lossy") => lossy(number(1)?, number(2)?),
        Some("busy") => busy(number(1)?),
        Some("processes") => processes(number(1)?),
        Some("files") => files(device(1)?),
        _ => bail!(
            "usage: bench-load calls|pairs|echo|echo-tail|connects|lossy CPU COUNT | reads|writes CPU COUNT DEVICE | busy THREADS | processes COUNT | \
             files DEVICE"
        ),
    }
}

/// `prepare` is not part of the time; `round` gets its number.
fn timed(cpu: u64, count: u64, prepare: impl Fn() -> io::Result<()>, mut round: impl FnMut(u64) -> bool) -> Result<()> {
    pin(cpu as usize)?;
    while io::stdin().read_line(&mut String::new())? > 0 {
        prepare()?;
        let start = Instant::now();
        let done = (0..count).filter(|&at| round(at)).count();
        println!("{:.2}", start.elapsed().as_nanos() as f64 / count as f64);
        ensure!(done as u64 == count, "{} of {count} rounds failed", count - done as u64);
    }
    Ok(())
}

/// Answers with the 99th percentile of the rounds instead of their mean.
fn tail(cpu: u64, count: u64, mut round: impl FnMut() -> bool) -> Result<()> {
    pin(cpu as usize)?;
    let mut took = Vec::with_capacity(count as usize);
    while io::stdin().read_line(&mut String::new())? > 0 {
        took.clear();
        for _ in 0..count {
            let start = Instant::now();
            ensure!(round(), "a round failed");
            took.push(start.elapsed().as_nanos() as u64);
        }
        let at = took.len() * 99 / 100;
        println!("{}", took.select_nth_unstable(at).1);
    }
    Ok(())
}

fn lossy(cpu: u64, count: u64) -> Result<()> {
    const PAUSE: Duration = Duration::from_micros(250);
    pin(cpu as usize)?;
    own_network()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let (mut server, _) = listener.accept()?;
    client.set_nodelay(true)?;
    lose_one_in_twenty(&server)?;
    thread::spawn(move || io::copy(&mut server, &mut io::sink()));
    while io::stdin().read_line(&mut String::new())? > 0 {
        let before = sent_again()?;
        for _ in 0..count {
            client.write_all(&[7; 1024])?;
            thread::sleep(PAUSE);
        }
        println!("{}", sent_again()? - before);
    }
    Ok(())
}

/// A filter of packets before TCP sees them.
fn lose_one_in_twenty(socket: &impl AsRawFd) -> Result<()> {
    const RANDOM: u32 = (-0x1000 + 56) as u32;
    let op = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut program = [
        op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, RANDOM),
        op(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 1, 0, u32::MAX / 20),
        op(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
        op(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
    ];
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    let (option, size) = ((&raw const filter).cast(), size_of_val(&filter) as u32);
    // SAFETY: a program that outlives the call.
    let set = unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, option, size) };
    ensure!(set == 0, "SO_ATTACH_FILTER: {}", io::Error::last_os_error());
    Ok(())
}

/// Segments, in this network namespace.
fn sent_again() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/net/snmp")?;
    let mut lines = text.lines().filter(|line| line.starts_with("Tcp:")).map(|line| line.split(' '));
    let at =
        lines.next().and_then(|mut names| names.position(|name| name == "RetransSegs")).context("no RetransSegs")?;
    Ok(lines.next().and_then(|mut values| values.nth(at)).context("no value")?.parse()?)
}

/// There and back on a connection.
fn echo() -> Result<impl FnMut() -> bool> {
    own_network()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let (mut server, _) = listener.accept()?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    Ok(move || {
        let mut byte = [7];
        let mut pass = |from: &mut TcpStream, to: &mut TcpStream| {
            from.write_all(&byte).is_ok() && to.read_exact(&mut byte).is_ok()
        };
        pass(&mut client, &mut server) && pass(&mut server, &mut client)
    })
}

/// With a loopback interface, and without memory of connections that have ended.
fn own_network() -> Result<()> {
    // SAFETY: no pointers; there are no other threads yet.
    ensure!(unsafe { libc::unshare(libc::CLONE_NEWNET) } == 0, "a network namespace: {}", io::Error::last_os_error());
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    // SAFETY: all zeros are an empty request; the call gets one of the kind that it wants.
    let up = unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[..2].copy_from_slice(&[b'l' as _, b'o' as _]);
        request.ifr_ifru.ifru_flags = libc::IFF_UP as _;
        libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &request)
    };
    ensure!(up == 0, "lo up: {}", io::Error::last_os_error());
    std::fs::write("/proc/sys/net/ipv4/tcp_max_tw_buckets", "0").context("tcp_max_tw_buckets")
}

fn pin(cpu: usize) -> Result<()> {
    // SAFETY: all zeros are an empty set, and CPU_SET checks the index.
    let result = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &set)
    };
    ensure!(result == 0, "pinning to CPU {cpu}: {}", io::Error::last_os_error());
    Ok(())
}

fn direct(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(path)
}

/// The device's file system, for this process alone.
fn mount(device: &str) -> Result<&'static Path> {
    let source = std::ffi::CString::new(device)?;
    let mount = |source: *const libc::c_char, target: &std::ffi::CStr, kind: *const libc::c_char, flags| {
        // SAFETY: strings, or null where the kernel does not look.
        unsafe { libc::mount(source, target.as_ptr(), kind, flags, std::ptr::null()) == 0 }
    };
    let none = std::ptr::null();
    // SAFETY: no pointers; there are no other threads yet.
    let done = unsafe { libc::unshare(libc::CLONE_NEWNS) == 0 }
        && mount(none, c"/", none, libc::MS_REC | libc::MS_PRIVATE)
        && mount(source.as_ptr(), MOUNT_POINT, c"ext4".as_ptr(), 0);
    ensure!(done, "mounting {device}: {}", io::Error::last_os_error());
    Ok(Path::new(MOUNT_POINT.to_str()?))
}

/// A pseudo-random number; the low bits of the state would repeat soon.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

fn files(device: &str) -> Result<()> {
    let path = mount(device)?.join(std::process::id().to_string());
    let file = File::create(&path)?;
    let reader = direct(&path)?;
    thread::spawn(move || -> io::Result<()> {
        let mut page = Page([1; PAGE as usize]);
        loop {
            for at in 0..PAGES {
                file.write_all_at(&page.0, at * PAGE)?;
            }
            file.sync_data()?;
            for at in 0..PAGES {
                reader.read_exact_at(&mut page.0, at * PAGE)?;
            }
            thread::sleep(Duration::from_millis(10));
        }
    });
    io::stdin().read_line(&mut String::new())?;
    Ok(())
}

type Call = (libc::c_long, [usize; 6]);

fn busy(threads: u64) -> Result<()> {
    // With 200 threads, two CPUs have no idle time.
    let pause = |pass: &mut u64| Duration::from_micros(500 + next(pass) % 20_000);
    let threads: Vec<_> = (0..threads).map(|seed| thread::Builder::new().spawn(move || work(seed, pause))).collect();
    println!("{} threads, {} system calls", threads.iter().flatten().count(), calls(0).len());
    io::stdout().flush()?;
    io::stdin().read_line(&mut String::new())?;
    Ok(())
}

fn processes(count: u64) -> Result<()> {
    let pause = |pass: &mut u64| Duration::from_micros(250_000 + next(pass) % 500_000);
    for seed in 0..count {
        // SAFETY: this process has one thread.
        match unsafe { libc::fork() } {
            -1 => bail!("fork: {}", io::Error::last_os_error()),
            0 => {
                // SAFETY: no memory is involved.
                unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
                work(seed, pause);
            }
            _ => {}
        }
    }
    io::stdin().read_line(&mut String::new())?;
    Ok(())
}

/// Makes all the calls, then sleeps for a while that differs from pass to pass.
fn work(seed: u64, pause: fn(&mut u64) -> Duration) -> ! {
    let mut pass = seed;
    let mut buffer = vec![0u64; BUFFER / 8];
    let calls = calls(buffer.as_mut_ptr() as usize);
    loop {
        for &(number, [a, b, c, d, e, f]) in &calls {
            // SAFETY: chosen to have no effect beyond the buffer, which is large enough for each of them.
            unsafe { libc::syscall(number, a, b, c, d, e, f) };
        }
        thread::sleep(pause(&mut pass));
    }
}

/// System calls that exist on every architecture and leave nothing behind. Many fail on purpose, in different ways.
///
/// `buffer` has [`BUFFER`] bytes; its second half stays zero.
fn calls(buffer: usize) -> [Call; 60] {
    let root = c"/".as_ptr() as usize;
    let none = c"/no/such/file".as_ptr() as usize;
    let cwd = libc::AT_FDCWD as usize;
    let bad = usize::MAX;
    let call = |number, args: &[usize]| {
        let mut all = [0; 6];
        all[..args.len()].copy_from_slice(args);
        (number, all)
    };
    [
        call(libc::SYS_getpid, &[]),
        call(libc::SYS_gettid, &[]),
        call(libc::SYS_getppid, &[]),
        call(libc::SYS_getuid, &[]),
        call(libc::SYS_geteuid, &[]),
        call(libc::SYS_getgid, &[]),
        call(libc::SYS_getegid, &[]),
        call(libc::SYS_getsid, &[]),
        call(libc::SYS_getpgid, &[]),
        call(libc::SYS_getresuid, &[buffer, buffer + 8, buffer + 16]),
        call(libc::SYS_getresgid, &[buffer, buffer + 8, buffer + 16]),
        call(libc::SYS_getgroups, &[0, 0]),
        call(libc::SYS_getpriority, &[0, 0]),
        call(libc::SYS_getrusage, &[0, buffer]),
        call(libc::SYS_prlimit64, &[0, 7, 0, buffer]),
        call(libc::SYS_times, &[buffer]),
        call(libc::SYS_uname, &[buffer]),
        call(libc::SYS_sysinfo, &[buffer]),
        call(libc::SYS_getcwd, &[buffer, BUFFER]),
        call(libc::SYS_getcpu, &[buffer, buffer + 8]),
        call(libc::SYS_getrandom, &[buffer, 64, 0]),
        call(libc::SYS_clock_gettime, &[1, buffer]),
        call(libc::SYS_clock_getres, &[1, buffer]),
        call(libc::SYS_gettimeofday, &[buffer, 0]),
        call(libc::SYS_getitimer, &[0, buffer]),
        call(libc::SYS_nanosleep, &[buffer + 2048, 0]),
        call(libc::SYS_sched_yield, &[]),
        call(libc::SYS_sched_getaffinity, &[0, 128, buffer]),
        call(libc::SYS_sched_getscheduler, &[0]),
        call(libc::SYS_sched_getparam, &[0, buffer]),
        call(libc::SYS_sched_get_priority_max, &[1]),
        call(libc::SYS_sched_get_priority_min, &[1]),
        call(libc::SYS_prctl, &[16, buffer]),
        call(libc::SYS_rt_sigpending, &[buffer, 8]),
        call(libc::SYS_rt_sigprocmask, &[0, 0, buffer, 8]),
        call(libc::SYS_kill, &[0x7fff_ffff, 0]),
        call(libc::SYS_futex, &[buffer, 1, 1]),
        call(libc::SYS_brk, &[0]),
        call(libc::SYS_madvise, &[1, 4096, 4]),
        call(libc::SYS_mincore, &[1, 4096, buffer]),
        call(libc::SYS_munmap, &[1, 4096]),
        call(libc::SYS_mprotect, &[1, 4096, 0]),
        call(libc::SYS_statfs, &[root, buffer]),
        call(libc::SYS_newfstatat, &[cwd, root, buffer, 0]),
        call(libc::SYS_faccessat, &[cwd, none, 0]),
        call(libc::SYS_readlinkat, &[cwd, none, buffer, BUFFER]),
        call(libc::SYS_openat, &[cwd, none, 0]),
        call(libc::SYS_read, &[bad, buffer, 1]),
        call(libc::SYS_write, &[bad, buffer, 1]),
        call(libc::SYS_pread64, &[bad, buffer, 1, 0]),
        call(libc::SYS_lseek, &[bad, 0, 0]),
        call(libc::SYS_fstat, &[1, buffer]),
        call(libc::SYS_fcntl, &[1, 1]),
        call(libc::SYS_ioctl, &[bad, 0, 0]),
        call(libc::SYS_dup, &[bad]),
        call(libc::SYS_close, &[bad]),
        call(libc::SYS_fsync, &[bad]),
        call(libc::SYS_ppoll, &[0, 0, buffer + 2048, 0, 8]),
        call(libc::SYS_epoll_ctl, &[bad, 1, bad, buffer]),
        call(libc::SYS_socket, &[bad, 1, 0]),
    ]
}
