//! What the columns of a recording are, in its own words: it is read without the version that wrote it, too.

use std::{
    convert::Infallible,
    io::{self, Read},
    sync::OnceLock,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    frame::{self, Frame, Frames, Header},
    pack::{decode, encode, pack_small, unpack},
};
use crate::{
    snapshot::tables::{self, EachTable, Of},
    table::{Column, Columns, Tabular},
};

/// One column; of a row within a row, `owner.pid`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnWords {
    pub table: String,
    pub column: String,
    pub kind: String,
    pub unit: String,
    pub meaning: String,
}

/// All columns of this version.
fn declared() -> Vec<ColumnWords> {
    struct All(Vec<ColumnWords>);

    impl EachTable for All {
        type Error = Infallible;

        fn table<T: Tabular>(&mut self, _: Of<T>) -> Result<(), Infallible> {
            add(&mut self.0, T::Row::NAME, "", T::Row::COLUMNS);
            Ok(())
        }
    }

    let mut words = All(Vec::new());
    // Those that are made of others are not written.
    let Ok(()) = tables::measured(&mut words);
    words.0
}

fn add(words: &mut Vec<ColumnWords>, table: &str, within: &str, columns: &[Column]) {
    for column in columns {
        let name = format!("{within}{}", column.name);
        words.push(ColumnWords {
            table: table.to_owned(),
            column: name.clone(),
            kind: format!("{:?}", column.kind).to_lowercase(),
            unit: column.unit.to_owned(),
            meaning: column.meaning.to_owned(),
        });
        add(words, table, &format!("{name}."), column.columns);
    }
}

/// Those of this version that are not among them.
pub fn lacking(written: &[ColumnWords]) -> Vec<String> {
    let has = |ours: &ColumnWords| written.iter().any(|it| (&it.table, &it.column) == (&ours.table, &ours.column));
    let lacking = declared().into_iter().filter(|ours| !has(ours));
    lacking.map(|column| format!("{}.{}", column.table, column.column)).collect()
}

/// The same as the payload of a frame.
#[derive(Clone, Debug, Default)]
pub struct Words {
    unpacked: usize,
    packed: Bytes,
}

impl Words {
    /// Packed once: that takes some time.
    pub fn of_this_version() -> io::Result<Self> {
        static WORDS: OnceLock<Words> = OnceLock::new();
        if let Some(words) = WORDS.get() {
            return Ok(words.clone());
        }
        let words = encode(&declared())?;
        let words = Self { unpacked: words.len(), packed: pack_small(&words)?.into() };
        Ok(WORDS.get_or_init(|| words).clone())
    }

    pub fn put(&self, out: &mut Vec<u8>, header: Header) {
        if self.unpacked > 0 {
            frame::put(out, Header { kind: frame::WORDS, unpacked: self.unpacked, ..header }, &self.packed);
        }
    }
}

/// Those of a segment, which begins with them; none: an earlier version wrote it.
pub fn of(segment: impl Read) -> io::Result<Option<Vec<ColumnWords>>> {
    let mut frames = Frames::new(segment);
    while let Some(Frame { header, payload }) = frames.next()? {
        match header.kind {
            frame::WORDS => return Ok(decode(&unpack(&payload, header.unpacked, &[])?)),
            frame::KEY | frame::ENTRY => break,
            _ => {}
        }
    }
    Ok(None)
}
