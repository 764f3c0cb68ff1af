//! Hostile requests to the registry get OCI's codes.

use serde_json::json;

use crate::harness::{Database, Entrepot};

#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_and_references_get_their_code() {
    let entrepot = Entrepot::start_with(Database::Sqlite, &[("ENTREPOT_TOKEN_AUTH", "false")]);
    // Who has no login is not told which names there are.
    let client = entrepot.admin();
    let digest = format!("sha256:{}", "a".repeat(64));
    let long = "a".repeat(4096);
    for (path, status, code) in [
        ("/v2/UPPER/tags/list".to_owned(), 400, "NAME_INVALID"),
        ("/v2/a/../b/manifests/x".into(), 400, "NAME_INVALID"),
        ("/v2/../../etc/passwd/manifests/x".into(), 400, "NAME_INVALID"),
        ("/v2/a%2f..%2fb/manifests/x".into(), 400, "NAME_INVALID"),
        ("/v2/%2e%2e/manifests/x".into(), 400, "NAME_INVALID"),
        ("/v2/a%00/manifests/x".into(), 400, "NAME_INVALID"),
        ("/v2/a//b/manifests/x".into(), 400, "NAME_INVALID"),
        (format!("/v2/{long}/manifests/x"), 400, "NAME_INVALID"),
        ("/v2/a/manifests/.x".into(), 404, "MANIFEST_UNKNOWN"),
        (format!("/v2/a/manifests/{long}"), 404, "MANIFEST_UNKNOWN"),
        ("/v2/a/manifests/sha256:xyz".into(), 400, "DIGEST_INVALID"),
        ("/v2/a/blobs/sha256:..%2f..%2fetc%2fpasswd".into(), 400, "NAME_INVALID"),
        ("/v2/a/blobs/latest".into(), 400, "DIGEST_INVALID"),
        (format!("/v2/a/blobs/{}", digest.to_uppercase()), 400, "DIGEST_INVALID"),
        (format!("/v2/a/blobs/md5:{}", "a".repeat(32)), 400, "DIGEST_INVALID"),
        ("/v2/nowhere/tags/list".into(), 404, "NAME_UNKNOWN"),
        ("/v2/nowhere/manifests/x".into(), 404, "NAME_UNKNOWN"),
        (format!("/v2/nowhere/blobs/{digest}"), 404, "NAME_UNKNOWN"),
        ("/v2/a/nonsense".into(), 404, "UNSUPPORTED"),
    ] {
        let shown: String = path.chars().take(60).collect();
        let answer = client.get(&path);
        let error = &answer.json()["errors"][0];
        let is_expected = (answer.status, error["code"].as_str().unwrap()) == (status, code);
        assert!(is_expected, "{shown}: {} {error}", answer.status);
        assert!(!error["message"].as_str().unwrap().is_empty(), "{shown}");
        assert_eq!(answer.header("content-type"), "application/json", "{shown}");
    }
    let bodies = [
        ("/v2/nowhere/tags/list", json!("no repository is served under the name nowhere")),
        ("/v2/UPPER/tags/list", json!("\"UPPER\" is not a repository name: it must be in lower case")),
    ];
    for (path, message) in bodies {
        assert_eq!(client.get(path).json()["errors"][0]["message"], message, "{path}");
    }
}
