//! What is true of images and mirrors: names, digests, manifests, filters, plans. No I/O.
