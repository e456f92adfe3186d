//! One file of one table. Unit, kind, meaning and source of each column stand in the file's key-value metadata, as `ios.unit`; the library writes none of
//! single columns. Histograms and counts by name are maps, lists are JSON. Snappy.

use std::{
    io::{Error, Result, Write},
    sync::Arc,
};

use parquet::{
    basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical},
    data_type::{BoolType, ByteArrayType, DoubleType, Int64Type},
    errors::ParquetError,
    file::{
        metadata::KeyValue,
        properties::WriterProperties,
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::types::{Type, TypePtr},
};

use super::{
    chunk::{Chunk, Values},
    flat::FlatRows,
    leaf::{Leaf, LeafType},
};
use crate::table::Cell;

/// Values that wait for being written together: some 16 MB.
const GROUP: usize = 1 << 20;

pub struct Parquet<W: Write + Send> {
    out: SerializedFileWriter<W>,
    /// Of each leaf: one, or the keys and counts of maps.
    chunks: Vec<Vec<Chunk>>,
    waiting: usize,
}

impl<W: Write + Send> Parquet<W> {
    pub fn new(out: W, table: &str, leaves: &[&Leaf]) -> Result<Self> {
        let fields = leaves.iter().map(|leaf| field(leaf)).collect::<std::result::Result<_, _>>().map_err(failed)?;
        let schema = Type::group_type_builder(table).with_fields(fields).build().map_err(failed)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("stillwatch ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(leaves.iter().flat_map(|leaf| said(leaf)).collect()))
            .build();
        let out = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties)).map_err(failed)?;
        Ok(Self { out, chunks: leaves.iter().map(|leaf| chunks(leaf.of)).collect(), waiting: 0 })
    }

    fn write_group(&mut self) -> std::result::Result<(), ParquetError> {
        let mut group = self.out.next_row_group()?;
        for chunk in self.chunks.iter_mut().flatten() {
            if let Some(column) = group.next_column()? {
                write(column, chunk)?;
            }
            chunk.clear();
        }
        group.close()?;
        self.waiting = 0;
        Ok(())
    }
}

impl<W: Write + Send> FlatRows for Parquet<W> {
    fn row(&mut self, values: Vec<Option<Cell<'_>>>) -> Result<()> {
        for (chunks, value) in self.chunks.iter_mut().zip(values) {
            self.waiting += match (&mut chunks[..], value) {
                ([one], value) => one.push(value)?,
                ([keys, counts], value) => keys.push_keys(value.as_ref())? + counts.push_counts(value.as_ref())?,
                _ => 0,
            };
        }
        if self.waiting >= GROUP { self.write_group().map_err(failed) } else { Ok(()) }
    }

    fn finish(&mut self) -> Result<()> {
        if self.waiting > 0 {
            self.write_group().map_err(failed)?;
        }
        self.out.finish().map_err(failed)?;
        self.out.inner_mut().flush()
    }
}

fn chunks(of: LeafType) -> Vec<Chunk> {
    let (text, long) = (|| Values::Texts(Vec::new()), || Values::Longs(Vec::new()));
    let values = match of {
        LeafType::Flag => vec![Values::Flags(Vec::new())],
        LeafType::Real => vec![Values::Reals(Vec::new())],
        LeafType::Count | LeafType::Signed | LeafType::At => vec![long()],
        LeafType::Text | LeafType::Json => vec![text()],
        LeafType::Histogram => vec![long(), long()],
        LeafType::Counts => vec![text(), long()],
    };
    values.into_iter().map(Chunk::of).collect()
}

fn write(mut column: SerializedColumnWriter<'_>, chunk: &Chunk) -> std::result::Result<(), ParquetError> {
    let (defined, repeated) = (Some(chunk.defined()), chunk.repeated());
    match chunk.values() {
        Values::Flags(values) => column.typed::<BoolType>().write_batch(values, defined, repeated)?,
        Values::Longs(values) => column.typed::<Int64Type>().write_batch(values, defined, repeated)?,
        Values::Reals(values) => column.typed::<DoubleType>().write_batch(values, defined, repeated)?,
        Values::Texts(values) => column.typed::<ByteArrayType>().write_batch(values, defined, repeated)?,
    };
    column.close()
}

fn field(leaf: &Leaf) -> std::result::Result<TypePtr, ParquetError> {
    let (text, count) = (LogicalType::String, LogicalType::integer(64, false));
    let one = |name, physical, logical, repetition| {
        let builder = Type::primitive_type_builder(name, physical).with_logical_type(logical);
        builder.with_repetition(repetition).build().map(Arc::new)
    };
    let (physical, logical) = match leaf.of {
        LeafType::Flag => (Physical::BOOLEAN, None),
        LeafType::Real => (Physical::DOUBLE, None),
        LeafType::Count => (Physical::INT64, Some(count)),
        LeafType::Signed => (Physical::INT64, None),
        LeafType::At => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::NANOS))),
        LeafType::Text => (Physical::BYTE_ARRAY, Some(text)),
        LeafType::Json => (Physical::BYTE_ARRAY, Some(LogicalType::Json)),
        LeafType::Histogram | LeafType::Counts => {
            let key = if leaf.of == LeafType::Counts {
                (Physical::BYTE_ARRAY, text)
            } else {
                (Physical::INT64, count.clone())
            };
            let key = one("key", key.0, Some(key.1), Repetition::REQUIRED)?;
            let value = one("value", Physical::INT64, Some(count), Repetition::REQUIRED)?;
            let entries = Type::group_type_builder("key_value").with_repetition(Repetition::REPEATED);
            let entries = entries.with_fields(vec![key, value]).build()?;
            let map = Type::group_type_builder(&leaf.name).with_repetition(Repetition::OPTIONAL);
            let map = map.with_logical_type(Some(LogicalType::Map)).with_fields(vec![Arc::new(entries)]);
            return map.build().map(Arc::new);
        }
    };
    one(&leaf.name, physical, logical, Repetition::OPTIONAL)
}

/// What is declared of a column.
fn said(leaf: &Leaf) -> Vec<KeyValue> {
    let kind = format!("{:?}", leaf.kind).to_lowercase();
    let all = [("kind", kind.as_str()), ("unit", leaf.unit), ("meaning", &leaf.meaning), ("source", leaf.source)];
    let said = all.into_iter().filter(|(_, what)| !what.is_empty());
    said.map(|(key, what)| KeyValue::new(format!("{}.{key}", leaf.name), what.to_owned())).collect()
}

fn failed(error: ParquetError) -> Error {
    match error {
        ParquetError::External(error) => error.downcast::<Error>().map_or_else(Error::other, |error| *error),
        error => Error::other(error),
    }
}
