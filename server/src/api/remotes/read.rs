//! Reads what a body says about a remote, and refuses what no sync could use.

use registry::{RepositoryName, TagFilter};
use storage::{Policy, RemoteChanges, RemoteSecrets};
use upstream::pem;
use url::Url;

use crate::api::error::ApiError;
use crate::api::fields::Fields;

/// Reads the fields. `secrets` are those that the remote has: each may change alone.
pub(super) fn read(mut fields: Fields, secrets: &RemoteSecrets) -> Result<RemoteChanges, ApiError> {
    let changes = RemoteChanges {
        name: fields.name("name"),
        url: url(&mut fields, "url"),
        upstream_name: upstream_name(&mut fields),
        labels: fields.labels("pulp_labels"),
        policy: policy(&mut fields),
        tls_validation: fields.boolean("tls_validation"),
        ca_cert: fields.nullable_checked("ca_cert", pem::check_certificates),
        client_cert: fields.nullable_checked("client_cert", pem::check_certificates),
        proxy_url: proxy_url(&mut fields),
        max_retries: fields.nullable_number("max_retries", 0),
        total_timeout: fields.nullable_seconds("total_timeout"),
        connect_timeout: fields.nullable_seconds("connect_timeout"),
        sock_connect_timeout: fields.nullable_seconds("sock_connect_timeout"),
        sock_read_timeout: fields.nullable_seconds("sock_read_timeout"),
        headers: headers(&mut fields),
        download_concurrency: fields.nullable_number("download_concurrency", 1),
        rate_limit: fields.nullable_number("rate_limit", 1),
        includes: patterns(&mut fields, "includes", "include_tags"),
        excludes: patterns(&mut fields, "excludes", "exclude_tags"),
        sigstore: sigstore(&mut fields),
        secrets: changed_secrets(&mut fields, secrets),
    };
    check_identity(&mut fields, &changes);
    fields.finish()?;
    Ok(changes)
}

/// A certificate and a key that are sent together have to fit. Those that change alone meet when a sync uses them.
fn check_identity(fields: &mut Fields, changes: &RemoteChanges) {
    let certificate = changes.client_cert.as_ref().and_then(Option::as_ref);
    let key = changes.secrets.as_ref().and_then(|secrets| secrets.client_key.as_ref());
    if let (Some(certificate), Some(key)) = (certificate, key)
        && let Err(message) = pem::check_identity(certificate, key)
    {
        fields.refuse("client_key", message);
    }
}

fn url(fields: &mut Fields, name: &str) -> Option<String> {
    let text = fields.text(name)?;
    if let Some(message) = wrong_url(&text, &["http", "https"]) {
        fields.refuse(name, message);
        return None;
    }
    Some(text)
}

/// What is wrong with a URL, if anything. Credentials in it would be shown to everybody who may read the remote.
fn wrong_url(text: &str, schemes: &[&str]) -> Option<String> {
    let Ok(url) = Url::parse(text) else { return Some("Enter a valid URL.".to_owned()) };
    if !schemes.contains(&url.scheme()) || url.host_str().is_none() {
        return Some(format!("Enter a valid URL: it must begin with {}.", schemes.join(":// or ") + "://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some(
            "Credentials do not belong into the URL: use the fields for the username and password."
                .to_owned(),
        );
    }
    (url.query().is_some() || url.fragment().is_some())
        .then(|| "The URL must have neither a query (?) nor a fragment (#).".to_owned())
}

fn proxy_url(fields: &mut Fields) -> Option<Option<String>> {
    let text = fields.nullable_text("proxy_url")?;
    let wrong = text.as_deref().and_then(|text| wrong_url(text, &["http", "https", "socks5", "socks5h"]));
    if let Some(message) = wrong {
        fields.refuse("proxy_url", message);
        return None;
    }
    Some(text)
}

fn sigstore(fields: &mut Fields) -> Option<Option<String>> {
    let text = fields.nullable_text("sigstore")?;
    if let Some(message) = text.as_deref().and_then(|text| wrong_url(text, &["http", "https"])) {
        fields.refuse("sigstore", message);
        return None;
    }
    Some(text)
}

fn upstream_name(fields: &mut Fields) -> Option<String> {
    let text = fields.text("upstream_name")?;
    if let Err(error) = text.parse::<RepositoryName>() {
        fields.refuse("upstream_name", error.to_string());
        return None;
    }
    Some(text)
}

fn policy(fields: &mut Fields) -> Option<Policy> {
    let policy: Policy = fields.choice("policy", |text| text.parse().ok())?;
    if policy != Policy::Immediate {
        fields
            .refuse("policy", format!("The policy {} is not available yet: use immediate.", policy.as_str()));
        return None;
    }
    Some(policy)
}

/// Headers whose values nobody may see.
const CREDENTIAL_HEADERS: [&str; 3] = ["authorization", "proxy-authorization", "cookie"];

fn headers(fields: &mut Fields) -> Option<Vec<storage::Labels>> {
    let headers = fields.headers("headers")?;
    let is_header = |(name, value): (&String, &String)| {
        name.parse::<poem::http::HeaderName>().is_ok() && value.parse::<poem::http::HeaderValue>().is_ok()
    };
    if headers.iter().any(|header| header.len() != 1 || !header.iter().all(is_header)) {
        fields.refuse("headers", "Each entry must be an object of one header's name and value.");
        return None;
    }
    let is_secret = |name: &String| CREDENTIAL_HEADERS.iter().any(|secret| secret.eq_ignore_ascii_case(name));
    if headers.iter().flat_map(storage::Labels::keys).any(is_secret) {
        fields.refuse(
            "headers",
            "Credentials do not belong into headers, which are shown: use username and password.",
        );
        return None;
    }
    Some(headers)
}

/// Tag patterns, under their newer or older name; an empty list clears the filter.
fn patterns(fields: &mut Fields, name: &'static str, older: &'static str) -> Option<Option<Vec<String>>> {
    if fields.has(name) && fields.has(older) {
        fields.refuse(older, format!("Give only one of '{name}' and '{older}': they are the same."));
    }
    let (newer_value, older_value) = (fields.nullable_texts(name), fields.nullable_texts(older));
    let field = if newer_value.is_some() { name } else { older };
    let patterns = newer_value.or(older_value)?.filter(|patterns| !patterns.is_empty());
    let given = patterns.as_deref().unwrap_or_default();
    let checked = if name == "includes" { TagFilter::new(given, &[]) } else { TagFilter::new(&[], given) };
    if let Err(error) = checked {
        fields.refuse(field, error.to_string());
        return None;
    }
    Some(patterns)
}

/// Every secret, if any was sent.
fn changed_secrets(fields: &mut Fields, held: &RemoteSecrets) -> Option<RemoteSecrets> {
    let sent = [
        fields.nullable_text("username"),
        fields.nullable_text("password"),
        fields.nullable_checked("client_key", pem::check_private_key),
        fields.nullable_text("proxy_username"),
        fields.nullable_text("proxy_password"),
    ];
    if sent.iter().all(Option::is_none) {
        return None;
    }
    let [username, password, client_key, proxy_username, proxy_password] = sent;
    Some(RemoteSecrets {
        username: username.unwrap_or_else(|| held.username.clone()),
        password: password.unwrap_or_else(|| held.password.clone()),
        client_key: client_key.unwrap_or_else(|| held.client_key.clone()),
        proxy_username: proxy_username.unwrap_or_else(|| held.proxy_username.clone()),
        proxy_password: proxy_password.unwrap_or_else(|| held.proxy_password.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use poem::IntoResponse;
    use serde_json::{Value, json};

    fn fields(value: Value) -> Fields {
        let Value::Object(values) = value else { panic!("not an object") };
        Fields::new(values)
    }

    async fn refused(value: Value) -> Value {
        let error = read(fields(value), &RemoteSecrets::default()).unwrap_err();
        serde_json::from_str(&error.into_response().into_body().into_string().await.unwrap()).unwrap()
    }

    const CERTIFICATE: &str = include_str!("../../../../upstream/tests/client/tls/client.pem");
    const KEY: &str = include_str!("../../../../upstream/tests/client/tls/client.key");
    const OTHER_KEY: &str = include_str!("../../../../upstream/tests/client/tls/other.key");

    /// PEM whose inside is nothing of the kind.
    fn broken(kind: &str) -> String {
        format!("-----BEGIN {kind}-----\nAAAA\n-----END {kind}-----\n")
    }

    #[test]
    fn certificates_and_keys_are_taken() {
        let sent = json!({"ca_cert": CERTIFICATE, "client_cert": CERTIFICATE, "client_key": KEY});
        let changes = read(fields(sent), &RemoteSecrets::default()).unwrap();
        assert_eq!(changes.secrets.unwrap().client_key.as_deref(), Some(KEY));
        let alone = read(fields(json!({"client_key": KEY})), &RemoteSecrets::default()).unwrap();
        assert_eq!(alone.client_cert, None);
    }

    #[tokio::test]
    async fn what_no_sync_could_use_is_refused() {
        for (sent, field) in [
            (json!({"url": "ftp://x"}), "url"),
            (json!({"url": "nope"}), "url"),
            (json!({"url": "http://me:secret@x"}), "url"),
            (json!({"url": "http://x?y"}), "url"),
            (json!({"proxy_url": "http://me:secret@x"}), "proxy_url"),
            (json!({"upstream_name": "../x"}), "upstream_name"),
            (json!({"upstream_name": "Upper"}), "upstream_name"),
            (json!({"upstream_name": "a".repeat(4096)}), "upstream_name"),
            (json!({"policy": "on_demand"}), "policy"),
            (json!({"policy": "never"}), "policy"),
            (json!({"includes": ["a/b"]}), "includes"),
            (json!({"include_tags": ["sha256:xyz"]}), "include_tags"),
            (json!({"includes": ["a"], "include_tags": ["a"]}), "include_tags"),
            (json!({"excludes": [1]}), "excludes"),
            (json!({"headers": [{"a": "b", "c": "d"}]}), "headers"),
            (json!({"headers": [{"a b": "c"}]}), "headers"),
            (json!({"headers": [{"Authorization": "Bearer secret"}]}), "headers"),
            (json!({"rate_limit": 0}), "rate_limit"),
            (json!({"ca_cert": "nope"}), "ca_cert"),
            (json!({"ca_cert": broken("CERTIFICATE")}), "ca_cert"),
            (json!({"ca_cert": KEY}), "ca_cert"),
            (json!({"client_cert": broken("CERTIFICATE")}), "client_cert"),
            (json!({"client_key": "secret"}), "client_key"),
            (json!({"client_key": CERTIFICATE}), "client_key"),
            (json!({"client_key": "-----BEGIN PRIVATE KEY-----\nsecret\n"}), "client_key"),
            (json!({"client_cert": CERTIFICATE, "client_key": OTHER_KEY}), "client_key"),
            (json!({"client_cert": CERTIFICATE, "client_key": broken("PRIVATE KEY")}), "client_key"),
        ] {
            let body = refused(sent.clone()).await;
            let named: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
            assert_eq!(named, [field], "{sent}");
            assert!(!body.to_string().contains("secret"), "{body}");
        }
    }

    #[test]
    fn an_empty_list_clears_the_filter_and_secrets_change_alone() {
        let held = RemoteSecrets {
            username: Some("me".into()),
            password: Some("old".into()),
            ..RemoteSecrets::default()
        };
        let sent = json!({"include_tags": [], "excludes": null, "password": "new"});
        let changes = read(fields(sent), &held).unwrap();
        assert_eq!((changes.includes, changes.excludes), (Some(None), Some(None)));
        assert_eq!(changes.secrets, Some(RemoteSecrets { password: Some("new".into()), ..held }));
        assert_eq!(read(fields(json!({})), &RemoteSecrets::default()).unwrap(), RemoteChanges::default());
    }
}
