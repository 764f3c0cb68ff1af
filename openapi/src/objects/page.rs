//! Parts of lists.

use poem_openapi::Object;
use poem_openapi::types::{ParseFromJSON, ToJSON};

/// One part of a list.
#[derive(Debug, Object)]
pub struct Page<T: ParseFromJSON + ToJSON + Pageable> {
    /// How many entries match in all.
    pub count: u64,
    /// The URL of the next part.
    pub next: Option<String>,
    /// The URL of the previous part.
    pub previous: Option<String>,
    /// The entries of this part.
    pub results: Vec<T>,
}

/// What lists are made of.
pub trait Pageable: Send + Sync {}
