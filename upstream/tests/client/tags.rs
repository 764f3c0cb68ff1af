//! Tag listings: paging, limits, nonsense.

use upstream::{Client, Limits, UpstreamError};

use crate::faults::{FakeRegistry, Fault};
use crate::{assert_error, client, client_with, config, quick};

const LIST: &str = "/v2/library/alpine/tags/list";

async fn with_tags(tags: &[&str]) -> FakeRegistry {
    let fake = FakeRegistry::start().await;
    for tag in tags {
        fake.add_image(crate::REPOSITORY, tag, &[]);
    }
    fake
}

async fn names(client: &Client) -> Result<Vec<String>, UpstreamError> {
    Ok(client.list_tags().await?.into_iter().map(String::from).collect())
}

#[tokio::test]
async fn a_single_page_is_one_request() {
    let fake = with_tags(&["3.20", "3.19", "latest"]).await;
    let client = client(&fake);
    assert_eq!(names(&client).await.unwrap(), ["3.19", "3.20", "latest"]);
    assert_eq!(crate::seen(&fake), [(format!("GET {LIST}?n=1000"), 200)]);
    assert_eq!(client.request_count(), 1);
    assert_eq!(fake.requests()[0].header("accept-encoding"), Some("identity"));
}

#[tokio::test]
async fn pages_are_followed() {
    let fake = with_tags(&["a", "b", "c", "d", "e"]).await;
    fake.set_page_size(2);
    assert_eq!(names(&client(&fake)).await.unwrap(), ["a", "b", "c", "d", "e"]);
    let paths = [format!("{LIST}?n=1000"), format!("{LIST}?last=b&n=2"), format!("{LIST}?last=d&n=2")];
    assert_eq!(crate::seen(&fake), paths.map(|path| (format!("GET {path}"), 200)));
}

#[tokio::test]
async fn an_absolute_link_to_the_same_origin_is_followed() {
    let fake = with_tags(&["a"]).await;
    let link = format!("<{}{LIST}?n=1000&last=z>; rel=\"next\"", fake.url());
    fake.on("GET", LIST).nth(1).inject(Fault::Header("Link", link));
    assert_eq!(names(&client(&fake)).await.unwrap(), ["a"]);
    assert_eq!(fake.count("GET", LIST), 2);
}

#[tokio::test]
async fn a_link_to_another_origin_is_refused() {
    let (fake, other) = (with_tags(&["a"]).await, with_tags(&["b"]).await);
    let link = format!("<{}{LIST}>; rel=\"next\"", other.url());
    fake.on("GET", LIST).inject(Fault::Header("Link", link));
    assert_error!(names(&client(&fake)).await, UpstreamError::BadAnswer { reason, .. } if reason.contains("another host"));
    assert_eq!((fake.count("GET", ""), other.count("GET", "")), (1, 0));
}

#[tokio::test]
async fn a_circle_of_links_ends() {
    let fake = with_tags(&["a"]).await;
    fake.on("GET", LIST).inject(Fault::Header("Link", format!("<{LIST}?n=1000>; rel=next")));
    assert_error!(names(&client(&fake)).await, UpstreamError::BadAnswer { reason, .. } if reason.contains("circle"));
    assert_eq!(fake.count("GET", LIST), 1);
}

#[tokio::test]
async fn pages_and_tags_are_bounded() {
    let fake = with_tags(&["a", "b", "c", "d"]).await;
    fake.set_page_size(1);
    let limited =
        |limits| Client::with_limits(config(&fake.url()), registry::Clock::system(), limits).unwrap();
    let pages = limited(Limits { tag_pages: 2, ..quick() });
    assert_error!(pages.list_tags().await, UpstreamError::TooLarge { limit: 2, unit: "pages of tags", .. });
    let tags = limited(Limits { tags: 2, ..quick() });
    assert_error!(tags.list_tags().await, UpstreamError::TooLarge { limit: 2, unit: "tags", .. });
    assert_eq!(fake.count("GET", LIST), 2 + 3);
}

#[tokio::test]
async fn a_huge_page_is_refused_before_it_is_read_and_while() {
    let fake = with_tags(&[]).await;
    let huge = vec![b' '; 16 * 1024 * 1024 + 1];
    fake.on("GET", LIST).inject(Fault::body(huge));
    assert_error!(
        client(&fake).list_tags().await,
        UpstreamError::TooLarge { limit: 16_777_216, unit: "bytes", .. }
    );
    fake.on("GET", LIST).inject(Fault::Chunked);
    assert_error!(
        client(&fake).list_tags().await,
        UpstreamError::TooLarge { limit: 16_777_216, unit: "bytes", .. }
    );
    assert_eq!(fake.count("GET", LIST), 2);
}

#[tokio::test]
async fn tags_that_nobody_could_ask_for_are_skipped() {
    let fake = with_tags(&[]).await;
    fake.on("GET", LIST).inject(Fault::body(r#"{"tags":["b","../x","","a","b"," "]}"#));
    assert_eq!(names(&client(&fake)).await.unwrap(), ["a", "b"]);
}

#[tokio::test]
async fn no_tags_is_no_error_but_no_repository_is() {
    let fake = with_tags(&[]).await;
    assert_error!(client(&fake).list_tags().await, UpstreamError::NotFound { url } if url.as_str() == format!("{}{LIST}?n=1000", fake.url()));
    fake.on("GET", LIST).inject(Fault::body(r#"{"name":"x","tags":null}"#));
    assert_eq!(names(&client(&fake)).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn other_json_is_refused_at_once() {
    let fake = with_tags(&[]).await;
    for (at, body) in ["<html>", r#"{"tags":[1]}"#, r#"{"tags":["#].into_iter().enumerate() {
        fake.heal();
        fake.on("GET", LIST).inject(Fault::body(body));
        assert_error!(client(&fake).list_tags().await, UpstreamError::Json { .. });
        assert_eq!(fake.count("GET", LIST), at + 1);
    }
}

#[tokio::test]
async fn a_base_url_may_have_a_prefix() {
    let fake = with_tags(&["a"]).await;
    let client = client_with(config(&format!("{}/artifactory/docker/?x#y", fake.url())));
    assert_eq!(names(&client).await.unwrap(), ["a"]);
    assert_eq!(crate::seen(&fake), [(format!("GET /artifactory/docker{LIST}?n=1000"), 200)]);
}
