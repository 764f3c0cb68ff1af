//! Listing tags (OCI distribution-spec 1.1, "Listing Tags").

use std::collections::HashSet;
use std::fmt;

use registry::{NameError, Tag};
use reqwest::Method;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use url::Url;

use crate::limits::{TAGS, TAGS_PAGE_BYTES};
use crate::{Client, UpstreamError, links};

/// Tags asked for in one page: what go-containerregistry asks for, and the most that distribution allows.
const PAGE_SIZE: &str = "1000";

#[derive(Deserialize)]
struct Page {
    #[serde(default, deserialize_with = "page_tags")]
    tags: PageTags,
}

/// The tags of a page, parsed while they are read, so that 16 MiB of nonsense don't become ten times that.
#[derive(Default)]
struct PageTags {
    tags: Vec<Tag>,
    listed: usize,
    bad: Option<NameError>,
}

impl Client {
    /// All tags of the repository, sorted, each once. Tags that break the grammar are skipped, since nobody
    /// could ask for them.
    pub async fn list_tags(&self) -> Result<Vec<Tag>, UpstreamError> {
        let _permit = self.permit().await;
        let limits = &self.0.limits;
        let mut url = self.0.url_of("tags/list");
        url.query_pairs_mut().append_pair("n", PAGE_SIZE);
        let (mut tags, mut listed, mut asked) = (Vec::new(), 0, HashSet::new());
        loop {
            let (page, next) = self.retrying(|| self.fetch_page(&url)).await?;
            let too_many = |limit, unit| UpstreamError::TooLarge { url: self.0.shown(&url), limit, unit };
            listed += page.listed;
            if listed > limits.tags {
                return Err(too_many(limits.tags, "tags"));
            }
            if let Some(error) = page.bad {
                tracing::warn!(
                    repository.name = %self.0.config.repository,
                    skipped = page.listed - page.tags.len(),
                    %error,
                    "An upstream lists tags that nobody could ask for; they are skipped"
                );
            }
            tags.extend(page.tags);
            let Some(next) = next else { break };
            asked.insert(url.clone());
            if asked.contains(&next) {
                let reason = "pages of tags that link to each other in a circle".to_owned();
                return Err(UpstreamError::BadAnswer { url: self.0.shown(&url), reason });
            }
            if asked.len() >= limits.tag_pages {
                return Err(too_many(limits.tag_pages, "pages of tags"));
            }
            url = next;
        }
        tags.sort_unstable();
        tags.dedup();
        Ok(tags)
    }

    /// One page and the URL of the next.
    async fn fetch_page(&self, url: &Url) -> Result<(PageTags, Option<Url>), UpstreamError> {
        let answer = self.0.fetch(self.0.request(Method::GET, url.clone(), None)).await?;
        if answer.status() != 200 {
            return Err(self.0.refusal(answer).await);
        }
        answer.check_encoding()?;
        let next = match links::find_next(answer.response.headers()) {
            None => None,
            Some(target) => {
                let next = answer.response.url().join(&target);
                let next = next.map_err(|_| answer.bad("a Link to a malformed URL"))?;
                if next.origin() != self.0.config.url.origin() {
                    return Err(answer.bad("a Link to a page of tags on another host"));
                }
                Some(next)
            }
        };
        let shown = answer.url.clone();
        let bytes = answer.read_all(TAGS_PAGE_BYTES).await?;
        let page: Page =
            serde_json::from_slice(&bytes).map_err(|source| UpstreamError::Json { url: shown, source })?;
        Ok((page.tags, next))
    }
}

/// A list of text, or `null` where a repository has no tags.
fn page_tags<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PageTags, D::Error> {
    struct List;

    impl<'de> Visitor<'de> for List {
        type Value = PageTags;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of tags or null")
        }

        fn visit_unit<E>(self) -> Result<PageTags, E> {
            Ok(PageTags::default())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<PageTags, A::Error> {
            let mut page = PageTags::default();
            while let Some(text) = list.next_element::<String>()? {
                page.listed += 1;
                match text.parse() {
                    // What is beyond the limit is only counted.
                    Ok(tag) if page.listed <= TAGS => page.tags.push(tag),
                    Ok(_) => {}
                    Err(error) => page.bad = page.bad.or(Some(error)),
                }
            }
            Ok(page)
        }
    }

    deserializer.deserialize_any(List)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_all_shapes_are_read() {
        let read = |text| {
            let page = serde_json::from_str::<Page>(text)?.tags;
            Ok::<_, serde_json::Error>((
                page.tags.iter().map(Tag::to_string).collect::<Vec<_>>(),
                page.listed,
            ))
        };
        assert_eq!(
            read(r#"{"name":"a","tags":["b","a/b","a"]}"#).unwrap(),
            (vec!["b".into(), "a".into()], 3)
        );
        assert_eq!(read(r#"{"tags":null}"#).unwrap(), (vec![], 0));
        assert_eq!(read("{}").unwrap(), (vec![], 0));
        for bad in ["", "[]x", r#"{"tags":[1]}"#, r#"{"tags":{}}"#, r#"{"tags":"a"}"#] {
            assert!(read(bad).is_err(), "{bad}");
        }
        // What is not asked for is skipped without recursion, however deep it is.
        let deep = format!(r#"{{"x":{}{}}}"#, "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert_eq!(read(&deep).unwrap(), (vec![], 0));
    }
}
