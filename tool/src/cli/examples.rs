//! What the end of each help shows: command lines that can be typed as they stand.

pub const TOP_EXAMPLES: &str = "\
Examples:
  stillwatch                        everything: what matters now, and findings
  stillwatch 5 12                   twelve intervals of five seconds
  stillwatch -p 430,812             only these two processes
  stillwatch syscalls               where the time of system calls goes
  stillwatch io                     block I/O: who is stalled, because of whom
  stillwatch tcp                    what TCP retransmits, what fails to connect
  stillwatch cpu                    who waits in a run queue, who runs
  stillwatch oom                    out of memory: who was killed, and why
  stillwatch disk                   what fills, who grows what, when it is full
  stillwatch changes                what has changed on this host, and when
  stillwatch log                    what the kernel, the journal and files say
  stillwatch io --help              all that a probe can do
  stillwatch doctor                 what this kernel lets us measure
  stillwatch record                 keep all that, a day of it
  stillwatch --json > incident.log  one JSON object per interval

On a terminal that is a live screen: ? lists its keys, q ends it. With --plain
it is lines, and Ctrl-C prints the last interval and ends. Nothing stays behind
in the kernel.";

pub const SYSCALLS_EXAMPLES: &str = "\
Examples:
  stillwatch syscalls                        where system call time goes
  stillwatch syscalls --blocked              only calls that sleep
  stillwatch syscalls --slow 100ms           who had calls over 100 ms
  stillwatch syscalls -p 430 --syscall fsync,fdatasync 5
  stillwatch syscalls --by process --errors  whose calls fail
  stillwatch syscalls --hist read 10 1       ten seconds of read as a picture
  stillwatch syscalls --heat                 minutes of latency, scrolling by

SYSCALL names are those of this machine's architecture.";

pub const IO_EXAMPLES: &str = "\
Examples:
  stillwatch io                        devices, who is stalled, because of whom
  stillwatch io -d sda                 one device and its partitions
  stillwatch io --blame                whom each stalled process waited for
  stillwatch io --slow 100ms           single requests over 100 ms as well
  stillwatch io --stall 50ms --stacks  kernel stacks of waits over 50 ms
  stillwatch io -p 430 5               one process, every five seconds
  stillwatch io --devices 5            devices only, at the least cost

-p, --comm and -c choose among the stalled and among those who caused it; the
table of devices always counts everybody's requests.";

pub const TCP_EXAMPLES: &str = "\
Examples:
  stillwatch tcp                       what is retransmitted, and whose it is
  stillwatch tcp --events              only single events, as they come
  stillwatch tcp --by process          who loses segments
  stillwatch tcp --slow 100ms          connections that take 100 ms to open
  stillwatch tcp --port 443 --address 10.0.0.0/8
  stillwatch tcp -p 430 5              one process, every five seconds
  stillwatch tcp --port 5432 --pcap bad.pcapng    what was on the wire

An owner is the process that holds the socket, not the one that happened to
run when the kernel retransmitted a segment.";

pub const OOM_EXAMPLES: &str = "\
Examples:
  stillwatch oom                       kills as they come, who waits for memory
  stillwatch oom --last                kills that the kernel's log still has
  stillwatch oom --log                 the kernel's own report, line by line
  stillwatch oom --signals             who else sends SIGKILL
  stillwatch oom -c web.service 5      one cgroup, every five seconds
  stillwatch oom --json > memory.log   events and intervals for programs

A kill is printed at once, whatever INTERVAL says.";

pub const CPU_EXAMPLES: &str = "\
Examples:
  stillwatch cpu                       who waits in a run queue, who runs
  stillwatch cpu --by cgroup 5         the same by cgroup, every five seconds
  stillwatch cpu --slow 10ms           who had to wait for over 10 ms
  stillwatch cpu -p 430                one process
  stillwatch cpu --interrupts          what softirqs and interrupts take
  stillwatch cpu --io --syscalls       what its tasks wait for otherwise, too

-p, --comm and -c choose among the rows; the histogram counts everybody.";

pub const DISK_EXAMPLES: &str = "\
Examples:
  stillwatch disk                      what fills, who grows what, when it is full
  stillwatch disk 10                   the same every ten seconds
  stillwatch disk --writers            the same, and who writes to files that several share
  stillwatch disk -p 430               files and descriptors of one process
  stillwatch disk -c web.service       those of a cgroup
  stillwatch disk --find /srv/data     who keeps it from being unmounted
  stillwatch disk --find 5432          who listens or is connected there

-p, --comm and -c choose among the rows; file systems are everybody's.";

pub const CHANGES_EXAMPLES: &str = "\
Examples:
  stillwatch changes                       the last two hours, and from now on
  stillwatch changes 1 1 --since 1d        what the host keeps of a day, and end
  stillwatch changes --watch /srv/app      files of an application, too
  stillwatch changes -c web.service        what is about a cgroup, or the host
  stillwatch changes 1 1 --json --top 99   for programs

What is a process's or a cgroup's is chosen by -p, --comm and -c; what is the
host's is everybody's.";

pub const LOG_EXAMPLES: &str = "\
Examples:
  stillwatch log                       what the kernel and the journal say
  stillwatch log --log /var/log/postgresql/*.log
  stillwatch log 5 --log '/srv/*/log/*.log'    files that come later, too
  stillwatch log --since 10m           what they said before, as well
  stillwatch log --grep timeout        only lines with that word
  stillwatch log -c web.service        lines of a cgroup

Of many lines in an interval the first and the last of each source are shown,
and the others counted. INTERVAL stands before --log.";
