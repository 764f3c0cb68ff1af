//! Pushes to the real thing: who may, and what kills, restarts and other servers do to them.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;

use registry::Digest;
use serde_json::json;
use tokio::sync::Notify;

use crate::harness::faults::{FakeRegistry, Fault};
use crate::harness::{
    ADMIN_PASSWORD, Database, DockerRegistry, Entrepot, Pusher, Skopeo, on_both_databases, some_images,
    wait_until,
};

on_both_databases!(
    a_push_to_a_mirror_is_denied,
    a_push_is_a_version_and_a_deletion_the_next,
    an_upload_goes_on_after_a_kill,
    many_push_at_once,
    a_push_does_not_wait_behind_a_sync,
    a_large_layer_needs_little_memory,
    a_full_disk_fails_the_upload_alone,
);

async fn a_push_to_a_mirror_is_denied(database: Database) {
    let upstream = DockerRegistry::start();
    let images = some_images(5);
    images.push("single", &upstream, "library/app");
    let entrepot = Entrepot::start(database);
    let mirror = entrepot.create_mirror("app", &upstream.url(), "library/app", json!({}));
    entrepot.sync_to_version(&mirror, false);

    let (host, source) = (entrepot.host(), format!("docker://{}/library/app:single", upstream.host()));
    let skopeo = Skopeo::new();
    skopeo.run(&["login", "--tls-verify=false", "--username", "admin", "--password", ADMIN_PASSWORD, host]);
    let copy = ["copy", "--src-tls-verify=false", "--dest-tls-verify=false", &source];
    let target = format!("docker://{host}/app:pushed");
    let error = skopeo.try_run(&[&copy[..], &[&target]].concat()).unwrap_err();
    assert!(error.contains("denied") && error.contains("app is a mirror"), "{error}");

    let scope = format!("/token/?service={host}&scope=repository:app:pull,push,delete");
    let token = entrepot.admin().get(&scope).expect(200);
    let pusher =
        entrepot.anonymous().with_authorization(&format!("Bearer {}", token["token"].as_str().unwrap()));
    for (method, path, status, code) in [
        ("POST", "/v2/app/blobs/uploads/".to_owned(), 403, "DENIED"),
        ("PUT", "/v2/app/manifests/pushed".to_owned(), 403, "DENIED"),
        ("DELETE", "/v2/app/manifests/single".to_owned(), 405, "UNSUPPORTED"),
        ("DELETE", format!("/v2/app/manifests/{}", images.digest("single")), 405, "UNSUPPORTED"),
    ] {
        let refused = pusher.request(method, &path, &[], &[]).expect(status);
        assert_eq!(refused["errors"][0]["code"], code, "{method} {path}");
        assert!(
            refused["errors"][0]["message"].as_str().unwrap().starts_with("app is a mirror"),
            "{refused}"
        );
    }
    let anonymous = entrepot.anonymous().request("POST", "/v2/app/blobs/uploads/", &[], &[]);
    assert_eq!(anonymous.expect(401)["errors"][0]["code"], "UNAUTHORIZED");
    assert_eq!(entrepot.served_tags("app").into_keys().collect::<Vec<_>>(), ["single"]);
}

async fn a_push_is_a_version_and_a_deletion_the_next(database: Database) {
    let entrepot = Entrepot::start(database);
    let pusher = entrepot.pusher();
    let one = pusher.push("team/app", "1.0", b"one");
    let two = pusher.push("team/app", "2.0", b"two");
    assert_eq!(
        entrepot.served_tags("team/app").into_iter().collect::<Vec<_>>(),
        [("1.0".to_owned(), one.to_string()), ("2.0".to_owned(), two.to_string())]
    );
    let layer = Digest::sha256_of(b"one");
    let needed = pusher.client.request("DELETE", &format!("/v2/team/app/blobs/{layer}"), &[], &[]);
    let message = format!("blob: The manifest {one} of the repository needs {layer}: delete that first.");
    assert_eq!(needed.expect(405)["errors"][0]["message"], message);
    let gone = pusher.client.request("DELETE", &format!("/v2/team/app/manifests/{one}"), &[], &[]);
    assert_eq!(gone.status, 202, "{}", gone.text());
    assert_eq!(entrepot.served_tags("team/app").into_keys().collect::<Vec<_>>(), ["2.0"]);
    assert_eq!(entrepot.pull("team/app", &format!("manifests/{one}")).status, 404);

    let found =
        entrepot.api("GET", "/repositories/container/container/?name=team/app", &json!(null)).expect(200);
    let repository = &found["results"][0];
    let href = repository["pulp_href"].as_str().unwrap();
    assert_eq!(repository["latest_version_href"], format!("{href}versions/3/"));
    let before = entrepot.read(&format!("{href}versions/2/"));
    let count = |kind: &str| &before["content_summary"]["present"][kind]["count"];
    assert_eq!(
        (count("container.tag"), count("container.manifest"), count("container.blob")),
        (&json!(2), &json!(2), &json!(3))
    );
    let tasks = entrepot
        .api("GET", "/tasks/?name=pulpcore.app.tasks.repository.add_and_remove", &json!(null))
        .expect(200);
    let states: Vec<_> = tasks["results"].as_array().unwrap().iter().map(|task| &task["state"]).collect();
    assert_eq!(states, ["completed", "failed", "completed", "completed"]);
    // A deletion is undone by serving the version before it.
    let fixed =
        json!({"name": "undone", "base_path": "undone", "repository_version": format!("{href}versions/2/")});
    entrepot.create_distribution(&fixed);
    assert_eq!(entrepot.served_tags("undone").len(), 2);
    assert_eq!(entrepot.number("SELECT count(*) FROM repository WHERE is_push"), 1);
}

async fn an_upload_goes_on_after_a_kill(database: Database) {
    let mut entrepot = Entrepot::start(database);
    let content: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    let digest = Digest::sha256_of(&content);
    let location = entrepot.pusher().begin("team/app");
    let sent = entrepot.pusher().client.request("PATCH", &location, &[], &content[..500_000]);
    assert_eq!(sent.status, 202, "{}", sent.text());

    // Half of a chunk has arrived when the server dies.
    let login = "Basic YWRtaW46cXVheXNpZGUtY3JhbmUtOTA3MQ==";
    let mut socket = TcpStream::connect(entrepot.host()).unwrap();
    let head = format!(
        "PATCH {location} HTTP/1.1\r\nhost: x\r\nauthorization: {login}\r\ncontent-length: 2500000\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).unwrap();
    socket.write_all(&content[500_000..2_100_000]).unwrap();
    let arrived = |entrepot: &Entrepot| -> usize {
        let status = entrepot.pusher().client.get(&location);
        assert_eq!(status.status, 204, "{}", status.text());
        let (_, last) = status.header("range").split_once('-').unwrap();
        last.parse::<usize>().unwrap() + 1
    };
    wait_until("some of the chunk", || arrived(&entrepot) >= 1_500_000);
    entrepot.kill();
    entrepot.restart();

    let there = arrived(&entrepot);
    assert!((1_500_000..=2_100_000).contains(&there), "{there}");
    let pusher = entrepot.pusher();
    let range = format!("{there}-{}", content.len() - 1);
    let rest = pusher.client.request("PATCH", &location, &[("content-range", &range)], &content[there..]);
    assert_eq!(rest.status, 202, "{}", rest.text());
    let ended = pusher.client.request("PUT", &format!("{location}?digest={digest}"), &[], &[]);
    assert_eq!(ended.status, 201, "{}", ended.text());
    assert_eq!(entrepot.pull("team/app", &format!("blobs/{digest}")).body, content);
}

async fn many_push_at_once(database: Database) {
    let entrepot = Entrepot::start(database);
    let pushers: Vec<_> = (0..8)
        .map(|number| {
            let pusher = entrepot.pusher();
            std::thread::spawn(move || {
                for tag in 0..3 {
                    // Some share a repository, all share a layer.
                    let name = format!("team/app{}", number % 2);
                    pusher.push(&name, &format!("v{number}.{tag}"), b"everybody's layer");
                }
            })
        })
        .collect();
    for pusher in pushers {
        pusher.join().unwrap();
    }
    for name in ["team/app0", "team/app1"] {
        assert_eq!(entrepot.served_tags(name).len(), 12);
    }
    assert_eq!(entrepot.number("SELECT count(*) FROM task_resource WHERE held"), 0);
}

async fn a_push_does_not_wait_behind_a_sync(database: Database) {
    let fake = FakeRegistry::start().await;
    let image = fake.add_image("app", "1.0", &[&vec![3; 200_000]]);
    let go_on = Arc::new(Notify::new());
    let hold = Fault::Hold { after: 1_000, until: Arc::clone(&go_on) };
    fake.on("GET", &format!("/blobs/{}", image.layers[0])).inject(hold);
    let entrepot = Entrepot::start_with(database, &[("ENTREPOT_WORKER_CONCURRENCY", "1")]);
    let mirror = entrepot.create_mirror("mirrored", &fake.url(), "app", json!({}));
    let sync = entrepot.start_sync(&mirror, false);
    wait_until("the layer", || fake.count("GET", "/blobs/") >= 2);
    let digest = entrepot.pusher().push("team/app", "1.0", b"layer");
    assert_eq!(entrepot.served_tags("team/app")["1.0"], digest.as_str());
    assert_eq!(entrepot.read(&sync)["state"], "running");
    go_on.notify_one();
    assert_eq!(entrepot.ended(&sync)["state"], "completed");
}

async fn a_large_layer_needs_little_memory(database: Database) {
    let entrepot = Entrepot::start(database);
    let content = vec![0; 200 << 20];
    let digest = Digest::sha256_of(&content);
    let pusher = entrepot.pusher();
    let location = pusher.begin("team/app");
    let sent = pusher.client.request("PATCH", &location, &[], &content);
    assert_eq!(sent.status, 202, "{}", sent.text());
    let ended = pusher.client.request("PUT", &format!("{location}?digest={digest}"), &[], &[]);
    assert_eq!(ended.status, 201, "{}", ended.text());
    let most = entrepot.most_resident_kib();
    assert!(most < 100 << 10, "{most} KiB");
}

async fn a_full_disk_fails_the_upload_alone(database: Database) {
    let Some(entrepot) = Entrepot::start_on_disk(database, 24 << 20) else { return };
    let pusher = entrepot.pusher();
    let before = pusher.push("team/app", "before", b"pushed before");
    let location = pusher.begin("team/app");
    // The answer comes before the body has been sent, which not every client survives.
    if let Ok(refused) = pusher.client.try_request("PATCH", &location, &[], &vec![1; 25 << 20]) {
        let refused = refused.expect(507);
        assert_eq!(refused["errors"][0]["message"], "no space is left in the store");
    }
    wait_until("the end of the upload", || pusher.client.get(&location).header("range") == "0-0");
    let after = pusher.push("team/app", "after", &vec![2; 1 << 20]);
    let tags = [("after".to_owned(), after.to_string()), ("before".to_owned(), before.to_string())];
    assert_eq!(entrepot.served_tags("team/app").into_iter().collect::<Vec<_>>(), tags);
}

/// What one server has begun another one goes on with, and everybody pulls at once what any of them has accepted.
#[tokio::test(flavor = "multi_thread")]
async fn two_servers_share_an_upload() {
    if !Database::is_postgres_here() {
        return;
    }
    let first = Entrepot::start_server(&[]);
    let _worker = first.start_worker();
    let (_second, url) = first.start_another_server();
    let second = Pusher { client: crate::harness::Client::new(&url).with_basic("admin", ADMIN_PASSWORD) };
    let here = first.pusher();
    let content: Vec<u8> = (0..900_000_u32).map(|number| (number % 251) as u8).collect();
    let digest = Digest::sha256_of(&content);
    let location = here.begin("team/app");
    for (at, pusher) in [&here, &second, &here].into_iter().enumerate() {
        let (start, end) = (at * 300_000, (at + 1) * 300_000);
        let range = format!("{start}-{}", end - 1);
        let chunk = &content[start..end];
        let sent = pusher.client.request("PATCH", &location, &[("content-range", &range)], chunk);
        assert_eq!((sent.status, sent.header("range")), (202, &*format!("0-{}", end - 1)), "{}", sent.text());
    }
    let ended = second.client.request("PUT", &format!("{location}?digest={digest}"), &[], &[]);
    assert_eq!(ended.status, 201, "{}", ended.text());
    assert_eq!(here.client.get(&format!("/v2/team/app/blobs/{digest}")).body, content);
    for round in 0..10 {
        let (one, other) = if round % 2 == 0 { (&here, &second) } else { (&second, &here) };
        let tag = format!("v{round}");
        let digest = one.push("team/app", &tag, tag.as_bytes());
        for pusher in [one, other] {
            let pulled = pusher.client.get(&format!("/v2/team/app/manifests/{tag}"));
            assert_eq!(
                (pulled.status, pulled.header("docker-content-digest")),
                (200, digest.as_str()),
                "{tag}"
            );
        }
    }
}
