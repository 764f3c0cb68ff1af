//! The HTTP surfaces: the management API, the registry API and its tokens.
