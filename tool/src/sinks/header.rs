//! The lines above every interval, whatever is drawn below.

use super::{
    View,
    format::{bytes, fine_percent, interval, percent},
};
use crate::{
    escape::escape,
    snapshot::{Cost, Snapshot, StallPercent},
};

/// When, how long, the host's pressure, and our own cost and losses.
pub fn line(snapshot: &Snapshot, view: &View) -> String {
    let pressure = match &snapshot.pressure {
        Ok(pressure) => {
            let (io, memory) = (both(pressure.io), both(pressure.memory));
            format!("pressure cpu {} io {io} mem {memory}", percent(pressure.cpu.some))
        }
        Err(why) => format!("pressure unavailable ({})", escape(why)),
    };
    let (time, length) = (time(snapshot, view), interval(snapshot.interval));
    format!("{time}  {length}  {pressure}   {}", own(&snapshot.cost))
}

/// Local time of day.
pub fn time(snapshot: &Snapshot, view: &View) -> String {
    snapshot.at.to_zoned(view.zone.clone()).strftime("%H:%M:%S").to_string()
}

/// Which probes run and how, and whose events are shown.
pub fn mode(snapshot: &Snapshot, view: &View) -> String {
    macro_rules! modes {
        ($($probe:ident: $_part:ident),*) => { [$(snapshot.$probe.as_ref().map(super::$probe::mode)),*] };
    }
    let probes: Vec<&str> = probes!(modes).into_iter().flatten().collect();
    let mode = probes.join(", ");
    if view.only.is_empty() { mode } else { format!("{mode}   only {}", view.only) }
}

/// In the place of a probe's tables. Safe for a terminal.
pub fn unavailable(snapshot: &Snapshot, probe: &str) -> Option<String> {
    Some(format!("{probe} is unavailable: {}\n", escape(snapshot.unavailable(probe)?)))
}

/// Some tasks waited / all tasks waited. For CPUs the second does not exist on the level of the host.
fn both(stall: StallPercent) -> String {
    if stall.some == 0.0 { percent(0.0) } else { format!("{}/{}", percent(stall.some), percent(stall.full)) }
}

fn own(cost: &Cost) -> String {
    let cpu = fine_percent(cost.cpu_percent());
    // The part inside the kernel was not measurable: the true figure is higher.
    let more = if cost.kernel_cpu_percent.is_none() { "+?" } else { "" };
    let mut lost = format!("{} lost", cost.lost());
    if !cost.lost.is_empty() {
        let causes: Vec<_> = cost.lost.iter().map(|lost| format!("{} {}", lost.cause, lost.count)).collect();
        lost += &format!(" ({})", causes.join(", "));
    }
    let level = match &cost.level {
        level if level.without.is_empty() => String::new(),
        level => format!(", {} (budget {}% of all CPUs)", level.name(), level.budget_percent),
    };
    format!("self {cpu}{more} cpu, {}, {lost}{level}", bytes(cost.rss_bytes))
}
