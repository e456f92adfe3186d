//! The reasons, with their words.

use serde::{Serialize, Serializer};

macro_rules! kinds {
    ($($kind:ident $name:literal $words:literal,)*) => {
        /// What a task waits for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $(#[doc = $words] $kind,)*
        }

        impl Kind {
            pub const ALL: &[Kind] = &[$(Kind::$kind,)*];

            /// For programs: stays as it is.
            pub fn name(self) -> &'static str {
                match self { $(Kind::$kind => $name,)* }
            }

            /// For people.
            pub fn words(self) -> &'static str {
                match self { $(Kind::$kind => $words,)* }
            }
        }
    };
}

kinds! {
    Vfork "vfork" "vfork: the child has not executed yet",
    Freezer "freezer" "frozen by the freezer",
    OutOfMemory "out_of_memory" "out of memory",
    MemoryHigh "memory_high" "memory.high throttling",
    PageMigration "page_migration" "page migration",
    Compaction "compaction" "memory compaction",
    MemoryReclaim "memory_reclaim" "memory reclaim",
    Userfaultfd "userfaultfd" "page fault left to userfaultfd",
    SwapIn "swap_in" "swap-in",
    Fuse "fuse" "FUSE file system",
    NetworkFilesystem "network_filesystem" "network filesystem",
    FilesystemFrozen "filesystem_frozen" "filesystem frozen",
    DeviceError "device_error" "device error recovery",
    DeviceCommand "device_command" "device command",
    IoController "io_controller" "I/O controller throttling",
    Discard "discard" "discard",
    WriteZeroes "write_zeroes" "write zeroes",
    WritebackThrottling "writeback_throttling" "writeback throttling",
    DirtyThrottling "dirty_throttling" "dirty-page throttling",
    QueueFull "queue_full" "device queue full",
    QueueFrozen "queue_frozen" "device queue frozen",
    Flush "flush" "flush",
    JournalRecovery "journal_recovery" "journal recovery",
    Writeback "writeback" "waiting for writeback",
    JournalCommit "journal_commit" "journal commit",
    DeviceMapper "device_mapper" "RAID / device mapper",
    Rcu "rcu" "RCU grace period",
    CpuMigration "cpu_migration" "CPU migration",
    PageRead "page_read" "page read",
    MetadataWrite "metadata_write" "metadata write",
    MetadataRead "metadata_read" "metadata read",
    MemoryLock "memory_lock" "memory lock (mmap_lock)",
    FilesystemIo "filesystem_io" "filesystem I/O",
    FilesystemLock "filesystem_lock" "filesystem lock",
    KernelLock "kernel_lock" "kernel lock",
    PageFault "page_fault" "page fault",
    DirectIo "direct_io" "direct I/O",
    PageLock "page_lock" "page lock",
    Worker "worker" "kernel worker",
    Other "other" "other",
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
