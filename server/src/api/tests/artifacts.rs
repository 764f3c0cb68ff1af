//! Files that are stored by themselves, whole or in pieces.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use poem::http::StatusCode;
use registry::Digest;
use registry::href::Kind;
use registry::task::{Reservation, Work};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{ask, get};
use crate::v2::tests::fixture::{Fixture, PASSWORD, PUBLIC_MIRROR};

const BOUNDARY: &str = "a-boundary";

/// A form with these texts and this file.
fn form(texts: &[(&str, &str)], file: Option<&[u8]>) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, text) in texts {
        let part =
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n");
        body.extend(part.bytes());
    }
    if let Some(file) = file {
        let head = "Content-Disposition: form-data; name=\"file\"; filename=\"file\"";
        body.extend(
            format!("--{BOUNDARY}\r\n{head}\r\nContent-Type: application/octet-stream\r\n\r\n").bytes(),
        );
        body.extend(file);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").bytes());
    body
}

/// Sends a form, to a path below the API's root.
async fn send(
    fixture: &Fixture,
    method: &str,
    path: &str,
    range: Option<&str>,
    body: Vec<u8>,
) -> (StatusCode, Value) {
    let path = format!("/pulp/api/v3/{}", path.trim_start_matches("/pulp/api/v3/"));
    let credentials = STANDARD.encode(format!("admin:{PASSWORD}"));
    let mut request = fixture
        .client
        .request(method.parse().unwrap(), path)
        .header("authorization", format!("Basic {credentials}"))
        .content_type(format!("multipart/form-data; boundary={BOUNDARY}"));
    if let Some(range) = range {
        request = request.header("content-range", range);
    }
    let answer = request.body(body).send().await.0;
    let status = answer.status();
    let text = answer.into_body().into_string().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

async fn create(fixture: &Fixture, texts: &[(&str, &str)], file: Option<&[u8]>) -> (StatusCode, Value) {
    send(fixture, "POST", "artifacts/", None, form(texts, file)).await
}

fn hex(bytes: &[u8]) -> String {
    Digest::sha256_of(bytes).hex().to_owned()
}

#[tokio::test]
async fn a_file_is_stored_shown_and_found() {
    let fixture = Fixture::new().await;
    let sum = hex(b"content");
    let (status, made) = create(&fixture, &[("sha256", &sum), ("size", "7")], Some(b"content")).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let id = Kind::Artifact.parse(made["pulp_href"].as_str().unwrap()).unwrap();
    let expected = json!({
        "pulp_href": Kind::Artifact.href(id),
        "prn": format!("prn:core.artifact:{id}"),
        "pulp_created": "2027-01-15T08:00:00.000000Z",
        "pulp_last_updated": "2027-01-15T08:00:00.000000Z",
        "file": format!("sha256/{}/{sum}", &sum[..2]),
        "size": 7, "md5": null, "sha1": null, "sha224": null, "sha256": sum, "sha384": null, "sha512": null,
    });
    assert_eq!(made, expected);
    assert_eq!(get(&fixture, &format!("artifacts/{id}/")).await, (StatusCode::OK, expected.clone()));
    for (filter, count) in [
        (String::new(), 1),
        (format!("sha256={sum}"), 1),
        (format!("sha256={}", hex(b"other")), 0),
        (format!("sha512={sum}"), 0),
        (format!("md5={sum}"), 0),
        (format!("pulp_href__in={}", Kind::Artifact.href(id)), 1),
        ("ordering=-size".to_owned(), 1),
        ("ordering=pulp_created".to_owned(), 1),
        ("orphaned_for=-1".to_owned(), 0),
    ] {
        let (status, list) = get(&fixture, &format!("artifacts/?{filter}")).await;
        assert_eq!((status, &list["count"]), (StatusCode::OK, &json!(count)), "{filter}: {list}");
    }
    let bytes = fixture.state.blobs.read_small(&Digest::sha256_of(b"content"), 100).await.unwrap();
    assert_eq!(bytes, "content");
    let (status, empty) = create(&fixture, &[], Some(b"")).await;
    assert_eq!((status, &empty["size"]), (StatusCode::CREATED, &json!(0)));
}

#[tokio::test]
async fn files_that_are_not_what_they_should_be_are_refused() {
    let fixture = Fixture::new().await;
    create(&fixture, &[], Some(b"held")).await;
    let other = hex(b"other");
    let whole = |message: &str| json!({"non_field_errors": [message]});
    let exists = format!("Artifact with sha256 checksum of '{}' already exists.", hex(b"held"));
    for (texts, file, expected) in [
        (&[("sha256", other.as_str())][..], Some(&b"x"[..]), whole("The sha256 checksum did not match.")),
        (&[("size", "2")], Some(b"x"), whole("The size did not match actual size of file.")),
        (&[("size", "x")], Some(b"x"), json!({"size": ["A valid integer is required."]})),
        (
            &[("sha512", other.as_str())],
            Some(b"x"),
            whole("Checksum algorithms ['sha512'] forbidden for this Pulp instance."),
        ),
        (&[], None, json!({"file": ["No file was submitted."]})),
        (&[("name", "x")], Some(b"x"), json!({"name": ["Unexpected field"]})),
        (&[], Some(b"held"), whole(&exists)),
    ] {
        assert_eq!(create(&fixture, texts, file).await, (StatusCode::BAD_REQUEST, expected));
    }
    let (status, refused) = ask(&fixture, "POST", "artifacts/", "application/json", "{}").await;
    let message = json!({"detail": "Unsupported media type \"application/json\" in request."});
    assert_eq!((status, refused), (StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    let (status, _) = send(&fixture, "POST", "artifacts/", None, b"no form".to_vec()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(get(&fixture, "artifacts/").await.1["count"], 1, "nothing of it was stored");
}

#[tokio::test]
async fn only_what_nothing_needs_is_deleted() {
    let fixture = Fixture::new().await;
    let image = fixture.serve("app", &PUBLIC_MIRROR, &["a"], b"layer").await;
    let (_, blobs) = get(&fixture, &format!("content/container/blobs/?digest={}", image.layer)).await;
    let artifact = blobs["results"][0]["artifact"].as_str().unwrap();
    let path = artifact.trim_start_matches("/pulp/api/v3/");
    assert_eq!(get(&fixture, path).await.1["sha256"], image.layer.hex());
    let refused = ask(&fixture, "DELETE", path, "application/json", "").await;
    let detail = json!({"detail": "The Artifact cannot be deleted because it is associated with Content."});
    assert_eq!(refused, (StatusCode::CONFLICT, detail));

    let (_, made) = create(&fixture, &[], Some(b"free")).await;
    let path = made["pulp_href"].as_str().unwrap().trim_start_matches("/pulp/api/v3/");
    let deleted = ask(&fixture, "DELETE", path, "application/json", "").await;
    assert_eq!(deleted, (StatusCode::NO_CONTENT, json!("")));
    assert_eq!(fixture.state.blobs.find_size(&Digest::sha256_of(b"free")).await.unwrap(), None);
    assert_eq!(fixture.state.blobs.find_size(&image.layer).await.unwrap(), Some(5));
    let gone = json!({"detail": "No Artifact matches the given query."});
    for method in ["GET", "DELETE"] {
        let answer = ask(&fixture, method, path, "application/json", "").await;
        assert_eq!(answer, (StatusCode::NOT_FOUND, gone.clone()));
    }
    let (status, _) = create(&fixture, &[], Some(b"free")).await;
    assert_eq!(status, StatusCode::CREATED, "it can be stored again");
}

async fn begin(fixture: &Fixture, size: u64) -> String {
    let body = json!({ "size": size }).to_string();
    let (status, made) = ask(fixture, "POST", "uploads/", "application/json", &body).await;
    assert_eq!(
        (status, &made["size"], &made["completed"]),
        (StatusCode::CREATED, &json!(size), &Value::Null)
    );
    made["pulp_href"].as_str().unwrap().trim_start_matches("/pulp/api/v3/").to_owned()
}

#[tokio::test]
async fn a_file_arrives_in_pieces_in_any_order() {
    let fixture = Fixture::new().await;
    let upload = begin(&fixture, 10).await;
    let id = Kind::Upload.parse(&format!("/pulp/api/v3/{upload}")).unwrap();
    let put = async |range: &str, texts: &[(&str, &str)], bytes: &[u8]| {
        send(&fixture, "PUT", &upload, Some(range), form(texts, Some(bytes))).await
    };
    let commit = async |sum: &str| {
        let body = json!({ "sha256": sum }).to_string();
        ask(&fixture, "POST", &format!("{upload}commit/"), "application/json", &body).await
    };
    let whole = |message: &str| (StatusCode::BAD_REQUEST, json!({"non_field_errors": [message]}));

    assert_eq!(put("bytes 6-9/10", &[], b"6789").await.0, StatusCode::OK);
    let missing = "The upload is not complete: the bytes 0-5 are missing.";
    assert_eq!(commit(&hex(b"0123456789")).await, whole(missing));
    let sum = hex(b"012345");
    let (status, shown) = put("bytes 0-5/*", &[("sha256", &sum)], b"012345").await;
    assert_eq!((status, &shown["size"]), (StatusCode::OK, &json!(10)));
    // Sent again: it is the same piece.
    assert_eq!(put("bytes 0-5/10", &[("sha256", &sum)], b"012345").await.0, StatusCode::OK);
    let (_, detail) = get(&fixture, &upload).await;
    assert_eq!(detail["chunks"], json!([{"offset": 0, "size": 6}, {"offset": 6, "size": 4}]));

    for (range, texts, expected) in [
        ("bytes 0-5/10", &[][..], "Chunk size does not match content range."),
        ("bytes 5-0/10", &[], "Chunk size does not match content range."),
        ("bytes 8-11/10", &[], "End byte is greater than upload size."),
        ("0-3/10", &[], "Invalid or missing content range header."),
        ("bytes 0-3/10", &[("sha256", sum.as_str())], "Checksum does not match chunk upload."),
    ] {
        assert_eq!(put(range, texts, b"oops").await, whole(expected), "{range}");
    }
    let (status, _) = send(&fixture, "PUT", &upload, None, form(&[], Some(b"x"))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "without a range");

    let bad = commit("xyz").await;
    assert_eq!(bad.1, json!({"sha256": ["A SHA-256 checksum has 64 hexadecimal digits."]}));
    let (status, accepted) = commit(&hex(b"0123456789")).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let task = Kind::Task.parse(accepted["task"].as_str().unwrap()).unwrap();
    let task = fixture.state.catalog.find_task(task).await.unwrap().unwrap();
    let digest = Digest::sha256_of(b"0123456789");
    assert_eq!(
        (&task.name, &task.work),
        (
            &"pulpcore.app.tasks.upload.commit".to_owned(),
            &Work::CommitUpload { upload: id, digest: digest.clone() }
        )
    );
    assert_eq!(task.reservations, [Reservation::exclusive(Kind::Upload.prn(id))]);
    // What the task will do with the bytes, from a store that was opened anew.
    fixture.state.blobs.copy_chunks(id, &digest, 10).await.unwrap();
    assert_eq!(fixture.state.blobs.read_small(&digest, 100).await.unwrap(), "0123456789");
}

#[tokio::test]
async fn uploads_are_listed_bounded_and_thrown_away() {
    let fixture = Fixture::new().await;
    let (small, large) = (begin(&fixture, 1).await, begin(&fixture, 1000).await);
    for (filter, count) in
        [("", 2), ("size=1", 1), ("size__gt=1", 1), ("size__lt=1000", 1), ("size__range=0,5", 1)]
    {
        let (status, list) = get(&fixture, &format!("uploads/?{filter}")).await;
        assert_eq!((status, &list["count"]), (StatusCode::OK, &json!(count)), "{filter}");
    }
    let (_, list) = get(&fixture, "uploads/?ordering=-size&fields=size").await;
    assert_eq!(list["results"], json!([{"size": 1000}, {"size": 1}]));
    for (body, expected) in [
        ("{}", "This field is required."),
        ("{\"size\": -1}", "Ensure this value is greater than or equal to 0."),
        ("{\"size\": \"x\"}", "A valid integer is required."),
    ] {
        let refused = ask(&fixture, "POST", "uploads/", "application/json", body).await;
        assert_eq!(refused, (StatusCode::BAD_REQUEST, json!({"size": [expected]})));
    }
    let huge = format!("{{\"size\": {}}}", i64::MAX);
    let (status, refused) = ask(&fixture, "POST", "uploads/", "application/json", &huge).await;
    let message = refused["size"][0].as_str().unwrap();
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(
        message.starts_with("The store has room for ")
            && message.ends_with("bytes: free some, then try again.")
    );

    send(&fixture, "PUT", &small, Some("bytes 0-0/1"), form(&[], Some(b"x"))).await;
    assert_eq!(fixture.state.blobs.idle_chunks(fixture.clock.now()).await.unwrap().len(), 1);
    for upload in [&small, &large] {
        let deleted = ask(&fixture, "DELETE", upload, "application/json", "").await;
        assert_eq!(deleted, (StatusCode::NO_CONTENT, json!("")));
    }
    assert!(fixture.state.blobs.idle_chunks(fixture.clock.now()).await.unwrap().is_empty());
    let gone = json!({"detail": "No Upload matches the given query."});
    assert_eq!(
        ask(&fixture, "DELETE", &small, "application/json", "").await,
        (StatusCode::NOT_FOUND, gone.clone())
    );
    let late = send(&fixture, "PUT", &small, Some("bytes 0-0/1"), form(&[], Some(b"x"))).await;
    assert_eq!(late, (StatusCode::NOT_FOUND, gone));
    let absent = Kind::Upload.href(Uuid::from_u128(7));
    assert_eq!(get(&fixture, absent.trim_start_matches("/pulp/api/v3/")).await.0, StatusCode::NOT_FOUND);
}
