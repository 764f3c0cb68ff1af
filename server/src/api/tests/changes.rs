//! What changes the content of repositories, as clients ask for it. There is no worker: the tasks wait.

use poem::http::StatusCode;
use registry::href::Kind;
use registry::task::{Reservation, Work};
use registry::{ContentChange, MediaType};
use serde_json::{Value, json};
use storage::Task;
use uuid::Uuid;

use super::{ask, get};
use crate::v2::tests::fixture::{Fixture, Image, PUBLIC_MIRROR};

/// A repository with one image under two tags, in version 1.
struct Mirrored {
    fixture: Fixture,
    image: Image,
    href: String,
    id: Uuid,
}

impl Mirrored {
    async fn new() -> Self {
        let fixture = Fixture::new().await;
        let image = fixture.serve("app", &PUBLIC_MIRROR, &["a", "b"], b"layer").await;
        let repository = fixture.state.catalog.find_repository_by_name("app").await.unwrap().unwrap();
        Self { image, href: Kind::Repository.href(repository.id), id: repository.id, fixture }
    }

    async fn post(&self, verb: &str, body: Value) -> (StatusCode, Value) {
        let path = format!("{}{verb}/", self.href.trim_start_matches("/pulp/api/v3/"));
        ask(&self.fixture, "POST", &path, "application/json", &body.to_string()).await
    }

    /// The task that a request starts.
    async fn started(&self, verb: &str, body: Value) -> Task {
        let (status, accepted) = self.post(verb, body).await;
        assert_eq!((status, accepted.as_object().unwrap().len()), (StatusCode::ACCEPTED, 1), "{accepted}");
        let id = Kind::Task.parse(accepted["task"].as_str().unwrap()).unwrap();
        self.fixture.state.catalog.find_task(id).await.unwrap().unwrap()
    }

    /// What a request asks its task to change, where that is about this repository alone.
    async fn change(&self, verb: &str, body: Value) -> ContentChange {
        let task = self.started(verb, body).await;
        assert_eq!(task.reservations, [Reservation::exclusive(Kind::Repository.prn(self.id))]);
        let Work::ModifyContent { repository, base_version: None, change } = task.work else {
            panic!("{:?}", task.work)
        };
        assert_eq!(repository, self.id);
        change
    }

    async fn refused(&self, verb: &str, body: Value) -> Value {
        let (status, refused) = self.post(verb, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{refused}");
        refused
    }

    /// Href and id of the first of a kind of content.
    async fn first(&self, kind: Kind) -> (String, Uuid) {
        let (_, list) = get(&self.fixture, kind.collection()).await;
        let href = list["results"][0]["pulp_href"].as_str().unwrap().to_owned();
        let id = kind.parse(&href).unwrap();
        (href, id)
    }
}

#[tokio::test]
async fn content_units_are_added_and_removed_by_href_and_prn() {
    let app = Mirrored::new().await;
    let ((blob, blob_id), (_, manifest)) = (app.first(Kind::Blob).await, app.first(Kind::Manifest).await);
    let (_, tag) = app.first(Kind::Tag).await;
    let units = json!({"content_units": [blob, Kind::Manifest.prn(manifest), Kind::Tag.href(tag)]});
    let contents = vec![blob_id, manifest, tag];
    assert_eq!(app.change("add", units.clone()).await, ContentChange::Add { contents: contents.clone() });
    assert_eq!(app.change("remove", units).await, ContentChange::Remove { contents });
    assert_eq!(app.change("remove", json!({"content_units": ["*"]})).await, ContentChange::Clear);
    assert_eq!(app.change("add", json!({})).await, ContentChange::Add { contents: Vec::new() });
    assert_eq!(app.change("remove", json!({})).await, ContentChange::Remove { contents: Vec::new() });
    let names = [
        ("add", "recursive_add.recursive_add_content"),
        ("remove", "recursive_remove.recursive_remove_content"),
    ];
    for (verb, name) in names {
        let task = app.started(verb, json!({})).await;
        assert_eq!(task.name, format!("pulp_container.app.tasks.{name}"));
    }
}

#[tokio::test]
async fn content_units_that_cannot_be_meant_are_refused() {
    let app = Mirrored::new().await;
    let (blob, id) = app.first(Kind::Blob).await;
    let absent = Kind::Tag.href(Uuid::from_u128(7));
    let wrong_kind = Kind::Manifest.prn(id);
    for verb in ["add", "remove"] {
        for (units, expected) in [
            (
                json!([absent, blob]),
                json!({"content_units": [format!("Could not find the following content units: ['{absent}']")]}),
            ),
            (
                json!([wrong_kind]),
                json!({"content_units": [format!("Could not find the following content units: ['{wrong_kind}']")]}),
            ),
            (json!(["/x/"]), json!({"content_units": ["URI not valid: /x/"]})),
            (json!([app.href]), json!({"content_units": [format!("URI not valid: {}", app.href)]})),
            (
                json!(["*", blob]),
                json!({"non_field_errors": [format!("'*' should be the only item present in the ['*', '{blob}']")]}),
            ),
            (json!("*"), json!({"content_units": ["Expected a list of items."]})),
            (json!([7]), json!({"content_units": ["Not a valid string."]})),
        ] {
            assert_eq!(app.refused(verb, json!({"content_units": units})).await, expected, "{verb}");
        }
        let both = app.refused(verb, json!({"content_units": [], "base_version": "x"})).await;
        assert_eq!(both, json!({"base_version": ["Unexpected field"]}));
    }
    let everything = app.refused("add", json!({"content_units": ["*"]})).await;
    assert_eq!(everything, json!({"content_units": ["URI not valid: *"]}));
    let (status, answer) = ask(
        &app.fixture,
        "POST",
        "repositories/container/container/01900000-0000-7000-8000-000000000000/add/",
        "application/json",
        "{}",
    )
    .await;
    let expected = json!({"detail": "No ContainerRepository matches the given query."});
    assert_eq!((status, answer), (StatusCode::NOT_FOUND, expected));
}

#[tokio::test]
async fn copies_name_one_source() {
    let app = Mirrored::new().await;
    let (_, made) = ask(
        &app.fixture,
        "POST",
        "repositories/container/container/",
        "application/json",
        "{\"name\": \"copy\"}",
    )
    .await;
    let target = made["pulp_href"].as_str().unwrap().to_owned();
    let id = Kind::Repository.parse(&target).unwrap();
    let version = format!("{}versions/0/", app.href);
    let (_, shown) = get(&app.fixture, version.trim_start_matches("/pulp/api/v3/")).await;
    let version_prn = shown["prn"].as_str().unwrap().to_owned();
    let into = Mirrored { href: target.clone(), id, ..app };
    let source = Kind::Repository.parse(&version.replace("versions/0/", "")).unwrap();
    let from_source = Kind::Repository.href(source);
    for (body, number) in [
        (json!({"source_repository": from_source}), 1),
        (json!({"source_repository": Kind::Repository.prn(source)}), 1),
        (json!({"source_repository_version": version}), 0),
        (json!({"source_repository_version": version_prn}), 0),
    ] {
        let task = into.started("copy_tags", body.clone()).await;
        let change = ContentChange::CopyTags { source, number, names: None };
        assert_eq!(task.work, Work::ModifyContent { repository: id, base_version: None, change });
        let mut reserved = task.reservations;
        reserved.sort();
        let mut expected = vec![
            Reservation::exclusive(Kind::Repository.prn(id)),
            Reservation::shared(Kind::Repository.prn(source)),
        ];
        expected.sort();
        assert_eq!(reserved, expected);
        let task = into.started("copy_manifests", body).await;
        let change = ContentChange::CopyManifests { source, number, digests: None, media_types: None };
        assert_eq!(task.work, Work::ModifyContent { repository: id, base_version: None, change });
        assert_eq!(task.name, "pulp_container.app.tasks.recursive_add.recursive_add_content");
    }
    for verb in ["copy_tags", "copy_manifests"] {
        for (body, expected) in [
            (
                json!({}),
                json!({"non_field_errors": ["Either the 'repository' or 'repository_version' needs to be specified"]}),
            ),
            (
                json!({"source_repository": from_source, "source_repository_version": version}),
                json!({"non_field_errors": ["Either the 'repository' or 'repository_version' need to be specified but not both."]}),
            ),
            (
                json!({"source_repository": null}),
                json!({"source_repository": ["This field may not be null."]}),
            ),
            (
                json!({"source_repository": "/x/"}),
                json!({"source_repository": ["Invalid hyperlink - No URL match."]}),
            ),
            (
                json!({"source_repository": Kind::Repository.href(Uuid::from_u128(7))}),
                json!({"source_repository": ["Invalid hyperlink - Object does not exist."]}),
            ),
            (
                json!({"source_repository_version": version.replace("/0/", "/7/")}),
                json!({"source_repository_version": ["Invalid hyperlink - Object does not exist."]}),
            ),
            (
                json!({"source_repository_version": from_source}),
                json!({"source_repository_version": ["Invalid hyperlink - No URL match."]}),
            ),
        ] {
            assert_eq!(into.refused(verb, body).await, expected, "{verb}");
        }
    }
}

#[tokio::test]
async fn copies_name_tags_digests_and_media_types() {
    let app = Mirrored::new().await;
    let digest = app.image.digest.clone();
    let names = json!({"source_repository": app.href, "names": ["a", "gone"]});
    let names = app.change("copy_tags", names).await;
    let wanted = ["a", "gone"].iter().map(|name| name.parse().unwrap()).collect();
    assert_eq!(names, ContentChange::CopyTags { source: app.id, number: 1, names: Some(wanted) });
    let all = app.change("copy_tags", json!({"source_repository": app.href, "names": null})).await;
    assert_eq!(all, ContentChange::CopyTags { source: app.id, number: 1, names: None });
    let body = json!({
        "source_repository": app.href, "digests": [digest.as_str()], "media_types": [MediaType::OCI_INDEX],
    });
    let expected = ContentChange::CopyManifests {
        source: app.id,
        number: 1,
        digests: Some(vec![digest]),
        media_types: Some(vec![MediaType::OCI_INDEX.parse().unwrap()]),
    };
    assert_eq!(app.change("copy_manifests", body).await, expected);
    for (verb, field, value, message) in [
        (
            "copy_tags",
            "names",
            json!(["a b"]),
            "\"a b\" is not a tag: it must match [A-Za-z0-9_][A-Za-z0-9._-]{0,127}",
        ),
        ("copy_tags", "names", json!("a"), "Expected a list of items."),
        ("copy_tags", "digests", json!([]), "Unexpected field"),
        (
            "copy_manifests",
            "digests",
            json!(["sha256:00"]),
            "\"sha256:00\" is not a digest: sha256 has 64 hexadecimal digits, sha512 has 128",
        ),
        ("copy_manifests", "media_types", json!(["text/plain"]), "\"text/plain\" is not a valid choice."),
    ] {
        let refused = app.refused(verb, json!({"source_repository": app.href, field: value})).await;
        assert_eq!(refused, json!({field: [message]}));
    }
}

#[tokio::test]
async fn tags_are_put_on_manifests_of_the_latest_version() {
    let app = Mirrored::new().await;
    let digest = app.image.digest.as_str();
    let (_, manifest) = app.first(Kind::Manifest).await;
    let tag = app.change("tag", json!({"tag": "new", "digest": digest})).await;
    assert_eq!(tag, ContentChange::Tag { tag: "new".parse().unwrap(), manifest });
    assert_eq!(
        app.change("untag", json!({"tag": "a"})).await,
        ContentChange::Untag { tag: "a".parse().unwrap() }
    );
    assert_eq!(
        app.started("tag", json!({"tag": "c", "digest": digest})).await.name,
        "pulp_container.app.tasks.tag.tag_image"
    );
    assert_eq!(
        app.started("untag", json!({"tag": "b"})).await.name,
        "pulp_container.app.tasks.untag.untag_image"
    );

    let layer = app.image.layer.as_str();
    for absent in ["sha256:00", layer] {
        let refused = app.refused("tag", json!({"tag": "new", "digest": absent})).await;
        let message = format!(
            "A manifest with the digest '{absent}' does not exist in the latest repository version \
             '<Repository: app; Version: 1>'"
        );
        assert_eq!(refused, json!({"non_field_errors": [message]}));
    }
    let refused = app.refused("untag", json!({"tag": "gone"})).await;
    let message =
        "The tag 'gone' does not exist in the latest repository version '<Repository: app; Version: 1>'";
    assert_eq!(refused, json!({"non_field_errors": [message]}));
    let required = json!(["This field is required."]);
    assert_eq!(app.refused("tag", json!({})).await, json!({"digest": required, "tag": required}));
    assert_eq!(app.refused("untag", json!({})).await, json!({"tag": required}));
    let bad = "The provided tag is not valid. A tag may contain lowercase and uppercase ASCII alphabetic characters, \
               digits, underscores, periods, and dashes. A tag must not start with a period or a dash.";
    for tag in [".x", "a b", ""] {
        let refused = app.refused("tag", json!({"tag": tag, "digest": digest})).await;
        assert_eq!(refused, json!({"tag": [bad]}));
    }
}

#[tokio::test]
async fn what_is_not_built_says_so() {
    let app = Mirrored::new().await;
    for (verb, body, detail) in [
        ("sign", json!({}), "Signing images is not available yet."),
        (
            "remove_signatures",
            json!({"signed_with_key_id": "x"}),
            "Signatures are not available yet: there are none to remove.",
        ),
        ("build_image", json!({}), "Building images is not available: build elsewhere, and push the image."),
    ] {
        let (status, answer) = app.post(verb, body).await;
        assert_eq!((status, answer), (StatusCode::NOT_IMPLEMENTED, json!({"detail": detail})));
    }
}

#[tokio::test]
async fn content_is_labelled_and_selected_by_labels() {
    let app = Mirrored::new().await;
    for kind in [Kind::Blob, Kind::Manifest, Kind::Tag] {
        let (href, _) = app.first(kind).await;
        let path = href.trim_start_matches("/pulp/api/v3/");
        let post = async |verb: &str, body: Value| {
            ask(&app.fixture, "POST", &format!("{path}{verb}/"), "application/json", &body.to_string()).await
        };
        let label = json!({"key": "env", "value": "test"});
        assert_eq!(post("set_label", label.clone()).await, (StatusCode::CREATED, label.clone()));
        assert_eq!(get(&app.fixture, path).await.1["pulp_labels"], json!({"env": "test"}));
        for (select, count) in [("env=test", 1), ("env", 1), ("env~TES", 1), ("env!=test", 0), ("other", 0)] {
            let list = format!("{}?pulp_label_select={select}", kind.collection());
            assert_eq!(get(&app.fixture, &list).await.1["count"], count, "{list}");
        }
        let without = get(&app.fixture, &format!("{}?pulp_label_select=!env", kind.collection())).await.1;
        let all = get(&app.fixture, kind.collection()).await.1;
        assert_eq!(without["count"].as_u64().unwrap() + 1, all["count"].as_u64().unwrap());
        let bad = post("set_label", json!({"key": "a b", "value": ""})).await;
        let message = json!({"key": ["Key 'a b' contains non-alphanumerics."]});
        assert_eq!(bad, (StatusCode::BAD_REQUEST, message));
        assert_eq!(post("unset_label", json!({"key": "env"})).await, (StatusCode::CREATED, label));
        let gone = json!({"key": "env", "value": null});
        assert_eq!(post("unset_label", json!({"key": "env"})).await, (StatusCode::CREATED, gone));
        let absent = kind.href(Uuid::from_u128(7));
        let absent = format!("{}set_label/", absent.trim_start_matches("/pulp/api/v3/"));
        let (status, _) =
            ask(&app.fixture, "POST", &absent, "application/json", "{\"key\": \"a\", \"value\": \"\"}").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
}
