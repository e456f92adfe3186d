//! What both sides have to mean the same by: the kernel side counts by index, the user side shows names.

/// An enum whose variants are indexes of an array, and their names.
macro_rules! named {
    ($(#[$what:meta])* $enum:ident { $($(#[$doc:meta])* $variant:ident: $name:literal,)* }) => {
        $(#[$what])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(usize)]
        pub enum $enum {
            $($(#[$doc])* $variant,)*
        }

        impl $enum {
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}
