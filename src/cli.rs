//! The command line: commands and flags. What they mean together with environment and file is `settings`.

#![expect(clippy::doc_markdown, reason = "clap prints these comments as they are, so they hold no marks")]

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use registry::{ImageReference, RepositoryName};

use crate::settings::{Flags, keys};

/// Mirrors container images from any registry, keeps every state as a version, and serves them.
///
/// Without a command it serves. Every setting can be given as a flag, as an environment variable, or in a TOML
/// file under the flag's name with underscores; flags win over the environment, and that over the file.
#[derive(Debug, Parser)]
#[command(name = "entrepot", version, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The settings of every command.
    #[command(flatten)]
    pub settings: SettingFlags,
}

/// What the command can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the registry, the API and the worker in one process (the default)
    Serve,
    /// Serve the registry and the API only; workers on the same PostgreSQL run the tasks
    Server,
    /// Run tasks only; any number of workers and servers share one PostgreSQL and one data folder
    Worker,
    /// Mirror an image repository, then serve it
    Mirror(MirrorArgs),
    /// Show the main job with generated images and no network, then serve them
    Demo(DemoArgs),
    /// Print the effective settings as TOML, secrets hidden, with where each came from
    Config,
    /// Give the user admin a new password and print it (also while the service runs)
    ///
    /// The password is taken from ENTREPOT_ADMIN_PASSWORD if that is set, and is generated otherwise.
    ResetAdminPassword,
    /// Bring the database up to date, which every start does too
    Migrate,
}

/// `entrepot mirror`
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct MirrorArgs {
    /// What to mirror, such as docker.io/library/alpine, quay.io/team/app:1.0 or localhost:5000/app
    ///
    /// A tag or a digest behind the name is taken beside those of --tags. The host is docker.io unless one is given. Hosts on this machine are asked by plain HTTP, others by
    /// HTTPS; http://HOST/REPOSITORY or https://HOST/REPOSITORY says which.
    pub image: ImageReference,
    /// Tags to take, with the wildcards * and ?, separated by commas or each behind a --tags; all tags if none are given
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub tags: Vec<String>,
    /// Tags to leave out, with the wildcards * and ?, separated by commas or each behind an --exclude-tags
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub exclude_tags: Vec<String>,
    /// The name to keep and serve it under; the repository's own if none is given
    #[arg(long)]
    pub name: Option<RepositoryName>,
    /// Make the new version equal to upstream: tags that are gone there, or not taken any more, go here too
    #[arg(long, conflicts_with = "additive")]
    pub mirror: bool,
    /// Only add and move tags, and keep those that are gone upstream (the default)
    #[arg(long)]
    pub additive: bool,
    /// The user name at the upstream registry
    #[arg(long)]
    pub username: Option<String>,
    /// Read the password at the upstream registry from the standard input
    ///
    /// It can be given in the variable ENTREPOT_UPSTREAM_PASSWORD instead.
    #[arg(long, requires = "username")]
    pub password_stdin: bool,
    /// Let only those pull who log in
    ///
    /// It holds for a distribution that this makes; one that is there stays as it is.
    #[arg(long)]
    pub private: bool,
    /// Accept any certificate of the upstream registry
    #[arg(long)]
    pub insecure_tls: bool,
    /// End after mirroring instead of serving
    #[arg(long)]
    pub once: bool,
}

/// `entrepot demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// End afterwards instead of serving; fails unless every digest matched
    #[arg(long)]
    pub once: bool,
}

/// The settings as flags. All are texts here, since `settings` reads them like those of the other origins.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Settings")]
pub struct SettingFlags {
    /// Where everything is kept [env: ENTREPOT_DATA_DIR] [default: ./entrepot-data]
    #[arg(long, global = true, value_name = "FOLDER")]
    pub data_dir: Option<String>,
    /// The address to answer on; others than loopback ones are reachable from outside
    /// [env: ENTREPOT_LISTEN] [default: 127.0.0.1:24817]
    #[arg(long, global = true, value_name = "IP:PORT")]
    pub listen: Option<String>,
    /// The address at which a worker process tells how it is: /livez, /readyz, /metrics
    /// [env: ENTREPOT_WORKER_LISTEN] [default: 127.0.0.1:24818]
    #[arg(long, global = true, value_name = "IP:PORT")]
    pub worker_listen: Option<String>,
    /// Where clients reach the service, when that is another address [env: ENTREPOT_PUBLIC_URL]
    #[arg(long, global = true, value_name = "URL")]
    pub public_url: Option<String>,
    /// sqlite:PATH or postgres://… [env: ENTREPOT_DATABASE_URL] [default: SQLite in the data folder]
    #[arg(long, global = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// Connections to the database at most [env: ENTREPOT_DATABASE_CONNECTIONS] [default: 8]
    #[arg(long, global = true, value_name = "NUMBER")]
    pub database_connections: Option<String>,
    /// The key that stored secrets are sealed with, made if it is missing
    /// [env: ENTREPOT_SECRET_KEY_FILE] [default: secret.key in the data folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub secret_key_file: Option<String>,
    /// Whether registry clients log in by tokens; by Basic otherwise [env: ENTREPOT_TOKEN_AUTH] [default: true]
    #[arg(long, global = true, value_name = "BOOL")]
    pub token_auth: Option<String>,
    /// Whether anybody may list the public names [env: ENTREPOT_ANONYMOUS_CATALOG] [default: true]
    #[arg(long, global = true, value_name = "BOOL")]
    pub anonymous_catalog: Option<String>,
    /// Whether anybody may read /metrics; only administrators otherwise
    /// [env: ENTREPOT_ANONYMOUS_METRICS] [default: false]
    #[arg(long, global = true, value_name = "BOOL")]
    pub anonymous_metrics: Option<String>,
    /// Syncs that run at once [env: ENTREPOT_WORKER_CONCURRENCY] [default: 4]
    #[arg(long, global = true, value_name = "NUMBER")]
    pub worker_concurrency: Option<String>,
    /// Tasks that talk to one upstream at once, on all workers together
    /// [env: ENTREPOT_TASKS_PER_UPSTREAM] [default: 3]
    #[arg(long, global = true, value_name = "NUMBER")]
    pub tasks_per_upstream: Option<String>,
    /// Days that tasks are kept after they ended; 0 keeps them for ever
    /// [env: ENTREPOT_TASK_RETENTION_DAYS] [default: 30]
    #[arg(long, global = true, value_name = "DAYS")]
    pub task_retention_days: Option<String>,
    /// Minutes that content is let alone which no version holds [env: ENTREPOT_ORPHAN_PROTECTION_TIME] [default: 1440]
    #[arg(long, global = true, value_name = "MINUTES")]
    pub orphan_protection_time: Option<String>,
    /// Seconds that requests may go on after a stop was asked for [env: ENTREPOT_SHUTDOWN_GRACE] [default: 30]
    #[arg(long, global = true, value_name = "SECONDS")]
    pub shutdown_grace: Option<String>,
    /// Uploads of blobs that may be open at once, on all servers together
    /// [env: ENTREPOT_MAX_UPLOADS] [default: 1000]
    #[arg(long, global = true, value_name = "NUMBER")]
    pub max_uploads: Option<String>,
    /// Hours that uploads are kept which nobody goes on with, and pushed blobs which no manifest names
    /// [env: ENTREPOT_UPLOAD_EXPIRY_HOURS] [default: 24]
    #[arg(long, global = true, value_name = "HOURS")]
    pub upload_expiry_hours: Option<String>,
    /// The largest blob that may be pushed, in GiB [env: ENTREPOT_MAX_BLOB_GIB] [default: 100]
    #[arg(long, global = true, value_name = "GIB")]
    pub max_blob_gib: Option<String>,
    /// Seconds that a push waits for its version to be published [env: ENTREPOT_PUSH_TIMEOUT] [default: 60]
    #[arg(long, global = true, value_name = "SECONDS")]
    pub push_timeout: Option<String>,
    /// What to log, such as debug, or info,worker=debug [env: ENTREPOT_LOG]
    /// [default: info; warn for mirror and demo]
    #[arg(long, global = true, value_name = "FILTER")]
    pub log: Option<String>,
    /// auto, human or json; auto is human on a terminal and json otherwise
    /// [env: ENTREPOT_LOG_FORMAT] [default: auto]
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// A TOML file with settings [env: ENTREPOT_CONFIG] [default: entrepot.toml in the data folder, if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl SettingFlags {
    /// The flags that were given, by their settings.
    pub fn into_flags(self) -> Flags {
        let given = [
            (keys::DATA_DIR, self.data_dir),
            (keys::LISTEN, self.listen),
            (keys::WORKER_LISTEN, self.worker_listen),
            (keys::PUBLIC_URL, self.public_url),
            (keys::DATABASE_URL, self.database_url),
            (keys::DATABASE_CONNECTIONS, self.database_connections),
            (keys::SECRET_KEY_FILE, self.secret_key_file),
            (keys::TOKEN_AUTH, self.token_auth),
            (keys::ANONYMOUS_CATALOG, self.anonymous_catalog),
            (keys::ANONYMOUS_METRICS, self.anonymous_metrics),
            (keys::WORKER_CONCURRENCY, self.worker_concurrency),
            (keys::TASKS_PER_UPSTREAM, self.tasks_per_upstream),
            (keys::TASK_RETENTION, self.task_retention_days),
            (keys::ORPHAN_PROTECTION, self.orphan_protection_time),
            (keys::MAX_UPLOADS, self.max_uploads),
            (keys::UPLOAD_EXPIRY, self.upload_expiry_hours),
            (keys::MAX_BLOB, self.max_blob_gib),
            (keys::PUSH_TIMEOUT, self.push_timeout),
            (keys::SHUTDOWN_GRACE, self.shutdown_grace),
            (keys::LOG, self.log),
            (keys::LOG_FORMAT, self.log_format),
        ];
        let values = given.into_iter().filter_map(|(key, value)| Some((key.name, value?))).collect();
        Flags { values, config: self.config }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_is_a_setting_of_that_name() {
        let command = Cli::command();
        for key in keys::ALL.iter().filter(|key| key.flag.is_some()) {
            let flag = key.flag.unwrap().trim_start_matches("--");
            assert_eq!(flag.replace('-', "_"), key.name);
            let argument = command.get_arguments().find(|argument| argument.get_long() == Some(flag));
            assert!(argument.is_some(), "{flag} is no argument");
            let value = if key.name == "token_auth" { "false" } else { "1" };
            let flags = parse(&format!("entrepot serve --{flag} {value}")).unwrap().settings.into_flags();
            assert_eq!(flags.values.keys().collect::<Vec<_>>(), [&key.name]);
        }
    }

    #[test]
    fn settings_stand_before_and_behind_the_command() {
        for line in
            ["entrepot --listen [::1]:1", "entrepot --listen [::1]:1 demo", "entrepot demo --listen [::1]:1"]
        {
            assert_eq!(parse(line).unwrap().settings.listen.as_deref(), Some("[::1]:1"), "{line}");
        }
        assert!(parse("entrepot").unwrap().command.is_none());
    }

    #[test]
    fn mirror_takes_images_and_patterns() {
        let cli = parse(
            "entrepot mirror --tags 3.* quay.io/a/b:c --tags edge --exclude-tags x,y --name d/e --once",
        );
        let Some(Command::Mirror(args)) = cli.unwrap().command else { panic!("another command") };
        assert_eq!((args.image.host.as_str(), args.image.tag.unwrap().as_str()), ("quay.io", "c"));
        assert_eq!((args.tags.join(" "), args.exclude_tags.join(" ")), ("3.* edge".into(), "x y".into()));
        assert!(args.once && !args.mirror && args.name.unwrap().as_str() == "d/e");
    }

    #[test]
    fn bad_images_and_contradictions_are_refused_with_their_reason() {
        for (line, reason) in [
            ("entrepot mirror", "<IMAGE>"),
            ("entrepot mirror quay.io/UPPER", "it must be in lower case"),
            ("entrepot mirror ftp://x/y", "the scheme ftp is not http, https or docker"),
            ("entrepot mirror a/b --name ../c", "is not a repository name"),
            ("entrepot mirror a/b --mirror --additive", "cannot be used with"),
            ("entrepot mirror a/b --password-stdin", "--username"),
            ("entrepot sing", "unrecognized subcommand"),
        ] {
            let text = parse(line).unwrap_err().to_string();
            assert!(text.contains(reason), "{line}: {text}");
        }
    }
}
