//! What a machine's kernel said at its end.

/// Lines without a sign of trouble, and the most that are shown with one.
const SHORT: usize = 40;
const LONG: usize = 160;

/// The last lines, from the first sign of trouble on: a panic's first line names the cause, and two oopses are longer
/// than any fixed number of lines.
pub fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(|line| line.trim_end_matches('\r')).collect();
    let sign = lines.iter().position(|line| is_trouble(line)).unwrap_or(lines.len());
    let from = sign.min(lines.len().saturating_sub(SHORT));
    let shown = &lines[from..];
    if shown.len() <= LONG {
        return shown.join("\n");
    }
    let left_out = shown.len() - LONG;
    let (head, end) = (&shown[..LONG - SHORT], &shown[shown.len() - SHORT..]);
    format!("{}\n({left_out} lines left out)\n{}", head.join("\n"), end.join("\n"))
}

/// Whether the kernel died of a breakpoint that it had taken away, which QEMU can be the cause of.
pub fn stale_breakpoint(text: &str) -> bool {
    // "Oops: int3: 0000 [#1]"; kernels before 6.10 leave out the first word.
    text.lines().any(|line| line.contains("int3: 0000 ["))
}

fn is_trouble(line: &str) -> bool {
    ["BUG:", "Oops", "Kernel panic", "------------[ cut here", "int3: "].iter().any(|sign| line.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("line {number}")).collect()
    }

    #[test]
    fn without_trouble_the_end_is_shown() {
        assert_eq!(tail(&numbered(100).join("\n")).lines().next(), Some("line 60"));
        assert_eq!(tail("a\r\nb"), "a\nb");
        assert_eq!(tail(""), "");
    }

    #[test]
    fn the_first_sign_of_trouble_is_shown() {
        let mut lines = numbered(120);
        lines[30] = "[   39.6] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI".to_owned();
        lines[110] = "[   39.9] Kernel panic - not syncing".to_owned();
        let text = lines.join("\n");
        assert!(stale_breakpoint(&text));
        assert_eq!(tail(&text).lines().count(), 90);
        assert!(tail(&text).starts_with(&lines[30]));
    }

    #[test]
    fn a_flood_keeps_both_ends() {
        let mut lines = numbered(1000);
        lines[10] = "BUG: unable to handle page fault".to_owned();
        let shown = tail(&lines.join("\n"));
        assert!(shown.starts_with("BUG:") && shown.ends_with("line 999"));
        assert!(shown.contains("(830 lines left out)"));
        assert_eq!(shown.lines().count(), LONG + 1);
    }
}
