//! Listing tags (OCI distribution-spec 1.1, "Listing Tags").
use registry::Tag;

use crate::{Client, UpstreamError};

impl Client {
    /// All tags of the repository, in the registry's order, each once. Tags that break the grammar are skipped.
    #[expect(clippy::unused_async, reason = "skeleton")]
    pub async fn list_tags(&self) -> Result<Vec<Tag>, UpstreamError> {
        Err(self.unfinished())
    }
}
