//! The log: on stderr, for people on a terminal, as JSON otherwise. What jobs log goes to their tasks, too.

use std::io::IsTerminal;
use std::sync::LazyLock;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt as _, Targets, dynamic_filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};
use worker::TaskLogs;

use crate::Settings;
use crate::settings::{LogFormat, Source};

/// Libraries that log what is of no interest unless something is wrong. A filter that names them wins.
const QUIET: &str = "sqlx=warn,sea_orm=warn,sea_orm_migration=warn,apalis=warn,apalis_core=warn,\
                     apalis_sqlite=warn,apalis_postgres=warn,hyper=warn,reqwest=warn";

/// The log of commands that tell by themselves what they do: only what they don't tell.
const OF_COMMANDS: &str = "warn,worker::execute=error";

/// The crates whose words belong into the log of a task: libraries speak of themselves.
const OF_TASKS: [&str; 3] = ["worker", "upstream", "storage"];

/// One for the process, as the log is.
static TASK_LOGS: LazyLock<TaskLogs> = LazyLock::new(TaskLogs::default);

/// Where what jobs log arrives.
pub fn task_logs() -> TaskLogs {
    TASK_LOGS.clone()
}

/// Starts the log. Commands that tell by themselves what they do pass `is_quiet`: then only warnings are logged,
/// unless the log was set.
pub fn start(settings: &Settings, is_quiet: bool) {
    let log = &settings.log;
    let wanted = if is_quiet && log.source == Source::Default { OF_COMMANDS } else { log.value.as_str() };
    let filter = || match wanted {
        "off" | "error" | "warn" | OF_COMMANDS => EnvFilter::new(wanted),
        _ => EnvFilter::new(format!("{QUIET},{wanted}")),
    };
    // Tasks keep what is of interest afterwards even when the log is silent, and more when it says more.
    let at_level = |level| Targets::new().with_targets(OF_TASKS.map(|target| (target, level)));
    let of_tasks = at_level(LevelFilter::INFO).or(filter().and(at_level(LevelFilter::TRACE)));
    // tracing-subscriber keeps the verdict on one event for the next one whose callsite all filters accept for ever, and
    // sqlx asks for verdicts without an event to follow: spans got lost (tokio-rs/tracing, issue 2519). A filter that is
    // asked every time has no such callsites.
    let each_time = dynamic_filter_fn(|_, _| true).with_max_level_hint(LevelFilter::TRACE);
    let of_tasks = of_tasks.and(each_time);
    let tasks = TASK_LOGS.layer().with_filter(of_tasks);
    let format = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let format = if is_for_people(settings) {
        format.with_ansi(std::io::stderr().is_terminal()).boxed()
    } else {
        format.json().flatten_event(true).with_current_span(false).boxed()
    };
    // Only a second call could fail, and then a log is there.
    let _ = tracing_subscriber::registry().with(format.with_filter(filter())).with(tasks).try_init().is_ok();
}

/// Whether the log is read by people.
pub fn is_for_people(settings: &Settings) -> bool {
    match settings.log_format.value {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Human => true,
        LogFormat::Json => false,
    }
}
