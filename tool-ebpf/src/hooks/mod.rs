//! One file and one program per kernel hook, whatever number of probes looks there.

mod sched_switch;
mod sys_enter;
mod sys_exit;
mod task_iter;
