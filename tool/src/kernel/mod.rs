//! Facts about this machine, and getting our programs into its kernel.

pub mod batch;
mod bpf;
pub mod btf;
pub mod capabilities;
pub mod cost;
pub mod facts;
pub mod features;
pub mod in_time;
pub mod loader;
pub mod mapping;
pub mod memory;
pub mod namespaces;
pub mod pace;
pub mod pages;
pub mod processes;
pub mod search;
pub mod stat;
pub mod symbols;
pub mod walk;
