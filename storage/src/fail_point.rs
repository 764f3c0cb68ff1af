//! Places at which a debug build can be made to die or to freeze, so that tests can try a crash at every step.
//!
//! `ENTREPOT_FAIL_AT=publish.inserted` ends the process where it first gets there, as abruptly as `SIGKILL` would;
//! `publish.inserted:3` where it gets there for the third time. `ENTREPOT_FREEZE_AT` stops it as `SIGSTOP` would.
//! Release builds have none of it. `tests/crash_proof/fail_points.rs` lists the places, and tries each.

/// Marks a place where a debug build can be made to die: `fail_point!("blob.renamed")`.
#[macro_export]
macro_rules! fail_point {
    ($name:literal) => {
        #[cfg(debug_assertions)]
        $crate::fail_point::reach($name);
    };
}

#[cfg(debug_assertions)]
pub use active::reach;

#[cfg(debug_assertions)]
mod active {
    use std::process::Command;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    /// What is going to happen, and after how many visits.
    struct Plan {
        name: String,
        visits_left: AtomicU32,
        act: fn(),
    }

    static PLAN: LazyLock<Option<Plan>> =
        LazyLock::new(|| plan("ENTREPOT_FAIL_AT", die).or_else(|| plan("ENTREPOT_FREEZE_AT", freeze)));

    fn plan(variable: &str, act: fn()) -> Option<Plan> {
        let value = std::env::var(variable).ok()?;
        let (name, visits) = value.split_once(':').unwrap_or((&value, "1"));
        let visits = visits.parse().expect("behind the colon is how often it is reached before");
        Some(Plan { name: name.to_owned(), visits_left: AtomicU32::new(visits), act })
    }

    /// Does what was planned for this place, if anything was.
    pub fn reach(name: &str) {
        let Some(plan) = PLAN.as_ref().filter(|plan| plan.name == name) else { return };
        if plan.visits_left.fetch_sub(1, Ordering::Relaxed) == 1 {
            eprintln!("fail point {name} reached");
            (plan.act)();
        }
    }

    fn die() {
        std::process::abort();
    }

    /// Returns when the process is continued.
    fn freeze() {
        // `forbid(unsafe_code)` leaves no direct way; and this is for tests, where there is a shell's kill.
        let pid = std::process::id().to_string();
        let _ = Command::new("kill").args(["-STOP", &pid]).status();
        // On a busy machine the signal takes a moment to reach every thread, this one included.
        std::thread::sleep(Duration::from_secs(1));
    }
}
