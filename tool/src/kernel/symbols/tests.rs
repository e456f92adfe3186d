use std::{
    fmt::Write,
    io::Cursor,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use super::{super::in_time, *};

const KALLSYMS: &str = "\
0000000000000000 A fixed_percpu_data
ffffffff81000000 T _stext
ffffffff81000000 T _text
ffffffff81000010 t __pfx_io_wait
ffffffff81000020 t io_wait.isra.0
ffffffff81000100 T vfs_read
ffffffff81000200 W weak_one
ffffffff81000300 t vfs_read.part.0.cold
ffffffff81000400 D a_variable
ffffffffc0a02000 t second\t[beta]
ffffffffc0a01000 t first.constprop.0\t[alpha]
ffffffffc0a01000 t alias\t[alpha]
";

fn table(text: &str) -> Result<SymbolTable, NoSymbols> {
    SymbolTable::read(Cursor::new(text))
}

#[test]
fn return_addresses_are_named() {
    let table = table(KALLSYMS).unwrap();
    let name = |address: u64| table.name(address);
    assert_eq!(name(0xffff_ffff_8100_0025), Some("io_wait"), "no suffix");
    assert_eq!(name(0xffff_ffff_8100_0100), Some("io_wait"), "a call at the end of a function");
    assert_eq!(name(0xffff_ffff_8100_0101), Some("vfs_read"));
    assert_eq!(name(0xffff_ffff_8100_0250), Some("weak_one"));
    assert_eq!(name(0xffff_ffff_8100_0310), Some("vfs_read"), "several suffixes");
    assert_eq!(name(0xffff_ffff_8100_0018), Some("_stext"), "padding and aliases are left out");
}

#[test]
fn modules_are_found_in_any_order() {
    let table = table(KALLSYMS).unwrap();
    assert_eq!(table.name(0xffff_ffff_c0a0_1fff), Some("first"), "the first of two names");
    assert_eq!(table.name(0xffff_ffff_c0a0_2001), Some("second"));
}

#[test]
fn what_is_no_function_has_no_name() {
    let table = table(KALLSYMS).unwrap();
    for address in
        [0, 1, 0x5555_5555_0000, 0xffff_ffff_8100_0000, 0xffff_ffff_8200_0000, 0xffff_ffff_c0b0_0000, u64::MAX]
    {
        assert_eq!(table.name(address), None, "{address:#x}");
    }
}

#[test]
fn hidden_addresses_and_empty_files_are_told_apart() {
    let hidden = "0000000000000000 T _stext\n0000000000000000 t vfs_read\t[alpha]\n";
    assert!(matches!(table(hidden), Err(NoSymbols::Hidden)));
    assert!(matches!(table(""), Err(NoSymbols::Empty)));
    assert!(NoSymbols::Hidden.to_string().contains("kptr_restrict"));
}

#[test]
fn odd_lines_are_passed_over() {
    let odd = "\nno\nzzzz T bad_address\nffffffff81000000 T good\nffffffff81000040 T";
    assert_eq!(table(odd).unwrap().name(0xffff_ffff_8100_0001), Some("good"));
    assert_eq!(without_suffix(".entry"), ".entry", "not everything before a dot is a name");
}

#[test]
fn the_file_is_read_when_needed_and_at_most_once_a_minute() {
    let (mut symbols, reads) = (Symbols::new(), Arc::new(AtomicU32::new(0)));
    let later = "ffffffff81000000 T _stext\nffffffffc1000000 t late\t[gamma]\n";
    let mut ask = |address: u64, seconds: u64, text: &'static str| {
        let mut asked = false;
        // On a busy machine the tick is over before the file is read.
        while !asked || symbols.pass.goes_on() {
            in_time::begin_tick();
            let reads = reads.clone();
            symbols.prepare(&[0, address], Duration::from_secs(seconds), move || {
                reads.fetch_add(1, Relaxed);
                table(text)
            });
            asked = true;
        }
        (reads.load(Relaxed), symbols.table.name(address).map(str::to_owned), symbols.unavailable().is_some())
    };
    assert_eq!(ask(0x1234, 0, KALLSYMS), (0, None, false), "not the kernel's");
    assert_eq!(ask(0xffff_ffff_8100_0101, 0, KALLSYMS), (1, Some("vfs_read".into()), false));
    assert_eq!(ask(0xffff_ffff_c100_0010, 59, later), (1, None, false), "too early");
    assert_eq!(ask(0xffff_ffff_8100_0101, 200, later), (1, Some("vfs_read".into()), false), "no need");
    assert_eq!(ask(0xffff_ffff_c100_0010, 200, later), (2, Some("late".into()), false));
    assert_eq!(ask(0xffff_ffff_c200_0010, 300, ""), (3, None, true));
    assert_eq!(ask(0xffff_ffff_c100_0010, 400, later), (4, Some("late".into()), false), "tried again");
}

#[test]
fn a_large_kernel_takes_about_four_mebibytes() {
    let mut text = String::new();
    for number in 0..150_000_u64 {
        writeln!(text, "{:016x} t function_{number:013}", 0xffff_ffff_8100_0000 + number * 128).unwrap();
    }
    let table = table(&text).unwrap();
    let bytes = table.starts.capacity() * size_of::<Start>() + table.names.capacity();
    // As long as the names of Linux 6.18 are on average.
    assert!(bytes < 4_800_000, "{bytes} bytes");
    assert_eq!(table.name(0xffff_ffff_8100_0000 + 149_999 * 128 + 5), Some("function_0000000149999"));
}

/// Needs root: others are shown zeros.
#[test]
fn this_kernel_has_names() {
    let mut symbols = Symbols::new();
    assert_eq!(in_the_end(&mut symbols, &[u64::MAX]), [None]);
    if symbols.unavailable().is_some() {
        return;
    }
    assert!(symbols.table.starts.len() > 10_000);
    let text = std::fs::read_to_string(FILE).unwrap();
    let line = text.lines().find(|line| line.ends_with(" T vfs_read")).unwrap();
    let address = u64::from_str_radix(&line[..16], 16).unwrap();
    assert_eq!(in_the_end(&mut symbols, &[address + 5, 0]), [Some("vfs_read".into()), None]);
}

/// A busy machine takes more than a tick to read the file.
fn in_the_end(symbols: &mut Symbols, stack: &[u64]) -> Vec<Option<String>> {
    loop {
        in_time::begin_tick();
        if let Some(names) = symbols.names(stack, Duration::ZERO) {
            return names.into_iter().map(|name| name.map(str::to_owned)).collect();
        }
    }
}

#[test]
fn a_few_addresses_are_named_without_a_table() {
    let wanted = [0xffff_ffff_8100_0025, 0xffff_ffff_8100_0101, 0xffff_ffff_c0a0_1fff, 0xffff_ffff_c0b0_0000, 7];
    let found = find_in(Cursor::new(KALLSYMS), &wanted).unwrap();
    let whole = table(KALLSYMS).unwrap();
    for address in wanted {
        assert_eq!(found.get(&address).map(String::as_str), whole.name(address), "{address:x}");
    }
    assert_eq!(found.len(), 3);
    assert!(matches!(find_in(Cursor::new("0000000000000000 T x\n"), &wanted), Err(NoSymbols::Hidden)));
    assert!(matches!(find_in(Cursor::new(""), &wanted), Err(NoSymbols::Empty)));
}
