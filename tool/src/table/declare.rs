//! The macro that makes a row out of its declaration.

/// See [`crate::table`].
macro_rules! table {
    ($(
        $(#[doc = $about:literal])*
        $vis:vis struct $row:ident in $table:literal $(derive($($also:ident),*))? {
            $(
                $(#[doc = $doc:literal])*
                $field:ident: $type:ty = $column:expr $(, text [$($text:expr),* $(,)?])?;
            )*
        }
    )*) => {$(
        $(#[doc = $about])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize $($(, $also)*)?)]
        $vis struct $row {
            $($(#[doc = $doc])* #[serde(default = "crate::table::missing")] pub $field: $type,)*
        }

        impl $crate::table::Columns for $row {
            const NAME: &'static str = $table;
            const MEANING: &'static str = concat!($($about),*).trim_ascii();
            const COLUMNS: &'static [$crate::table::Column] = &{
                use $crate::table::spec::*;
                [$({
                    const TEXT: &[$crate::table::Text] = &[$($($text),*)?];
                    $column.declared(stringify!($field), concat!($($doc),*).trim_ascii(), TEXT)
                }),*]
            };

            fn get(&self, column: usize) -> $crate::table::Cell<'_> {
                type Get = for<'a> fn(&'a $row) -> $crate::table::Cell<'a>;
                const GET: &[Get] = &[$(|row| $crate::table::Value::cell(&row.$field)),*];
                GET.get(column).map_or($crate::table::Cell::None, |get| get(self))
            }

            fn merge_as(&mut self, other: &Self, how: fn(&$crate::table::Column) -> $crate::table::Merge) {
                let mut columns = <Self as $crate::table::Columns>::COLUMNS.iter();
                $(if let Some(column) = columns.next() {
                    $crate::table::Value::join(&mut self.$field, &other.$field, how(column));
                })*
            }

            fn then(&mut self, later: Option<&Self>) {
                let mut columns = <Self as $crate::table::Columns>::COLUMNS.iter();
                $(if let Some(column) = columns.next() {
                    $crate::table::Value::then(&mut self.$field, later.map(|later| &later.$field), column);
                })*
            }
        }

        impl $crate::table::Value for $row {
            fn missing() -> Self {
                Self { $($field: $crate::table::missing(),)* }
            }

            fn cell(&self) -> $crate::table::Cell<'_> {
                use $crate::table::Columns;
                $crate::table::Cell::Row(Self::COLUMNS, self.cells())
            }

            fn join(&mut self, later: &Self, how: $crate::table::Merge) {
                match how {
                    $crate::table::Merge::Same => {}
                    $crate::table::Merge::Last => *self = later.clone(),
                    _ => $crate::table::Columns::merge(self, later),
                }
            }

            /// Who it is stays, and has the name that it has now.
            fn then(&mut self, later: Option<&Self>, column: &$crate::table::Column) {
                match later {
                    Some(_) if column.is_label() => $crate::table::Columns::then(self, later),
                    Some(later) => self.join(later, column.merge),
                    None => {}
                }
            }
        }

        impl $crate::table::shape::Shaped for $row {
            fn shape() -> $crate::table::shape::Shape {
                use $crate::table::{Columns, shape::{Shape, Table}};
                let shapes = [$(<$type as $crate::table::shape::Shaped>::shape()),*];
                let columns = Self::COLUMNS.iter().zip(shapes).collect();
                Shape::Row(Table { name: Self::NAME, meaning: Self::MEANING, columns })
            }
        }
    )*};
}

pub(crate) use table;
