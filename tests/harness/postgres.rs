//! A PostgreSQL server of a test's own, which may be taken away under the service.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use super::process::run;

/// A server that ends with the test.
pub struct PostgresCluster {
    programs: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
}

impl PostgresCluster {
    /// Makes one and starts it.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let cluster = Self { programs: newest_programs(), folder, port };
        if is_root() {
            let folder = cluster.folder.path().to_owned();
            let (ok, _, error) = run(Command::new("chown").arg("postgres:").arg(folder));
            assert!(ok, "{error}");
        }
        let data = cluster.data();
        cluster.program(
            "initdb",
            &["-D", &data, "-U", "entrepot", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
        );
        cluster.start_again();
        cluster
    }

    /// Where its databases are.
    pub fn url(&self) -> String {
        format!("postgres://entrepot@127.0.0.1:{}/postgres", self.port)
    }

    /// Ends it as a crash would: transactions that are open are lost.
    pub fn crash(&self) {
        self.program("pg_ctl", &["-D", &self.data(), "-m", "immediate", "-w", "stop"]);
    }

    /// Starts it after [`PostgresCluster::crash`].
    pub fn start_again(&self) {
        let folder = self.folder.path().display();
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c max_connections=100 \
             -c full_page_writes=off",
            self.port
        );
        let log = format!("{folder}/log");
        self.program("pg_ctl", &["-D", &self.data(), "-l", &log, "-w", "start", "-o", &options]);
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    fn program(&self, name: &str, arguments: &[&str]) {
        // The server keeps what it inherits open: a pipe to the test would never end.
        let said = self.folder.path().join(format!("{name}.out"));
        let output = std::fs::File::create(&said).unwrap();
        let mut command = self.command(name);
        command.args(arguments).stdout(output.try_clone().unwrap()).stderr(output);
        let status = command.status().unwrap();
        assert!(status.success(), "{name} {arguments:?}: {}", std::fs::read_to_string(said).unwrap());
    }

    /// PostgreSQL refuses to run as root.
    fn command(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = Command::new(if is_root() { "runuser".as_ref() } else { program.as_os_str() });
        if is_root() {
            command.args(["-u", "postgres", "--"]).arg(program);
        }
        command.current_dir("/");
        command
    }
}

impl Drop for PostgresCluster {
    fn drop(&mut self) {
        // pg_ctl knows the server's process by the data folder; nobody minds when it has ended before.
        let _ = run(self.command("pg_ctl").args(["-D", &self.data(), "-m", "immediate", "-w", "stop"]));
    }
}

fn is_root() -> bool {
    run(Command::new("id").arg("-u")).1.trim() == "0"
}

/// The folder of the newest PostgreSQL's server programs, as Debian installs them.
fn newest_programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("tests/run installs PostgreSQL");
    let version = |path: &PathBuf| -> Option<u32> { path.file_name()?.to_str()?.parse().ok() };
    let newest = versions.map(|entry| entry.unwrap().path()).max_by_key(version);
    newest.expect("tests/run installs PostgreSQL").join("bin")
}
