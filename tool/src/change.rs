//! What a change is: found by a probe, shown in a table.

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($($(#[doc = $about:literal])* $name:ident { $($variant:ident: $word:literal,)* })*) => {$(
        $(#[doc = $about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($variant,)*
        }

        impl $name {
            pub const ALL: [Self; [$($word),*].len()] = [$(Self::$variant),*];

            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }
    )*};
}

words! {
    /// What has changed.
    ChangeKind {
        Boot: "boot",
        Package: "package",
        File: "file",
        Unit: "unit",
        Container: "container",
        Cgroup: "cgroup",
        Job: "job",
        Executable: "executable",
        Library: "library",
        Module: "module",
        Sysctl: "sysctl",
        Mount: "mount",
        Link: "link",
        Address: "address",
        Route: "route",
        Clock: "clock",
        Login: "login",
        Sudo: "sudo",
    }

    /// What happened to it.
    Did {
        Began: "began",
        Ended: "ended",
        Restarted: "restarted",
        Reloaded: "reloaded",
        Failed: "failed",
        Installed: "installed",
        Upgraded: "upgraded",
        Downgraded: "downgraded",
        Removed: "removed",
        Appeared: "appeared",
        Written: "written",
        Replaced: "replaced",
        Changed: "changed",
    }

    /// How sure its time is.
    Certainty {
        Kept: "as the host keeps it",
        Between: "between two looks",
    }
}
