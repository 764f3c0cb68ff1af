//! The effective settings as a TOML file, secrets hidden, with where each came from.

use std::fmt::Write as _;

use super::{Key, LogFormat, Setting, Settings, keys};

impl Settings {
    /// The text that `entrepot config` prints. It can be used as a settings file: what is hidden or unset is a
    /// comment.
    pub fn to_toml(&self) -> String {
        let mut text = String::from("# The effective settings, and where each came from.\n");
        match &self.file {
            Some(file) => line(&mut text, format_args!("# The settings file {} was read.", file.display())),
            None => line(&mut text, format_args!("# No settings file was read.")),
        }
        show(&mut text, &keys::DATA_DIR, &self.data_dir, |path| quoted(&path.display().to_string()));
        show(&mut text, &keys::LISTEN, &self.listen, |address| quoted(&address.to_string()));
        show(&mut text, &keys::WORKER_LISTEN, &self.worker_listen, |address| quoted(&address.to_string()));
        show_optional(&mut text, &keys::PUBLIC_URL, self.public_url.as_ref(), |url| quoted(url));
        show_database(&mut text, self);
        show(&mut text, &keys::DATABASE_CONNECTIONS, &self.database_connections, ToString::to_string);
        show(&mut text, &keys::SECRET_KEY_FILE, &self.secret_key_file, |path| {
            quoted(&path.display().to_string())
        });
        match &self.admin_password {
            Some(password) => hidden(&mut text, &keys::ADMIN_PASSWORD, "\"…\"", password),
            None => unset(&mut text, &keys::ADMIN_PASSWORD),
        }
        show(&mut text, &keys::TOKEN_AUTH, &self.token_auth, ToString::to_string);
        show(&mut text, &keys::ANONYMOUS_CATALOG, &self.anonymous_catalog, ToString::to_string);
        show(&mut text, &keys::ANONYMOUS_METRICS, &self.anonymous_metrics, ToString::to_string);
        show(&mut text, &keys::WORKER_CONCURRENCY, &self.worker_concurrency, ToString::to_string);
        show(&mut text, &keys::TASKS_PER_UPSTREAM, &self.tasks_per_upstream, ToString::to_string);
        show(&mut text, &keys::TASK_RETENTION, &self.task_retention_days, ToString::to_string);
        show(&mut text, &keys::ORPHAN_PROTECTION, &self.orphan_protection_time, ToString::to_string);
        show(&mut text, &keys::SHUTDOWN_GRACE, &self.shutdown_grace, |grace| grace.as_secs().to_string());
        show(&mut text, &keys::MAX_UPLOADS, &self.max_uploads, ToString::to_string);
        show(&mut text, &keys::UPLOAD_EXPIRY, &self.upload_expiry, |expiry| {
            (expiry.as_secs() / 3600).to_string()
        });
        show(&mut text, &keys::MAX_BLOB, &self.max_blob_gib, ToString::to_string);
        show(&mut text, &keys::PUSH_TIMEOUT, &self.push_timeout, |patience| patience.as_secs().to_string());
        show(&mut text, &keys::LOG, &self.log, |log| quoted(log));
        show(&mut text, &keys::LOG_FORMAT, &self.log_format, |format| quoted(format.as_str()));
        text
    }
}

impl LogFormat {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Human => "human",
            Self::Json => "json",
        }
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("writing to a text cannot fail");
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn show<T>(text: &mut String, key: &Key, setting: &Setting<T>, write: impl Fn(&T) -> String) {
    line(text, format_args!("\n# from {}", setting.source));
    line(text, format_args!("{} = {}", key.name, write(&setting.value)));
}

fn show_optional<T>(
    text: &mut String,
    key: &Key,
    setting: Option<&Setting<T>>,
    write: impl Fn(&T) -> String,
) {
    match setting {
        Some(setting) => show(text, key, setting, write),
        None => unset(text, key),
    }
}

fn unset(text: &mut String, key: &Key) {
    line(text, format_args!("\n# not set\n# {} =", key.name));
}

fn hidden<T>(text: &mut String, key: &Key, shown: &str, setting: &Setting<T>) {
    line(text, format_args!("\n# from {}; the secret is hidden\n# {} = {shown}", setting.source, key.name));
}

/// Of the database's URL only the password is hidden, and the parameters, which may hold one too.
fn show_database(text: &mut String, settings: &Settings) {
    let setting = &settings.database_url;
    let full = &setting.value.0;
    match url::Url::parse(full) {
        Ok(mut url) if !settings.is_sqlite() && (url.password().is_some() || url.query().is_some()) => {
            if url.password().is_some() {
                // It has a host, so it can have a password.
                let _ = url.set_password(Some("hidden"));
            }
            url.set_query(url.query().map(|_| "hidden"));
            hidden(text, &keys::DATABASE_URL, &quoted(url.as_str()), setting);
        }
        _ => show(text, &keys::DATABASE_URL, setting, |url| quoted(&url.0)),
    }
}
