//! The `entrepot` command: parses arguments and composes the parts.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use entrepot::cli::{Cli, Command};
use entrepot::service::Role;
use entrepot::{Error, Settings, demo, mirror, service, telemetry, upkeep};

/// Blocking threads hash and write what arrives, and read what is sent: more than these only cost memory.
const BLOCKING_THREADS: usize = 64;
/// How long an idle blocking thread is kept.
const IDLE_THREAD: std::time::Duration = std::time::Duration::from_secs(5);

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("entrepot: {}", chain(&error));
            match error.downcast_ref::<Error>() {
                // What a shell reports for a program that an interrupt ended.
                Some(Error::Interrupted) => ExitCode::from(130),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let settings = Settings::read(cli.settings.into_flags(), &|name| std::env::var_os(name))?;
    let command = cli.command.unwrap_or(Command::Serve);
    telemetry::start(&settings, !matches!(command, Command::Serve | Command::Server | Command::Worker));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_keep_alive(IDLE_THREAD)
        .enable_all()
        .build()
        .context("the threads cannot be started")?;
    runtime.block_on(async {
        match command {
            Command::Serve => service::run(&settings, Role::All).await?,
            Command::Server => service::run(&settings, Role::Server).await?,
            Command::Worker => service::run(&settings, Role::Worker).await?,
            Command::Mirror(args) => mirror::run(&settings, args).await?,
            Command::Demo(args) => demo::run(&settings, &args).await?,
            Command::Config => print!("{}", settings.to_toml()),
            Command::ResetAdminPassword => upkeep::reset_admin_password(&settings).await?,
            Command::Migrate => upkeep::migrate(&settings).await?,
        }
        Ok(())
    })
}

/// An error with all its causes, each once: some texts include their cause already.
fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}
