//! The tables as SeaORM sees them. Nothing outside this crate knows them.

pub(crate) mod artifact_upload;
pub(crate) mod artifact_upload_chunk;
pub(crate) mod blob;
pub(crate) mod blob_upload;
pub(crate) mod content;
pub(crate) mod distribution;
pub(crate) mod doomed_file;
pub(crate) mod manifest;
pub(crate) mod manifest_blob;
pub(crate) mod manifest_child;
pub(crate) mod pushed_blob;
pub(crate) mod remote;
pub(crate) mod repository;
pub(crate) mod repository_content;
pub(crate) mod repository_version;
pub(crate) mod schedule;
pub(crate) mod secret;
pub(crate) mod tag;
pub(crate) mod task;
pub(crate) mod task_created_resource;
pub(crate) mod task_group;
pub(crate) mod task_log;
pub(crate) mod task_resource;
pub(crate) mod user_account;
pub(crate) mod worker_node;
