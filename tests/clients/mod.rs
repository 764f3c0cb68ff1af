//! Programs that people use, unmodified.

mod pulp;
mod skopeo;
