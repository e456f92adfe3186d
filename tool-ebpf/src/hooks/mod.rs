//! One file and one program per kernel hook, whatever number of probes looks there.

mod block_bio_complete;
mod block_bio_queue;
mod block_getrq;
mod block_rq_complete;
mod block_rq_insert;
mod block_rq_issue;
mod block_rq_merge;
mod descriptor_iter;
mod inet_sock_set_state;
mod irq_handler_entry;
mod irq_handler_exit;
mod kfree_skb;
mod listener_iter;
mod run_iter;
mod sched_switch;
mod sched_waking;
mod softirq_entry;
mod softirq_exit;
mod sys_enter;
mod sys_exit;
mod task_iter;
mod tcp_receive_reset;
mod tcp_retransmit_skb;
mod tcp_retransmit_synack;
mod tcp_send_reset;
mod writeback_dirty_folio;
