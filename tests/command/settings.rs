//! Settings: where they come from, which win, and what is wrong with wrong ones.

use super::entrepot;

#[test]
fn a_wrong_setting_stops_the_start_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let none: &[(&str, &str)] = &[];
    for (line, environment, name) in [
        ("serve --listen nonsense", none, "listen"),
        ("serve", &[("ENTREPOT_LISTEN", "localhost")][..], "listen"),
        ("serve", &[("ENTREPOT_DATABASE_URL", "mysql://x")], "database_url"),
        ("serve", &[("ENTREPOT_ADMIN_PASSWORD", "short")], "admin_password"),
        ("serve", &[("ENTREPOT_TOKEN_AUTH", "maybe")], "token_auth"),
        ("serve --worker-concurrency 0", none, "worker_concurrency"),
        ("serve --public-url ftp://x", none, "public_url"),
        ("serve --log-format yaml", none, "log_format"),
        ("serve --data-dir /etc/passwd", none, "data_dir"),
        ("mirror a/b --data-dir /etc/passwd/x", none, "data_dir"),
    ] {
        let (ok, stdout, stderr) = entrepot(&folder, line, environment);
        assert!(!ok && stdout.is_empty(), "{line}: {stdout}");
        assert!(stderr.starts_with(&format!("entrepot: the setting {name} (from ")), "{line}: {stderr}");
        assert!(!stderr.contains("short"), "{stderr}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "something was made");

    std::fs::write(folder.path().join("a.toml"), "lisen = \"127.0.0.1:1\"\n").unwrap();
    let (ok, _, stderr) = entrepot(&folder, "serve --config a.toml", &[]);
    assert!(!ok && stderr.contains("unknown setting lisen"), "{stderr}");
}

#[test]
fn an_address_in_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (ok, _, stderr) = entrepot(&folder, &format!("serve --listen {address}"), &[]);
    assert!(!ok && stderr.contains(&address) && stderr.contains("--listen"), "{stderr}");
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = "listen = \"127.0.0.1:1\"\nworker_concurrency = 1\nshutdown_grace = 1\n";
    std::fs::write(folder.path().join("a.toml"), file).unwrap();
    let environment = [
        ("ENTREPOT_LISTEN", "127.0.0.1:2"),
        ("ENTREPOT_WORKER_CONCURRENCY", "2"),
        ("ENTREPOT_ADMIN_PASSWORD", "hidden-password"),
        ("ENTREPOT_DATABASE_URL", "postgres://user:hidden-password@127.0.0.1/db"),
    ];
    let (ok, stdout, stderr) = entrepot(&folder, "config --config a.toml --listen 127.0.0.1:3", &environment);
    assert!(ok, "{stderr}");
    let value = |name: &str| {
        let line = stdout.lines().find(|line| line.starts_with(&format!("{name} = ")));
        line.unwrap_or_else(|| panic!("no {name}: {stdout}")).to_owned()
    };
    assert!(value("listen").contains("127.0.0.1:3"), "{stdout}");
    assert!(value("worker_concurrency").starts_with("worker_concurrency = 2"), "{stdout}");
    assert!(value("shutdown_grace").starts_with("shutdown_grace = 1"), "{stdout}");
    assert!(!stdout.contains("hidden-password"), "{stdout}");
}
