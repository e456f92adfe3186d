//! The readers of all probes that run.

use super::{
    host::pressure,
    slot::Slot,
    start::{Failed, Of},
};
use crate::{
    cli::plan::Plan,
    probes::{self, Counters, Read, Tick, With},
    sample::Sample,
    snapshot::Unavailable,
};

macro_rules! readers {
    ($($probe:ident: $_part:ident),*) => {
        pub struct Readers {
            $(pub $probe: Slot<probes::$probe::Reader>,)*
        }

        impl Readers {
            pub fn open(ebpf: &mut aya::Ebpf, plan: &Plan, with: &With) -> Result<Self, Failed> {
                $(
                    let $probe = plan.$probe.as_ref().map(|plan| Read::open(ebpf, plan, with)).transpose();
                    let $probe = $probe.map_err(|error| Failed { of: Of::One(stringify!($probe)), error: error.into() })?;
                )*
                Ok(Self { $($probe: Slot::new($probe),)* })
            }

            /// A sample of what could be read, `without` those that are shed; our own cost and losses are yet to come.
            pub fn read(&mut self, tick: &mut Tick, without: &[&str]) -> Sample {
                let mut sample = Sample::new(tick.now, pressure());
                $(if !without.contains(&stringify!($probe)) {
                    self.read_one(stringify!($probe), tick, &mut sample);
                })*
                sample.unavailable = self.unavailable();
                sample
            }

            /// One probe's part of a sample.
            pub fn read_one(&mut self, probe: &str, tick: &mut Tick, sample: &mut Sample) {
                match probe {
                    $(stringify!($probe) => {
                        sample.$probe = self.$probe.read(stringify!($probe), |reader| Read::read(reader, tick));
                    })*
                    _ => {}
                }
            }

            pub fn counters(&self) -> [&Counters; probes::ALL.len()] {
                [$(&self.$probe.counters),*]
            }

            fn unavailable(&self) -> Vec<Unavailable> {
                let all = [$((stringify!($probe), self.$probe.unavailable())),*];
                all.into_iter().filter_map(|(probe, why)| Some(Unavailable { probe, why: why? })).collect()
            }

            /// Those that are there, whether they can be read now or not.
            pub fn are_there(&self) -> Vec<&'static str> {
                let all = [$(self.$probe.reader.as_ref().map(|_| stringify!($probe))),*];
                all.into_iter().flatten().collect()
            }

            /// All that are there can be read.
            pub fn work(&self) -> bool {
                $((self.$probe.reader.is_none() || self.$probe.works()) &&)* true
            }
        }
    };
}

probes!(readers);
