//! Commands as they arrive, read by a thread of its own so that the pipe never fills. Of several waiting looks
//! of one kind the newest wins.

use super::super::channel::read_message;
use super::super::protocol::Command;
use std::collections::VecDeque;
use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Commands that may wait; reading pauses beyond.
const LIMIT: usize = 1_024;

#[derive(Default)]
struct Waiting {
    commands: VecDeque<Command>,
    closed: bool,
}

/// Commands that wait to be handled.
#[derive(Default)]
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

impl Inbox {
    /// Starts the thread that reads a stream to its end.
    pub(super) fn read(stream: impl Read + Send + 'static) -> std::io::Result<Arc<Self>> {
        let inbox = Arc::new(Self::default());
        let own = Arc::clone(&inbox);
        std::thread::Builder::new().name("striate-commands".into()).spawn(move || own.drain(stream))?;
        Ok(inbox)
    }

    fn drain(&self, mut stream: impl Read) {
        loop {
            match read_message::<Command>(&mut stream) {
                Ok(Some(Command::Shutdown) | None) => break,
                Ok(Some(command)) => self.push(command),
                Err(error) => {
                    tracing::error!("{error}");
                    break;
                }
            }
        }
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn push(&self, command: Command) {
        let mut waiting = self.lock();
        while waiting.commands.len() >= LIMIT {
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        if command.is_look() {
            let kind = std::mem::discriminant(&command);
            waiting.commands.retain(|old| std::mem::discriminant(old) != kind);
        }
        if matches!(command, Command::TimeLayers(_)) {
            waiting.commands.retain(|old| !matches!(old, Command::TimeLayers(_)));
        }
        waiting.commands.push_back(command);
        drop(waiting);
        self.changed.notify_all();
    }

    /// The next command, if one waits; looks stay where they are unless `looks`.
    pub(super) fn take(&self, looks: bool) -> Option<Command> {
        let mut waiting = self.lock();
        let index = waiting.commands.iter().position(|command| looks || !command.is_look())?;
        let command = waiting.commands.remove(index);
        drop(waiting);
        self.changed.notify_all();
        command
    }

    /// The next command; waits for it. `None` once the input has ended and all is handled.
    pub(super) fn wait(&self) -> Option<Command> {
        loop {
            if let Some(command) = self.take(true) {
                return Some(command);
            }
            let waiting = self.lock();
            if waiting.closed && waiting.commands.is_empty() {
                return None;
            }
            if waiting.commands.is_empty() {
                // The time limit is a second chance only: every change wakes this up.
                drop(self.changed.wait_timeout(waiting, Duration::from_secs(1)));
            }
        }
    }

    /// Whether the input has ended: write a checkpoint and go.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Whether something waits that should cut a long answer short.
    pub(super) fn is_stopping(&self) -> bool {
        let waiting = self.lock();
        waiting.closed || waiting.commands.iter().any(|command| matches!(command, Command::Stop { .. }))
    }

    /// Whether anything waits that is worth more than a measurement of times.
    pub(super) fn is_wanted(&self) -> bool {
        let waiting = self.lock();
        waiting.closed || !waiting.commands.is_empty()
    }

    /// Whether a command waits that is no look: a person acts, and what takes long ends early.
    pub(super) fn is_urgent(&self) -> bool {
        let waiting = self.lock();
        waiting.closed || waiting.commands.iter().any(|command| !command.is_look())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::channel::write_message;
    use crate::engine::protocol::{ImageRef, ProbeRequest};

    fn probe(id: u64) -> Command {
        let request = ProbeRequest::new(ImageRef::File("a.png".into()), Vec::new());
        Command::Probe(Box::new(ProbeRequest { id, ..request }))
    }

    #[test]
    fn of_several_waiting_probes_the_newest_wins_and_other_commands_keep_their_order() {
        let mut bytes = Vec::new();
        for command in [Command::Pause, probe(1), Command::Resume, probe(2), probe(3), Command::Checkpoint] {
            write_message(&mut bytes, &command).unwrap();
        }
        let inbox = Inbox::default();
        inbox.drain(bytes.as_slice());
        assert!(inbox.is_closed());
        assert_eq!(inbox.take(false), Some(Command::Pause));
        assert_eq!(inbox.take(false), Some(Command::Resume));
        assert_eq!(inbox.take(false), Some(Command::Checkpoint));
        assert_eq!(inbox.take(false), None);
        assert_eq!(inbox.wait(), Some(probe(3)));
        assert_eq!(inbox.wait(), None);
    }

    #[test]
    fn a_broken_frame_ends_the_input() {
        let inbox = Inbox::default();
        inbox.drain([3, 0, 0, 0, 0xff, 0xff, 0xff].as_slice());
        assert!(inbox.is_closed());
        assert_eq!(inbox.wait(), None);
    }
}
