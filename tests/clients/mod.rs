//! Programs that people use, unmodified.

mod podman;
mod pulp;
mod push;
mod skopeo;
