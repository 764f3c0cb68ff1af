//! The `scope` parameter: `type:name:action[,action…]`, several of them separated by spaces.

use registry::RepositoryName;

/// More scopes than this are no honest request: docker asks for one or two.
const MAX_SCOPES: usize = 50;

/// Something that a client wants to be allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    /// Actions on a repository.
    Repository(RepositoryName, Vec<Action>),
    /// Listing the names of all repositories.
    Catalog,
}

/// What can be done to a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Pull,
    Push,
    Delete,
    All,
}

impl Action {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
            Self::All => "*",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Pull, Self::Push, Self::Delete, Self::All].into_iter().find(|action| action.as_str() == text)
    }
}

/// Reads the values of all `scope` parameters. What is unknown or malformed grants nothing and is left
/// out, as the specification asks; scopes of the same repository become one.
pub(super) fn parse_all<'a>(parameters: impl Iterator<Item = &'a str>) -> Vec<Scope> {
    let mut scopes: Vec<Scope> = Vec::new();
    for scope in parameters.flat_map(str::split_ascii_whitespace).take(MAX_SCOPES).filter_map(parse) {
        let known = scopes.iter().position(|known| is_same_resource(known, &scope));
        match (known.map(|index| &mut scopes[index]), scope) {
            (Some(Scope::Repository(_, actions)), Scope::Repository(_, more)) => {
                for action in more {
                    add(actions, action);
                }
            }
            (Some(_), _) => {}
            (None, scope) => scopes.push(scope),
        }
    }
    scopes
}

fn is_same_resource(one: &Scope, other: &Scope) -> bool {
    match (one, other) {
        (Scope::Repository(name, _), Scope::Repository(other, _)) => name == other,
        (Scope::Catalog, Scope::Catalog) => true,
        _ => false,
    }
}

/// The name may hold colons, so that the type is split off from the left and the actions from the right.
fn parse(text: &str) -> Option<Scope> {
    let (kind, rest) = text.split_once(':')?;
    let (name, actions) = rest.rsplit_once(':')?;
    // "repository(plugin)": the class in brackets makes no difference.
    match kind.split_once('(').map_or(kind, |(kind, _)| kind) {
        "repository" => {
            let mut wanted = Vec::new();
            actions.split(',').filter_map(Action::parse).for_each(|action| add(&mut wanted, action));
            Some(Scope::Repository(name.parse().ok()?, wanted))
        }
        "registry" if name == "catalog" && actions == "*" => Some(Scope::Catalog),
        _ => None,
    }
}

fn add(actions: &mut Vec<Action>, action: Action) {
    if !actions.contains(&action) {
        actions.push(action);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_one(text: &str) -> Vec<Scope> {
        parse_all(std::iter::once(text))
    }

    #[test]
    fn scopes_are_read_and_merged() {
        let name: RepositoryName = "library/alpine".parse().unwrap();
        let pull = vec![Scope::Repository(name.clone(), vec![Action::Pull])];
        assert_eq!(parse_one("repository:library/alpine:pull"), pull);
        assert_eq!(parse_one("repository(plugin):library/alpine:pull"), pull);
        let both = vec![Scope::Repository(name, vec![Action::Pull, Action::Push]), Scope::Catalog];
        let text = "repository:library/alpine:pull repository:library/alpine:push,pull registry:catalog:*";
        assert_eq!(parse_one(text), both);
        assert_eq!(parse_all(text.split(' ')), both);
    }

    #[test]
    fn malformed_scopes_grant_nothing() {
        for bad in [
            "",
            ":",
            "repository",
            "repository:a",
            "repository:A:pull",
            "repository:../a:pull",
            "repository::pull",
            "registry:other:*",
            "registry:catalog:pull",
            "user:a:pull",
        ] {
            assert_eq!(parse_one(bad), [], "{bad}");
        }
        assert_eq!(parse_one("repository:a:fly"), [Scope::Repository("a".parse().unwrap(), vec![])]);
        let many = (0..1000).map(|number| format!("repository:a{number}:pull")).collect::<Vec<_>>().join(" ");
        assert_eq!(parse_one(&many).len(), MAX_SCOPES);
    }
}
