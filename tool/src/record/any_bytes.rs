//! What a reader does with any bytes: it says so, and does no harm. Here for the short run of the tests and the long one of `tests/fuzz`.

use std::{io::Cursor, ops::Bound::Unbounded};

use super::{
    Entry, Reader, Skipped, frame,
    frame::{Frames, Header},
    pack::pack,
    reader, words,
};

/// All of a segment, and what of it could not be read.
pub fn read(segment: &[u8]) -> (Vec<Entry>, Skipped) {
    let mut reader = Reader::new(Cursor::new(segment), (Unbounded, Unbounded));
    let entries = std::iter::from_fn(|| reader.read().ok().flatten()).collect();
    (entries, reader.skipped())
}

/// As a segment; and with sums that are right, without which nothing gets far: as payloads, packed and not.
pub fn read_any(bytes: &[u8]) {
    read(bytes);
    let packed = pack(bytes, &[]).unwrap_or_default();
    for kind in [frame::HEAD, frame::KEY, frame::ENTRY, frame::WORDS] {
        let mut segment = Vec::new();
        for (payload, unpacked) in [(bytes, bytes.len()), (&packed, bytes.len()), (&packed, frame::LARGEST), (bytes, 0)]
        {
            frame::put(&mut segment, Header { kind, length: 0, unpacked, at_ns: 0, key: 0, sum: 0 }, payload);
        }
        let (entries, skipped) = read(&segment);
        assert!(entries.len() <= 4 && skipped.damaged <= 4);
        let _ = words::of(&segment[..]);
        let mut frames = Frames::new(&segment[..]);
        while let Ok(Some(frame)) = frames.next() {
            let _ = reader::head(&frame);
        }
    }
}
