//! Chunks of random sizes, in random orders, of which each is accepted exactly when it is its turn.

use poem::http::StatusCode;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use registry::Digest;

use super::pusher::{NAME, Pusher};

#[tokio::test]
async fn only_the_next_chunk_is_taken() {
    let pusher = Pusher::new().await;
    for seed in 0..12 {
        let mut random = StdRng::seed_from_u64(seed);
        let content: Vec<u8> = (0..random.random_range(1..200_000)).map(|_| random.random()).collect();
        let mut cuts: Vec<usize> =
            (0..random.random_range(0..8)).map(|_| random.random_range(0..content.len())).collect();
        cuts.extend([0, content.len()]);
        cuts.sort_unstable();
        cuts.dedup();
        let chunks: Vec<_> = cuts.windows(2).map(|pair| (pair[0], pair[1])).collect();

        let upload = pusher.begin(NAME).await;
        let mut arrived = 0;
        while arrived < content.len() {
            let (start, end) = chunks[random.random_range(0..chunks.len())];
            let range = format!("{start}-{}", end - 1);
            let answer = pusher.patch(&upload, Some(&range), &content[start..end]).await;
            let expected = if start == arrived {
                arrived = end;
                StatusCode::ACCEPTED
            } else {
                StatusCode::RANGE_NOT_SATISFIABLE
            };
            assert_eq!(answer.0.status(), expected, "seed {seed}: {range} after {arrived}");
            answer.assert_header("range", format!("0-{}", arrived.saturating_sub(1)));
        }
        let digest = Digest::sha256_of(&content);
        pusher.finish(&upload, &digest, b"").await.assert_status(StatusCode::CREATED);
        let pulled = pusher.get(format!("/v2/{NAME}/blobs/{digest}")).await;
        assert_eq!(pulled.0.into_body().into_vec().await.unwrap(), content, "seed {seed}");
    }
}

/// Requests that come at once are taken one after the other: what is there in the end is some order of them.
#[tokio::test]
async fn requests_at_once_do_not_mix() {
    let pusher = Pusher::new().await;
    let upload = pusher.begin(NAME).await;
    let pieces: Vec<Vec<u8>> = (0..4_u8).map(|piece| vec![piece; 700_000]).collect();
    let sent = pieces.iter().map(async |piece| {
        pusher.patch(&upload, None, piece).await.assert_status(StatusCode::ACCEPTED);
    });
    futures::future::join_all(sent).await;
    pusher.get(&upload).await.assert_header("range", "0-2799999");
    let id = upload.rsplit('/').next().unwrap();
    let file = pusher.fixture.folder().join("blobs/.pushes").join(id);
    let content = std::fs::read(file).unwrap();
    let mut order: Vec<u8> = content.chunks(700_000).map(|piece| piece[0]).collect();
    assert!(content.chunks(700_000).all(|piece| piece.iter().all(|byte| *byte == piece[0])), "they mixed");
    order.sort_unstable();
    assert_eq!(order, [0, 1, 2, 3]);
    let digest = Digest::sha256_of(&content);
    pusher.finish(&upload, &digest, b"").await.assert_status(StatusCode::CREATED);
}
