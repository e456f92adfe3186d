//! Parse, run, exit code.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use stillwatch::{
    cli::{self, Command, Refusal, Surroundings},
    doctor, export,
    kernel::features::Features,
    names::find_cgroup,
    probes::{self, examine::examine},
    record::Problem,
    report, run,
    sinks::Errors,
};

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(|| Errors)
        .without_time()
        .with_target(false)
        .with_env_filter(
            tracing_subscriber::EnvFilter::builder()
                .with_default_directive(tracing::level_filters::LevelFilter::WARN.into())
                .with_env_var("STILLWATCH_LOG")
                .from_env_lossy(),
        )
        .init();
    let features = Features::read();
    let command = cli::parse(|cgroup| find_cgroup(&features.cgroups, cgroup).map_err(|error| error.to_string()));
    let result = match command {
        Command::Run(plan) => run::run(&plan, &features),
        Command::Replay(asked) => run::replay(&asked),
        Command::Incidents(dir) => run::incidents(&dir),
        Command::Mark { dir, text } => run::mark(&dir, &text),
        Command::Report(asked) => report::write(&asked),
        Command::Export(asked) => export::export(&asked),
        Command::Doctor { json } => diagnose(json, &features),
        Command::Completions(shell) => print(&cli::completions(shell)),
        Command::Man => cli::man().map_err(Into::into).and_then(|page| print(&page)),
    };
    // What does not fit the recording that is asked for is found out after the command line was read.
    match result.map_err(|error| error.downcast::<Refusal>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Ok(refusal)) => refusal.exit(),
        Err(Err(error)) => {
            // Without a standard error there is nobody to tell.
            let _ = Errors.write_all(format!("stillwatch: {error:#}\n").as_bytes());
            // What is asked for of a recording, like what is asked for on the command line.
            if error.is::<Problem>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

/// Reports on the probes as they would run without any flag.
fn diagnose(json: bool, features: &Features) -> anyhow::Result<()> {
    let plan = |probe| match cli::parse_from(["stillwatch", probe], Surroundings::default(), |_| Err(String::new())) {
        Ok(Command::Run(plan)) => Ok(*plan),
        _ => anyhow::bail!("the command line of {probe} does not parse"),
    };
    let reports = probes::ALL.iter().map(|probe| Ok(examine(probe, &plan(probe.name)?, features)));
    let reports = reports.collect::<anyhow::Result<Vec<_>>>()?;
    let mut report = Vec::new();
    doctor::run(json, &reports, features, &mut report)?;
    print(&report)
}

fn print(bytes: &[u8]) -> anyhow::Result<()> {
    match io::stdout().write_all(bytes) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
