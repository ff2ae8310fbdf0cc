//! What is left of a panic of the window: a report that a person can send, and copies of the unsaved networks.
//!
//! Panics of helper threads are told by whoever waits for them; the hook here is for the thread that draws. Knows no egui.

use super::recovery;
use std::backtrace::Backtrace;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::panic::PanicHookInfo;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Lines of the log that a report carries.
const LINES: usize = 60;
/// Reports that are kept.
const REPORTS: usize = 10;

static LAST_LINES: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());

fn last_lines() -> MutexGuard<'static, VecDeque<String>> {
    LAST_LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Remembers a line of the log for a report.
pub(super) fn note(line: &str) {
    let mut lines = last_lines();
    if lines.len() == LINES {
        lines.pop_front();
    }
    lines.push_back(line.to_owned());
}

/// From now on a panic of this thread writes a report into `folder` and the unsaved networks into their copies. What was
/// done on a panic before is done afterwards.
pub(super) fn install(folder: PathBuf) {
    let drawing = std::thread::current().id();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == drawing {
            let report = write_report(&folder, &words(info));
            recovery::write_in_panic(report.as_deref());
            if let Some(report) = report {
                eprintln!(
                    "Striate failed. Unsaved networks are kept and offered at the next start. Report: {}",
                    report.display()
                );
            }
        }
        before(info);
    }));
}

/// The whole report.
fn words(info: &PanicHookInfo<'_>) -> String {
    let mut text = format!(
        "Striate {} failed.\n\nTime      {}\nSystem    {} {}\nProcess   {}\nThread    {}\nPanic     {info}\n\nLast lines of the log\n",
        env!("CARGO_PKG_VERSION"),
        utc(now()),
        std::env::consts::OS,
        std::env::consts::ARCH,
        std::process::id(),
        std::thread::current().name().unwrap_or("unnamed"),
    );
    // A panic inside `note` leaves the lock taken; the report does without the lines then.
    if let Ok(lines) = LAST_LINES.try_lock() {
        for line in lines.iter() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {line}");
        }
    }
    let _ = write!(text, "\nBacktrace\n{}\n", Backtrace::force_capture());
    text
}

/// Writes a report under a name of its own; older ones make room.
fn write_report(folder: &Path, text: &str) -> Option<PathBuf> {
    std::fs::create_dir_all(folder).ok()?;
    let time: String = utc(now()).chars().filter(char::is_ascii_digit).collect();
    let path = folder.join(format!("crash-{time}-{}.txt", std::process::id()));
    crate::graph::write_atomically(&path, text.as_bytes()).ok()?;
    let mut reports: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            name.starts_with("crash-") && path.extension().is_some_and(|extension| extension == "txt")
        })
        .collect();
    reports.sort();
    let old = reports.len().saturating_sub(REPORTS);
    for path in reports.into_iter().take(old) {
        // A report too many costs a few kilobytes.
        let _ = std::fs::remove_file(path);
    }
    Some(path)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// Seconds since 1970 as `2026-11-24 21:04:03 UTC`.
///
/// # Source
/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn utc(secs: u64) -> String {
    let (days, rest) = (secs / 86_400, secs % 86_400);
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", rest / 3_600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        // date -u -d @0, @951782400 (a leap day of a century), @1700000000
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(utc(1_700_000_000), "2023-11-14 22:13:20 UTC");
    }

    #[test]
    fn reports_are_kept_and_the_oldest_make_room() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..12 {
            std::fs::write(folder.path().join(format!("crash-19990101{n:06}-1.txt")), "old").unwrap();
        }
        let path = write_report(folder.path(), "new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), REPORTS);
        assert!(!folder.path().join("crash-19990101000000-1.txt").exists());
    }
}
