//! The kernel's log of a kill: its own words stay, and numbers; every other word is a name.

use super::Redaction;

/// What the kernel writes when it kills.
const WORDS: &str = "\
    CPU UID PID Comm Not tainted Tainted Call Trace TASK Tasks state memory values in pages pid uid tgid total_vm rss rss_anon rss_file \
    rss_shmem pgtables_bytes swapents oom_score_adj name invoked oom-killer gfp_mask order oom-kill constraint nodemask null cpuset \
    mems_allowed oom_memcg task_memcg global_oom task Memory cgroup out of Out Killed process total-vm anon-rss file-rss shmem-rss \
    pgtables oom_reaper reaped now usage limit failcnt swap kmem memory+swap stats for are going to be killed due memory.oom.group set \
    Mem-Info Node Normal DMA DMA32 active_anon inactive_anon isolated_anon active_file inactive_file isolated_file unevictable dirty \
    writeback slab_reclaimable slab_unreclaimable mapped shmem pagetables sec_pagetables bounce free free_pcp free_cma min low high \
    present managed mlocked anon file kernel_stack percpu sock slab anon_thp file_mapped file_dirty file_writeback swapcached total \
    pagecache cache Total RAM reserved Free Swap HighMem/MovableOnly lowmem_reserve protection kB";

impl Redaction {
    /// Old kernels write several lines as one record.
    pub(super) fn kernel_log(&mut self, text: &str) -> String {
        text.split('\n').map(|line| self.line(line)).collect::<Vec<_>>().join("\n")
    }

    fn line(&mut self, text: &str) -> String {
        let is_row = text.trim_start().starts_with('[');
        let (mut out, mut rest, mut numbers, mut before) = (String::new(), text, 0, "");
        while let Some(char) = rest.chars().next() {
            let end = rest.find(|char| !is_inside(char)).unwrap_or(rest.len());
            if end == 0 {
                out.push(char);
                rest = &rest[char.len_utf8()..];
                continue;
            }
            let (word, after) = rest.split_at(end);
            let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
            numbers += u32::from(is_number);
            // The second number of a row of candidates is the user.
            let is_user = is_number && word != "0" && (before.eq_ignore_ascii_case("uid") || is_row && numbers == 2);
            out += &if is_user { self.user(word).to_string() } else { self.word(word) };
            (before, rest) = (word, after);
        }
        out
    }

    fn word(&mut self, word: &str) -> String {
        let is_gfp = || word.contains("GFP_") && word.chars().all(|char| char.is_ascii_uppercase() || char == '_');
        if is_number(word)
            || is_gfp()
            || word.starts_with("CONSTRAINT_")
            || WORDS.split_whitespace().any(|known| known == word)
        {
            word.to_owned()
        } else if word.contains('/') {
            self.cgroup(word)
        } else {
            self.process(word)
        }
    }
}

/// Letters of names, as long as they are not what the kernel puts between them.
fn is_inside(char: char) -> bool {
    !char.is_whitespace() && !"=,:;()[]<>|#".contains(char)
}

/// `0x1b`, `1024kB`, `1.5`, `-998`; none is a name that says anything.
fn is_number(word: &str) -> bool {
    let number = word.strip_suffix("kB").or(word.strip_suffix("ms")).unwrap_or(word);
    let hex = number.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    hex || number.bytes().all(|byte| byte.is_ascii_digit() || b".-+".contains(&byte))
}
