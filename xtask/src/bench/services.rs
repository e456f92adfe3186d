//! What services lose while somebody looks: PostgreSQL and Redis from Debian, set up in a directory of their own, on sockets of that directory, and
//! removed afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};

use super::Bench;
use super::observer::Observer;
use super::report::{Figure, Promise};
use super::stats::Spread;
use crate::workspace::{read, run, which};

const SECONDS: u64 = 8;
const CLIENTS: u64 = 4;
const REQUESTS: u64 = 800_000;
/// Who servers run as: PostgreSQL refuses to be root.
const USER: &str = "postgres";

/// What looks, by name; several at once where it takes several to answer the same.
fn variants(bench: &Bench) -> Vec<(String, Vec<Observer>)> {
    let peers = ["runqlat 1", "biolatency 1", "syscount -L -i 1", "tcpstates"];
    let one = |observer: Observer| (observer.name.clone(), vec![observer]);
    vec![
        one(Observer::nothing()),
        one(Observer::stillwatch(bench, "1").called("the overview")),
        one(Observer::stillwatch(bench, "1 --exact").called("the overview, `--exact`")),
        (peers.map(|peer| format!("`{peer}`")).join(", "), peers.map(Observer::peer).into()),
    ]
}

/// Places among the variants.
const OVERVIEW: usize = 1;

pub fn figure(bench: &Bench) -> Result<Figure> {
    let variants = variants(bench);
    let mut figure = Figure::new(
        "Services on two CPUs beside their clients: what of their throughput is lost, in percent",
        &["attached", "PostgreSQL (`pgbench -N`, 4 clients, transactions)", "Redis (GET, 50 clients)"],
    );
    let postgres = lost(bench, &variants, Postgres::start()?.as_ref().map(|server| server as &dyn Service))?;
    let redis = lost(bench, &variants, Redis::start()?.as_ref().map(|server| server as &dyn Service))?;
    for (at, (name, _)) in variants.iter().enumerate() {
        figure.row(name, &[postgres[at], redis[at]], 1);
    }
    figure.promise(Promise::at_most("PostgreSQL beside the overview, lost", 1.5, "%", postgres[OVERVIEW]));
    figure.promise(Promise::at_most("Redis beside the overview, lost", 0.5, "%", redis[OVERVIEW]));
    Ok(figure)
}

trait Service {
    /// Of a run of some seconds, per second.
    fn throughput(&self) -> Result<f64>;
}

/// Each variant between two runs with nothing attached, in turns.
fn lost(
    bench: &Bench,
    variants: &[(String, Vec<Observer>)],
    service: Option<&dyn Service>,
) -> Result<Vec<Option<Spread>>> {
    let mut rounds = vec![Vec::new(); variants.len()];
    let Some(service) = service else { return Ok(vec![None; variants.len()]) };
    service.throughput()?;
    for _ in 0..bench.rounds {
        let mut before = service.throughput()?;
        for ((name, observers), lost) in variants.iter().zip(&mut rounds) {
            if !observers.iter().all(Observer::is_installed) {
                continue;
            }
            eprintln!("bench:   {name}");
            let with = {
                let attached: Result<Vec<_>> = observers.iter().map(Observer::attach_anywhere).collect();
                let _attached = attached?;
                service.throughput()?
            };
            let after = service.throughput()?;
            lost.push(100.0 * (1.0 - with / ((before + after) / 2.0)));
            before = after;
        }
    }
    Ok(rounds.into_iter().map(Spread::of).collect())
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
