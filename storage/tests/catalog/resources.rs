//! Repositories, remotes, distributions and users: the rules of the data, lists, and what is kept secret.

use crate::fixture::{Fixture, every_database, publish, record_image, repository};
use registry::RepositoryName;
use registry::href::Kind;
use registry::task::ResourceKind;
use storage::{
    AdminSetup, Filter, FilterValue, LabelTerm, Labels, ListQuery, NewDistribution, NewRemote, NewRepository,
    Op, OrderBy, RemoteChanges, RemoteSecrets, RepositoryChanges, StorageError, VersionRef,
};
use uuid::Uuid;

fn is_invalid<T: std::fmt::Debug>(outcome: Result<T, StorageError>, wanted: &str) -> bool {
    matches!(outcome, Err(StorageError::Invalid { field, .. }) if field == wanted)
}

#[tokio::test]
async fn names_are_unique_and_references_exist() {
    for Fixture { catalog, .. } in every_database().await {
        let foo = repository(&catalog, "foo").await;
        let bar = repository(&catalog, "bar").await;
        let tx = catalog.begin().await.unwrap();
        let named = |name: &str| NewRepository { name: name.into(), ..NewRepository::default() };
        assert!(is_invalid(tx.create_repository(named("foo")).await, "name"));
        let absent = NewRepository { remote: Some(Uuid::nil()), ..named("new") };
        assert!(is_invalid(tx.create_repository(absent).await, "remote"));
        let rename =
            |name: &str| RepositoryChanges { name: Some(name.into()), ..RepositoryChanges::default() };
        assert!(is_invalid(tx.check_repository_changes(bar.id, &rename("foo")).await, "name"));
        tx.check_repository_changes(foo.id, &rename("foo")).await.unwrap();
        assert!(rename("foo").is_noop(&foo) && !rename("other").is_noop(&foo));
        let missing = tx.update_repository(Uuid::nil(), RepositoryChanges::default()).await;
        assert!(matches!(missing, Err(StorageError::NotFound { kind: "ContainerRepository" })));
    }
}

#[tokio::test]
async fn base_paths_do_not_overlap() {
    for Fixture { catalog, .. } in every_database().await {
        let create = async |name: &str, path: &str| {
            let tx = catalog.begin().await.unwrap();
            let new =
                NewDistribution { name: name.into(), base_path: path.into(), ..NewDistribution::default() };
            let outcome = tx.create_distribution(Uuid::now_v7(), new).await;
            if outcome.is_ok() {
                tx.commit().await.unwrap();
            }
            outcome
        };
        create("one", "a/b").await.unwrap();
        for overlapping in ["a", "a/b/c", "a/b"] {
            assert!(is_invalid(create("two", overlapping).await, "base_path"), "{overlapping} was accepted");
        }
        for bad in ["", "A", "..", "a/../b", "/a"] {
            assert!(is_invalid(create("two", bad).await, "base_path"), "{bad} was accepted");
        }
        for apart in ["a-b/c", "a/bc", "a/b0", "ab"] {
            create(apart, apart).await.unwrap_or_else(|error| panic!("{apart}: {error}"));
        }
        assert!(is_invalid(create("one", "free").await, "name"));
    }
}

#[tokio::test]
async fn what_is_in_use_stays() {
    for Fixture { catalog, .. } in every_database().await {
        let tx = catalog.begin().await.unwrap();
        let remote = tx.create_remote(NewRemote { name: "r".into(), ..NewRemote::default() }).await.unwrap();
        let new = NewRepository { name: "foo".into(), remote: Some(remote.id), ..NewRepository::default() };
        let foo = tx.create_repository(new).await.unwrap();
        let served = NewDistribution {
            name: "d".into(),
            base_path: "d".into(),
            repository: Some(foo.id),
            ..NewDistribution::default()
        };
        let distribution = tx.create_distribution(Uuid::now_v7(), served.clone()).await.unwrap();
        let both = NewDistribution {
            version: Some(VersionRef { repository: foo.id, number: 0 }),
            name: "e".into(),
            base_path: "e".into(),
            ..served
        };
        assert!(is_invalid(tx.check_new_distribution(&both).await, "repository_version"));
        let in_use = |outcome, wanted: &str| matches!(outcome, Err(StorageError::InUse { field, .. }) if field == wanted);
        assert!(in_use(tx.delete_resource(ResourceKind::Remote, remote.id).await, "remote"));
        assert!(in_use(tx.delete_resource(ResourceKind::Repository, foo.id).await, "repository"));
        tx.delete_resource(ResourceKind::Distribution, distribution.id).await.unwrap();
        tx.delete_resource(ResourceKind::Repository, foo.id).await.unwrap();
        tx.delete_resource(ResourceKind::Remote, remote.id).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(catalog.list_repositories(&ListQuery::default()).await.unwrap().total, 0);
    }
}

#[tokio::test]
async fn secrets_come_back_but_are_nowhere_in_the_clear() {
    for Fixture { catalog, .. } in every_database().await {
        let secrets = RemoteSecrets {
            username: Some("me".into()),
            password: Some("hunter2".into()),
            ..RemoteSecrets::default()
        };
        let tx = catalog.begin().await.unwrap();
        let new = NewRemote {
            name: "r".into(),
            url: "http://x".into(),
            secrets: secrets.clone(),
            ..NewRemote::default()
        };
        let made = tx.create_remote(new).await.unwrap();
        let changes = RemoteChanges { includes: Some(Some(vec!["3.*".into()])), ..RemoteChanges::default() };
        let sealed = tx.seal(&RemoteChanges { secrets: Some(secrets.clone()), ..changes.clone() }).unwrap();
        assert!(!sealed.to_string().contains("hunter2"));
        assert!(!format!("{made:?}").contains("hunter2"));
        tx.apply_update(ResourceKind::Remote, made.id, &sealed).await.unwrap();
        tx.commit().await.unwrap();
        let read = catalog.find_remote(made.id).await.unwrap().unwrap();
        assert_eq!((read.secrets.clone(), read.includes.clone()), (secrets, Some(vec!["3.*".to_owned()])));
        assert!(changes.is_noop(&read));
        let cleared = RemoteChanges { includes: Some(None), ..RemoteChanges::default() };
        assert!(!cleared.is_noop(&read));
    }
}

#[tokio::test]
async fn lists_filter_order_and_page_in_the_database() {
    for Fixture { catalog, clock, .. } in every_database().await {
        for (name, label) in [("alpha", "dev"), ("Beta", "prod"), ("gamma_1", "prod"), ("gammaX1", "dev")] {
            clock.advance_seconds(1);
            let tx = catalog.begin().await.unwrap();
            let labels: Labels = [("env".to_owned(), label.to_owned())].into();
            tx.create_repository(NewRepository { name: name.into(), labels, ..NewRepository::default() })
                .await
                .unwrap();
            tx.commit().await.unwrap();
        }
        let names = async |op, value| -> Vec<String> {
            let field = if op == Op::LabelSelect { "pulp_labels" } else { "name" };
            let query =
                ListQuery { filter: Some(Filter::Field { field, op, value }), ..ListQuery::default() };
            let page = catalog.list_repositories(&query).await.unwrap();
            page.items.into_iter().map(|repository| repository.name).collect()
        };
        let text = |text: &str| FilterValue::Text(text.into());
        assert_eq!(names(Op::Eq, text("alpha")).await, ["alpha"]);
        assert_eq!(names(Op::Contains, text("eta")).await, ["Beta"]);
        assert_eq!(names(Op::Contains, text("beta")).await, Vec::<String>::new());
        assert_eq!(names(Op::IContains, text("BETA")).await, ["Beta"]);
        assert_eq!(names(Op::IExact, text("beta")).await, ["Beta"]);
        assert_eq!(names(Op::StartsWith, text("gamma")).await, ["gammaX1", "gamma_1"]);
        // A wildcard of LIKE is a letter like any other.
        assert_eq!(names(Op::IStartsWith, text("gamma_")).await, ["gamma_1"]);
        assert_eq!(names(Op::Regex, text("^[a-z]+$")).await, ["alpha"]);
        assert_eq!(names(Op::IRegex, text("^[a-z]+$")).await, ["Beta", "alpha"]);
        assert_eq!(
            names(Op::In, FilterValue::Texts(vec!["alpha".into(), "Beta".into()])).await,
            ["Beta", "alpha"]
        );
        let select = |terms: Vec<LabelTerm>| FilterValue::Labels(terms);
        let prod = LabelTerm::Equals("env".into(), "prod".into());
        assert_eq!(names(Op::LabelSelect, select(vec![prod])).await, ["gamma_1", "Beta"]);
        assert_eq!(
            names(Op::LabelSelect, select(vec![LabelTerm::Has("none".into())])).await,
            Vec::<String>::new()
        );
        let others = LabelTerm::NotEquals("env".into(), "prod".into());
        assert_eq!(
            names(Op::LabelSelect, select(vec![others, LabelTerm::HasNot("none".into())])).await.len(),
            2
        );
        let query = ListQuery {
            filter: Some(Filter::Not(Box::new(Filter::Any(vec![Filter::Field {
                field: "name",
                op: Op::Eq,
                value: text("alpha"),
            }])))),
            order: vec![OrderBy { field: "pulp_created", descending: false }],
            limit: 2,
            offset: 1,
        };
        let page = catalog.list_repositories(&query).await.unwrap();
        assert_eq!(page.total, 3);
        assert_eq!(
            page.items.iter().map(|item| item.name.as_str()).collect::<Vec<_>>(),
            ["gamma_1", "gammaX1"]
        );
        let unknown = Filter::Field { field: "nope", op: Op::Eq, value: text("x") };
        let query = ListQuery { filter: Some(unknown), ..ListQuery::default() };
        assert!(is_invalid(catalog.list_repositories(&query).await, "nope"));
    }
}

#[tokio::test]
async fn the_registry_serves_a_version_and_notices_the_next() {
    for Fixture { catalog, .. } in every_database().await {
        let foo = repository(&catalog, "foo").await;
        let (one, two) = (record_image(&catalog, "one").await, record_image(&catalog, "two").await);
        publish(&catalog, &foo, &[("a", &one), ("B", &one)], true).await.unwrap();
        let tx = catalog.begin().await.unwrap();
        let new = NewDistribution {
            name: "d".into(),
            base_path: "x/d".into(),
            repository: Some(foo.id),
            ..NewDistribution::default()
        };
        tx.create_distribution(Uuid::now_v7(), new).await.unwrap();
        tx.commit().await.unwrap();
        let name: RepositoryName = "x/d".parse().unwrap();
        let tag = "a".parse().unwrap();
        let served = catalog.find_served(&name).await.unwrap().unwrap();
        assert_eq!((served.version, served.is_mirror), (Some(1), true));
        assert_eq!(catalog.find_served_tag(&served, &tag).await.unwrap(), Some(one.clone()));
        assert_eq!(catalog.find_served_manifest(&served, &one).await.unwrap().unwrap().digest, one);
        assert_eq!(
            catalog.find_served_blob(&served, &crate::fixture::layer_of("one")).await.unwrap(),
            Some(11)
        );
        // Held, but not by this version.
        assert_eq!(catalog.find_served_manifest(&served, &two).await.unwrap(), None);
        assert_eq!(catalog.find_served_blob(&served, &crate::fixture::layer_of("two")).await.unwrap(), None);
        let tags = catalog.list_served_tags(&served, None, 10).await.unwrap();
        assert_eq!(tags.iter().map(registry::Tag::as_str).collect::<Vec<_>>(), ["B", "a"]);
        assert_eq!(catalog.list_served_tags(&served, Some("B"), 10).await.unwrap().len(), 1);

        publish(&catalog, &foo, &[("a", &two)], true).await.unwrap();
        let served = catalog.find_served(&name).await.unwrap().unwrap();
        assert_eq!(catalog.find_served_tag(&served, &tag).await.unwrap(), Some(two));
        assert_eq!(catalog.find_served_manifest(&served, &one).await.unwrap(), None);
        assert_eq!(catalog.list_served_names(None, 10, false).await.unwrap(), [name]);
    }
}

#[tokio::test]
async fn passwords_are_verified_remembered_and_changed() {
    for Fixture { catalog, .. } in every_database().await {
        let AdminSetup::CreatedWith(password) = catalog.ensure_admin(None).await.unwrap() else {
            panic!("no password")
        };
        assert_eq!(password.len(), 24);
        assert!(matches!(catalog.ensure_admin(Some("x")).await.unwrap(), AdminSetup::Existing));
        for _ in 0..2 {
            assert_eq!(catalog.verify_password("admin", &password).await.unwrap().unwrap().username, "admin");
        }
        assert_eq!(catalog.verify_password("admin", "wrong").await.unwrap(), None);
        assert_eq!(catalog.verify_password("nobody", &password).await.unwrap(), None);
        assert_eq!(catalog.verify_password("admin\0", &password).await.unwrap(), None);
        catalog.set_password("admin", "changed").await.unwrap();
        assert_eq!(catalog.verify_password("admin", &password).await.unwrap(), None);
        assert!(catalog.verify_password("admin", "changed").await.unwrap().unwrap().is_admin);
        let first = catalog.stored_secret("key", || "made".into()).await.unwrap();
        assert_eq!(
            (first.as_str(), catalog.stored_secret("key", || "other".into()).await.unwrap()),
            ("made", "made".into())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_at_the_same_time_lose_nothing_and_break_no_rule() {
    for Fixture { catalog, .. } in every_database().await {
        let foo = repository(&catalog, "foo").await;
        let label = async |number: usize| {
            let tx = catalog.begin().await.unwrap();
            tx.set_label(Kind::Repository, foo.id, &format!("k{number}"), "v").await.unwrap();
            tx.commit().await.unwrap();
        };
        futures::future::join_all((0..20).map(label)).await;
        assert_eq!(catalog.find_repository(foo.id).await.unwrap().unwrap().labels.len(), 20);

        let distribute = async |depth: usize| {
            let tx = catalog.begin().await.unwrap();
            let path = vec!["ov"; depth + 1].join("/");
            let new = NewDistribution { name: path.clone(), base_path: path, ..NewDistribution::default() };
            let made = tx.create_distribution(Uuid::now_v7(), new).await;
            if made.is_ok() {
                tx.commit().await.unwrap();
            }
            made.is_ok()
        };
        let made = futures::future::join_all((0..10).map(distribute)).await;
        assert_eq!(made.into_iter().filter(|made| *made).count(), 1);

        let create = async |_: usize| {
            let tx = catalog.begin().await.unwrap();
            let new = NewRepository { name: "race".into(), ..NewRepository::default() };
            let made = tx.create_repository(new).await;
            match made {
                Ok(_) => tx.commit().await.map(|()| true).unwrap(),
                refused => !is_invalid(refused, "name"),
            }
        };
        let made = futures::future::join_all((0..10).map(create)).await;
        assert_eq!(made.into_iter().filter(|made| *made).count(), 1);
    }
}

#[tokio::test]
async fn a_regular_expression_that_the_database_refuses_is_named() {
    for Fixture { catalog, .. } in every_database().await {
        repository(&catalog, "foo").await;
        let listed = async |op, pattern: &str| {
            let value = FilterValue::Text(pattern.to_owned());
            let filter = Some(Filter::Not(Box::new(Filter::Field { field: "name", op, value })));
            catalog.list_repositories(&ListQuery { filter, ..ListQuery::default() }).await
        };
        assert_eq!(listed(Op::Regex, "^f[aeiou]+$").await.unwrap().total, 0);
        // A class that SQLite's expressions have and PostgreSQL's don't.
        if format!("{catalog:?}").contains("Postgres") {
            assert!(is_invalid(listed(Op::Regex, r"^\pL+$").await, "name__regex"));
            assert!(is_invalid(listed(Op::IRegex, r"^\pL+$").await, "name__iregex"));
        } else {
            assert_eq!(listed(Op::Regex, r"^\pL+$").await.unwrap().total, 0);
        }
    }
}
