//! The log: on stderr, for people on a terminal, as JSON otherwise.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::Settings;
use crate::settings::{LogFormat, Source};

/// Libraries that log what is of no interest unless something is wrong. A filter that names them wins.
const QUIET: &str = "sqlx=warn,sea_orm=warn,sea_orm_migration=warn,apalis=warn,apalis_core=warn,\
                     apalis_sqlite=warn,apalis_postgres=warn,hyper=warn,reqwest=warn";

/// The log of commands that tell by themselves what they do: only what they don't tell.
const OF_COMMANDS: &str = "warn,worker::execute=error";

/// Starts the log. Commands that tell by themselves what they do pass `is_quiet`: then only warnings are logged,
/// unless the log was set.
pub fn start(settings: &Settings, is_quiet: bool) {
    let log = &settings.log;
    let wanted = if is_quiet && log.source == Source::Default { OF_COMMANDS } else { log.value.as_str() };
    let filter = match wanted {
        "off" | "error" | "warn" | OF_COMMANDS => EnvFilter::new(wanted),
        _ => EnvFilter::new(format!("{QUIET},{wanted}")),
    };
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Only a second call could fail, and then a log is there.
    let _ = if is_for_people(settings) {
        subscriber.with_ansi(std::io::stderr().is_terminal()).try_init().is_ok()
    } else {
        subscriber.json().flatten_event(true).with_current_span(false).try_init().is_ok()
    };
}

/// Whether the log is read by people.
pub fn is_for_people(settings: &Settings) -> bool {
    match settings.log_format.value {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Human => true,
        LogFormat::Json => false,
    }
}
