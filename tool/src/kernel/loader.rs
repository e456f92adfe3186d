//! Loads the programs and attaches them.
//!
//! Nothing is pinned: every program, map and link belongs to a descriptor of this process, so the kernel removes all of
//! it when the process ends, however it ends.

use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd, AsRawFd},
};

use aya::{
    Btf, Ebpf, EbpfError, EbpfLoader, VerifierLogLevel,
    maps::MapError,
    programs::{BtfTracePoint, Iter, ProgramError, tp_btf::BtfTracePointLinkId},
};
use thiserror::Error;

use super::{facts::Facts, walk::Walk};
use crate::for_tests;

/// The compiled eBPF crate.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/stillwatch.bpf.o"));

/// An object without programs and maps: an ELF header (64 bits, little-endian, relocatable, `EM_BPF`), and nothing behind it.
#[repr(align(8))]
struct Nothing([u8; 64]);
static NOTHING: Nothing = {
    let mut header = [0; 64];
    (header[0], header[1], header[2], header[3], header[4], header[5], header[6]) = (0x7f, b'E', b'L', b'F', 2, 1, 1);
    (header[16], header[18], header[20], header[52], header[58]) = (1, 247, 1, 64, 64);
    Nothing(header)
};

/// Where a program looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Name of the program, and of what it attaches to.
    pub name: &'static str,
    pub kind: HookKind,
    pub needed_for: &'static str,
    /// What it was called before.
    pub older: Option<&'static str>,
    /// Without it a run is less complete, never wrong.
    pub optional: bool,
    /// Loaded only; the probe attaches it when there is need.
    pub later: bool,
}

impl Hook {
    /// A BTF tracepoint that a probe can't do without.
    pub const fn tp_btf(name: &'static str, needed_for: &'static str) -> Self {
        Self { name, kind: HookKind::TpBtf, needed_for, older: None, optional: false, later: false }
    }

    /// An iterator over all there is of a kind.
    pub const fn iter(name: &'static str, over: &'static str, needed_for: &'static str) -> Self {
        Self { name, kind: HookKind::Iter(over), needed_for, older: None, optional: true, later: false }
    }

    pub const fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    pub const fn later(self) -> Self {
        Self { later: true, ..self }
    }
}

/// Hooks that several probes use.
pub const SCHED_SWITCH: Hook = Hook::tp_btf("sched_switch", "tasks that sleep");
pub const TASK_ITER: Hook = Hook::iter("task_iter", "task", "what is older than the run");
pub const DIRTY: Hook = Hook {
    older: Some("writeback_dirty_page"),
    ..Hook::tp_btf("writeback_dirty_folio", "owners of what is written back").optional()
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookKind {
    TpBtf,
    /// Runs once over all of a kind when it is read.
    Iter(&'static str),
}

impl std::fmt::Display for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind {
            HookKind::TpBtf => write!(f, "tp_btf {}", self.name),
            HookKind::Iter(over) => write!(f, "iter {over}"),
        }
    }
}

/// Why no programs run.
#[derive(Debug, Error)]
pub enum LoadError {
    #[error(
        "not allowed to load BPF programs: run as root, or with CAP_BPF and CAP_PERFMON (and without a seccomp profile or \
         lockdown that forbids bpf)"
    )]
    NotPermitted,
    #[error("can't read the kernel's BTF: {0}")]
    Btf(#[from] aya::BtfError),
    #[error("can't load the compiled programs: {}", chain(.0))]
    Object(#[from] EbpfError),
    #[error("the kernel refuses {hook}: {}", chain(.source))]
    Refused { hook: Box<Hook>, source: ProgramError },
    #[error("can't read {map}: {source}")]
    Map { map: &'static str, source: io::Error },
    #[error("the compiled object has no {0}")]
    Absent(&'static str),
}

impl LoadError {
    /// Nothing can be loaded, whatever it is.
    pub fn is_of_all(&self) -> bool {
        matches!(self, Self::NotPermitted | Self::Btf(_))
    }

    /// The map that could not be made, if it is that.
    pub fn map(&self) -> Option<&str> {
        match self {
            Self::Object(EbpfError::MapError(MapError::CreateError { name, .. })) => Some(name),
            _ => None,
        }
    }
}

/// An error with its causes, on one line: aya keeps the kernel's own words in the causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    // A verifier log is of use to its author only.
    tracing::debug!("{text}");
    let first = text.lines().next().unwrap_or_default();
    first.split(". Verifier output:").next().unwrap_or_default().to_owned()
}

/// What the kernel refused first says nothing more.
fn not_permitted(error: &dyn std::error::Error) -> LoadError {
    chain(error);
    LoadError::NotPermitted
}

/// Nobody may load anything.
fn is_permission(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        // The verifier refuses one program with the same number.
        if let Some(ProgramError::LoadError { io_error, verifier_log }) = error.downcast_ref()
            && io_error.raw_os_error() == Some(libc::EACCES)
            && !verifier_log.to_string().trim().is_empty()
        {
            return false;
        }
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return matches!(io.raw_os_error(), Some(libc::EPERM | libc::EACCES));
        }
        cause = error.source();
    }
    false
}

/// Programs in the kernel, not yet attached.
pub struct Loaded {
    pub ebpf: Ebpf,
    /// Hooks that could not be loaded but that a run can do without, and why.
    pub refused: Vec<(Hook, String)>,
    pub links: Links,
    hooks: Vec<Hook>,
}

/// What attaches each tracepoint, by the name of its program.
#[derive(Default)]
pub struct Links(HashMap<&'static str, BtfTracePointLinkId>);

impl Links {
    /// A program stays loaded, and runs no more.
    pub fn detach(&mut self, ebpf: &mut Ebpf, name: &'static str) {
        if let (Some(link), Some(program)) = (self.0.remove(name), tracepoint(ebpf, name))
            && let Err(error) = program.detach(link)
        {
            tracing::debug!("{name}: {error}");
        }
    }

    /// It runs again.
    pub fn attach(&mut self, ebpf: &mut Ebpf, name: &'static str) -> Result<(), ProgramError> {
        if let Some(program) = tracepoint(ebpf, name) {
            self.0.insert(name, program.attach()?);
        }
        Ok(())
    }
}

fn tracepoint<'a>(ebpf: &'a mut Ebpf, name: &str) -> Option<&'a mut BtfTracePoint> {
    ebpf.program_mut(name)?.try_into().ok()
}

/// Creates the maps, with the sizes given, and loads the programs of `hooks`: nothing at all where there are none, or where none is allowed
/// and a run can do without all of them.
pub fn load(facts: &Facts, entries: &[(&'static str, u32)], hooks: &[Hook]) -> Result<Loaded, LoadError> {
    let refused = match hooks {
        [] => Vec::new(),
        _ => match load_all(facts, entries, hooks) {
            Err(error) if error.is_of_all() && hooks.iter().all(|hook| hook.optional) => {
                hooks.iter().map(|&hook| (hook, error.to_string())).collect()
            }
            result => return result,
        },
    };
    let ebpf = EbpfLoader::new().load(&NOTHING.0)?;
    Ok(Loaded { ebpf, refused, links: Links::default(), hooks: Vec::new() })
}

fn load_all(facts: &Facts, entries: &[(&'static str, u32)], hooks: &[Hook]) -> Result<Loaded, LoadError> {
    let mut loader = EbpfLoader::new();
    // aya asks for the verifier's log only after a refusal.
    loader.verifier_log_level(VerifierLogLevel::DEBUG);
    facts.hand_over(&mut loader);
    for &(map, entries) in entries {
        loader.map_max_entries(map, entries);
    }
    let mut ebpf = loader
        .load(OBJECT)
        .map_err(|error| if is_permission(&error) { not_permitted(&error) } else { LoadError::Object(error) })?;
    let btf = Btf::from_sys_fs()?;
    let mut loaded = Vec::new();
    let mut refused = Vec::new();
    for &hook in hooks {
        match load_one(&mut ebpf, hook, &btf) {
            Ok(()) => loaded.push(hook),
            // A kernel may refuse single kinds of programs to root, too.
            Err(LoadError::Refused { source, .. }) if hook.optional => refused.push((hook, chain(&source))),
            Err(LoadError::Refused { source, .. }) if is_permission(&source) && loaded.is_empty() => {
                return Err(not_permitted(&source));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Loaded { ebpf, refused, links: Links::default(), hooks: loaded })
}

fn load_one(ebpf: &mut Ebpf, hook: Hook, btf: &Btf) -> Result<(), LoadError> {
    let refused = |source| LoadError::Refused { hook: Box::new(hook), source };
    let program = ebpf.program_mut(hook.name).ok_or(LoadError::Absent(hook.name))?;
    if for_tests::without_hook(hook.name) {
        let type_name = format!("btf_trace_{}", hook.name);
        return Err(refused(ProgramError::Btf(aya::BtfError::UnknownBtfTypeName { type_name })));
    }
    match hook.kind {
        HookKind::TpBtf => {
            let program: &mut BtfTracePoint = program.try_into().map_err(refused)?;
            match (program.load(hook.name, btf), hook.older) {
                (Err(ProgramError::Btf(_)), Some(older)) => program.load(older, btf),
                (result, _) => result,
            }
            .map_err(refused)
        }
        HookKind::Iter(over) => {
            let program: &mut Iter = program.try_into().map_err(refused)?;
            program.load(over, btf).map_err(refused)
        }
    }
}

impl Loaded {
    /// No map is there, either.
    pub fn is_nothing(&self) -> bool {
        self.hooks.is_empty()
    }

    /// Attaches in the order in which the hooks were given.
    pub fn attach(&mut self) -> Result<(), LoadError> {
        for hook in self.hooks.clone().into_iter().filter(|hook| !hook.later) {
            let refused = |source| LoadError::Refused { hook: Box::new(hook), source };
            let program = self.ebpf.program_mut(hook.name).ok_or(LoadError::Absent(hook.name))?;
            match hook.kind {
                HookKind::TpBtf => self.links.attach(&mut self.ebpf, hook.name).map_err(refused)?,
                HookKind::Iter(_) => {
                    let program: &mut Iter = program.try_into().map_err(refused)?;
                    let visited = visit(program);
                    if let Err(error) = visited {
                        self.refused.push((hook, error));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Attaches a tracepoint that a probe found a need for. A run can do without.
pub fn attach_later(ebpf: &mut Ebpf, hook: &Hook) -> bool {
    match tracepoint(ebpf, hook.name).map(BtfTracePoint::attach) {
        Some(Err(error)) => {
            tracing::warn!("no {hook}: {error}; carrying on without {}", hook.needed_for);
            false
        }
        _ => true,
    }
}

/// Detaches a program and removes it.
pub fn unload(ebpf: &mut Ebpf, hook: &Hook) {
    let Some(program) = ebpf.program_mut(hook.name) else { return };
    let gone = match hook.kind {
        HookKind::TpBtf => program.try_into().and_then(|program: &mut BtfTracePoint| program.unload()),
        HookKind::Iter(_) => program.try_into().and_then(|program: &mut Iter| program.unload()),
    };
    if let Err(error) = gone {
        tracing::debug!("{hook}: {error}");
    }
}

/// Runs an iterator that writes nothing once more, if it could be loaded.
pub fn visit_again(ebpf: &mut Ebpf, name: &str) {
    let program = ebpf.program_mut(name).and_then(|program| <&mut Iter>::try_from(program).ok());
    if let Some(Err(error)) = program.map(visit) {
        tracing::debug!("{name}: {error}");
    }
}

/// Runs an iterator that writes nothing once.
fn visit(program: &mut Iter) -> Result<(), String> {
    let fd = program.fd().map_err(|error| chain(&error))?.as_fd().as_raw_fd();
    // SAFETY: bytes.
    let walked = Walk::over(fd, None).and_then(|mut walk| unsafe { walk.records(|_: &u8| ()) });
    walked.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_verifier_refuses_is_not_a_lack_of_rights() {
        let refused = |errno, log: &str| ProgramError::LoadError {
            io_error: io::Error::from_raw_os_error(errno),
            verifier_log: aya_obj::VerifierLog::new(log.into()),
        };
        assert!(is_permission(&refused(libc::EACCES, "")) && is_permission(&refused(libc::EPERM, "processed 0 insns")));
        assert!(
            !is_permission(&refused(libc::EACCES, "invalid mem access")) && !is_permission(&refused(libc::EINVAL, ""))
        );
    }

    #[test]
    fn a_map_that_can_not_be_made_is_named() {
        let io_error = io::Error::from_raw_os_error(libc::ENOMEM);
        let error = LoadError::Object(EbpfError::MapError(MapError::CreateError { name: "IO_TASKS".into(), io_error }));
        assert_eq!(error.map(), Some("IO_TASKS"));
        assert_eq!(error.to_string().matches("Cannot allocate memory").count(), 1, "{error}");
        assert_eq!(LoadError::Absent("IO_TASKS").map(), None);
    }
}
