//! What builds for tests make fail on purpose: `STILLWATCH_WITHOUT=hook:NAME,member:STRUCT.MEMBER,fact:NAME`. In a release there is
//! nothing of this.

/// This kernel is to look as if it had no such tracepoint.
pub fn hook(name: &str) -> bool {
    is_left_out("hook", name)
}

/// No such member.
pub fn member(of: &str, path: &str) -> bool {
    cfg!(debug_assertions) && is_left_out("member", &format!("{of}.{path}"))
}

/// The programs are not told.
pub fn fact(name: &str) -> bool {
    is_left_out("fact", name)
}

fn is_left_out(kind: &str, name: &str) -> bool {
    cfg!(debug_assertions)
        && std::env::var("STILLWATCH_WITHOUT")
            .is_ok_and(|all| all.split(',').any(|one| one.split_once(':') == Some((kind, name))))
}
