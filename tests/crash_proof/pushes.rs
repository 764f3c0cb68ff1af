//! A push that dies anywhere: when the client does it again, everything is whole, and nothing is left over.

use registry::Digest;

use crate::harness::{Database, Entrepot, on_both_databases};

on_both_databases!(a_push_that_dies_anywhere_is_repeated);

/// The places on the way of a push, in its order. Those of blobs are syncs' too.
pub(super) const POINTS: [&str; 7] = [
    "upload.paused",
    "upload.recorded",
    "upload.committed",
    "push.submitted",
    "push.planned",
    "push.published",
    "push.committed",
];

const NAME: &str = "team/app";

async fn a_push_that_dies_anywhere_is_repeated(database: Database) {
    let mut entrepot = Entrepot::start(database);
    entrepot.pusher().push(NAME, "before", b"pushed before");
    entrepot.kill();
    for point in POINTS.into_iter().chain(["blob.written", "blob.synced", "blob.renamed", "blob.placed"]) {
        entrepot.launch_again(&[("ENTREPOT_FAIL_AT", point)]);
        entrepot.await_ready();
        let layer = format!("layer of {point}");
        let pusher = entrepot.pusher();
        let push = || {
            let manifest = pusher.try_image(NAME, layer.as_bytes())?;
            pusher.try_manifest(NAME, point, &manifest)
        };
        // The answer may still have been on its way; the process dies all the same.
        let _ = push();
        let status = entrepot.program().wait();
        let said = entrepot.program().last_output();
        let line = format!("fail point {point} reached");
        assert!(!status.success() && said.contains(&line), "{point}: {status}");

        entrepot.restart();
        let digest = entrepot.pusher().push(NAME, point, layer.as_bytes());
        assert_eq!(entrepot.served_tags(NAME)[point], digest.as_str(), "{point}");
        let blob = Digest::sha256_of(layer.as_bytes());
        let pulled = entrepot.pull(NAME, &format!("blobs/{blob}"));
        assert_eq!(pulled.body, layer.as_bytes(), "{point}");
        assert_eq!(entrepot.served_tags(NAME).len(), 1 + pushed_so_far(&entrepot), "{point}");
        assert_eq!(entrepot.number("SELECT count(*) FROM task_resource WHERE held"), 0, "{point}");
        assert_eq!(entrepot.half_blobs(), 0, "{point}");
        entrepot.kill();
    }
}

/// Every point's tag, and no other, is there.
fn pushed_so_far(entrepot: &Entrepot) -> usize {
    entrepot.served_tags(NAME).keys().filter(|tag| tag.contains('.')).count()
}
