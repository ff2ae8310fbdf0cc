//! Starts the worker process, talks to it, and says how and why it ended. Used by window and command line alike.
//!
//! Four named threads serve one worker: one writes commands, one always drains its messages, one its error output, one
//! looks at its memory. None of them can be held up by the side that reads events: waiting messages are merged, and steps
//! are never dropped.
//!
//! Knows no burn; never waits in a call that a window makes each frame.

mod inbox;

use super::channel::{ChannelError, read_message, write_message};
use super::ending::{Clues, Pressure};
use super::memory::LIMIT;
use super::protocol::{BUILD, Command, Event, ExitReport, LogLevel, PROTOCOL};
use crate::platform;
use inbox::Inbox;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Commands that may wait for a worker that does not read.
const COMMANDS: usize = 256;
/// How long a worker may take to write its checkpoint when the supervisor goes.
const GRACE: Duration = Duration::from_secs(20);
/// How long a worker may live on that has closed its connection without being asked to.
const HUNG_UP: Duration = Duration::from_secs(3);
/// Time between two looks at the worker's memory.
const LOOK: Duration = Duration::from_millis(200);

/// Why a worker could not be started or told something.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// The program could not be started.
    #[error("The engine is this program started a second time. Starting {path} failed: {source}.")]
    Start {
        /// The program.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The worker has ended.
    #[error("The engine must be running to take a command. It has ended. Start it again.")]
    Ended,
    /// The worker does not read its commands.
    #[error("The engine must read its commands. {COMMANDS} are waiting. Restart it.")]
    Stuck,
}

type Waker = Box<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct Shared {
    inbox: Mutex<Inbox>,
    arrived: Condvar,
    waker: Mutex<Option<Waker>>,
    state: Mutex<Clues>,
}

/// A running worker. Dropping it asks the worker to write a checkpoint and end, without waiting; a worker that has not
/// ended after a while is killed.
pub struct Supervisor {
    commands: Option<SyncSender<Command>>,
    shared: Arc<Shared>,
    child: Arc<Mutex<Child>>,
    reader: Option<std::thread::JoinHandle<()>>,
    pid: u32,
}

impl std::fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Supervisor").field("pid", &self.pid).finish_non_exhaustive()
    }
}

impl Supervisor {
    /// Starts `<exe> worker` with additions to its environment.
    ///
    /// # Errors
    /// The program could not be started.
    pub fn start(exe: &Path, env: &[(String, String)]) -> Result<Self, SupervisorError> {
        let start = |source| SupervisorError::Start { path: exe.to_path_buf(), source };
        let mut command = std::process::Command::new(exe);
        command.arg("worker").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // burn asks for a default device when it loads optimizer state; it must never open a GPU by itself.
        command.env("BURN_DEVICE", "flex");
        command.envs(env.iter().map(|(name, value)| (name, value)));
        platform::detach_from_terminal(&mut command);
        let mut child = command.spawn().map_err(start)?;
        let pid = child.id();
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(start(io::Error::other("a stream is missing")));
        };
        let shared = Arc::new(Shared::default());
        lock(&shared.state).pressure.limit =
            env.iter().find(|(name, _)| name == LIMIT).and_then(|(_, bytes)| bytes.parse().ok());
        let child = Arc::new(Mutex::new(child));
        let (commands, inbox) = sync_channel(COMMANDS);
        let thread = |name: &str| std::thread::Builder::new().name(format!("striate-engine-{name}"));
        thread("commands").spawn(move || write_commands(&inbox, stdin)).map_err(start)?;
        let errors = {
            let shared = Arc::clone(&shared);
            thread("log").spawn(move || read_log(stderr, &shared)).map_err(start)?
        };
        let watched = Arc::clone(&shared);
        thread("watch").spawn(move || watch_memory(pid, &watched)).map_err(start)?;
        let reader = {
            let (shared, child) = (Arc::clone(&shared), Arc::clone(&child));
            thread("events").spawn(move || read_events(stdout, &shared, &child, errors)).map_err(start)?
        };
        Ok(Self { commands: Some(commands), shared, child, reader: Some(reader), pid })
    }

    /// Number of the worker's process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What the worker occupied when it was last looked at, which is several times a second.
    pub fn resident_bytes(&self) -> Option<u64> {
        lock(&self.shared.state).pressure.resident
    }

    /// Hands a command over, without waiting.
    ///
    /// # Errors
    /// The worker has ended, or has not read for a long time.
    pub fn send(&self, command: Command) -> Result<(), SupervisorError> {
        if lock(&self.shared.inbox).ended {
            return Err(SupervisorError::Ended);
        }
        let mut state = lock(&self.shared.state);
        match &command {
            Command::Train { run, .. } => state.run = Some(*run),
            Command::Shutdown => state.asked_to_end = true,
            _ => {}
        }
        drop(state);
        let Some(commands) = &self.commands else { return Err(SupervisorError::Ended) };
        commands.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => SupervisorError::Stuck,
            TrySendError::Disconnected(_) => SupervisorError::Ended,
        })
    }

    /// The next event, if one waits.
    pub fn try_recv(&self) -> Option<Event> {
        lock(&self.shared.inbox).pop()
    }

    /// The next event; waits at most `timeout`. After [`Event::Exited`] it returns at once.
    pub fn recv_timeout(&self, timeout: Duration) -> Option<Event> {
        let end = Instant::now() + timeout;
        let mut inbox = lock(&self.shared.inbox);
        loop {
            if let Some(event) = inbox.pop() {
                return Some(event);
            }
            let left = end.saturating_duration_since(Instant::now());
            if inbox.ended || left.is_zero() {
                return None;
            }
            inbox = self.shared.arrived.wait_timeout(inbox, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Calls `waker` (from another thread) whenever an event arrives: a window asks for a repaint.
    pub fn set_waker(&self, waker: Waker) {
        *lock(&self.shared.waker) = Some(waker);
    }

    /// Whether the worker has ended and said so.
    pub fn has_ended(&self) -> bool {
        lock(&self.shared.inbox).ended
    }

    /// Closes the worker's input: it writes a checkpoint and ends. Events can still be read.
    pub fn close(&mut self) {
        lock(&self.shared.state).asked_to_end = true;
        self.commands = None;
    }

    /// Kills the worker at once. What is not in a checkpoint is lost.
    pub fn kill(&self) {
        lock(&self.shared.state).killed = true;
        // It may have ended by itself already.
        let _ = lock(&self.child).kill();
    }

    /// Kills a worker that says nothing any more.
    pub fn kill_silent(&self) {
        lock(&self.shared.state).silent = true;
        self.kill();
    }

    /// Closes the worker's input and waits for its end; kills it after `patience`.
    pub fn shut_down(mut self, patience: Duration) -> Option<ExitReport> {
        self.close();
        let end = Instant::now() + patience;
        let mut killed = false;
        loop {
            match self.recv_timeout(Duration::from_millis(200)) {
                Some(Event::Exited(report)) => {
                    self.reader.take().map(std::thread::JoinHandle::join);
                    return Some(report);
                }
                None if self.has_ended() => return None,
                Some(_) | None => {}
            }
            if !killed && Instant::now() > end {
                self.kill();
                killed = true;
            }
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.close();
        if self.has_ended() {
            return;
        }
        // Waiting here would freeze a window that closes; a thread of its own watches over the end.
        let child = Arc::clone(&self.child);
        let watch = move || {
            let end = Instant::now() + GRACE;
            while Instant::now() < end {
                if !matches!(lock(&child).try_wait(), Ok(None)) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            let _ = lock(&child).kill();
        };
        if std::thread::Builder::new().name("striate-engine-end".into()).spawn(watch).is_err() {
            let _ = lock(&self.child).kill();
        }
    }
}

impl Shared {
    fn push(&self, event: Event) {
        lock(&self.inbox).push(event);
        self.arrived.notify_all();
        if let Some(waker) = &*lock(&self.waker) {
            waker();
        }
    }
}

/// A thread that panicked while it held a lock leaves plain data behind, which is still good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write_commands(commands: &Receiver<Command>, mut stdin: ChildStdin) {
    while let Ok(command) = commands.recv() {
        // A worker that is gone is told about by the thread that reads its messages.
        if write_message(&mut stdin, &command).is_err() {
            return;
        }
    }
}

fn read_events(stdout: impl Read, shared: &Shared, child: &Mutex<Child>, log: std::thread::JoinHandle<()>) {
    let mut stream = BufReader::with_capacity(1 << 16, stdout);
    let mut greeted = false;
    loop {
        match read_message::<Event>(&mut stream) {
            Ok(Some(event)) => {
                if !greeted {
                    if let Some(problem) = greeting_problem(&event) {
                        lock(&shared.state).broken = Some(problem);
                        break;
                    }
                    greeted = true;
                }
                if let Event::Finished { run, .. } | Event::Failed { run: Some(run), .. } = &event {
                    let mut state = lock(&shared.state);
                    if state.run == Some(*run) {
                        state.run = None;
                    }
                }
                shared.push(event);
            }
            Ok(None) => break,
            Err(error) => {
                if !matches!(&error, ChannelError::Io(source) if source.kind() == io::ErrorKind::UnexpectedEof) {
                    lock(&shared.state).broken = Some(error.to_string());
                }
                break;
            }
        }
    }
    let status = wait(child, shared);
    // Its last lines say why.
    let _ = log.join();
    let report = lock(&shared.state).explain(status.as_ref().ok());
    shared.push(Event::Exited(report));
}

/// Waits for a process whose output has ended; one that then does not go, or that talks nonsense, is killed.
fn wait(child: &Mutex<Child>, shared: &Shared) -> io::Result<std::process::ExitStatus> {
    let since = Instant::now();
    loop {
        {
            let mut child = lock(child);
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            let mut clues = lock(&shared.state);
            let patience = match (&clues.broken, clues.asked_to_end) {
                (Some(_), _) => Duration::ZERO,
                (None, true) => GRACE,
                (None, false) => HUNG_UP,
            };
            if since.elapsed() >= patience {
                clues.hung_up |= clues.broken.is_none() && !clues.asked_to_end && !clues.killed;
                child.kill()?;
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Notes what a worker occupies and what the system has left, until it has ended.
fn watch_memory(pid: u32, shared: &Shared) {
    let kills_before = platform::kernel_memory_kills();
    while !lock(&shared.inbox).ended {
        let (resident, available) = (platform::resident_bytes_of(pid), platform::available_memory());
        {
            let mut clues = lock(&shared.state);
            let kills = platform::kernel_memory_kills().zip(kills_before);
            let kernel_killed = kills.map(|(now, before)| now > before);
            let limit = clues.pressure.limit;
            // A process that is gone occupies nothing: what it held before is what counts.
            let resident = resident.or(clues.pressure.resident);
            clues.pressure = Pressure { resident, available, limit, kernel_killed };
        }
        std::thread::sleep(LOOK);
    }
}

fn greeting_problem(event: &Event) -> Option<String> {
    match event {
        Event::Hello { build, protocol, .. } if build == BUILD && *protocol == PROTOCOL => None,
        Event::Hello { build, protocol, .. } => Some(format!(
            "Window and engine must be the same build. This is {BUILD} (messages {PROTOCOL}), the engine is {build} \
             (messages {protocol}). Restart Striate: it was probably updated while it ran."
        )),
        _ => Some("The engine must greet first. It said something else. Restart Striate.".into()),
    }
}

fn read_log(stderr: impl Read, shared: &Shared) {
    let mut lines = BufReader::new(stderr);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        // A line without an end must not fill the memory.
        match (&mut lines).take(1 << 14).read_until(b'\n', &mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
        if text.is_empty() {
            continue;
        }
        {
            lock(&shared.state).heard(&text);
        }
        let (level, text) = log_level(&text);
        shared.push(Event::Log { level, text });
    }
}

/// The level word that `tracing` writes in front.
fn log_level(line: &str) -> (LogLevel, String) {
    for (word, level) in [
        ("ERROR ", LogLevel::Error),
        ("WARN ", LogLevel::Warn),
        ("INFO ", LogLevel::Info),
        ("DEBUG ", LogLevel::Debug),
        ("TRACE ", LogLevel::Debug),
    ] {
        if let Some(rest) = line.trim_start().strip_prefix(word) {
            return (level, rest.trim_start().to_owned());
        }
    }
    // Drivers and libraries print what they like; if it mattered, it is among the last words of a crash.
    (LogLevel::Info, line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_not_exist_is_named() {
        let error = Supervisor::start(Path::new("/nowhere/striate"), &[]).unwrap_err().to_string();
        assert!(error.contains("/nowhere/striate"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_program_that_is_not_an_engine_ends_with_words() {
        // /bin/echo prints "worker" and goes: 4 bytes are a length far over the limit.
        let worker = Supervisor::start(Path::new("/bin/echo"), &[]).unwrap();
        let Some(Event::Exited(report)) = worker.recv_timeout(Duration::from_secs(20)) else { panic!("no end") };
        assert!(!report.expected);
        assert!(report.message.contains("at most"), "{}", report.message);
        assert!(matches!(worker.send(Command::Pause), Err(SupervisorError::Ended)));
    }
}
