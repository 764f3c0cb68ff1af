//! The service under test: the real binary in a process of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::client::Client;
use super::database::{Database, OwnDatabase};
use super::metrics::Samples;
use super::postgres::PostgresCluster;
use super::process::{Program, run};

/// The password of `admin`.
pub const ADMIN_PASSWORD: &str = "quayside-crane-9071";

/// What it says when it answers.
const READY: &str = "Entrepot is ready";

/// A service with its own data folder and database. It ends with the test.
pub struct Entrepot {
    // Fields are dropped in this order: the process first.
    program: Program,
    database: Option<OwnDatabase>,
    folder: tempfile::TempDir,
    settings: Vec<(String, String)>,
    disk_bytes: Option<u64>,
    role: &'static str,
    url: String,
}

impl Entrepot {
    /// Starts one with the default settings.
    pub fn start(database: Database) -> Self {
        Self::start_with(database, &[])
    }

    /// Starts one with settings by the environment.
    pub fn start_with(database: Database, settings: &[(&str, &str)]) -> Self {
        Self::launch(database, settings, None, "serve")
    }

    /// Starts `entrepot server` on PostgreSQL, which runs no tasks itself: see [`Entrepot::start_worker`].
    pub fn start_server(settings: &[(&str, &str)]) -> Self {
        Self::launch(Database::Postgres, settings, None, "server")
    }

    /// As [`Entrepot::start_server`], on a PostgreSQL of the test's own.
    pub fn start_server_on(cluster: &PostgresCluster, settings: &[(&str, &str)]) -> Self {
        Self::launch_on(Some(OwnDatabase::create_on(cluster.url())), settings, None, "server")
    }

    /// Starts another `entrepot server` on the same database and data folder; gives where it answers, too.
    pub fn start_another_server(&self) -> (Program, String) {
        let program = serve("server", &self.with(&[]), &self.data_folder(), None);
        let url = ready(&program);
        (program, url)
    }

    /// Starts `entrepot worker` on the same database and data folder.
    pub fn start_worker(&self) -> Program {
        self.start_worker_with(&[])
    }

    /// As [`Entrepot::start_worker`], with further settings by the environment.
    pub fn start_worker_with(&self, settings: &[(&str, &str)]) -> Program {
        let worker = self.launch_worker(settings);
        worker.wait_for_line(READY);
        // It answers before it is entered into the catalog.
        worker.wait_for_line("worker started");
        worker
    }

    /// As [`Entrepot::start_worker_with`], but does not wait until it is ready.
    pub fn launch_worker(&self, settings: &[(&str, &str)]) -> Program {
        serve("worker", &self.with(settings), &self.data_folder(), None)
    }

    /// Starts one whose data folder is a disk of this size. `None` where the tests may not mount one.
    pub fn start_on_disk(database: Database, disk_bytes: u64) -> Option<Self> {
        let mut probe = Command::new("unshare");
        probe.args(["--mount", "--map-root-user", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
        if !probe.status().is_ok_and(|status| status.success()) {
            eprintln!("skipped: a tmpfs of {disk_bytes} bytes cannot be mounted here");
            return None;
        }
        Some(Self::launch(database, &[], Some(disk_bytes), "serve"))
    }

    fn launch(
        database: Database,
        settings: &[(&str, &str)],
        disk_bytes: Option<u64>,
        role: &'static str,
    ) -> Self {
        let database = (database == Database::Postgres).then(OwnDatabase::create);
        Self::launch_on(database, settings, disk_bytes, role)
    }

    fn launch_on(
        database: Option<OwnDatabase>,
        settings: &[(&str, &str)],
        disk_bytes: Option<u64>,
        role: &'static str,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut all = vec![
            ("ENTREPOT_DATA_DIR".to_owned(), folder.path().join("data").display().to_string()),
            ("ENTREPOT_LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
            ("ENTREPOT_WORKER_LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
            ("ENTREPOT_ADMIN_PASSWORD".to_owned(), ADMIN_PASSWORD.to_owned()),
        ];
        all.extend(database.iter().map(|own| ("ENTREPOT_DATABASE_URL".to_owned(), own.url())));
        all.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let program = serve(role, &all, &folder.path().join("data"), disk_bytes);
        let url = ready(&program);
        Self { program, database, folder, settings: all, disk_bytes, role, url }
    }

    /// Starts it anew on the same data, after [`Entrepot::kill`] or [`Entrepot::stop`]. Its port is another one.
    pub fn restart(&mut self) {
        self.launch_again(&[]);
        self.await_ready();
    }

    /// As [`Entrepot::restart`], with further settings by the environment, but does not wait until it is ready: see
    /// [`Entrepot::await_ready`].
    pub fn launch_again(&mut self, settings: &[(&str, &str)]) {
        self.program = serve(self.role, &self.with(settings), &self.data_folder(), self.disk_bytes);
    }

    /// Waits until it answers.
    pub fn await_ready(&mut self) {
        self.url = ready(&self.program);
    }

    fn with(&self, settings: &[(&str, &str)]) -> Vec<(String, String)> {
        let further = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.settings.iter().cloned().chain(further).collect()
    }

    /// `kill -9`
    pub fn kill(&mut self) {
        self.program.kill();
    }

    /// Its process.
    pub fn program(&mut self) -> &mut Program {
        &mut self.program
    }

    /// The number that a query of the database finds.
    pub fn number(&self, sql: &str) -> i64 {
        const PYTHON: &str = "import sqlite3, sys\n\
            print(sqlite3.connect(sys.argv[1], timeout=30).execute(sys.argv[2]).fetchone()[0])";
        if let Some(own) = &self.database {
            return own.number(sql);
        }
        let file = self.data_folder().join("entrepot.sqlite");
        let (ok, found, error) = run(Command::new("python3").args(["-c", PYTHON]).arg(file).arg(sql));
        assert!(ok, "{error}");
        found.trim().parse().unwrap()
    }

    /// The memory that it occupies, in KiB.
    pub fn resident_kib(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The most memory that it has occupied, in KiB.
    pub fn most_resident_kib(&self) -> u64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, kind: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.program.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(kind)).unwrap();
        line.trim_end_matches("kB").trim().parse().unwrap()
    }

    /// `SIGTERM`, and nothing else.
    pub fn terminate(&self) {
        self.program.terminate();
    }

    /// Waits for its end after [`Entrepot::terminate`], and asserts that it is an orderly one.
    pub fn stop(&mut self) {
        let status = self.program.wait();
        assert!(status.success(), "{status}");
    }

    /// Runs another `entrepot` command on the same data, with these settings changed: what it printed.
    pub fn command(&self, line: &str, settings: &[(&str, &str)]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_entrepot"));
        command.args(line.split_whitespace()).env_clear();
        command.envs(self.settings.iter().map(|(name, value)| (name, value))).envs(settings.iter().copied());
        let (ok, stdout, stderr) = run(&mut command);
        assert!(ok, "{line}: {stderr}");
        stdout
    }

    /// `http://127.0.0.1:port`
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `127.0.0.1:port`
    pub fn host(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Everything that it logged so far since it was started.
    pub fn log(&self) -> String {
        self.program.output()
    }

    /// Where it keeps everything.
    pub fn data_folder(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// How many blobs are being written, or were when a process ended.
    pub fn half_blobs(&self) -> usize {
        let folders = std::fs::read_dir(self.data_folder().join("blobs/.staging")).unwrap();
        folders.filter_map(|entry| std::fs::read_dir(entry.unwrap().path()).ok()).map(Iterator::count).sum()
    }

    /// All that the database holds, as bytes to search in.
    pub fn database_bytes(&self) -> Vec<u8> {
        match &self.database {
            Some(own) => own.dump().into_bytes(),
            None => files_below(&self.data_folder(), "entrepot"),
        }
    }

    /// What it has counted.
    pub fn metrics(&self) -> Samples {
        let shown = self.admin().get("/metrics");
        assert_eq!(shown.status, 200, "{}", shown.text());
        Samples::parse(&shown.text(), false)
    }

    /// A client without credentials.
    pub fn anonymous(&self) -> Client {
        Client::new(&self.url)
    }

    /// A client that is `admin`.
    pub fn admin(&self) -> Client {
        self.anonymous().with_basic("admin", ADMIN_PASSWORD)
    }
}

fn serve(role: &str, settings: &[(String, String)], data: &Path, disk_bytes: Option<u64>) -> Program {
    let binary = env!("CARGO_BIN_EXE_entrepot");
    let mut command = match disk_bytes {
        None => Command::new(binary),
        Some(bytes) => {
            // A mount of its own namespace, which ends with the process.
            std::fs::create_dir_all(data).unwrap();
            let mut command = Command::new("unshare");
            let script = format!("mount -t tmpfs -o size={bytes} tmpfs \"$1\" && exec \"$2\" \"$3\"");
            command
                .args(["--mount", "--map-root-user", "sh", "-c", &script, "sh"])
                .arg(data)
                .args([binary, role]);
            command
        }
    };
    if disk_bytes.is_none() {
        command.arg(role);
    }
    command
        .env_clear()
        .envs(["PATH", "HOME", "TMPDIR"].iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.envs(settings.iter().map(|(name, value)| (name, value)));
    Program::start("entrepot", &mut command)
}

/// Waits until it says where it is ready.
fn ready(program: &Program) -> String {
    let line = program.wait_for_line(READY);
    let (_, url) = line.split_once("http://").unwrap();
    let end = url.find(|letter: char| letter == '"' || letter.is_whitespace()).unwrap_or(url.len());
    format!("http://{}", &url[..end])
}

/// The bytes of all files in a folder whose name starts so: a SQLite database has up to three.
fn files_below(folder: &Path, start: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().starts_with(start) {
            bytes.extend(std::fs::read(entry.path()).unwrap());
        }
    }
    assert!(!bytes.is_empty(), "no database in {}", folder.display());
    bytes
}
