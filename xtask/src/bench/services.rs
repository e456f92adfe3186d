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

const SECONDS: u64 = 8;
const CLIENTS: u64 = 4;
const REQUESTS: u64 = 800_000;
/// Who servers run as: PostgreSQL refuses to be root.
const USER: &str = "postgres";

/// A run takes seconds; a third of the rounds will do.
const ROUNDS_PER_ROUND: usize = 3;
/// Debian's packages, and a program of each. Installed only when this is asked for: they are services.
const PACKAGES: [(&str, &str); 2] = [("postgresql", "pgbench"), ("redis-server", "redis-server")];

/// Place among the variants.
const OVERVIEW: usize = 1;

pub fn figure(bench: &Bench) -> Result<Figure> {
    let missing: Vec<_> = PACKAGES.iter().filter(|(_, program)| which(program).is_none()).collect();
    if let Err(error) = setup::install(&missing.iter().map(|(package, _)| *package).collect::<Vec<_>>()) {
        eprintln!("bench: going without: {error:#}");
    }
    // What answers the same.
    let peers = ["biolatency 1", "syscount -L -i 1", "tcpstates"].map(Observer::peer);
    let variants = [
        Observer::nothing(),
        Observer::stillwatch(bench, "1").called("the overview"),
        Observer::stillwatch(bench, "1 --exact").called("the overview, `--exact`"),
        peers.into_iter().fold(Observer::peer("runqlat 1"), Observer::beside),
    ];
    let postgres = lost(bench, &variants, Postgres::start()?)?;
    let redis = lost(bench, &variants, Redis::start()?)?;
    let mut figure = Figure::new(
        "Services on the CPUs that their clients use, too: what of their throughput is lost, in percent",
        &["attached", "PostgreSQL (`pgbench -N`, 4 clients, transactions)", "Redis (GET, 50 clients)"],
    );
    for (at, variant) in variants.iter().enumerate() {
        figure.row(&variant.name, &[postgres[at], redis[at]], 1);
    }
    figure.promise(Promise::at_most("PostgreSQL beside the overview, lost", 1.5, "%", postgres[OVERVIEW]));
    figure.promise(Promise::at_most("Redis beside the overview, lost", 0.5, "%", redis[OVERVIEW]));
    Ok(figure)
}

trait Service {
    /// Of a run of some seconds, per second.
    fn throughput(&self) -> Result<f64>;
}

/// `None`: not installed.
fn lost(bench: &Bench, variants: &[Observer], service: Option<impl Service>) -> Result<Vec<Option<Spread>>> {
    let Some(service) = service else { return Ok(vec![None; variants.len()]) };
    // What it reads for the first time, it reads now.
    service.throughput()?;
    let rows = bench.rounds_of(bench.rounds.div_ceil(ROUNDS_PER_ROUND), variants, |variant| {
        let _attached = variant.attach_anywhere()?;
        Ok([service.throughput()?])
    })?;
    let percent = |round: &Round<1>| 100.0 * (1.0 - round.with[0] / round.without[0]);
    Ok(rows.iter().map(|rounds| Spread::of(rounds.iter().map(percent))).collect())
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
