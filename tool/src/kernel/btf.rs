//! Where the running kernel keeps its fields, and what its tracepoints hand over.
//!
//! Rust programs carry no CO-RE relocations, and the kernel renames, moves and reshapes its structures between
//! releases and between configurations. So nothing is assumed: member offsets, bitfields, tracepoint prototypes and
//! enum values come from the kernel's own type information (BTF) and go to the programs as read-only globals before
//! they are loaded.
//!
//! Cost: opening takes 1 to 3 ms (some 5 ms more where the file has to be copied), the first look-up of each name about
//! 1 ms (a scan over all types), repeated ones some microseconds. A copy counts as 3 to 6 MiB of resident memory while
//! the [`KernelBtf`] lives: drop it once the programs are loaded.

mod prototype;

use std::{
    cell::RefCell,
    collections::HashMap,
    fs::File,
    io,
    os::fd::{AsRawFd, FromRawFd},
    path::{Path, PathBuf},
};

use btf_rs::{Backend, Btf, BtfType, Type};
use thiserror::Error;

use crate::for_tests;

/// The type information that the running kernel publishes about itself.
pub const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// Longest chain of typedefs, modifiers or anonymous nesting that is followed. Real ones stay below ten; the bound
/// keeps damaged input from looping.
const DEPTH: usize = 32;

/// Every supported kernel is 64-bit.
const POINTER: u64 = 8;

/// Why a fact about kernel types is not known.
#[derive(Debug, Error)]
pub enum BtfError {
    #[error("this kernel describes no types: {VMLINUX} is missing (needs a kernel built with CONFIG_DEBUG_INFO_BTF=y)")]
    Absent,
    #[error("can't read {}: {source} (is it readable by this user, and is sysfs mounted?)", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("can't make sense of the kernel types in {}: {source} (kernel newer than stillwatch?)", path.display())]
    Format { path: PathBuf, source: btf_rs::Error },
    #[error("damaged kernel type information at {at}: {source}")]
    Damaged { at: String, source: btf_rs::Error },
    #[error("this kernel has no {what} {name}")]
    NoType { what: &'static str, name: String },
    #[error("this kernel's {of} has no member {path}")]
    NoMember { of: String, path: String },
    #[error("member {path} of this kernel's {of} can't be read with one load: {why}")]
    Unloadable { of: String, path: String, why: &'static str },
    #[error("this kernel has no tracepoint {0}, or none that BTF programs can attach to")]
    NoTracepoint(String),
}

impl BtfError {
    /// Whether the kernel simply does not have what was asked for, as opposed to not being readable.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::NoType { .. } | Self::NoMember { .. } | Self::NoTracepoint(_))
    }
}

/// Place of a structure member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Bytes from the start of the outermost structure. For a bitfield: of the load unit that holds it.
    pub offset: u64,
    /// Bytes. For a bitfield: of the load unit, which is the smallest naturally aligned 1, 2, 4 or 8 bytes that cover
    /// it, so that a load never touches a neighbouring member (the verifier refuses those). A single-bit member
    /// therefore always has a unit of one byte.
    pub size: u64,
    /// Set if the member is a bitfield.
    pub bits: Option<Bits>,
    /// Number of elements if the member is an array (0 for a flexible one); `size` is then the whole array's.
    pub elements: Option<u64>,
}

/// Place of a bitfield inside its load unit, counted from the least significant bit of the loaded value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bits {
    pub shift: u32,
    pub width: u32,
}

impl Bits {
    /// Mask of the value, after shifting it down.
    pub fn mask(&self) -> u64 {
        u64::MAX.checked_shr(64 - self.width.min(64)).unwrap_or(0)
    }
}

/// The types of one kernel.
pub struct KernelBtf {
    btf: Btf,
    /// Name → type ids. Each miss costs a scan over all types.
    ids: RefCell<HashMap<String, Vec<u32>>>,
}

impl KernelBtf {
    /// Types of the running kernel.
    pub fn open() -> Result<Self, BtfError> {
        let path = Path::new(VMLINUX);
        if !path.exists() {
            return Err(BtfError::Absent);
        }
        // Kernels before 6.16 or so can't map this file: map a copy instead. Reading the types without a mapping would
        // parse all of them, at 130 ms.
        match Self::from_file(path) {
            Err(BtfError::Read { .. }) => {}
            opened_or_not_understood => return opened_or_not_understood,
        }
        let copy = in_memory(path).map_err(|source| BtfError::Read { path: path.into(), source })?;
        Self::from_file(Path::new(&format!("/proc/self/fd/{}", copy.as_raw_fd())))
    }

    /// Types from a file in the format of [`VMLINUX`].
    pub fn from_file(path: &Path) -> Result<Self, BtfError> {
        let btf = Btf::from_file_with_backend(path, Backend::Mmap).map_err(|error| match error {
            btf_rs::Error::IO(source) => BtfError::Read { path: path.into(), source },
            source => BtfError::Format { path: path.into(), source },
        })?;
        Ok(Self { btf, ids: RefCell::default() })
    }

    /// The member that `path` (names joined by dots) leads to inside the struct, union or typedef `of`. Members of
    /// anonymous structs and unions are found as C finds them. Pointers are not followed: look up the pointed-to
    /// type by its own name.
    pub fn member(&self, of: &str, path: &str) -> Result<Member, BtfError> {
        let missing = || BtfError::NoMember { of: of.into(), path: path.into() };
        if for_tests::without_member(of, path) {
            return Err(missing());
        }
        // Where a name is defined twice (a private struct of one driver beside the one that is meant), ask each.
        for id in self.ids(of)? {
            if let Some(place) = self.walk(of, id, path)? {
                return self.load_unit(of, path, place);
            }
        }
        // Only now tell a missing struct from a missing member.
        self.layout(of)?;
        Err(missing())
    }

    /// Size of a struct, union or typedef, in bytes.
    pub fn size_of(&self, of: &str) -> Result<u64, BtfError> {
        let id = self.layout(of)?;
        self.size(of, id)
    }

    /// Names and values of an enum, in the order of declaration.
    pub fn enum_values(&self, of: &str) -> Result<Vec<(String, i64)>, BtfError> {
        for id in self.ids(of)? {
            // Kernels before 6.0 don't mark enums as signed: negative values of theirs come out as large positive ones.
            let values = match self.type_of(of, id)? {
                Type::Enum(found) => {
                    let signed = found.is_signed();
                    let value = |raw: u32| if signed { i64::from(raw as i32) } else { i64::from(raw) };
                    found.members.iter().map(|v| Ok((self.name(of, v)?, value(v.val())))).collect()
                }
                Type::Enum64(found) => found.members.iter().map(|v| Ok((self.name(of, v)?, v.val() as i64))).collect(),
                _ => continue,
            };
            return values;
        }
        Err(BtfError::NoType { what: "enum", name: of.into() })
    }

    /// Follows `path` from type `id`. `None`: there is no such member.
    fn walk(&self, of: &str, id: u32, path: &str) -> Result<Option<Place>, BtfError> {
        let mut place = Place { bit: 0, width: None, id };
        for name in path.split('.') {
            let Some(next) = self.step(of, place.id, name, 0)? else {
                return Ok(None);
            };
            place = Place { bit: place.bit + next.bit, ..next };
        }
        Ok(Some(place))
    }

    /// Finds one member by name, also inside unnamed members.
    fn step(&self, of: &str, id: u32, name: &str, depth: usize) -> Result<Option<Place>, BtfError> {
        let (Type::Struct(layout) | Type::Union(layout)) = self.bare(of, id)?.1 else {
            return Ok(None);
        };
        for member in &layout.members {
            let inner = Place {
                bit: u64::from(member.bit_offset()),
                width: member.bitfield_size().filter(|&width| width > 0),
                id: member.get_type_id().unwrap_or(0),
            };
            let its_name = self.name(of, member)?;
            if its_name == name {
                return Ok(Some(inner));
            }
            if its_name.is_empty()
                && depth < DEPTH
                && let Some(found) = self.step(of, inner.id, name, depth + 1)?
            {
                return Ok(Some(Place { bit: inner.bit + found.bit, ..found }));
            }
        }
        Ok(None)
    }

    /// What to load in order to read the member.
    fn load_unit(&self, of: &str, path: &str, place: Place) -> Result<Member, BtfError> {
        let unloadable = |why| BtfError::Unloadable { of: of.into(), path: path.into(), why };
        let Some(width) = place.width else {
            let elements = match self.bare(of, place.id)?.1 {
                Type::Array(array) => Some(array.len() as u64),
                _ => None,
            };
            return match place.bit % 8 {
                0 => Ok(Member { offset: place.bit / 8, size: self.size(of, place.id)?, bits: None, elements }),
                _ => Err(unloadable("it does not start at a byte")),
            };
        };
        let unit = [8_u64, 16, 32, 64].into_iter().find(|unit| place.bit % unit + u64::from(width) <= *unit);
        let unit = unit.ok_or_else(|| unloadable("the bitfield crosses a 64-bit boundary"))?;
        let shift = (place.bit % unit) as u32;
        // On big-endian machines bit 0 is the most significant one.
        let shift = if cfg!(target_endian = "big") { unit as u32 - shift - width } else { shift };
        let offset = place.bit / unit * (unit / 8);
        Ok(Member { offset, size: unit / 8, bits: Some(Bits { shift, width }), elements: None })
    }

    fn size(&self, of: &str, id: u32) -> Result<u64, BtfError> {
        Ok(match self.bare(of, id)?.1 {
            Type::Int(int) => int.size() as u64,
            Type::Float(float) => float.size() as u64,
            Type::Enum(plain) => plain.size() as u64,
            Type::Enum64(wide) => wide.size() as u64,
            Type::Struct(layout) | Type::Union(layout) => layout.size() as u64,
            Type::Ptr(_) => POINTER,
            // Dimensions nest, but no kernel array has more than a handful.
            Type::Array(array) => array.len() as u64 * self.size(of, array.get_type_id().unwrap_or(0))?,
            _ => 0,
        })
    }

    /// The first definition of this name that has a layout; forward declarations have none.
    fn layout(&self, of: &str) -> Result<u32, BtfError> {
        for id in self.ids(of)? {
            if let (id, Type::Struct(_) | Type::Union(_)) = self.bare(of, id)? {
                return Ok(id);
            }
        }
        Err(BtfError::NoType { what: "struct", name: of.into() })
    }

    /// The type behind typedefs and modifiers (const, volatile, restrict, type tags), with its id.
    fn bare(&self, at: &str, mut id: u32) -> Result<(u32, Type), BtfError> {
        let mut found = self.type_of(at, id)?;
        for _ in 0..DEPTH {
            let next = match &found {
                Type::Typedef(of) => of.get_type_id(),
                Type::Const(of) | Type::Volatile(of) | Type::Restrict(of) => of.get_type_id(),
                Type::TypeTag(of) => of.get_type_id(),
                _ => None,
            };
            let Some(next) = next else { break };
            (id, found) = (next, self.type_of(at, next)?);
        }
        Ok((id, found))
    }

    fn ids(&self, name: &str) -> Result<Vec<u32>, BtfError> {
        if let Some(ids) = self.ids.borrow().get(name) {
            return Ok(ids.clone());
        }
        let ids = self.btf.resolve_ids_by_name(name).map_err(|error| damaged(name, error))?;
        self.ids.borrow_mut().insert(name.into(), ids.clone());
        Ok(ids)
    }

    fn type_of(&self, at: &str, id: u32) -> Result<Type, BtfError> {
        self.btf.resolve_type_by_id(id).map_err(|error| damaged(at, error))
    }

    fn target(&self, at: &str, of: &dyn BtfType) -> Result<Type, BtfError> {
        self.btf.resolve_chained_type(of).map_err(|error| damaged(at, error))
    }

    fn name(&self, at: &str, of: &dyn BtfType) -> Result<String, BtfError> {
        self.btf.resolve_name(of).map_err(|error| damaged(at, error))
    }
}

/// A member on the way to becoming a [`Member`].
struct Place {
    /// Bits from the start of the structure.
    bit: u64,
    /// Bits, if it is a bitfield.
    width: Option<u32>,
    id: u32,
}

fn damaged(at: &str, source: btf_rs::Error) -> BtfError {
    BtfError::Damaged { at: at.into(), source }
}

/// Copies a file into anonymous memory, where it can be mapped. The memory goes when file and mappings are closed.
fn in_memory(path: &Path) -> io::Result<File> {
    // SAFETY: the name is a NUL-terminated literal, and the call touches no other memory of ours.
    let fd = unsafe { libc::memfd_create(c"btf".as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just gave us this descriptor, and nobody else knows it.
    let mut copy = unsafe { File::from_raw_fd(fd) };
    io::copy(&mut File::open(path)?, &mut copy)?;
    Ok(copy)
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
