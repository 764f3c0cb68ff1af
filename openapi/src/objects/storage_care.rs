//! Content that no version holds, and files that are not what they should be.

use poem_openapi::Object;

/// What to clean up.
#[derive(Debug, Object)]
#[oai(rename = "OrphansCleanup")]
pub struct OrphansCleanup {
    /// Only these pieces of content; by default everything that no version holds.
    pub content_hrefs: Option<Vec<String>>,
    /// For how many minutes nobody must have touched it. By default what the setting `orphan_protection_time` says.
    pub orphan_protection_time: Option<i64>,
    /// Only find out what would be freed: the task's result says it. By default false.
    pub dry_run: Option<bool>,
}

/// How thoroughly to look for what needs repair.
#[derive(Debug, Object)]
#[oai(rename = "Repair")]
pub struct Repair {
    /// Hash every blob, rather than only look whether it is there with its size. By default true.
    pub verify_checksums: Option<bool>,
}
