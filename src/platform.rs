//! What differs between Linux, macOS and Windows: process priority, standard output, memory limits, signals, folders.
//!
//! Knows nothing of networks, engines or windows. Where a system does not tell, the answer is `None`, never a guess.

use std::fs::File;
use std::path::PathBuf;

/// Takes standard output for the caller alone: from now on, everything that any library prints there goes to standard
/// error, and only the returned file writes to what was standard output.
///
/// Elsewhere than on Unix the handle is shared instead: a library that printed to standard output would break the
/// channel there (none of those in use does), and the reader would report a malformed frame.
///
/// # Errors
/// Standard output is closed.
pub fn take_stdout() -> std::io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::fd::{AsFd as _, AsRawFd as _};
        let own = File::from(std::io::stdout().as_fd().try_clone_to_owned()?);
        let (stderr, stdout) = (std::io::stderr().as_raw_fd(), std::io::stdout().as_raw_fd());
        #[expect(unsafe_code, reason = "dup2 has no safe wrapper; both numbers are open descriptors of this process")]
        // SAFETY: dup2 touches no memory of ours; both descriptors are open for the life of the process.
        let result = unsafe { libc::dup2(stderr, stdout) };
        if result < 0 {
            return Err(std::io::Error::last_os_error());
        }
        Ok(own)
    }
    #[cfg(windows)]
    {
        use std::os::windows::io::AsHandle as _;
        Ok(File::from(std::io::stdout().as_handle().try_clone_to_owned()?))
    }
    #[cfg(not(any(unix, windows)))]
    Err(std::io::Error::from(std::io::ErrorKind::Unsupported))
}

/// Lowers the priority of this process, so that the window stays smooth while it computes. Does nothing where there is
/// no such thing.
pub fn lower_priority() {
    #[cfg(unix)]
    {
        #[expect(unsafe_code, reason = "setpriority has no safe wrapper")]
        // SAFETY: a plain system call on this process; no memory is touched. A failure changes nothing.
        let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 10) };
    }
}

/// Offers this process first when the kernel must free memory: the window should outlive its worker.
pub fn offer_to_oom_killer() {
    #[cfg(target_os = "linux")]
    let _ = std::fs::write("/proc/self/oom_score_adj", "900");
}

/// Bytes that this process can still allocate: the smaller of the system's available memory and what the control group
/// has left.
pub fn available_memory() -> Option<u64> {
    #[cfg(target_os = "linux")]
    {
        let text = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        let available = line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()?.checked_mul(1024)?;
        Some(cgroup_left().map_or(available, |left| left.min(available)))
    }
    #[cfg(not(target_os = "linux"))]
    None
}

/// What is left of the tightest memory limit among this process's control groups (version 2, then version 1).
#[cfg(target_os = "linux")]
fn cgroup_left() -> Option<u64> {
    use std::path::Path;
    let number = |path: PathBuf| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut left: Option<u64> = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(group)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let (root, limit, used) = if controllers.is_empty() {
            (Path::new("/sys/fs/cgroup"), "memory.max", "memory.current")
        } else if controllers.split(',').any(|name| name == "memory") {
            (Path::new("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes")
        } else {
            continue;
        };
        // Inside a container the group's own folder is often mounted as the root.
        let inner = root.join(group.trim_start_matches('/'));
        for folder in inner.ancestors().take_while(|folder| folder.starts_with(root)) {
            if let Some(limit) = number(folder.join(limit)) {
                let free = limit.saturating_sub(number(folder.join(used)).unwrap_or(0));
                left = Some(left.map_or(free, |left| left.min(free)));
            }
        }
    }
    left
}

/// Bytes of physical memory this process occupies now.
pub fn resident_bytes() -> Option<u64> {
    resident_bytes_of(std::process::id())
}

/// Bytes of physical memory that a process occupies; none for one that has ended.
pub fn resident_bytes_of(pid: u32) -> Option<u64> {
    #[cfg(target_os = "linux")]
    {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()?.checked_mul(1024)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = pid;
        None
    }
}

/// How many processes the kernel has killed so far because memory ran out.
pub fn kernel_memory_kills() -> Option<u64> {
    #[cfg(target_os = "linux")]
    {
        let text = std::fs::read_to_string("/proc/vmstat").ok()?;
        text.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
    }
    #[cfg(not(target_os = "linux"))]
    None
}

/// Whether a process exists; `None` where this cannot be asked.
pub fn process_alive(pid: u32) -> Option<bool> {
    #[cfg(target_os = "linux")]
    {
        // A killed process that nobody waited for still has an entry, in state Z.
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return Some(false) };
        let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
        Some(!matches!(state, None | Some('Z' | 'X')))
    }
    #[cfg(all(unix, not(target_os = "linux")))]
    {
        let pid = i32::try_from(pid).ok()?;
        #[expect(unsafe_code, reason = "kill has no safe wrapper; signal 0 only asks")]
        // SAFETY: signal 0 sends nothing and touches no memory.
        let result = unsafe { libc::kill(pid, 0) };
        Some(result == 0 || std::io::Error::last_os_error().kind() == std::io::ErrorKind::PermissionDenied)
    }
    #[cfg(not(unix))]
    {
        let _ = pid;
        None
    }
}

/// The name of a signal, for messages.
pub fn signal_name(signal: i32) -> &'static str {
    match signal {
        2 => "SIGINT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 | 10 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        15 => "SIGTERM",
        _ => "a signal",
    }
}

/// The signal that ended a process, if one did.
pub fn exit_signal(status: std::process::ExitStatus) -> Option<i32> {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt as _;
        status.signal()
    }
    #[cfg(not(unix))]
    {
        let _ = status;
        None
    }
}

/// Puts a child into a process group of its own, so that Ctrl+C in a terminal reaches the parent only.
pub fn detach_from_terminal(command: &mut std::process::Command) {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt as _;
        command.process_group(0);
    }
    #[cfg(windows)]
    {
        use std::os::windows::process::CommandExt as _;
        const CREATE_NEW_PROCESS_GROUP: u32 = 0x0000_0200;
        const CREATE_NO_WINDOW: u32 = 0x0800_0000;
        command.creation_flags(CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW);
    }
    #[cfg(not(any(unix, windows)))]
    let _ = command;
}

/// Notices Ctrl+C from now on instead of dying of it; `interrupted` tells.
///
/// Elsewhere than on Unix, Ctrl+C still ends the program at once; a worker then sees the end of its input and writes its
/// checkpoint all the same.
pub fn watch_for_interrupt() {
    #[cfg(unix)]
    {
        extern "C" fn note(_signal: libc::c_int) {
            INTERRUPTS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        for signal in [libc::SIGINT, libc::SIGTERM] {
            #[expect(unsafe_code, reason = "signal has no safe wrapper")]
            // SAFETY: the handler only adds to an atomic number, which is safe inside a signal handler.
            let _ = unsafe { libc::signal(signal, note as extern "C" fn(libc::c_int) as libc::sighandler_t) };
        }
    }
}

static INTERRUPTS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

/// How often Ctrl+C was pressed since [`watch_for_interrupt`].
pub fn interrupts() -> u32 {
    INTERRUPTS.load(std::sync::atomic::Ordering::Relaxed)
}

/// Cores this process may use.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Whether the person asked the system for less motion. `None` where the system does not tell. Asks another program, so not
/// to be called while drawing.
pub fn reduces_motion() -> Option<bool> {
    let answer = |program: &str, arguments: &[&str]| {
        let output = std::process::Command::new(program).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    if cfg!(target_os = "macos") {
        return answer("defaults", &["read", "com.apple.universalaccess", "reduceMotion"]).map(|text| text == "1");
    }
    if cfg!(windows) {
        let key = r"HKCU\Control Panel\Desktop\WindowMetrics";
        return answer("reg", &["query", key, "/v", "MinAnimate"]).map(|text| text.ends_with('0'));
    }
    answer("gsettings", &["get", "org.gnome.desktop.interface", "enable-animations"]).map(|text| text == "false")
}

/// Whether this system can show file dialogs: elsewhere than on Linux always; there through the desktop's portal, else with
/// zenity. Waits for the desktop's answer, a few seconds at most.
#[cfg(feature = "gui")]
pub fn has_file_dialogs() -> bool {
    #[cfg(all(unix, not(target_os = "macos")))]
    {
        pollster::block_on(file_portal()).is_ok() || has_program("zenity")
    }
    #[cfg(not(all(unix, not(target_os = "macos"))))]
    true
}

/// Asks the desktop portal for the version of its file chooser, which starts it if need be.
#[cfg(all(feature = "gui", unix, not(target_os = "macos")))]
async fn file_portal() -> zbus::Result<()> {
    let desktop =
        zbus::connection::Builder::session()?.method_timeout(std::time::Duration::from_secs(5)).build().await?;
    let (name, path) = ("org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop");
    let version = ("org.freedesktop.portal.FileChooser", "version");
    desktop.call_method(Some(name), path, Some("org.freedesktop.DBus.Properties"), "Get", &version).await?;
    Ok(())
}

/// Whether a program of this name is where commands are looked for.
#[cfg(all(feature = "gui", unix, not(target_os = "macos")))]
fn has_program(name: &str) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let is_program = |path: PathBuf| {
        std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| is_program(folder.join(name)))
}

/// The processor's own name, where the system tells.
pub fn cpu_name() -> Option<String> {
    #[cfg(target_os = "linux")]
    {
        let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    }
    #[cfg(not(target_os = "linux"))]
    std::env::var("PROCESSOR_IDENTIFIER").ok()
}

/// Where this program keeps its own data (runs of the window, caches), if the system says.
pub fn data_dir() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", "striate").map(|dirs| dirs.data_dir().to_path_buf())
}

/// Shows a folder in the system's file manager, without waiting for it.
///
/// # Errors
/// There is no such folder, or no file manager.
pub fn open_folder(path: &std::path::Path) -> std::io::Result<()> {
    if !path.is_dir() {
        return Err(std::io::Error::from(std::io::ErrorKind::NotFound));
    }
    let program = if cfg!(target_os = "macos") {
        "open"
    } else if cfg!(windows) {
        "explorer"
    } else {
        "xdg-open"
    };
    let quiet = std::process::Stdio::null;
    let mut child =
        std::process::Command::new(program).arg(path).stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn()?;
    // Somebody must wait for it, or it stays as a zombie; without the thread it does, which does no harm.
    let _ = std::thread::Builder::new().name("striate-open".into()).spawn(move || child.wait());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_no_process_has_the_largest_number() {
        if let Some(alive) = process_alive(std::process::id()) {
            assert!(alive);
            // Linux: pid_max is at most 2^22.
            assert_eq!(process_alive(0x7fff_fff0), Some(false));
        }
    }

    #[cfg(all(feature = "gui", unix, not(target_os = "macos")))]
    #[test]
    fn programs_are_found_where_commands_are() {
        assert!(has_program("sh"));
        assert!(!has_program("no-such-program-of-striate"));
        // A folder is no program.
        assert!(!has_program("."));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_tells_memory_in_believable_numbers() {
        let (free, resident) = (available_memory().unwrap(), resident_bytes().unwrap());
        // Between 1 MiB and 1 PiB, and this process holds at least one page.
        assert!((1 << 20..1 << 50).contains(&free), "{free}");
        assert!((4096..1 << 50).contains(&resident), "{resident}");
    }
}
