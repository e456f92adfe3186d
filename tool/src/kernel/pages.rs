//! Where the memory of a `struct page` is: the kernel has all of both in two long rows, whose places /proc/kcore tells. It is the file that debuggers
//! read; only its table of contents is looked at here.

use std::{fs::File, io, io::Read};

use object::{
    Endianness,
    elf::{FileHeader64, PT_LOAD},
    read::elf::{FileHeader, ProgramHeader},
};

const FILE: &str = "/proc/kcore";
/// Room for the entries of some thousand pieces of memory.
const TABLE: u64 = 256 << 10;
/// Of a `struct page`, on every kernel of 64 bits since they are aligned to that.
const DESCRIPTION: u64 = 64;
/// What both rows begin at a multiple of; a piece that is not as we believe does hardly.
const ALIGNED: u64 = 2 << 20;

/// The memory of the `struct page` at an address P is at `memory + ((P - descriptions) << shift)`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pages {
    pub descriptions: u64,
    pub memory: u64,
    pub shift: u32,
}

/// Why that is not known.
#[derive(Debug, thiserror::Error)]
pub enum NoPages {
    #[error("cannot read {FILE}: {0}")]
    Read(#[from] io::Error),
    #[error("{FILE} does not tell where pages are")]
    Untold,
}

/// A piece of the kernel's addresses.
struct Piece {
    at: u64,
    bytes: u64,
    /// `u64::MAX`: it is no piece of memory, but of what describes it, or of other things.
    physical: u64,
}

impl Pages {
    pub fn read(page_bytes: u64) -> Result<Self, NoPages> {
        let mut table = Vec::new();
        File::open(FILE)?.take(TABLE).read_to_end(&mut table)?;
        Self::of(&pieces(&table).ok_or(NoPages::Untold)?, page_bytes).ok_or(NoPages::Untold)
    }

    /// Behind each piece of memory comes its descriptions. All pieces have to say the same.
    fn of(pieces: &[Piece], page_bytes: u64) -> Option<Self> {
        let each = pieces.windows(2).filter_map(|pair| {
            let [memory, descriptions] = pair else { return None };
            // In whole pages.
            let length = memory.bytes / page_bytes * DESCRIPTION;
            let fits = (length..=length + 2 * page_bytes).contains(&descriptions.bytes);
            let first = memory.physical / page_bytes * DESCRIPTION / page_bytes * page_bytes;
            let pages = Self {
                descriptions: descriptions.at.wrapping_sub(first),
                memory: memory.at.wrapping_sub(memory.physical),
                shift: (page_bytes / DESCRIPTION).ilog2(),
            };
            let aligned = (pages.descriptions | pages.memory).is_multiple_of(ALIGNED);
            (memory.physical != u64::MAX && descriptions.physical == u64::MAX && fits && aligned).then_some(pages)
        });
        let mut each = each.fuse();
        let first = each.next()?;
        each.all(|pages| pages == first).then_some(first)
    }
}

fn pieces(table: &[u8]) -> Option<Vec<Piece>> {
    let header = FileHeader64::<Endianness>::parse(table).ok()?;
    let order = header.endian().ok()?;
    let pieces = header.program_headers(order, table).ok()?.iter().filter(|piece| piece.p_type(order) == PT_LOAD);
    let piece = |piece: &object::elf::ProgramHeader64<Endianness>| Piece {
        at: piece.p_vaddr(order),
        bytes: piece.p_memsz(order),
        physical: piece.p_paddr(order),
    };
    Some(pieces.map(piece).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kernel 6.12 with 512 MiB: its text, what it allocates, modules, and two pieces of memory with their descriptions.
    const PIECES: [[u64; 3]; 7] = [
        [0xffff_ffff_b1a0_0000, 0x02c3_0000, 0x1120_0000],
        [0xff6a_932f_4000_0000, 0x0031_ffff_ffff_ffff, u64::MAX],
        [0xffff_ffff_c000_0000, 0x3f00_0000, u64::MAX],
        [0xff48_30e5_c000_1000, 0x0009_e000, 0x1000],
        [0xfffe_8d0c_8000_0000, 0x3000, u64::MAX],
        [0xff48_30e5_c010_0000, 0x1fee_0000, 0x0010_0000],
        [0xfffe_8d0c_8000_4000, 0x007f_c000, u64::MAX],
    ];

    fn of(pieces: &[[u64; 3]]) -> Option<Pages> {
        let pieces: Vec<_> = pieces.iter().map(|&[at, bytes, physical]| Piece { at, bytes, physical }).collect();
        Pages::of(&pieces, 4096)
    }

    #[test]
    fn all_pieces_say_the_same() {
        let expected = Pages { descriptions: 0xfffe_8d0c_8000_0000, memory: 0xff48_30e5_c000_0000, shift: 6 };
        assert_eq!(of(&PIECES), Some(expected));
        assert_eq!(of(&PIECES[..5]), Some(expected));
        let mut moved = PIECES;
        moved[6][0] += 0x20_0000;
        assert_eq!(of(&moved), None);
        assert_eq!(of(&PIECES[..4]), None);
    }

    #[test]
    fn a_table_is_cut_off_or_none() {
        assert!(pieces(b"").is_none() && pieces(b"\x7fELF").is_none());
    }
}
