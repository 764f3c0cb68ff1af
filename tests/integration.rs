//! The whole, from outside: the real binary on real databases, between real registries and real clients.
//!
//! One binary, so that it is linked once. The folders mirror what is tested: `api/` the management API, `v2/` the
//! registry, `jobs/` what runs in the background, `clients/` programs that people use, `architecture/` the crates,
//! `command/` the command line, `crash_proof/` the whole while its processes die. `tests/run` brings along what they need.

#![expect(clippy::unwrap_used, reason = "these are tests, their helpers included")]
#![expect(unreachable_pub, reason = "nothing outside can reach into a test")]

mod api;
mod architecture;
mod clients;
mod command;
mod crash_proof;
mod harness;
mod jobs;
mod v2;
