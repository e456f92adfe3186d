//! What services lose while somebody looks: PostgreSQL and Redis from Debian, set up in a directory of their own, on sockets of that directory, and
//! removed afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};

use super::observer::Observer;
use super::report::{Figure, Promise};
use super::stats::Spread;
use super::{Bench, Round};
use crate::setup;
use crate::workspace::{read, run, which};

/// Of one run, of which a round has nine and more: five rounds take six minutes, and five more where the machine is not steady.
const SECONDS: u64 = 3;
const CLIENTS: u64 = 4;
/// Some three seconds.
const REQUESTS: u64 = 300_000;
/// Who servers run as: PostgreSQL refuses to be root.
const USER: &str = "postgres";

/// Debian's packages, and a program of each. Installed only when this is asked for: they are services.
const PACKAGES: [(&str, &str); 2] = [("postgresql", "pgbench"), ("redis-server", "redis-server")];
const TRACER: (&str, &str) = ("strace", "strace");
/// The latency of every call, by name.
const SCRIPT: &str = "tracepoint:raw_syscalls:sys_enter { @at[tid] = nsecs; } \
    tracepoint:raw_syscalls:sys_exit /@at[tid]/ { @[args.id] = hist(nsecs - @at[tid]); delete(@at[tid]); }";

/// Place among the variants.
const OVERVIEW: usize = 1;

pub fn figure(bench: &Bench) -> Result<Figure> {
    let wanted = PACKAGES.into_iter().chain(bench.all_peers.then_some(TRACER));
    let missing: Vec<_> = wanted.filter(|(_, program)| which(program).is_none()).map(|(package, _)| package).collect();
    if let Err(error) = setup::install(&missing) {
        eprintln!("bench: going without: {error:#}");
    }
    let (postgres, redis) = (Postgres::start()?, Redis::start()?);
    // What answers the same.
    let peers = ["biolatency 1", "syscount -L -i 1", "tcpstates"].map(Observer::peer);
    let mut variants = vec![
        Observer::nothing(),
        Observer::stillwatch(bench, "1").called("the overview"),
        Observer::stillwatch(bench, "1 --exact").called("the overview, `--exact`"),
        peers.into_iter().fold(Observer::peer("runqlat 1"), Observer::beside),
    ];
    if bench.all_peers {
        let servers = [postgres.as_ref().map(|it| it.server.id()), redis.as_ref().map(|it| it.server.id())];
        let servers: String = servers.iter().flatten().map(|pid| format!(" -p {pid}")).collect();
        variants.push(Observer::peer("bpftrace -e").with(SCRIPT).called("`bpftrace`, the latency of every call"));
        variants.push(Observer::peer("perf trace -s"));
        variants.push(Observer::peer(&format!("strace -c -f{servers}")).called("`strace -c -f` of the servers"));
    }
    let throughput = || -> Result<[f64; 2]> {
        let of = |service: Option<&dyn Service>| service.map_or(Ok(0.0), Service::throughput);
        Ok([of(postgres.as_ref().map(|it| it as _))?, of(redis.as_ref().map(|it| it as _))?])
    };
    // What they read for the first time, they read now.
    throughput()?;
    let rows = bench.rounds(&variants, |variant| {
        let _attached = variant.attach_anywhere()?;
        throughput()
    })?;

    let mut figure = Figure::new(
        "Services on the CPUs that their clients use, too: what of their throughput is lost, in percent",
        &["attached", "PostgreSQL (`pgbench -N`, 4 clients, transactions)", "Redis (GET, 50 clients)"],
    );
    let lost = |at: usize, service: usize| {
        let rounds = rows[at].iter().filter(|round| round.without[service] > 0.0);
        Spread::of(rounds.map(|round: &Round<2>| 100.0 * (1.0 - round.with[service] / round.without[service])))
    };
    for (at, variant) in variants.iter().enumerate() {
        figure.row(&variant.name, &[lost(at, 0), lost(at, 1)], 1);
    }
    figure.promise(Promise::at_most("PostgreSQL beside the overview, lost", 1.5, "%", lost(OVERVIEW, 0)));
    figure.promise(Promise::at_most("Redis beside the overview, lost", 0.5, "%", lost(OVERVIEW, 1)));
    Ok(figure)
}

trait Service {
    /// Of a run of some seconds, per second.
    fn throughput(&self) -> Result<f64>;
}

/// A directory that servers may write to, away when this is dropped.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("stillwatch-bench-{name}-{}", std::process::id()));
        fs::create_dir(&path).with_context(|| format!("creating {}", path.display()))?;
        run(Command::new("chown").arg(USER).arg(&path))?;
        Ok(Self(path))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A command of a server or client, as its user.
fn as_user(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--init-groups", "--pdeathsig", "KILL"]).arg(program);
    command.stdin(Stdio::null());
    command
}

struct Postgres {
    server: Child,
    programs: PathBuf,
    place: Place,
}

impl Postgres {
    /// `None`: not installed.
    fn start() -> Result<Option<Self>> {
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let Some(programs) = versions.map(|version| version.path().join("bin")).max() else { return Ok(None) };
        let place = Place::new("postgres")?;
        let data = place.0.join("data");
        run(as_user(&programs.join("initdb"))
            .arg("--pgdata")
            .arg(&data)
            .args(["--auth", "trust"])
            .stdout(Stdio::null()))?;
        let server = as_user(&programs.join("postgres"))
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(&place.0)
            .args(["-c", "listen_addresses="])
            .stderr(Stdio::null())
            .spawn()
            .context("starting PostgreSQL")?;
        let this = Self { server, programs, place };
        let ready = || this.client("pg_isready").stdout(Stdio::null()).status().is_ok_and(|status| status.success());
        for _ in 0..100 {
            if ready() {
                break;
            }
            sleep(Duration::from_millis(100));
        }
        run(this
            .client("pgbench")
            .args(["--initialize", "--scale", "10", "--quiet", "postgres"])
            .stderr(Stdio::null()))?;
        Ok(Some(this))
    }

    fn client(&self, program: &str) -> Command {
        let mut command = as_user(&self.programs.join(program));
        command.arg("--host").arg(&self.place.0);
        command
    }
}

impl Service for Postgres {
    fn throughput(&self) -> Result<f64> {
        let (clients, seconds) = (CLIENTS.to_string(), SECONDS.to_string());
        let text = read(self.client("pgbench").args(["-N", "-c", &clients, "-T", &seconds, "postgres"]))?;
        let tps = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        tps.context("pgbench says no tps")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGQUIT: at once, and its children end with it.
        let _ = Command::new("kill").args(["-QUIT", &self.server.id().to_string()]).status();
        let _ = self.server.wait();
    }
}

struct Redis {
    server: Child,
    socket: PathBuf,
    _place: Place,
}

impl Redis {
    /// `None`: not installed.
    fn start() -> Result<Option<Self>> {
        let Some(program) = which("redis-server") else { return Ok(None) };
        let place = Place::new("redis")?;
        let socket = place.0.join("socket");
        let server = as_user(&program)
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(&socket)
            .arg("--dir")
            .arg(&place.0)
            .stdout(Stdio::null())
            .spawn()
            .context("starting Redis")?;
        for _ in 0..100 {
            if socket.exists() {
                break;
            }
            sleep(Duration::from_millis(100));
        }
        Ok(Some(Self { server, socket, _place: place }))
    }
}

impl Service for Redis {
    fn throughput(&self) -> Result<f64> {
        let requests = REQUESTS.to_string();
        let mut benchmark = Command::new("redis-benchmark");
        let text = read(benchmark.arg("-s").arg(&self.socket).args(["-t", "get", "-n", &requests, "--csv"]))?;
        let line = text.lines().find_map(|line| line.strip_prefix("\"GET\",\""));
        line.and_then(|line| line.split('"').next()?.parse().ok()).context("redis-benchmark says no rate")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
