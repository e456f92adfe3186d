//! What a fact's formula comes to on a kernel; `stillwatch_common::facts` says what there can be in one.

use stillwatch_common::facts::{BitField, Flag, Number, Offset, Presence};

use super::super::btf::{BtfError, KernelBtf, Member};

pub trait Solve: Sized {
    /// `None`: the formula is not for this machine.
    fn solve(btf: &KernelBtf, formula: &str) -> Result<Option<Self>, BtfError>;
}

impl Solve for Offset {
    fn solve(btf: &KernelBtf, formula: &str) -> Result<Option<Self>, BtfError> {
        let (terms, arch) = formula.split_once(" on ").unwrap_or((formula, std::env::consts::ARCH));
        if arch != std::env::consts::ARCH {
            return Ok(None);
        }
        let (mut sum, mut minus) = (0_u64, false);
        for word in terms.split(' ') {
            match word {
                "+" => minus = false,
                "-" => minus = true,
                word if minus => sum = sum.wrapping_sub(term(btf, word)?),
                word => sum = sum.wrapping_add(term(btf, word)?),
            }
        }
        Ok(Some(sum))
    }
}

fn term(btf: &KernelBtf, term: &str) -> Result<u64, BtfError> {
    if let Ok(number) = term.parse() {
        return Ok(number);
    }
    if let Some(of) = term.strip_prefix("sizeof(").and_then(|rest| rest.strip_suffix(')')) {
        return match of.strip_suffix("[0]") {
            Some(array) => Ok(element(&member(btf, array)?)),
            None => btf.size_of(of),
        };
    }
    if let Some((array, index)) = term.strip_suffix(']').and_then(|term| term.split_once('[')) {
        let array = member(btf, array)?;
        return Ok(array.offset + element(&array) * u64::from(enumerator(btf, index)?));
    }
    Ok(member(btf, term)?.offset)
}

/// Size of an array's element.
fn element(array: &Member) -> u64 {
    array.size / array.elements.unwrap_or(1).max(1)
}

fn member(btf: &KernelBtf, path: &str) -> Result<Member, BtfError> {
    let (of, path) = path.split_once('.').unwrap_or((path, ""));
    btf.member(of, path)
}

fn enumerator(btf: &KernelBtf, path: &str) -> Result<Number, BtfError> {
    let (of, name) = path.split_once('.').unwrap_or((path, ""));
    let value = btf.enum_values(of)?.into_iter().find(|(known, _)| known == name);
    let value = value.and_then(|(_, value)| Number::try_from(value).ok());
    value.ok_or_else(|| BtfError::NoMember { of: of.into(), path: name.into() })
}

impl Solve for BitField {
    fn solve(btf: &KernelBtf, formula: &str) -> Result<Option<Self>, BtfError> {
        let found = member(btf, formula)?;
        let (of, path) = formula.split_once('.').unwrap_or((formula, ""));
        let unloadable = |why| BtfError::Unloadable { of: of.into(), path: path.into(), why };
        let bits = found.bits.ok_or_else(|| unloadable("it is not a bit field"))?;
        let mask = u8::try_from(bits.mask() << bits.shift).map_err(|_| unloadable("it is wider than a byte"))?;
        let offset = u32::try_from(found.offset).map_err(|_| unloadable("it lies too far away"))?;
        Ok(Some(Self::new(offset, bits.shift as u8, mask)))
    }
}

impl Solve for Flag {
    fn solve(btf: &KernelBtf, formula: &str) -> Result<Option<Self>, BtfError> {
        enumerator(btf, formula).map(|bit| Some(Self::new(bit)))
    }
}

impl Solve for Number {
    fn solve(btf: &KernelBtf, formula: &str) -> Result<Option<Self>, BtfError> {
        enumerator(btf, formula).map(Some)
    }
}

impl Solve for Presence {
    fn solve(btf: &KernelBtf, formula: &str) -> Result<Option<Self>, BtfError> {
        let Some((tracepoint, argument)) = formula.strip_suffix(')').and_then(|call| call.split_once('(')) else {
            return enumerator(btf, formula).map(|_| Some(1));
        };
        let arguments = btf.tracepoint(tracepoint)?;
        let (at, of) = argument.split_once(' ').unwrap_or((argument, ""));
        let there = at.parse().map_or(true, |at: usize| arguments.get(at).is_some_and(|found| found.contains(of)));
        if there { Ok(Some(1)) } else { Err(BtfError::NoTracepoint(formula.into())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::btf::fixture;

    #[test]
    fn sums_sizes_and_elements() {
        for kernel in fixture::KERNELS {
            let btf = fixture::open(kernel);
            let offset = |formula| Offset::solve(&btf, formula).unwrap();
            let comm = btf.member("task_struct", "comm").unwrap().offset;
            assert_eq!(offset("16384 - sizeof(pt_regs)"), Some(16384 - 168));
            assert_eq!(offset("task_struct.comm + 3 - 1"), Some(comm + 2));
            assert_eq!(offset("task_struct.comm on pdp11"), None);
            let first = btf.member("css_set", "subsys").unwrap().offset;
            assert_eq!(offset("css_set.subsys[cgroup_subsys_id.memory_cgrp_id]"), Some(first + 4 * 8));
            assert_eq!(offset("sizeof(css_set.subsys[0])"), Some(8));
        }
    }

    #[test]
    fn bits_numbers_and_presences() {
        let btf = fixture::open("6.18");
        assert_eq!(BitField::solve(&btf, "task_struct.in_iowait").unwrap(), Some(BitField::new(1193, 0, 1)));
        assert!(BitField::solve(&btf, "task_struct.comm").is_err());
        assert_eq!(Number::solve(&btf, "cgroup_subsys_id.memory_cgrp_id").unwrap(), Some(4));
        let is_there = |formula| Presence::solve(&btf, formula).is_ok();
        assert!(is_there("kfree_skb()") && is_there("kfree_skb(3)") && is_there("kfree_skb(3 sock)"));
        assert!(!is_there("kfree_skb(4)") && !is_there("kfree_skb(0 request_queue)") && !is_there("no_such()"));
    }
}
