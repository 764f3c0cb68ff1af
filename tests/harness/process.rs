//! Programs that run beside a test, and those that a test waits for.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What takes longer hangs. Generous, since the machine is shared.
const PATIENCE: Duration = Duration::from_secs(90);

/// A running program. It is killed when dropped, and its output is shown if the test fails.
pub struct Program {
    name: String,
    child: Child,
    output: Arc<Output>,
}

#[derive(Default)]
struct Output {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    closed: usize,
}

impl Program {
    /// Starts it.
    pub fn start(name: &str, command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let output = Arc::new(Output::default());
        collect(child.stdout.take().unwrap(), &output);
        collect(child.stderr.take().unwrap(), &output);
        Self { name: name.to_owned(), child, output }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line with this text.
    pub fn wait_for_line(&self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.output.lock();
        loop {
            if let Some(line) = state.lines.iter().find(|line| line.contains(text)) {
                return line.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero() && state.closed < 2,
                "{} never said {text:?}:\n{}",
                self.name,
                state.text()
            );
            state = self.output.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Everything that it wrote so far.
    pub fn output(&self) -> String {
        self.output.lock().text()
    }

    /// Everything that it wrote, line by line, once it has ended.
    pub fn last_output(&self) -> Vec<String> {
        let mut state = self.output.lock();
        while state.closed < 2 {
            state = self.output.changed.wait(state).unwrap();
        }
        state.lines.clone()
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// `SIGTERM`
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal, such as `STOP`.
    pub fn signal(&self, signal: &str) {
        let done = Command::new("kill").args([&format!("-{signal}"), &self.id().to_string()]).status();
        assert!(done.unwrap().success(), "{} is gone", self.name);
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until(&format!("the end of {}", self.name), || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// `SIGKILL`: it gets no chance to tidy up.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("---- output of {}\n{}", self.name, self.output());
        }
    }
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn text(&self) -> String {
        self.lines.join("\n")
    }
}

fn collect(stream: impl Read + Send + 'static, output: &Arc<Output>) {
    let output = Arc::clone(output);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            output.lock().lines.push(String::from_utf8_lossy(&line).into_owned());
            output.changed.notify_all();
        }
        output.lock().closed += 1;
        output.changed.notify_all();
    });
}

/// Asks again and again until `is_done`; less often the longer it takes, since asking costs the others time.
pub fn wait_until(what: &str, mut is_done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_done() {
        let waited = start.elapsed();
        assert!(waited < PATIENCE, "waited in vain for {what}");
        std::thread::sleep((waited / 20).clamp(Duration::from_millis(15), Duration::from_millis(250)));
    }
}

/// Runs a program to its end: whether it succeeded, and what it wrote to stdout and to stderr.
pub fn run(command: &mut Command) -> (bool, String, String) {
    let done = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.success(), text(&done.stdout), text(&done.stderr))
}
