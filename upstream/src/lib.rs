//! A client for other registries: auth, paging, retry, resume, redirects, quotas.
