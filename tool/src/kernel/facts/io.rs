//! What the `io` probe's programs need to know of the block layer.

use super::{
    super::btf::{BtfError, KernelBtf},
    Facts,
};

/// (fact, where it was and is: the first that this kernel has).
type Place = (&'static str, &'static [(&'static str, &'static str)]);

const NEEDED: &[Place] = &[
    ("RQ_QUEUE", &[("request", "q")]),
    ("RQ_PART", &[("request", "part")]),
    ("PART_DEV", &[("block_device", "bd_dev")]),
    ("RQ_FLAGS", &[("request", "cmd_flags")]),
    ("RQ_LEN", &[("request", "__data_len")]),
    ("RQ_SECTOR", &[("request", "__sector")]),
    ("RQ_START", &[("request", "start_time_ns")]),
    ("RQ_IO_START", &[("request", "io_start_time_ns")]),
    ("RQ_BIO", &[("request", "bio")]),
    ("DISK_MAJOR", &[("gendisk", "major")]),
    ("DISK_MINOR", &[("gendisk", "first_minor")]),
    ("DISK_QUEUE", &[("gendisk", "queue")]),
    ("QUEUE_MQ_OPS", &[("request_queue", "mq_ops")]),
    ("BIO_NEXT", &[("bio", "bi_next")]),
    ("BIO_FLAGS", &[("bio", "bi_opf")]),
    ("BIO_SECTOR", &[("bio", "bi_iter.bi_sector")]),
    ("BIO_SIZE", &[("bio", "bi_iter.bi_size")]),
    ("BIO_INDEX", &[("bio", "bi_iter.bi_idx")]),
    ("BIO_VECS", &[("bio", "bi_io_vec")]),
    ("BIO_STATUS", &[("bio", "bi_status")]),
    ("BDEV_DEV", &[("block_device", "bd_dev")]),
    ("BDEV_DISK", &[("block_device", "bd_disk")]),
    ("PAGE_COMPOUND", &[("page", "compound_head"), ("page", "compound_info")]),
    ("PAGE_MAPPING", &[("page", "mapping"), ("folio", "mapping")]),
    ("MAPPING_HOST", &[("address_space", "host")]),
    ("INODE_NUMBER", &[("inode", "i_ino")]),
    ("INODE_GENERATION", &[("inode", "i_generation")]),
];

/// Either of two ways to a disk.
const OPTIONAL: &[Place] = &[
    ("RQ_DISK", &[("request", "rq_disk")]),
    ("QUEUE_DISK", &[("request_queue", "disk")]),
    ("BIO_BDEV", &[("bio", "bi_bdev")]),
    ("BIO_DISK", &[("bio", "bi_disk")]),
    ("BIO_PARTNO", &[("bio", "bi_partno")]),
    // The low byte of a word since 6.6; a byte of its own in 5.18; before, folios were single pages to file systems.
    ("FOLIO_ORDER", &[("folio", "_folio_order"), ("folio", "_flags_1")]),
];

/// Bits of a request's flags, with what their absence means.
const FLAGS: &[(&str, &str)] = &[
    ("REQ_SYNC", "__REQ_SYNC"),
    ("REQ_META", "__REQ_META"),
    ("REQ_PREFLUSH", "__REQ_PREFLUSH"),
    ("REQ_FUA", "__REQ_FUA"),
    ("REQ_RAHEAD", "__REQ_RAHEAD"),
    ("REQ_SWAP", "__REQ_SWAP"),
];

/// Tracepoints that once passed the queue first.
const QUEUE_FIRST: &[(&str, &str)] = &[
    ("INSERT_HAS_QUEUE", "block_rq_insert"),
    ("ISSUE_HAS_QUEUE", "block_rq_issue"),
    ("MERGE_HAS_QUEUE", "block_rq_merge"),
    ("GETRQ_HAS_QUEUE", "block_getrq"),
    ("BIO_QUEUE_HAS_QUEUE", "block_bio_queue"),
];

impl Facts {
    /// Adds what the `io` probe needs.
    pub fn resolve_io(&mut self, btf: &KernelBtf) -> Result<(), BtfError> {
        for &(name, places) in NEEDED {
            self.word(name, first(btf, places)?);
        }
        for &(name, places) in OPTIONAL {
            if let Ok(offset) = first(btf, places) {
                self.word(name, offset);
            }
        }
        // Before 5.11 a partition was a structure of its own, with a device inside.
        if let Ok(part) = btf.member("hd_struct", "__dev.devt") {
            self.word("PART_DEV", part.offset);
        }
        let bits = btf.enum_values("req_flag_bits")?;
        for &(name, bit) in FLAGS {
            // A flag that does not exist is a bit that is never set.
            let bit = bits.iter().find(|(known, _)| known == bit).map_or(31, |&(_, bit)| bit as u32);
            self.half(name, bit);
        }
        let pages = btf.enum_values("pageflags")?;
        self.half("PAGE_HEAD", pages.iter().find(|(name, _)| name == "PG_head").map_or(63, |&(_, bit)| bit as u32));
        // SAFETY: no precondition.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        self.half("PAGE_BYTES", u32::try_from(page).unwrap_or(4096));
        for &(name, tracepoint) in QUEUE_FIRST {
            let arguments = btf.tracepoint(tracepoint).unwrap_or_default();
            let queue_first = arguments.first().is_some_and(|first| first.contains("request_queue"));
            self.switch(name, queue_first.into());
        }
        match btf.member("task_struct", "in_iowait") {
            Ok(member) => {
                self.word("TASK_IOWAIT", member.offset);
                self.half("IOWAIT_BIT", member.bits.map_or(0, |bits| 1 << bits.shift));
            }
            Err(error) => self.lack("stalls are not tied to the device whose request ended them", &error),
        }
        Ok(())
    }
}

fn first(btf: &KernelBtf, places: &[(&str, &str)]) -> Result<u64, BtfError> {
    let mut missing = None;
    for (of, path) in places {
        match btf.member(of, path) {
            Ok(member) => return Ok(member.offset),
            Err(error) => missing = missing.or(Some(error)),
        }
    }
    Err(missing.unwrap_or_else(|| BtfError::NoType { what: "member", name: String::new() }))
}

#[cfg(test)]
mod tests {
    use crate::kernel::{btf::fixture, facts::Facts};

    #[test]
    fn every_kernel_of_the_matrix_has_all_facts() {
        for kernel in fixture::KERNELS {
            let btf = fixture::open(kernel);
            let mut facts = Facts::resolve(&btf).unwrap();
            facts.resolve_io(&btf).unwrap_or_else(|error| panic!("{kernel}: {error}"));
            assert!(facts.missing.is_empty(), "{kernel}: {:?}", facts.missing);
            assert!(facts.has("RQ_DISK") != facts.has("QUEUE_DISK"), "{kernel}");
            assert!(facts.has("BIO_DISK") != facts.has("BIO_BDEV"), "{kernel}");
            assert_eq!(facts.has("BIO_DISK"), kernel == "5.10");
            assert_eq!(facts.is_on("BIO_QUEUE_HAS_QUEUE"), kernel == "5.10");
        }
    }
}
