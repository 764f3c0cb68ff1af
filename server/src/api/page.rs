//! The envelope of lists.

use openapi::objects::{Page, Pageable};
use poem_openapi::types::{ParseFromJSON, ToJSON};

use super::filter::ListRequest;

/// Puts entries into the envelope, with the URLs of the parts before and after.
pub(crate) fn page<T, U>(request: &ListRequest, found: storage::Page<U>, show: impl FnMut(U) -> T) -> Page<T>
where
    T: ParseFromJSON + ToJSON + Pageable,
{
    let (limit, offset) = (request.limit, request.offset);
    let after = offset.saturating_add(limit);
    Page {
        count: found.total,
        next: (limit > 0 && after < found.total).then(|| request.url_at(after)),
        previous: (limit > 0 && offset > 0).then(|| request.url_at(offset.saturating_sub(limit))),
        results: found.items.into_iter().map(show).collect(),
    }
}
