//! What refers to an image comes along with it.

use registry::{Clock, Digest};
use serde_json::json;
use upstream::{Client, UpstreamConfig};

use crate::faults::Fault;
use crate::house::{House, NAME, present};

/// Signature, and a signature of the signature.
fn sign(house: &House, subject: &Digest) -> (Digest, Digest) {
    let signature = house.fake.add_referrer(NAME, subject, b"signature");
    let counter = house.fake.add_referrer(NAME, &signature, b"counter-signature");
    (signature, counter)
}

async fn is_held(house: &House, digest: &Digest) -> bool {
    let version = house.latest().await.number;
    house.catalog.version_manifests(house.repository, version).await.unwrap().contains(digest)
}

#[tokio::test(flavor = "multi_thread")]
async fn listed_referrers_come_along_to_any_depth() {
    let house = House::with(|remote| remote.includes = Some(vec!["1.0".to_owned()])).await;
    house.fake.list_referrers();
    let image = house.fake.add_image(NAME, "1.0", &[b"layer"]);
    let other = house.fake.add_image(NAME, "2.0", &[b"other"]);
    let (signature, counter) = sign(&house, &image.manifest);
    let unrelated = house.fake.add_referrer(NAME, &other.manifest, b"unrelated");
    let version = house.sync_to_version(true).await;
    // The image's two blobs, and "{}" with the two signatures.
    assert_eq!(present(&version), (1, 3, 5));
    assert!(is_held(&house, &signature).await && is_held(&house, &counter).await);
    assert!(!is_held(&house, &unrelated).await);
    house.sync_without_change(true).await;
    house.sync_without_change(false).await;
    // Signed after it was mirrored: the image is as it was, and its signature is new.
    let late = house.fake.add_referrer(NAME, &counter, b"late");
    assert_eq!(present(&house.sync_to_version(true).await), (1, 4, 6));
    assert!(is_held(&house, &late).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_index_lists_may_be_signed_by_itself() {
    let house = House::new().await;
    house.fake.list_referrers();
    let image = house.fake.add_image(NAME, "amd64", &[b"layer"]);
    let index = house.fake.add_index(NAME, "1.0", &[&image]);
    house.fake.untag(NAME, "amd64");
    house.sync_to_version(true).await;
    // The index is whole already, and is not looked into again.
    let (of_image, _) = sign(&house, &image.manifest);
    let of_index = house.fake.add_referrer(NAME, &index, b"of the index");
    house.sync_to_version(true).await;
    assert!(is_held(&house, &of_image).await && is_held(&house, &of_index).await);
}

/// "Referrers Tag Schema", with the tags listed and without.
#[tokio::test(flavor = "multi_thread")]
async fn the_tag_schema_is_understood() {
    for includes in [vec!["1.*".to_owned()], vec!["1.0".to_owned()]] {
        let house = House::with(|remote| remote.includes = Some(includes.clone())).await;
        let image = house.fake.add_image(NAME, "1.0", &[b"layer"]);
        let (signature, counter) = sign(&house, &image.manifest);
        house.fake.tag_referrers(NAME, &image.manifest, &[&signature]);
        house.fake.tag_referrers(NAME, &signature, &[&counter]);
        let version = house.sync_to_version(true).await;
        // The tags of the schema were not asked for, and are not taken.
        assert_eq!(present(&version), (1, 3, 5), "{includes:?}");
        assert!(is_held(&house, &signature).await && is_held(&house, &counter).await);
        house.sync_without_change(true).await;
    }
}

/// A list that names what is not there, or no manifest, keeps nobody from mirroring the image.
#[tokio::test(flavor = "multi_thread")]
async fn referrers_that_cannot_be_had_are_left_out() {
    let house = House::new().await;
    let image = house.fake.add_image(NAME, "1.0", &[b"layer"]);
    let nonsense = house.fake.add_manifest(NAME, "application/vnd.oci.artifact.manifest.v1+json", "{}");
    let gone = Digest::sha256_of(b"gone");
    let signature = house.fake.add_referrer(NAME, &image.manifest, b"signature");
    let listed = [&nonsense, &gone, &signature].map(|digest| json!({"digest": digest}));
    let index = json!({"schemaVersion": 2, "manifests": listed});
    let media_type = ("Content-Type".to_owned(), "application/vnd.oci.image.index.v1+json".to_owned());
    let list = Fault::Answer { status: 200, headers: vec![media_type], body: index.to_string().into() };
    house.fake.on("GET", &format!("/referrers/{}", image.manifest)).inject(list);
    let version = house.sync_to_version(false).await;
    assert_eq!(present(&version).1, 2);
    assert!(is_held(&house, &signature).await && !is_held(&house, &nonsense).await);
}

/// An exact mirror must not lose its signatures because a list could not be had.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_fails_fails_the_sync() {
    let house = House::new().await;
    house.fake.list_referrers();
    let image = house.fake.add_image(NAME, "1.0", &[b"layer"]);
    house.fake.add_referrer(NAME, &image.manifest, b"signature");
    house.sync_to_version(true).await;
    house.fake.on("GET", "/referrers/").inject(Fault::status(500));
    house.sync_fails("upstream.status").await;
    house.fake.heal();
    house.sync_without_change(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_referrers_are_read_page_by_page() {
    let fake = crate::faults::FakeRegistry::start().await;
    let url = fake.url().parse().unwrap();
    let config = UpstreamConfig { max_retries: Some(0), ..UpstreamConfig::new(url, NAME.parse().unwrap()) };
    let client = Client::new(config, Clock::system()).unwrap();
    let (subject, one, two) =
        (Digest::sha256_of(b"subject"), Digest::sha256_of(b"one"), Digest::sha256_of(b"two"));
    let page = |digest: &Digest, link: Option<&str>| {
        let index = json!({"schemaVersion": 2, "manifests": [{"digest": digest}]});
        let index_type = "application/vnd.oci.image.index.v1+json; charset=utf-8".to_owned();
        let mut headers = vec![("Content-Type".to_owned(), index_type)];
        headers.extend(link.map(|link| ("Link".to_owned(), format!("<{link}>; rel=\"next\""))));
        Fault::Answer { status: 200, headers, body: index.to_string().into() }
    };
    let path = format!("/v2/{NAME}/referrers/{subject}");
    fake.on("GET", &path).times(1).inject(page(&one, Some(&format!("{path}?last=x"))));
    fake.on("GET", &path).nth(2).times(1).inject(page(&two, None));
    assert_eq!(client.list_referrers(&subject).await.unwrap(), Some(vec![one.clone(), two]));
    fake.heal();
    // No list, or a page for people: there are none.
    assert_eq!(client.list_referrers(&subject).await.unwrap(), None);
    fake.on("GET", &path).times(1).inject(Fault::body("<html>"));
    assert_eq!(client.list_referrers(&subject).await.unwrap(), None);
    // A list that leads in a circle, or elsewhere, or is none.
    for (fault, reason) in [
        (page(&one, Some(&path)), "pages of referrers that link to each other in a circle"),
        (page(&one, Some("http://elsewhere.example/")), "a Link to a page of referrers on another host"),
    ] {
        fake.heal();
        fake.on("GET", &path).inject(fault);
        let error = client.list_referrers(&subject).await.unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}
