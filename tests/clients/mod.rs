//! Programs that people use, unmodified.

mod podman;
mod pulp;
mod pulp_content;
mod push;
mod skopeo;
