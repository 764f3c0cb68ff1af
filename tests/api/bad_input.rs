//! Bad input gets a clear error with the field's name, and nothing is lost.

use serde_json::{Value, json};

use crate::harness::{Database, Entrepot, faults::FakeRegistry, on_both_databases};

on_both_databases!(
    bad_fields_are_named,
    names_and_paths_are_unique,
    what_is_in_use_is_not_deleted,
    lists_refuse_what_they_do_not_know
);

const REPOSITORIES: &str = "/repositories/container/container/";
const REMOTES: &str = "/remotes/container/container/";
const DISTRIBUTIONS: &str = "/distributions/container/container/";
const NOWHERE: &str = "01a20c6c-55c9-7d57-9035-08c3b4a69f2d";

/// Asserts that creating is refused with this body, and that nothing was created.
fn refused(entrepot: &Entrepot, list: &str, fields: &Value, expected: &Value) {
    let count = || entrepot.read(&format!("/pulp/api/v3{list}"))["count"].clone();
    let before = count();
    let answer = entrepot.api("POST", list, fields);
    assert_eq!((answer.status, &answer.json()), (400, expected), "{list} {fields}");
    assert_eq!(count(), before, "{list} {fields}");
}

async fn bad_fields_are_named(database: Database) {
    let entrepot = Entrepot::start(database);
    let name_reason = |name: &str, reason: &str| format!("\"{name}\" is not a repository name: {reason}");
    let part = "each part between slashes must match [a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*";
    let long = "a".repeat(4096);

    let remote =
        |upstream: &str| json!({"name": "r", "url": "http://127.0.0.1:1", "upstream_name": upstream});
    for (fields, expected) in [
        (
            json!({"name": "r", "url": "http://127.0.0.1:1"}),
            json!({"upstream_name": ["This field is required."]}),
        ),
        (
            json!({"upstream_name": "a"}),
            json!({"name": ["This field is required."], "url": ["This field is required."]}),
        ),
        (remote("../a"), json!({"upstream_name": [name_reason("../a", part)]})),
        (remote("Upper"), json!({"upstream_name": [name_reason("Upper", "it must be in lower case")]})),
        (
            json!({"name": "r", "url": "file:///etc", "upstream_name": "a"}),
            json!({"url": ["Enter a valid URL: it must begin with http:// or https://."]}),
        ),
        (
            json!({"name": "r", "url": "http://x", "upstream_name": "a", "colour": "red"}),
            json!({"colour": ["Unexpected field"]}),
        ),
        (
            json!({"name": "r", "url": "http://x", "upstream_name": "a", "policy": "never"}),
            json!({"policy": ["\"never\" is not a valid choice."]}),
        ),
        (
            json!({"name": "r", "url": "http://x", "upstream_name": "a", "rate_limit": "fast"}),
            json!({"rate_limit": ["A valid integer is required."]}),
        ),
    ] {
        refused(&entrepot, REMOTES, &fields, &expected);
    }
    let answer = entrepot.api("POST", REMOTES, &remote(&long));
    assert_eq!(answer.status, 400);
    let message = answer.json()["upstream_name"][0].as_str().unwrap().to_owned();
    assert!(
        message.ends_with("it is longer than 255 bytes") && message.len() < 1024,
        "{} bytes",
        message.len()
    );
    for digest in ["sha256:12", "sha512:zz"] {
        let mut fields = remote("a");
        fields["includes"] = json!([digest]);
        let answer = entrepot.api("POST", REMOTES, &fields);
        assert!(answer.expect(400)["includes"][0].as_str().unwrap().contains(digest), "{}", answer.text());
    }

    for (fields, expected) in [
        (json!({}), json!({"name": ["This field is required."]})),
        (json!({"name": " "}), json!({"name": ["This field may not be blank."]})),
        (json!({"name": long}), json!({"name": ["Ensure this field has no more than 255 characters."]})),
        (
            json!({"name": "x", "retain_repo_versions": 0}),
            json!({"retain_repo_versions": ["Ensure this value is greater than or equal to 1."]}),
        ),
        (
            json!({"name": "x", "remote": format!("/pulp/api/v3{REMOTES}{NOWHERE}/")}),
            json!({"remote": ["Invalid hyperlink - Object does not exist."]}),
        ),
        (json!(["x"]), json!({"non_field_errors": ["Invalid data. Expected a dictionary."]})),
    ] {
        refused(&entrepot, REPOSITORIES, &fields, &expected);
    }

    let canonical = "Relative path is not in canonical form. Bad Path";
    for (base_path, expected) in [
        ("../a", canonical.to_owned()),
        ("/a", canonical.into()),
        ("a/", canonical.into()),
        ("a//b", canonical.into()),
        ("Upper", name_reason("Upper", "it must be in lower case")),
        ("a b", name_reason("a b", part)),
    ] {
        let fields = json!({"name": "d", "base_path": base_path});
        refused(&entrepot, DISTRIBUTIONS, &fields, &json!({"base_path": [expected]}));
    }
    let broken = [("content-type", "application/json")];
    let broken = entrepot.admin().request("POST", &format!("/pulp/api/v3{REPOSITORIES}"), &broken, b"{nope");
    assert!(
        broken.expect(400)["detail"].as_str().unwrap().starts_with("JSON parse error - "),
        "{}",
        broken.text()
    );
}

async fn names_and_paths_are_unique(database: Database) {
    let entrepot = Entrepot::start(database);
    let unique = json!({"name": ["This field must be unique."]});
    let repository = entrepot.create_repository("taken");
    refused(&entrepot, REPOSITORIES, &json!({"name": "taken"}), &unique);
    let remote = json!({"name": "taken", "url": "http://127.0.0.1:1", "upstream_name": "a"});
    entrepot.api("POST", REMOTES, &remote).expect(201);
    refused(&entrepot, REMOTES, &remote, &unique);

    let distribution =
        |name: &str, base_path: &str| json!({"name": name, "base_path": base_path, "repository": repository});
    entrepot.create_distribution(&distribution("taken", "a/b"));
    refused(&entrepot, DISTRIBUTIONS, &distribution("taken", "other"), &unique);
    refused(
        &entrepot,
        DISTRIBUTIONS,
        &distribution("other", "a/b"),
        &json!({"base_path": ["This field must be unique."]}),
    );
    for base_path in ["a", "a/b/c"] {
        let overlap = json!({"base_path": ["Overlaps with existing distribution 'taken'."]});
        refused(&entrepot, DISTRIBUTIONS, &distribution("other", base_path), &overlap);
    }
    entrepot.create_distribution(&distribution("beside", "a/bc"));

    let other = entrepot.create_repository("other");
    let version = json!({"name": "v", "base_path": "v", "repository_version": format!("{other}versions/7/")});
    let answer = entrepot.api("POST", DISTRIBUTIONS, &version);
    assert_eq!(
        answer.expect(400),
        json!({"repository_version": ["Invalid hyperlink - Object does not exist."]})
    );
    let both = json!({"name": "v", "base_path": "v", "repository": repository, "repository_version": format!("{other}versions/0/")});
    let message =
        "Only one of the attributes 'repository' and 'repository_version' may be used simultaneously.";
    refused(&entrepot, DISTRIBUTIONS, &both, &json!({"non_field_errors": [message]}));
}

async fn what_is_in_use_is_not_deleted(database: Database) {
    let fake = FakeRegistry::start().await;
    fake.add_image("app", "1.0", &[b"layer"]);
    let entrepot = Entrepot::start(database);
    let mirror = entrepot.create_mirror("app", &fake.url(), "app", json!({}));
    entrepot.sync_to_version(&mirror, false);
    let version = format!("{}versions/1/", mirror.repository);
    let fixed = json!({"name": "fixed", "base_path": "fixed", "repository_version": version});
    let fixed = entrepot.create_distribution(&fixed);
    entrepot.completed(&entrepot.admin().send(
        "PATCH",
        &mirror.repository,
        &json!({"remote": mirror.remote}),
    ));

    let delete = |href: &str| entrepot.admin().request("DELETE", href, &[], &[]);
    for (href, field, message) in [
        (&mirror.remote, "remote", "The repository 'app' syncs from this remote: give it another one first."),
        (
            &version,
            "repository_version",
            "The distribution 'fixed' serves this version: let it serve another one first.",
        ),
    ] {
        assert_eq!(delete(href).expect(400), json!({field: [message]}), "{href}");
        entrepot.read(href);
    }
    // Two distributions serve it; either may be named.
    let answer = delete(&mirror.repository).expect(400);
    let message = "serves this repository: delete it or let it serve another one first.";
    assert!(answer["repository"][0].as_str().unwrap().ends_with(message), "{answer}");
    entrepot.read(&mirror.repository);
    assert_eq!(entrepot.pull("app", "manifests/1.0").status, 200);

    // What is not in use any more goes.
    entrepot.completed(&delete(&fixed));
    entrepot.completed(&delete(&version));
    let gone = entrepot.admin().get(&version);
    assert_eq!(gone.expect(404), json!({"detail": "No RepositoryVersion matches the given query."}));
    assert_eq!(entrepot.pull("app", "manifests/1.0").expect(404)["errors"][0]["code"], "MANIFEST_UNKNOWN");
}

async fn lists_refuse_what_they_do_not_know(database: Database) {
    let entrepot = Entrepot::start(database);
    let repository = entrepot.create_repository("foo");
    for (query, expected) in [
        ("?foo=1", json!({"errors": ["Invalid Filter: 'foo'"]})),
        (
            "?ordering=zz",
            json!({"ordering": ["Select a valid choice. zz is not one of the available choices."]}),
        ),
        ("?q=foo=1", json!({"q": ["Filter 'foo' does not exist."]})),
    ] {
        let answer = entrepot.admin().get(&format!("/pulp/api/v3{REPOSITORIES}{query}"));
        assert_eq!((answer.status, answer.json()), (400, expected), "{query}");
    }
    let missing = entrepot.admin().get(&format!("/pulp/api/v3{REPOSITORIES}{NOWHERE}/"));
    assert_eq!(missing.expect(404), json!({"detail": "No ContainerRepository matches the given query."}));
    let sync = entrepot.admin().send("POST", &format!("{repository}sync/"), &json!({}));
    let message = "This field is required since a remote is not set on the repository.";
    assert_eq!(sync.expect(400), json!({"remote": [message]}));

    let list = format!("/pulp/api/v3{REPOSITORIES}");
    let nobody = entrepot.anonymous().get(&list);
    assert_eq!(nobody.header("www-authenticate"), "Basic realm=\"api\"");
    assert_eq!(nobody.expect(401), json!({"detail": "Authentication credentials were not provided."}));
    let wrong = entrepot.anonymous().with_basic("admin", "wrong-password").get(&list);
    assert_eq!(wrong.expect(401), json!({"detail": "Invalid username/password."}));
}
