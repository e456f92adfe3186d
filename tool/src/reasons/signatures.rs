//! The signatures of stacks, most useful first: what an operator can act on (memory, a frozen filesystem, a throttle) before what the
//! task was doing at the time.
//!
//! Names are those of Linux 5.10 to 7.2; a function that was renamed or is inlined on some of them is there with its
//! neighbours.

use super::Kind;

/// What is empty asks for nothing; names are separated by blanks, `*` ends a prefix.
pub struct Signature {
    pub kind: Kind,
    /// One of these is in the stack …
    pub frames: &'static str,
    /// … and one of these further out.
    pub below: &'static str,
    /// The innermost frame that says something (see [`QUIET`]) is one of these.
    pub asked_by: &'static str,
}

const fn any(kind: Kind, frames: &'static str) -> Signature {
    Signature { kind, frames, below: "", asked_by: "" }
}

const fn asked_by(kind: Kind, asked_by: &'static str) -> Signature {
    Signature { kind, frames: "", below: "", asked_by }
}

/// Ways to sleep: they don't say what for.
pub const QUIET: &str = "\
    __schedule schedule io_schedule* schedule_timeout* schedule_preempt_disabled schedule_hrtimeout* \
    preempt_schedule* __switch_to* context_switch finish_task_switch* __traceiter_* bpf_* __bpf_* trace_event_* \
    wait_woken msleep* usleep_range* wait_for_completion* wait_for_common* __wait_for_common do_wait_for_common \
    bit_wait* __wait_on_bit* out_of_line_wait_on_bit* wait_on_bit* __wait_on_buffer __lock_buffer submit_bio_wait* \
    blk_io_schedule folio_wait_bit* wait_on_page_bit* wait_on_page_locked* __folio_lock* __lock_page* \
    folio_put_wait_locked put_and_wait_on_page_locked __mutex_lock* mutex_lock* ww_mutex_lock* __ww_mutex_lock* \
    rwsem_down_* down_read* down_write* __down* down down_killable down_interruptible down_timeout percpu_rwsem_wait \
    percpu_down_* __percpu_down_* rt_mutex_* __rt_mutex_* rtlock_* rwbase_* __rwbase_*";

/// Frames that a task is in only while it waits for a lock.
const LOCKS: &str = "\
    __mutex_lock* mutex_lock* ww_mutex_lock* __ww_mutex_lock* rwsem_down_* down_read* down_write* __down* down \
    down_killable down_interruptible down_timeout percpu_rwsem_wait percpu_down_* __percpu_down_* rt_mutex_* \
    __rt_mutex_* rtlock_* rwbase_* __rwbase_* __lock_sock lock_sock_nested";

/// Frames of a wait for the kind of semaphore that freezes a filesystem.
const FREEZE_LOCK: &str = "percpu_rwsem_wait __percpu_down_read percpu_down_read*";

/// Frames of a wait for a page that somebody else holds.
const PAGE_WAITS: &str = "\
    folio_wait_bit* wait_on_page_bit* wait_on_page_locked* __folio_lock* __lock_page* folio_put_wait_locked \
    put_and_wait_on_page_locked";

const FILESYSTEMS: &str = "\
    ext4_* __ext4_* ext2_* xfs_* __xfs_* btrfs_* __btrfs_* f2fs_* fat_* vfat_* exfat_* ntfs_* ntfs3_* udf_* jfs_* \
    erofs_* squashfs_* isofs_* ovl_* shmem_* zonefs_* bcachefs_* bch2_* nilfs_*";

pub const SIGNATURES: &[Signature] = &[
    // `kernel_clone` itself waits for nothing else; wait_for_vfork_done is part of it on most kernels.
    any(Kind::Vfork, "wait_for_vfork_done"),
    asked_by(Kind::Vfork, "kernel_clone"),
    asked_by(Kind::Freezer, "__refrigerator"),
    any(
        Kind::OutOfMemory,
        "mem_cgroup_oom_synchronize mem_cgroup_out_of_memory out_of_memory pagefault_out_of_memory oom_kill_process \
         oom_reap_task*",
    ),
    any(Kind::MemoryHigh, "mem_cgroup_handle_over_high __mem_cgroup_handle_over_high"),
    asked_by(
        Kind::PageMigration,
        "migration_entry_wait* pmd_migration_entry_wait softleaf_entry_wait_on_locked migration_entry_wait_on_locked",
    ),
    any(Kind::Compaction, "compact_zone* try_to_compact_pages kcompactd*"),
    any(
        Kind::MemoryReclaim,
        "try_to_free_pages do_try_to_free_pages try_to_free_mem_cgroup_pages shrink_node* shrink_lruvec shrink_slab* \
         do_shrink_slab shrink_zones shrink_list shrink_inactive_list shrink_active_list shrink_page_list \
         shrink_folio_list shrink_one shrink_many evict_folios throttle_direct_reclaim reclaim_throttle \
         congestion_wait wait_iff_congested balance_pgdat node_reclaim __node_reclaim reclaim_pages \
         reclaim_folio_list throttle_vm_writeout __alloc_pages_slowpath* mempool_alloc*",
    ),
    any(Kind::Userfaultfd, "handle_userfault"),
    any(
        Kind::SwapIn,
        "do_swap_page swap_readpage swap_read_folio* swap_read_page* swapin_* read_swap_cache_async \
         __read_swap_cache_async swap_cluster_readahead swap_vma_readahead shmem_swapin* try_to_unuse unuse_*",
    ),
    any(Kind::Fuse, "fuse_* __fuse_* request_wait_answer virtio_fs_*"),
    any(
        Kind::NetworkFilesystem,
        "nfs_* nfs2_* nfs3_* nfs4_* nfs41_* _nfs4_* pnfs_* rpc_* __rpc_* rpcauth_* cifs_* smb2_* SMB2_* smb3_* \
         smbd_* compound_send_recv ceph_* __ceph_* afs_* v9fs_* p9_* netfs_* ocfs2_* gfs2_* dlm_* orangefs_* coda_*",
    ),
    asked_by(Kind::FilesystemFrozen, "mnt_want_write* __sb_start_write* sb_start_* freeze_super thaw_super*"),
    // ext4 has such a semaphore of its own.
    Signature {
        kind: Kind::FilesystemLock,
        frames: FREEZE_LOCK,
        below: "",
        asked_by: "ext4_writepages ext4_change_inode_journal_flag ext4_ext_migrate ext4_ind_migrate",
    },
    // The others of this kind belong to cgroups, CPUs and modules, none of them a filesystem's.
    Signature {
        kind: Kind::FilesystemFrozen,
        frames: FREEZE_LOCK,
        below: "",
        asked_by: "ext4_* __ext4_* xfs_* btrfs_* f2fs_* vfs_* do_iter_* iter_file_splice_write do_splice* do_sendfile \
            splice_* aio_write io_write io_* lo_* loop_* generic_* path_openat do_page_mkwrite filemap_page_mkwrite \
            block_page_mkwrite iomap_page_mkwrite shmem_* do_sys_ftruncate do_ftruncate do_truncate touch_atime \
            file_update_time* jbd2_* evict ovl_* nfsd_*",
    },
    any(
        Kind::DeviceError,
        "scsi_block_when_processing_errors scsi_error_handler scsi_eh_* ata_scsi_error ata_eh_* ata_port_wait_eh \
         nvme_reset_work nvme_dev_disable nvme_timeout",
    ),
    any(
        Kind::DeviceCommand,
        "blk_execute_rq* __nvme_submit_sync_cmd nvme_submit_sync_cmd nvme_execute_rq nvme_execute_passthru_rq \
         scsi_execute* __scsi_execute sg_io scsi_ioctl* ata_exec_internal* mmc_wait_for_cmd mmc_wait_for_req*",
    ),
    any(
        Kind::IoController,
        "blkcg_maybe_throttle_current blkcg_maybe_throttle_blkg blkcg_iolatency_throttle ioc_rqos_throttle",
    ),
    any(
        Kind::Discard,
        "blkdev_issue_discard __blkdev_issue_discard blkdev_issue_secure_erase blk_ioctl_discard f2fs_issue_discard* \
         __submit_discard_cmd f2fs_wait_discard_bio*",
    ),
    any(
        Kind::WriteZeroes,
        "blkdev_issue_zeroout blkdev_issue_write_zeroes blkdev_issue_zero_pages blkdev_issue_write_same",
    ),
    any(Kind::WritebackThrottling, "rq_qos_wait wbt_wait"),
    any(Kind::DirtyThrottling, "balance_dirty_pages*"),
    any(Kind::QueueFull, "blk_mq_get_tag"),
    any(Kind::QueueFrozen, "blk_queue_enter __bio_queue_enter blk_mq_freeze_queue_wait* blk_freeze_queue*"),
    any(
        Kind::Flush,
        "blkdev_issue_flush xfs_blkdev_issue_flush f2fs_issue_flush f2fs_flush_device_cache barrier_all_devices \
         wait_dev_flush",
    ),
    any(
        Kind::JournalRecovery,
        "jbd2_journal_recover jbd2_journal_skip_recovery xlog_recover xlog_do_recovery_pass xlog_do_log_recovery \
         btrfs_recover_log_trees f2fs_recover_fsync_data",
    ),
    // Before writeback: such a commit writes its own metadata through the page cache.
    any(
        Kind::JournalCommit,
        "btrfs_sync_log wait_log_commit btrfs_commit_transaction* btrfs_wait_for_commit wait_current_trans* \
         wait_for_commit btrfs_attach_transaction* transaction_kthread write_all_supers wait_dev_supers \
         f2fs_write_checkpoint f2fs_issue_checkpoint f2fs_wait_on_all_pages f2fs_sync_fs",
    ),
    any(
        Kind::Writeback,
        "folio_wait_writeback* wait_on_page_writeback* folio_wait_stable wait_for_stable_page \
         __filemap_fdatawait_range f2fs_wait_on_page_writeback f2fs_folio_wait_writeback \
         f2fs_wait_on_block_writeback wb_wait_for_completion wait_sb_inodes inode_wait_for_writeback \
         __inode_wait_for_writeback inode_sleep_on_writeback btrfs_start_ordered_extent* btrfs_wait_ordered_*",
    ),
    any(
        Kind::JournalCommit,
        "jbd2_log_wait_commit jbd2_complete_transaction wait_transaction_locked wait_transaction_switching \
         add_transaction_credits start_this_handle do_get_write_access jbd2_journal_get_write_access \
         jbd2_journal_get_create_access jbd2_journal_commit_transaction jbd2_journal_wait_updates \
         jbd2_log_do_checkpoint __jbd2_log_wait_for_space jbd2_journal_force_commit* jbd2_journal_lock_updates \
         jbd2_journal_stop jbd2_journal_flush jbd2_journal_destroy jbd2_update_log_tail jbd2_journal_update_sb_* \
         jbd2_fc_* ext4_fc_* xlog_* xfs_log_force* xfs_log_reserve xfs_log_regrant xfs_log_quiesce xfs_log_unmount* \
         xfs_ail_push_all_sync",
    ),
    any(
        Kind::DeviceMapper,
        "md_write_start md_flush_request md_handle_request md_submit_bio md_super_wait md_do_sync md_bitmap_* \
         raid0_* raid1_* raid10_* raid5_* r5l_* r5c_* dm_* __dm_* crypt_* thin_* new_read wait_barrier _wait_barrier \
         raise_barrier cached_dev_* bch_* drbd_*",
    ),
    any(
        Kind::Rcu,
        "synchronize_rcu* wait_rcu_gp* __wait_rcu_gp synchronize_srcu* __synchronize_srcu synchronize_net \
         rcu_barrier* srcu_barrier exp_funnel_lock rcu_sync_enter",
    ),
    any(Kind::CpuMigration, "stop_one_cpu stop_two_cpus stop_machine* stop_cpus affine_move_task migrate_swap"),
    // A write of less than a page reads the rest of it first.
    asked_by(
        Kind::PageRead,
        "__block_write_begin* ext4_block_write_begin nobh_write_begin f2fs_get_read_data_* f2fs_get_lock_data_* \
         f2fs_find_data_*",
    ),
    any(
        Kind::MetadataWrite,
        "sync_dirty_buffer __sync_dirty_buffer ext4_commit_super write_mmp_block* sync_mapping_buffers \
         fsync_buffers_list xfs_bwrite xfs_buf_delwri_submit* xfsaild* __xfs_buf_mark_corrupt",
    ),
    any(
        Kind::MetadataRead,
        "__wait_on_buffer __bread* __bh_read* bh_submit_read ll_rw_block xfs_buf_iowait read_extent_buffer_pages* \
         btrfs_read_extent_buffer btree_read_extent_buffer_pages* wait_on_extent_buffer* read_tree_block \
         f2fs_get_meta_* __get_meta_* __get_node_page* f2fs_get_node_* f2fs_get_sum_* squashfs_bio_read \
         squashfs_read_data",
    ),
    asked_by(
        Kind::MetadataRead,
        "ext4_read_bh* ext4_bread* __ext4_get_inode_loc* ext4_get_inode_loc* ext4_wait_block_bitmap \
         ext4_read_block_bitmap* ext4_read_inode_bitmap ext4_sb_bread* __ext4_sb_bread* ext4_find_entry \
         __ext4_find_entry __read_extent_tree_block ext4_get_branch xfs_buf_read_map _xfs_buf_read xfs_buf_submit",
    ),
    // The lock of an address space, and those of its mappings and pages.
    asked_by(
        Kind::MemoryLock,
        "vm_mmap_pgoff __vm_munmap vm_munmap __do_munmap vm_brk_flags do_mprotect_pkey* do_madvise* madvise_* \
         mremap* __do_sys_mremap __x64_sys_mremap __do_sys_brk __x64_sys_brk __x64_sys_munmap do_user_addr_fault \
         do_page_fault exc_page_fault lock_mm_and_find_vma __vma_start_write __vma_enter_locked vma_start_write* \
         vma_mark_detached exit_mm exit_mmap mmput __mmput dup_mm dup_mmap exec_mmap setup_arg_pages \
         access_remote_vm __access_remote_vm get_cmdline proc_pid_cmdline_read get_mm_cmdline m_start show_smap* \
         smaps_rollup pagemap_read clear_refs_write get_user_pages* __get_user_pages* __gup_longterm* \
         internal_get_user_pages_fast gup_fast_fallback pin_user_pages* faultin_page fixup_user_fault __mm_populate \
         populate_vma_page_range do_mlock* mlock_* apply_vma_lock_flags apply_mlockall_flags unlink_file_vma* \
         vma_link* vma_prepare __vma_adjust vma_adjust unlink_anon_vmas anon_vma_* __anon_vma_prepare \
         __vmf_anon_prepare free_pgtables unmap_region mmap_region __mmap_region rmap_walk* folio_lock_anon_vma_read \
         page_lock_anon_vma_read khugepaged* collapse_huge_page ksm_* process_vm_rw* do_mbind userfaultfd_* uprobe_* \
         mm_take_all_locks unmap_mapping_range",
    ),
    // What else a filesystem asks for itself is a lock, unless the way to sleep says more.
    Signature { kind: Kind::PageLock, frames: PAGE_WAITS, below: "", asked_by: FILESYSTEMS },
    Signature {
        kind: Kind::FilesystemIo,
        frames: "io_schedule bit_wait_io* submit_bio_wait blk_io_schedule",
        below: "",
        asked_by: FILESYSTEMS,
    },
    asked_by(Kind::FilesystemLock, FILESYSTEMS),
    asked_by(
        Kind::FilesystemLock,
        "lookup_* __lookup_* path_openat path_lookupat path_parentat open_last_lookups do_open do_dentry_open \
         do_unlinkat do_rmdir do_renameat2 do_linkat do_symlinkat do_mkdirat do_mknodat filename_* lock_rename* \
         start_dirop __start_dirop start_creating* start_removing* start_renaming* walk_component link_path_walk \
         iterate_dir wrap_directory_iterator notify_change chmod_common chown_common do_truncate do_ftruncate \
         do_sys_ftruncate vfs_fsync* vfs_unlink vfs_rename vfs_mkdir vfs_rmdir vfs_create vfs_link vfs_symlink \
         vfs_mknod vfs_truncate vfs_fallocate vfs_utimes vfs_getattr* vfs_setxattr vfs_getxattr vfs_removexattr \
         vfs_listxattr vfs_llseek generic_file_write_iter __generic_file_write_iter generic_file_llseek* iomap_file_* \
         d_alloc_parallel d_wait_lookup iget* \
         ilookup* find_inode* __wait_on_freeing_inode wait_on_inode evict iput dquot_* quota_* dqget super_lock* \
         grab_super* iterate_supers* user_get_super get_super* deactivate_super generic_shutdown_super \
         kill_block_super sync_filesystem ksys_sync iterate_bdevs fdget_pos __fdget_pos lock_mount* do_lock_mount \
         namespace_lock copy_mnt_ns path_mount path_umount page_cache_ra_unbounded wb_writeback kernfs_iop_* \
         simple_recursive_removal",
    ),
    Signature { kind: Kind::FilesystemLock, frames: LOCKS, below: FILESYSTEMS, asked_by: "" },
    any(Kind::KernelLock, LOCKS),
    any(
        Kind::PageFault,
        "filemap_fault do_fault __do_fault do_read_fault do_cow_fault do_shared_fault do_fault_around \
         filemap_map_pages do_page_mkwrite hugetlb_fault handle_mm_fault __handle_mm_fault",
    ),
    any(
        Kind::DirectIo,
        "__iomap_dio_rw iomap_dio_* __blkdev_direct_IO* blkdev_direct_IO* blkdev_direct_write do_blockdev_direct_IO \
         __blockdev_direct_IO dio_* inode_dio_wait* __inode_dio_wait btrfs_direct_* btrfs_dio_* kiocb_invalidate_*",
    ),
    any(
        Kind::PageRead,
        "filemap_read generic_file_buffered_read* generic_file_read_iter filemap_get_pages filemap_update_page \
         filemap_read_folio filemap_read_page filemap_create_folio filemap_splice_read generic_file_splice_read \
         read_cache_folio read_cache_page* do_read_cache_folio do_read_cache_page page_cache_ra_* page_cache_sync_ra \
         page_cache_async_ra ondemand_readahead force_page_cache_r* read_pages iomap_read_folio* iomap_write_begin* \
         prepare_uptodate_page prepare_uptodate_folio prepare_one_folio prepare_pages block_write_begin",
    ),
    any(Kind::PageLock, PAGE_WAITS),
    any(
        Kind::Worker,
        "flush_work __flush_work flush_workqueue __flush_workqueue flush_delayed_work cancel_work_sync \
         __cancel_work* cancel_delayed_work_sync drain_workqueue kthread_flush_* kthread_stop kthread_park \
         kthread_create_on_node __kthread_create_on_node lru_add_drain_all __lru_add_drain_all",
    ),
];
