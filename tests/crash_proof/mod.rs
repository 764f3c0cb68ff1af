//! The crash proof of the task engine.
//!
//! Real processes are killed, frozen and cut off from their database while they work. When everything is quiet again,
//! no accepted task may be lost, none may have run beside or before what it had to wait for, every one must have
//! ended with a cause, every version must be whole, and nothing may be locked.
//!
//! `tests/run` runs the short form, `tests/crash --seeds N` the long one. Everything random comes from the seed, which
//! every failure names.

mod cleanup;
mod event_log;
mod fail_points;
mod freeze;
mod invariants;
mod outage;
mod pushes;
mod scene;
mod schedules;
mod storm;
mod versions;
mod workload;

/// How much is tried.
struct Scale {
    /// Where everything random comes from.
    seed: u64,
    repositories: usize,
    tasks: usize,
    tasks_a_round: usize,
    is_long: bool,
}

impl Scale {
    /// As the environment says: `tests/crash` sets it.
    fn chosen() -> Self {
        let seed = std::env::var("ENTREPOT_CRASH_SEED").map_or(1, |seed| seed.parse().unwrap());
        let is_long = std::env::var_os("ENTREPOT_CRASH_LONG").is_some();
        if is_long {
            Self { seed, repositories: 10, tasks: 200, tasks_a_round: 8, is_long }
        } else {
            Self { seed, repositories: 4, tasks: 48, tasks_a_round: 6, is_long }
        }
    }

    /// How to see the same again.
    fn again(&self) -> String {
        let form =
            if self.is_long { "" } else { " (this was the short form: ENTREPOT_CRASH_SEED with tests/run)" };
        format!("tests/crash --first-seed {} --seeds 1{form}", self.seed)
    }
}
