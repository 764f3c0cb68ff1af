//! All durable state: the catalog, the blobs, the queue.
