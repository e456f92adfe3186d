//! A network namespace, connections in it, and filters that lose packets.

use std::{
    fs::File,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::{fs::MetadataExt, process::CommandExt},
    },
    process::Command,
    thread,
};

use anyhow::{Context, Result, ensure};

/// Of the loopback interface, so that a megabyte is many segments.
const MTU: i32 = 1500;

pub struct Net {
    file: File,
    pub number: u64,
}

fn check(result: i32, what: &str) -> Result<()> {
    ensure!(result >= 0, "{what}: {}", io::Error::last_os_error());
    Ok(())
}

impl Net {
    pub fn new() -> Result<Self> {
        let file = thread::scope(|scope| scope.spawn(Self::make).join()).map_err(|_| anyhow::anyhow!("panic"))??;
        let number = file.metadata()?.ino();
        Ok(Self { file, number })
    }

    /// Two, and a cable between them: 10.7.0.1 is in the first, 10.7.0.2 in the second.
    pub fn pair() -> Result<[Self; 2]> {
        // Where it is a module, nobody may be there to load it.
        let _ = Command::new("modprobe").arg("veth").output();
        let pair = [Self::new()?, Self::new()?];
        let [one, other] = &pair;
        // The names that the kernel gives: busybox does not take others for both ends.
        one.run("ip link add type veth")?;
        // SAFETY: no precondition.
        other.inside(|| one.run(&format!("ip link set veth1 netns {}", unsafe { libc::gettid() })))?;
        for (at, net) in pair.iter().enumerate() {
            net.run(&format!("ip addr add 10.7.0.{}/24 dev veth{at}", at + 1))?;
            net.run(&format!("ip link set veth{at} up"))?;
        }
        Ok(pair)
    }

    /// Runs a command in there.
    fn run(&self, line: &str) -> Result<()> {
        let mut words = line.split(' ');
        let mut command = Command::new(words.next().unwrap_or_default());
        self.entered_by(command.args(words));
        let output = command.output().with_context(|| line.to_owned())?;
        ensure!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    fn make() -> Result<File> {
        // SAFETY: no precondition; only this thread moves.
        check(unsafe { libc::unshare(libc::CLONE_NEWNET) }, "a network namespace")?;
        // SAFETY: no precondition.
        let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
        check(socket, "socket")?;
        // SAFETY: just made.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        // SAFETY: all zeros are an empty request.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        request.ifr_name[..2].copy_from_slice(&[b'l' as _, b'o' as _]);
        request.ifr_ifru.ifru_mtu = MTU;
        // SAFETY: a request of the kind that the call wants.
        check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFMTU, &request) }, "the MTU of lo")?;
        request.ifr_ifru.ifru_flags = libc::IFF_UP as _;
        // SAFETY: as above.
        check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &request) }, "lo up")?;
        Ok(File::open("/proc/thread-self/ns/net")?)
    }

    /// The calling thread is in there from now on.
    pub fn enter(&self) -> Result<()> {
        // SAFETY: a namespace's descriptor; only this thread moves.
        check(unsafe { libc::setns(self.file.as_raw_fd(), libc::CLONE_NEWNET) }, "setns")
    }

    /// What the command starts is in there.
    pub fn entered_by(&self, command: &mut Command) {
        let file = self.file.as_raw_fd();
        let enter = move || {
            // SAFETY: a namespace's descriptor, which the child has until it executes.
            let entered = unsafe { libc::setns(file, libc::CLONE_NEWNET) };
            if entered == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
        };
        // SAFETY: one system call.
        unsafe { command.pre_exec(enter) };
    }

    /// Does something in there. What sockets it makes stay in there.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        thread::scope(|scope| {
            let work = || {
                self.enter()?;
                work()
            };
            scope.spawn(work).join().map_err(|_| anyhow::anyhow!("panic"))?
        })
    }

    /// One of the kernel's counters of TCP.
    pub fn counter(&self, field: &str) -> Result<u64> {
        self.count("/proc/thread-self/net/snmp", "Tcp:", field)
    }

    /// One of those that only Linux has.
    pub fn extended_counter(&self, field: &str) -> Result<u64> {
        self.count("/proc/thread-self/net/netstat", "TcpExt:", field)
    }

    fn count(&self, file: &str, line: &str, field: &str) -> Result<u64> {
        let text = self.inside(|| Ok(std::fs::read_to_string(file)?))?;
        let mut lines = text.lines().filter(|text| text.starts_with(line));
        let at = lines.next().and_then(|names| names.split(' ').position(|name| name == field)).context("no field")?;
        Ok(lines.next().and_then(|values| values.split(' ').nth(at)).context("no value")?.parse()?)
    }

    pub fn listen(&self, address: &str) -> Result<TcpListener> {
        let address: IpAddr = address.parse()?;
        self.inside(|| Ok(TcpListener::bind((address, 0))?))
    }

    /// The same for MPTCP, unless the kernel has none. What connects may be of plain TCP.
    pub fn listen_mptcp(&self) -> Result<Option<TcpListener>> {
        self.inside(|| {
            // SAFETY: no precondition.
            let socket =
                unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, libc::IPPROTO_MPTCP) };
            if socket < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::EPROTONOSUPPORT) {
                return Ok(None);
            }
            check(socket, "a socket of MPTCP")?;
            // SAFETY: just made.
            let socket = unsafe { OwnedFd::from_raw_fd(socket) };
            let any = libc::sockaddr_in {
                sin_family: libc::AF_INET as _,
                sin_port: 0,
                sin_addr: libc::in_addr { s_addr: u32::from(Ipv4Addr::LOCALHOST).to_be() },
                sin_zero: [0; 8],
            };
            // SAFETY: an address and its size.
            let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const any).cast(), size_of_val(&any) as u32) };
            check(bound, "bind")?;
            // SAFETY: no memory is involved.
            check(unsafe { libc::listen(socket.as_raw_fd(), 1) }, "listen")?;
            Ok(Some(socket.into()))
        })
    }

    /// The connecting and the accepted end.
    pub fn connect(&self, address: &str) -> Result<(TcpStream, TcpStream)> {
        self.connect_to(self, address)
    }

    /// The same, to another namespace.
    pub fn connect_to(&self, there: &Self, address: &str) -> Result<(TcpStream, TcpStream)> {
        let listener = there.listen(address)?;
        let to = listener.local_addr()?;
        let client = self.inside(move || Ok(TcpStream::connect(to)?))?;
        let (server, _) = listener.accept()?;
        for stream in [&client, &server] {
            stream.set_nodelay(true)?;
        }
        Ok((client, server))
    }

    /// Begins to connect, with a filter that was there before.
    pub fn begin_connect(&self, to: SocketAddr, filter: Option<Loss>) -> Result<OwnedFd> {
        let SocketAddr::V4(to) = to else { anyhow::bail!("an IPv4 address is wanted") };
        self.inside(move || {
            // SAFETY: no precondition.
            let socket =
                unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0) };
            check(socket, "socket")?;
            // SAFETY: just made.
            let socket = unsafe { OwnedFd::from_raw_fd(socket) };
            if let Some(filter) = filter {
                lose(&socket, filter)?;
            }
            // SAFETY: all zeros are an empty address.
            let mut address: libc::sockaddr_in = unsafe { std::mem::zeroed() };
            address.sin_family = libc::AF_INET as _;
            address.sin_port = to.port().to_be();
            address.sin_addr.s_addr = u32::from(*to.ip()).to_be();
            // SAFETY: an address and its size.
            let result = unsafe {
                libc::connect(socket.as_raw_fd(), (&raw const address).cast(), size_of::<libc::sockaddr_in>() as u32)
            };
            ensure!(result == 0 || io::Error::last_os_error().raw_os_error() == Some(libc::EINPROGRESS), "connect");
            Ok(socket)
        })
    }
}

/// What a receiver loses.
#[derive(Clone, Copy, Debug)]
pub enum Loss {
    All,
    /// Of each 1000 packets.
    Random(u64),
}

/// From now on the socket loses what is sent to it.
pub fn lose(socket: &impl AsRawFd, loss: Loss) -> Result<()> {
    let op = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let drop = op(libc::BPF_RET | libc::BPF_K, 0, 0, 0);
    let mut program = match loss {
        Loss::All => vec![drop],
        Loss::Random(share) => {
            const RANDOM: i32 = -0x1000 + 56;
            let below = (share << 32) / 1000;
            vec![
                op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, RANDOM as u32),
                op(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 1, 0, below as u32),
                drop,
                op(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
            ]
        }
    };
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: a program that outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const filter).cast(),
            size_of::<libc::sock_fprog>() as u32,
        )
    };
    check(result, "SO_ATTACH_FILTER")
}

/// No more losses.
pub fn lose_nothing(socket: &impl AsRawFd) -> Result<()> {
    let none = 0i32;
    // SAFETY: the option wants a number, and does not look at it.
    let result = unsafe {
        let none = (&raw const none).cast();
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_DETACH_FILTER, none, size_of::<i32>() as u32)
    };
    check(result, "SO_DETACH_FILTER")
}
