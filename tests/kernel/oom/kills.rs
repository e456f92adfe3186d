//! Who was killed, because of whom, and where memory had run out.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    super::{Test, every_kernel, here, in_machine, skip, stillwatch::losses},
    brief,
    group::{Group, MIB, holder, inherited, is_killed, is_v2},
    kill_of,
    log::until_reports_are_written,
    watch,
};

pub const TESTS: &[Test] = &[
    every_kernel("oom_shows_seven_kills_each_with_its_own_limit", seven),
    every_kernel("oom_tells_the_cgroup_at_its_limit_from_the_victims", nested),
    every_kernel("oom_tells_the_trigger_from_the_victim", trigger),
    every_kernel("oom_shows_all_that_are_killed_together", together),
    here("oom_filters_kills", filters),
    every_kernel("oom_knows_the_limit_where_the_kernel_holds_its_report_back", many),
];

fn kills(events: &[Value]) -> Vec<&Value> {
    events.iter().filter(|event| event["event"] == "oom_kill").collect()
}

/// What holds for every kill in a cgroup.
fn check(event: &Value, pid: u32, limit: u64) -> Result<()> {
    let short = || format!("{:#?}", brief(std::slice::from_ref(event)));
    ensure!(event["scope"] == "memcg" && event["limit_bytes"] == limit, "scope: {}", short());
    let number = |value: &Value| value.as_u64().with_context(short);
    let usage = number(&event["usage_bytes"])?;
    ensure!(usage <= limit && usage + MIB > limit, "usage {usage}: {}", short());
    let victim = &event["victim"];
    ensure!(victim["uid"] == 0 && victim["oom_score_adj"] == 0, "victim: {}", short());
    let held = number(&victim["anon_bytes"])?;
    // What it shares with us since the fork is charged to us.
    ensure!(held.abs_diff(limit + inherited()?) < 8 * MIB, "held {held}: {}", short());
    ensure!(number(&victim["pgtables_bytes"])? > 0 && victim["swap_bytes"] == 0, "{}", short());
    ensure!(event["order"] == 0 && event["gfp"].as_str().is_some_and(|gfp| gfp.starts_with("GFP_")), "{}", short());
    ensure!(number(&event["freed_ns"])? < 20_000_000_000, "{}", short());
    let named = format!("Killed process {pid} (");
    let lines = event["kernel_log"].as_array().with_context(short)?;
    ensure!(lines.iter().any(|line| line["text"].as_str().is_some_and(|text| text.contains(&named))), "{lines:#?}");
    Ok(())
}

fn seven() -> Result<()> {
    const KILLS: u64 = 7;
    let mut watch = watch(&[])?;
    for at in 0..KILLS {
        // Of whole pages, and each its own.
        let limit = (24 + 3 * at) * MIB;
        let group = Group::new(&format!("seven-{at}"), Some(limit))?;
        let hog = holder(c"seven", 2 * limit, &group)?;
        hog.go();
        is_killed(&hog)?;
        let event = kill_of(&mut watch, hog.pid)?;
        check(&event, hog.pid, limit)?;
        let short = || format!("{:#?}", brief(std::slice::from_ref(&event)));
        ensure!(event["victim"]["comm"] == "seven" && event["trigger"]["pid"] == hog.pid, "{}", short());
        ensure!(event["cgroup"] == group.path && event["victim"]["cgroup"] == group.path, "{} {}", group.path, short());
        ensure!(event["trigger"]["cgroup"] == group.path, "{}", short());
        let lead_up = &event["lead_up"]["available_bytes"];
        ensure!(lead_up.as_array().is_some_and(|points| !points.is_empty()), "lead-up: {}", event["lead_up"]);
    }
    watch.stop()?;
    ensure!(kills(&watch.events).len() as u64 == KILLS, "{:#?}", brief(&watch.events));
    let lost = losses(&watch.snapshots);
    ensure!(lost.values().sum::<u64>() == 0, "lost: {lost:?}");
    Ok(())
}

/// The limit is two levels above the process, and there is a larger one in between.
fn nested() -> Result<()> {
    let limit = 29 * MIB;
    let upper = Group::new("nested", Some(limit))?;
    let middle = upper.below("middle", Some(200 * MIB))?;
    let leaf = middle.below("leaf", None)?;
    let mut watch = watch(&[])?;
    let hog = holder(c"nested", 2 * limit, &leaf)?;
    hog.go();
    is_killed(&hog)?;
    let event = kill_of(&mut watch, hog.pid)?;
    check(&event, hog.pid, limit)?;
    ensure!(event["cgroup"] == upper.path && event["victim"]["cgroup"] == leaf.path, "{:#?}", brief(&[event]));
    Ok(())
}

/// The largest is killed because a small one, in another cgroup, needs a page.
fn trigger() -> Result<()> {
    let limit = 31 * MIB;
    let upper = Group::new("trigger", Some(limit))?;
    let (large, small) = (upper.below("large", None)?, upper.below("small", None)?);
    let mut watch = watch(&[])?;
    let victim = holder(c"the-victim", 24 * MIB, &large)?;
    let wants = holder(c"the-trigger", 8 * MIB, &small)?;
    victim.go();
    victim.report()?;
    wants.go();
    is_killed(&victim)?;
    // It has what it needed, unless the kernel had no patience with the victim.
    let survived = wants.report().is_ok();
    let event = kill_of(&mut watch, victim.pid)?;
    let short = || format!("{:#?}", brief(std::slice::from_ref(&event)));
    ensure!(event["victim"]["comm"] == "the-victim" && event["victim"]["cgroup"] == large.path, "{}", short());
    let trigger = &event["trigger"];
    ensure!(trigger["pid"] == wants.pid && trigger["comm"] == "the-trigger", "{}", short());
    ensure!(trigger["cgroup"] == small.path && event["cgroup"] == upper.path, "{}", short());
    ensure!(event["limit_bytes"] == limit, "{}", short());
    watch.next()?;
    watch.stop()?;
    ensure!(kills(&watch.events).len() == 2 - usize::from(survived), "{:#?}", brief(&watch.events));
    Ok(())
}

/// `memory.oom.group`: a prime number of processes, of which one wants too much.
fn together() -> Result<()> {
    const OTHERS: usize = 4;
    if !is_v2()? {
        return Err(skip("cgroup v1 kills one process at a time"));
    }
    // Without the kernel's report the limit is not known of those that come after another's memory is free.
    until_reports_are_written();
    let limit = 30 * MIB;
    let group = Group::new("together", Some(limit))?;
    group.set("memory.oom.group", 1)?;
    let mut watch = watch(&[])?;
    let others = (0..OTHERS).map(|_| holder(c"bystander", MIB, &group)).collect::<Result<Vec<_>>>()?;
    for other in &others {
        other.go();
        other.report()?;
    }
    let hog = holder(c"hog", 2 * limit, &group)?;
    hog.go();
    is_killed(&hog)?;
    for process in others.iter().chain([&hog]) {
        is_killed(process)?;
        let event = kill_of(&mut watch, process.pid)?;
        let short = || format!("not as the others: {:#?}", brief(std::slice::from_ref(&event)));
        ensure!(event["group"] == group.path && event["trigger"]["pid"] == hog.pid, "{}", short());
        ensure!(event["victim"]["cgroup"] == group.path && event["limit_bytes"] == limit, "{}", short());
    }
    watch.stop()?;
    ensure!(kills(&watch.events).len() == OTHERS + 1, "{:#?}", brief(&watch.events));
    Ok(())
}

/// `-c` by the cgroup that the victim was in, `--comm` by its name.
fn filters() -> Result<()> {
    let (wanted, other) = (Group::new("wanted", Some(20 * MIB))?, Group::new("other", Some(20 * MIB))?);
    let mut by_cgroup = watch(&["-c", &wanted.dir.display().to_string()])?;
    let mut by_comm = watch(&["--comm", "is-wanted"])?;
    let hidden = holder(c"is-not", 40 * MIB, &other)?;
    hidden.go();
    is_killed(&hidden)?;
    let shown = holder(c"is-wanted", 40 * MIB, &wanted)?;
    shown.go();
    is_killed(&shown)?;
    for watch in [&mut by_cgroup, &mut by_comm] {
        kill_of(watch, shown.pid)?;
        watch.stop()?;
        ensure!(kills(&watch.events).len() == 1, "{:#?}", brief(&watch.events));
    }
    Ok(())
}

/// More than twice the ten reports that the kernel writes in five seconds: of the others it writes a line each, which is what the
/// first of them may be already.
fn many() -> Result<()> {
    // An emulated CPU with so much to do may not find each cgroup in time, and says so.
    let tries = if in_machine() { 4 } else { 1 };
    for _ in 0..tries {
        if many_once()? {
            return Ok(());
        }
    }
    anyhow::bail!("some cgroup is never looked up in time")
}

/// Whether all cgroups were looked up in time.
fn many_once() -> Result<bool> {
    const KILLS: u64 = 23;
    let mut watch = watch(&[])?;
    let hog = |at| -> Result<_> {
        let limit = (10 + at) * MIB;
        let group = Group::new(&format!("many-{at}"), Some(limit))?;
        Ok((holder(c"one-of-many", 2 * limit, &group)?, group, limit))
    };
    let hogs = (0..KILLS).map(hog).collect::<Result<Vec<_>>>()?;
    hogs.iter().for_each(|(hog, ..)| hog.go());
    let (mut suppressed, mut late) = (0, 0);
    for (hog, group, limit) in &hogs {
        is_killed(hog)?;
        let event = kill_of(&mut watch, hog.pid)?;
        let short = || format!("{:#?}", brief(std::slice::from_ref(&event)));
        ensure!(event["scope"] == "memcg" && event["limit_bytes"] == *limit, "{}", short());
        let is_late = event["victim"]["unknown"] == "not read in time";
        ensure!((event["cgroup"] == group.path || is_late) && event["trigger"]["pid"] == hog.pid, "{}", short());
        suppressed += u64::from(event["order"].is_null());
        late += u64::from(is_late);
    }
    ensure!(suppressed >= 3, "{suppressed} reports were suppressed");
    Ok(late == 0)
}
