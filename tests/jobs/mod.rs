//! What runs in the background: syncs that go well, that fail, and that are killed.

mod crash;
mod faults;
mod filters;
mod fleet;
mod full_disk;
mod schedules;
mod tags;
