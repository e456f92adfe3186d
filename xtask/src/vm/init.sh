#!/bin/sh
# PID 1 of a test machine: mounts what a host would have, runs /command, powers off.
# The command's output goes to the second serial port, where the kernel never writes.
export PATH=/bin HOME=/root TERM=dumb STILLWATCH_BIN=/bin/stillwatch
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
mount -t cgroup2 cgroup /sys/fs/cgroup
mount -t tracefs trace /sys/kernel/tracing
mount -t debugfs debug /sys/kernel/debug
for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
	echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
done
ip link set lo up
cd /root
# Opened once: to open a port again while its last user closes it can fail.
exec 3>/dev/ttyS1
stty -F /dev/ttyS1 raw -echo
sh /command </dev/null >&3 2>&1 3>&-
# On a line of its own, whatever the command wrote last.
printf '\n@exit %d\n' $? >&3
poweroff -f
