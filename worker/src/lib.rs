//! Runs tasks: takes them from the queue, drives syncs, publishes versions.
