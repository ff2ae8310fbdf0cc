//! The real window, end to end: on a virtual display, with the mouse, through everything that can go wrong on one afternoon.
//!
//! A layer is dragged onto a wire, its filters are changed, the network trains; the engine is killed and resumed; closing
//! asks; the window is killed and recovered; at last it panics. A picture of each step is left in `target/e2e/`. Needs
//! Xvfb, openbox and xdotool (`scripts/setup.sh test`). The places of controls come from the window itself, see
//! `src/ui/test_hook.rs`.
#![cfg(all(feature = "gui", target_os = "linux"))]
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

#[path = "common/pictures.rs"]
mod pictures;

use pictures::pictures;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use striate::engine::run::RunFolder;
use striate::graph::Document;

/// Longest wait for anything; a machine under load draws one frame a second.
const PATIENCE: Duration = Duration::from_mins(3);
const SCREEN: (u32, u32) = (1_240, 800);

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A virtual screen with a window manager.
struct Screen {
    display: String,
    folder: PathBuf,
    pictures: PathBuf,
    count: std::cell::Cell<u32>,
    _manager: Running,
    _server: Running,
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what} did not come");
        std::thread::sleep(Duration::from_millis(30));
    }
}

impl Screen {
    fn open(folder: &Path) -> Self {
        let frame = folder.join("frame");
        std::fs::create_dir_all(&frame).unwrap();
        let size = format!("{}x{}x24", SCREEN.0, SCREEN.1);
        // Without -noreset the server starts over when its last client leaves, and refuses whoever comes meanwhile: a
        // search by xdotool that ends before openbox is there would turn the window away.
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", &size, "-nolisten", "tcp", "-noreset", "-fbdir"])
            .arg(&frame)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("Xvfb: {error}. This test needs it: run scripts/setup.sh test."));
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        let server = Running(server);
        let display = format!(":{}", number.trim());
        let manager = Command::new("openbox")
            .env("DISPLAY", &display)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("openbox: {error}. This test needs it: run scripts/setup.sh test."));
        let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("e2e");
        let _ = std::fs::remove_dir_all(&pictures);
        std::fs::create_dir_all(&pictures).unwrap();
        let screen = Self {
            display,
            folder: folder.to_path_buf(),
            pictures,
            count: std::cell::Cell::new(0),
            _manager: Running(manager),
            _server: server,
        };
        // There are no desktops before there is a manager, which gives windows their focus.
        let desktops = || screen.xdotool(&["get_num_desktops"]).parse::<u32>().ok();
        until("the window manager", || desktops().filter(|&count| count > 0));
        screen
    }

    /// A picture of the whole screen, from the server's own memory (an XWD file: its header says where pixels begin).
    fn picture(&self, name: &str) {
        self.count.set(self.count.get() + 1);
        let bytes = std::fs::read(self.folder.join("frame/Xvfb_screen0")).unwrap();
        let word = |at: usize| {
            let four: [u8; 4] = bytes[at * 4..at * 4 + 4].try_into().unwrap();
            usize::try_from(u32::from_be_bytes(four)).unwrap()
        };
        // X11's XWDFile.h: header size, pixmap width and height, bytes a line, number of colours of 12 bytes each.
        let (header, width, height, line, colours) = (word(0), word(4), word(5), word(12), word(19));
        let first = header + colours * 12;
        let picture =
            image::RgbImage::from_fn(u32::try_from(width).unwrap(), u32::try_from(height).unwrap(), |x, y| {
                let at = first + y as usize * line + x as usize * 4;
                image::Rgb([bytes[at + 2], bytes[at + 1], bytes[at]])
            });
        picture.save(self.pictures.join(format!("{:02}-{name}.png", self.count.get()))).unwrap();
    }

    fn xdotool(&self, arguments: &[&str]) -> String {
        let output = Command::new("xdotool").args(arguments).env("DISPLAY", &self.display).output();
        let output = output.unwrap_or_else(|error| panic!("xdotool: {error}. Run scripts/setup.sh test."));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

/// The real window on it.
struct Window<'a> {
    screen: &'a Screen,
    process: Running,
    id: String,
    tree: PathBuf,
}

/// A control as the window tells it.
#[derive(Clone, Debug)]
struct Control {
    role: String,
    name: String,
    rect: [f64; 4],
}

impl Control {
    fn centre(&self) -> (f64, f64) {
        (f64::midpoint(self.rect[0], self.rect[2]), f64::midpoint(self.rect[1], self.rect[3]))
    }
}

impl<'a> Window<'a> {
    fn open(screen: &'a Screen, document: &Path) -> Self {
        let tree = screen.folder.join("tree.json");
        let _ = std::fs::remove_file(&tree);
        let process = Command::new(env!("CARGO_BIN_EXE_striate"))
            .arg("open")
            .arg(document)
            .env("DISPLAY", &screen.display)
            .env_remove("WAYLAND_DISPLAY")
            .env("HOME", &screen.folder)
            .env("XDG_DATA_HOME", screen.folder.join("data"))
            .env("XDG_CONFIG_HOME", screen.folder.join("config"))
            .env("STRIATE_TEST_TREE", &tree)
            .env("STRIATE_TEST_PANIC", screen.folder.join("panic"))
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(screen.folder.join("window.log")).unwrap())
            .spawn()
            .unwrap();
        let pid = process.id().to_string();
        let mut process = Running(process);
        let id = until("the window", || {
            if let Some(status) = process.0.try_wait().unwrap() {
                let said = std::fs::read_to_string(screen.folder.join("window.log")).unwrap_or_default();
                panic!("the window ended before it was shown, {status}: {said}");
            }
            let found = screen.xdotool(&["search", "--onlyvisible", "--pid", &pid, "--name", "Striate"]);
            found.lines().next().map(str::to_owned)
        });
        let window = Self { screen, process, id, tree };
        window.find("Label", "parameters");
        window.screen.xdotool(&["windowactivate", "--sync", &window.id]);
        // A drawing in software takes its time for every pixel.
        window.screen.xdotool(&["windowsize", &window.id, "1200", "740"]);
        window.screen.xdotool(&["windowmove", &window.id, "10", "10"]);
        window.settle();
        window
    }

    fn controls(&self) -> Vec<Control> {
        let Ok(text) = std::fs::read_to_string(&self.tree) else { return Vec::new() };
        let Ok(json) = serde_json::from_str::<serde_json::Value>(&text) else { return Vec::new() };
        let nodes = json["nodes"].as_array().cloned().unwrap_or_default();
        nodes
            .into_iter()
            .filter_map(|node| {
                let rect: Vec<f64> = node["rect"].as_array()?.iter().filter_map(serde_json::Value::as_f64).collect();
                Some(Control {
                    role: node["role"].as_str()?.to_owned(),
                    name: node["name"].as_str()?.to_owned(),
                    rect: rect.try_into().ok()?,
                })
            })
            .collect()
    }

    fn frame(&self) -> u64 {
        let text = std::fs::read_to_string(&self.tree).unwrap_or_default();
        serde_json::from_str::<serde_json::Value>(&text).map_or(0, |json| json["frame"].as_u64().unwrap_or(0))
    }

    /// Waits for frames drawn after now.
    fn settle(&self) {
        let first = self.frame();
        until("further frames", || (self.frame() >= first + 2).then_some(()));
    }

    fn look(&self, role: &str, words: &str) -> Option<Control> {
        let controls = self.controls();
        let fits = |control: &&Control| control.role == role || role.is_empty();
        let exact = controls.iter().filter(fits).find(|control| control.name == words);
        exact.or_else(|| controls.iter().filter(fits).find(|control| control.name.contains(words))).cloned()
    }

    /// A control that stands still: the same place in two frames after each other.
    fn find(&self, role: &str, words: &str) -> Control {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(first) = self.look(role, words) {
                let frame = self.frame();
                until("the next frame", || (self.frame() > frame).then_some(()));
                if let Some(second) = self
                    .look(role, words)
                    .filter(|second| second.rect.map(f64::to_bits) == first.rect.map(f64::to_bits))
                {
                    return second;
                }
            }
            if Instant::now() > end {
                self.screen.picture("FAILED");
                panic!("{role} {words:?} did not come. There are {:#?}", self.names());
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    fn names(&self) -> Vec<String> {
        self.controls().into_iter().map(|control| format!("{} {}", control.role, control.name)).collect()
    }

    fn gone(&self, words: &str) {
        until(&format!("the end of {words:?}"), || self.look("", words).is_none().then_some(()));
    }

    fn move_to(&self, (x, y): (f64, f64)) {
        let (x, y) = (format!("{x:.0}"), format!("{y:.0}"));
        self.screen.xdotool(&["mousemove", "--window", &self.id, &x, &y]);
    }

    fn click(&self, role: &str, words: &str) {
        self.move_to(self.find(role, words).centre());
        self.settle();
        self.screen.xdotool(&["click", "1"]);
        self.settle();
    }

    fn drag(&self, from: (f64, f64), to: (f64, f64)) {
        self.move_to(from);
        self.settle();
        self.screen.xdotool(&["mousedown", "1"]);
        self.settle();
        for part in [0.1, 0.5, 0.95, 1.0] {
            self.move_to((from.0 + (to.0 - from.0) * part, from.1 + (to.1 - from.1) * part));
            self.settle();
        }
        self.screen.xdotool(&["mouseup", "1"]);
        self.settle();
    }

    /// Drags a layer from the palette onto the wire between two cards.
    fn drop_between(&self, layer: &str, above: &str, below: &str) {
        let from = self.find("Button", layer).centre();
        let (a, b) = (self.find("", above).centre(), self.find("", below).centre());
        self.drag(from, (f64::midpoint(a.0, b.0), f64::midpoint(a.1, b.1)));
    }

    fn key(&self, keys: &str) {
        self.screen.xdotool(&["key", "--clearmodifiers", keys]);
        self.settle();
    }

    fn title(&self) -> String {
        self.screen.xdotool(&["getwindowname", &self.id])
    }

    fn picture(&self, name: &str) {
        // What was drawn last must have reached the screen.
        self.settle();
        self.screen.picture(name);
    }

    /// Asks it to close, as the cross of its title bar does.
    fn ask_to_close(&self) {
        self.screen.xdotool(&["windowactivate", "--sync", &self.id, "key", "--clearmodifiers", "alt+F4"]);
    }

    fn kill(mut self) {
        self.process.0.kill().unwrap();
        self.process.0.wait().unwrap();
    }

    fn wait_for_end(mut self) -> Option<i32> {
        until("the end of the window", || self.process.0.try_wait().unwrap()).code()
    }
}

fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

fn is_alive(pid: u32) -> bool {
    striate::platform::process_alive(pid) == Some(true)
}

fn saved_names(path: &Path) -> Vec<String> {
    Document::open(path).unwrap().document.graph.nodes.iter().map(|node| node.name.clone()).collect()
}

#[test]
fn an_afternoon_in_which_everything_goes_wrong_and_nothing_is_lost() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    let file = folder.join("net.json");
    let mut document = striate::presets::find("lenet5").unwrap();
    document.training.epochs = 100_000;
    // Forty small pictures in ten classes, in batches of 8: a few steps an epoch, and a checkpoint after each.
    document.training.batch = 8;
    document.data.source = striate::graph::DataSource::Folder { path: pictures(folder) };
    document.save(&file).unwrap();
    let data = folder.join("data/io.github.striate.striate");
    let screen = Screen::open(folder);

    // Build: a convolution onto a wire, its filters changed, saved.
    let window = Window::open(&screen, &file);
    assert!(window.title().starts_with("LeNet-5"), "{}", window.title());
    window.picture("opened");
    window.drop_between("Conv2D", "c1, Conv2D", "s2, Average pooling");
    window.find("", "conv1, Conv2D");
    until("the mark of a change", || window.title().starts_with("* ").then_some(()));
    window.picture("dropped");
    window.click("SpinButton", "Filters");
    window.key("ctrl+a");
    window.screen.xdotool(&["type", "6"]);
    window.key("Return");
    window.key("ctrl+s");
    until("the saved file", || {
        let graph = Document::open(&file).ok()?.document.graph;
        graph.by_name("conv1")?.raw.get("settings")?.get("filters")?.as_u64().filter(|&filters| filters == 6)
    });
    until("the title without a mark", || window.title().starts_with("LeNet-5").then_some(()));
    window.picture("saved");

    // Train; the engine is killed; one click goes on.
    window.click("Button", "Train");
    let run = until("the run", || RunFolder::list(&data.join("runs")).into_iter().next());
    let last_step = || run.metrics().ok()?.steps.last().map(|step| step.step);
    until("a checkpoint", || run.checkpoint());
    window.picture("training");
    let worker = run.record().unwrap().pid;
    kill(worker);
    window.find("", "killed from outside");
    window.picture("engine-killed");
    let before = last_step().unwrap();
    window.click("Button", "Resume");
    until("steps after the kill", || last_step().filter(|&step| step > before + 20));
    window.gone("killed from outside");
    let steps = run.metrics().unwrap().steps;
    assert!((1..).zip(&steps).all(|(wanted, step)| step.step == wanted), "a step is missing or comes twice");
    let worker = run.record().unwrap().pid;
    window.picture("resumed");

    // A change that is not saved; closing asks.
    window.drop_between("Dropout", "s2, Average pooling", "c3, Conv2D");
    window.find("", "dropout1, Dropout");
    window.ask_to_close();
    window.find("", "There are unsaved changes");
    window.picture("closing-asks");
    window.click("Button", "Keep open");
    window.gone("There are unsaved changes");

    // The window is killed: its engine writes its checkpoint and ends by itself, and the change is there again.
    let copies = || {
        let folders = std::fs::read_dir(data.join("recovery")).into_iter().flatten().flatten();
        let folders: Vec<PathBuf> = folders.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten());
        files.filter(|file| file.path().extension().is_some_and(|extension| extension == "json")).count()
    };
    until("the copy", || (copies() == 1).then_some(()));
    window.kill();
    until("the engine's end", || (!is_alive(worker)).then_some(()));
    let metrics = run.metrics().unwrap();
    assert_eq!(run.checkpoint().unwrap().0, metrics.steps.last().unwrap().step, "the last step is in the checkpoint");
    assert!(!saved_names(&file).contains(&"dropout1".to_owned()));
    let window = Window::open(&screen, &file);
    window.find("", "Restore unsaved work?");
    window.picture("recovery");
    window.click("Button", "Restore all");
    window.find("", "dropout1, Dropout");
    until("the mark of a change", || window.title().starts_with("* ").then_some(()));
    window.picture("recovered");

    // Closing saves it.
    window.ask_to_close();
    window.find("", "There are unsaved changes");
    window.click("Button", "Save and close");
    assert_eq!(window.wait_for_end(), Some(0));
    assert!(saved_names(&file).contains(&"dropout1".to_owned()));
    assert_eq!(copies(), 0);

    // A panic writes a report and keeps a change that is younger than any copy.
    let window = Window::open(&screen, &file);
    // Eleven layers are shown from their start on: these are in sight.
    window.drop_between("Dropout", "input, Input", "c1, Conv2D");
    window.find("", "dropout2, Dropout");
    std::fs::write(folder.join("panic"), "").unwrap();
    assert_eq!(window.wait_for_end(), Some(101));
    std::fs::remove_file(folder.join("panic")).unwrap();
    assert_eq!(copies(), 1);
    let reports = std::fs::read_dir(&data).unwrap().flatten().map(|entry| entry.path());
    let report = reports.filter(|path| path.to_string_lossy().contains("crash-")).last().unwrap();
    let report = std::fs::read_to_string(report).unwrap();
    for words in ["a panic on demand", "Backtrace", env!("CARGO_PKG_VERSION"), "Last lines of the log"] {
        assert!(report.contains(words), "{words} is not in {report}");
    }
    let window = Window::open(&screen, &file);
    window.find("", "A report of the failure is in");
    window.picture("after-a-panic");
    window.click("Button", "Discard LeNet-5");
    window.gone("Restore unsaved work?");
    window.picture("discarded");
    window.ask_to_close();
    assert_eq!(window.wait_for_end(), Some(0));
    assert_eq!(copies(), 0);
}
