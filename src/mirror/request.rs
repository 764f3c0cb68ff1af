//! What is to be mirrored.

use registry::{Reference, RepositoryName, TagFilter};
use url::Url;

use crate::Error;
use crate::cli::MirrorArgs;

const PASSWORD_VARIABLE: &str = "ENTREPOT_UPSTREAM_PASSWORD";

/// The repository that is copied from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Where the registry API is found.
    pub url: String,
    /// The repository there.
    pub repository: RepositoryName,
}

impl std::fmt::Display for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown =
            Url::parse(&self.url).ok().and_then(|url| Some(url.host_str()?.to_owned()).zip(Some(url.port())));
        match shown {
            Some((host, Some(port))) => write!(f, "{host}:{port}/{}", self.repository),
            Some((host, None)) => write!(f, "{host}/{}", self.repository),
            None => self.repository.fmt(f),
        }
    }
}

/// What is to be mirrored, and how.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct MirrorRequest {
    /// Where from.
    pub upstream: Upstream,
    /// The name of the repository, remote and distribution, and the path that it is served under.
    pub name: RepositoryName,
    /// The tags to take, with wildcards, and digests; empty for all.
    pub includes: Vec<String>,
    /// The tags to leave out, with wildcards.
    pub excludes: Vec<String>,
    /// The one manifest that was asked for by name, if one was.
    pub reference: Option<Reference>,
    /// Whether the new version becomes equal to upstream.
    pub mirror: bool,
    /// The name and password at the upstream; `None` leaves what an existing remote has.
    pub credentials: Option<(String, Option<String>)>,
    /// Whether pulling from a distribution that is made needs a login.
    pub private: bool,
    /// Whether the upstream's certificate is checked.
    pub tls_validation: bool,
    /// Whether an existing mirror of something else may be turned to this upstream.
    pub replace_upstream: bool,
}

impl MirrorRequest {
    /// All tags of `upstream`, under its own name.
    pub fn everything(upstream: Upstream) -> Self {
        Self {
            name: upstream.repository.clone(),
            upstream,
            includes: Vec::new(),
            excludes: Vec::new(),
            reference: None,
            mirror: false,
            credentials: None,
            private: false,
            tls_validation: true,
            replace_upstream: false,
        }
    }

    /// What the command line asks for. A tag or a digest in the image reference is one more pattern.
    pub fn from_args(args: MirrorArgs) -> Result<Self, Error> {
        let image = args.image;
        let mut includes = args.tags;
        includes.extend(image.tag.as_ref().map(ToString::to_string));
        includes.extend(image.digest.as_ref().map(ToString::to_string));
        TagFilter::new(&includes, &args.exclude_tags).map_err(Error::TagPattern)?;
        let reference = image.tag.map(Reference::Tag).or_else(|| image.digest.map(Reference::Digest));
        let password = if args.password_stdin { Some(read_password()?) } else { password_variable() };
        let upstream = Upstream { url: image.registry_url, repository: image.repository };
        Ok(Self {
            name: args.name.unwrap_or_else(|| upstream.repository.clone()),
            includes,
            excludes: args.exclude_tags,
            reference,
            mirror: args.mirror,
            credentials: args.username.map(|username| (username, password)),
            private: args.private,
            tls_validation: !args.insecure_tls,
            ..Self::everything(upstream)
        })
    }
}

fn password_variable() -> Option<String> {
    std::env::var(PASSWORD_VARIABLE).ok().filter(|password| !password.is_empty())
}

/// One line; a password may hold anything but the line's end.
fn read_password() -> Result<String, Error> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(Error::PasswordInput)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn request(line: &str) -> Result<MirrorRequest, Error> {
        let words = ["entrepot", "mirror"].into_iter().chain(line.split(' '));
        let Some(Command::Mirror(args)) = Cli::try_parse_from(words).unwrap().command else { unreachable!() };
        MirrorRequest::from_args(args)
    }

    #[test]
    fn a_tag_in_the_reference_is_a_pattern() {
        let one = request("quay.io/a/b:c").unwrap();
        assert_eq!(one.includes, ["c"]);
        assert_eq!(one.reference, Some("c".parse().unwrap()));
        assert_eq!((one.upstream.url.as_str(), one.name.as_str()), ("https://quay.io", "a/b"));
        assert_eq!(request("quay.io/a/b:c --tags d*").unwrap().includes, ["d*", "c"]);
        let all = request("localhost:5000/a --name x/y").unwrap();
        assert!(all.includes.is_empty() && all.reference.is_none());
        assert_eq!((all.name.as_str(), all.upstream.to_string().as_str()), ("x/y", "localhost:5000/a"));
    }

    #[test]
    fn a_digest_in_the_reference_is_taken_too() {
        let digest = registry::Digest::sha256_of(b"x");
        let one = request(&format!("quay.io/a@{digest}")).unwrap();
        assert_eq!(one.includes, [digest.to_string()]);
        assert_eq!(one.reference, Some(Reference::Digest(digest)));
    }

    #[test]
    fn bad_patterns_are_refused_before_anything_starts() {
        let text = request("quay.io/a --tags a/b").unwrap_err().to_string();
        assert!(text.starts_with("--tags and --exclude-tags: \"a/b\" can match no tag"), "{text}");
    }
}
