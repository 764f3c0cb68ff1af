use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use super::*;

fn read(
    flags: &[(&'static str, &str)],
    environment: &[(&str, &str)],
    file: Option<&str>,
) -> Result<Settings, SettingsError> {
    let folder = tempfile::tempdir().unwrap();
    let environment: BTreeMap<String, OsString> =
        environment.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
    let config = file.map(|text| {
        let path = folder.path().join("settings.toml");
        std::fs::write(&path, text).unwrap();
        path
    });
    let values = flags.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Settings::read(Flags { values, config }, &|name| environment.get(name).cloned())
}

fn message(result: Result<Settings, SettingsError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn flags_win_over_environment_over_file_over_defaults() {
    let file = "listen = \"127.0.0.1:3\"\nworker_concurrency = 7\ntoken_auth = false\nlog = 'debug'";
    let settings = read(
        &[("listen", "127.0.0.1:1")],
        &[("ENTREPOT_LISTEN", "127.0.0.1:2"), ("ENTREPOT_LOG", "warn")],
        Some(file),
    )
    .unwrap();
    assert_eq!(settings.listen.value.port(), 1);
    assert_eq!(settings.listen.source, Source::Flag("--listen"));
    assert_eq!(settings.log, Setting { value: "warn".into(), source: Source::Variable("ENTREPOT_LOG") });
    assert_eq!(settings.worker_concurrency.value, 7);
    assert!(matches!(settings.worker_concurrency.source, Source::File(_)));
    assert!(!settings.token_auth.value);
    assert_eq!(settings.database_connections.source, Source::Default);
}

#[test]
fn the_defaults_are_one_folder_and_loopback() {
    let settings = read(&[("data_dir", "/srv/data")], &[], None).unwrap();
    assert_eq!(settings.listen.value, "127.0.0.1:24817".parse().unwrap());
    assert_eq!(settings.database_url.value.0, "sqlite:/srv/data/entrepot.sqlite");
    assert_eq!(settings.secret_key_file.value, Path::new("/srv/data/secret.key"));
    assert!(settings.is_sqlite() && settings.admin_password.is_none());
}

#[test]
fn an_empty_variable_is_none() {
    let settings = read(&[], &[("ENTREPOT_LISTEN", ""), ("ENTREPOT_PUBLIC_URL", "")], Some("")).unwrap();
    assert_eq!(settings.listen.source, Source::Default);
    assert!(settings.public_url.is_none());
}

#[test]
fn bad_values_name_the_setting_its_origin_and_what_is_allowed() {
    assert_eq!(
        message(read(&[("listen", "24817")], &[], None)),
        "the setting listen (from the flag --listen) is \"24817\", but it must be an IP address with a port, \
         such as 127.0.0.1:24817, [::1]:24817, or 0.0.0.0:24817 for every address"
    );
    assert_eq!(
        message(read(&[], &[("ENTREPOT_TOKEN_AUTH", "maybe")], None)),
        "the setting token_auth (from the environment variable ENTREPOT_TOKEN_AUTH) is \"maybe\", but it must be \
         true or false"
    );
    let text = message(read(&[], &[], Some("worker_concurrency = 0")));
    assert!(text.contains("settings.toml) is \"0\", but it must be a number from 1 to 100"), "{text}");
    let text = message(read(&[], &[], Some("listen = [1]")));
    assert!(text.contains("is of the type array"), "{text}");
}

#[test]
fn every_kind_of_bad_value_is_refused() {
    for (name, bad) in [
        ("listen", "localhost:1"),
        ("listen", "127.0.0.1:70000"),
        ("public_url", "registry.example"),
        ("public_url", "https://registry.example/path"),
        ("public_url", "https://user@registry.example"),
        ("database_url", "mysql://localhost/x"),
        ("database_url", "sqlite:"),
        ("database_url", "postgres:"),
        ("database_connections", "0"),
        ("worker_concurrency", "many"),
        ("shutdown_grace", "-1"),
        ("log", "info,worker=loud"),
        ("log_format", "xml"),
        ("data_dir", ""),
    ] {
        assert!(read(&[(name, bad)], &[], None).is_err(), "{name} = {bad} was accepted");
    }
}

#[test]
fn unknown_settings_in_the_file_are_refused() {
    let text = message(read(&[], &[], Some("lissten = 1")));
    assert!(
        text.contains("settings.toml has the unknown setting lissten; known are data_dir, listen,"),
        "{text}"
    );
    assert!(message(read(&[], &[], Some("listen = "))).contains("is not valid TOML"));
    let flags = Flags { config: Some("/does/not/exist.toml".into()), ..Flags::default() };
    let text = Settings::read(flags, &|_| None).unwrap_err().to_string();
    assert_eq!(text, "the settings file /does/not/exist.toml (from the flag --config) cannot be read");
}

#[test]
fn the_file_in_the_data_folder_is_found_and_may_not_move_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("entrepot.toml");
    let given = || {
        let values = BTreeMap::from([("data_dir", folder.path().display().to_string())]);
        Settings::read(Flags { values, config: None }, &|_| None)
    };
    assert!(given().unwrap().file.is_none());
    std::fs::write(&file, "token_auth = false").unwrap();
    let settings = given().unwrap();
    assert_eq!((settings.token_auth.value, settings.file), (false, Some(file.clone())));
    std::fs::write(&file, "data_dir = '/elsewhere'").unwrap();
    assert!(matches!(given(), Err(SettingsError::DataDirInside { .. })));
}

#[test]
fn secrets_are_never_shown() {
    let settings = read(
        &[("database_url", "postgres://me:hunter22@db/entrepot?password=hunter22")],
        &[("ENTREPOT_ADMIN_PASSWORD", "hunter22")],
        None,
    )
    .unwrap();
    for text in [settings.to_toml(), format!("{settings:?}")] {
        assert!(!text.contains("hunter22"), "{text}");
    }
    assert!(settings.to_toml().contains("postgres://me:hidden@db/entrepot?hidden"));
    for bad in [
        message(read(&[], &[("ENTREPOT_ADMIN_PASSWORD", "hunter2")], None)),
        message(read(&[("database_url", "mysql://me:hunter2@db/x")], &[], None)),
    ] {
        assert!(!bad.contains("hunter2") && bad.contains("not shown"), "{bad}");
    }
}

#[test]
fn what_is_shown_can_be_read_back() {
    let settings = read(&[("public_url", "https://registry.example/")], &[], Some("log = 'warn'")).unwrap();
    let again = read(&[], &[], Some(&settings.to_toml())).unwrap();
    assert_eq!(again.public_url.unwrap().value, "https://registry.example");
    assert_eq!(again.log.value, "warn");
}
