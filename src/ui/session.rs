//! The window's side of the engine: one worker process, its devices, the run it trains and what was looked at last.
//!
//! Everything goes through the supervisor; nothing here waits. Knows neither documents' history nor panels.

use super::device_check::DeviceCheck;
use super::news::{Banner, News};
use super::runs::{RunState, RunView};
use super::search::SearchView;
use super::session_events::Progress;
use super::session_runs::PastRun;
use super::times::TimesView;
use super::trouble::Watch;
use crate::engine::Supervisor;
use crate::engine::memory::LIMIT;
use crate::engine::protocol::{
    Command, DeviceChoice, DeviceInfo, DeviceKind, Event, ImageRef, RateSearch, RateSearchRequest, RunId, TimeRequest,
    TrainRequest,
};
use crate::graph::Document;
use crate::plan::Engine;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Most repaints a second that the engine may cause.
const REPAINT: Duration = Duration::from_millis(33);
/// Lines the log keeps.
const LOG_LINES: usize = 2_000;

/// The engine as the window sees it.
#[derive(Debug)]
pub(super) struct Session {
    exe: PathBuf,
    runs: PathBuf,
    pub(super) supervisor: Option<Supervisor>,
    awake: Arc<AtomicBool>,
    device: String,
    threads: Option<u32>,
    is_open: bool,
    pub(super) devices: Vec<DeviceInfo>,
    pub(super) log: Vec<String>,
    pub(super) news: News,
    pub(super) run: Option<RunView>,
    pub(super) run_id: RunId,
    pub(super) progress: Progress,
    pub(super) request: Option<TrainRequest>,
    pub(super) document: Option<Arc<Document>>,
    pub(super) watch: Watch,
    pub(super) check: Option<DeviceCheck>,
    pub(super) ctx: Option<egui::Context>,
    /// For tests: what the worker's environment has besides.
    pub(super) worker_env: Vec<(String, String)>,
    /// The document that the run is of.
    pub(super) serial: u64,
    /// The worker that the run was started in.
    pub(super) run_worker: Option<u32>,
    /// The last runs of other documents.
    pub(super) past: BTreeMap<u64, PastRun>,
    /// Answers to looks, for the looker.
    pub(super) answers: Vec<Event>,
    pub(super) times: TimesView,
    /// Number of the newest measurement, and the revision it is of.
    pub(super) timing: (u64, u64),
    /// The last search for a learning rate.
    pub(super) search: Option<SearchView>,
    searches: u64,
}

impl Session {
    /// A session that will start `exe worker` and keep its runs in a folder.
    pub(super) fn new(exe: PathBuf, runs: PathBuf) -> Self {
        Self {
            exe,
            runs,
            supervisor: None,
            awake: Arc::default(),
            device: "cpu".into(),
            threads: None,
            is_open: false,
            devices: Vec::new(),
            log: Vec::new(),
            news: News::default(),
            run: None,
            run_id: RunId(0),
            progress: Progress::default(),
            request: None,
            document: None,
            watch: Watch::default(),
            check: None,
            ctx: None,
            worker_env: Vec::new(),
            serial: 0,
            run_worker: None,
            past: BTreeMap::new(),
            answers: Vec::new(),
            times: TimesView::default(),
            timing: (0, 0),
            search: None,
            searches: 0,
        }
    }

    /// Limits the CPU threads of the engine, from its next start on.
    pub(super) fn limit_threads(&mut self, threads: Option<u32>) {
        self.threads = threads;
    }

    /// The devices, CPU first.
    pub(super) fn devices(&self) -> &[DeviceInfo] {
        &self.devices
    }

    /// Id of the chosen device.
    pub(super) fn device(&self) -> &str {
        &self.device
    }

    /// The chosen device, once the list is there.
    pub(super) fn device_info(&self) -> Option<&DeviceInfo> {
        self.devices.iter().find(|device| device.id == self.device)
    }

    /// What the planned figures should assume.
    pub(super) fn engine(&self) -> Engine {
        if self.device == "cpu" { Engine::Cpu } else { Engine::Gpu }
    }

    /// The run under way, of whatever document, or the last one that was.
    pub(super) fn run(&self) -> Option<&RunView> {
        self.run.as_ref()
    }

    /// Lines of the log.
    pub(super) fn log(&self) -> &[String] {
        &self.log
    }

    /// Empties the log.
    pub(super) fn clear_log(&mut self) {
        self.log.clear();
    }

    /// Whether a run is under way, paused or not.
    pub(super) fn is_busy(&self) -> bool {
        self.run.as_ref().is_some_and(RunView::is_active)
    }

    /// The run was told to stop.
    pub(super) fn stopping(&mut self) {
        if let Some(run) = self.run.as_mut().filter(|run| run.is_active()) {
            run.state = RunState::Stopping;
        }
    }

    /// Adds a line to the log.
    pub(super) fn note(&mut self, line: impl Into<String>) {
        if self.log.len() >= LOG_LINES {
            self.log.drain(..LOG_LINES / 4);
        }
        let line = line.into();
        super::crash::note(&line);
        self.log.push(line);
    }

    /// Starts the worker if there is none and opens the chosen device.
    ///
    /// # Errors
    /// The program cannot be started.
    pub(super) fn start(&mut self, ctx: &egui::Context) -> Result<(), String> {
        if self.supervisor.as_ref().is_some_and(|worker| !worker.has_ended()) {
            return Ok(());
        }
        let worker = Supervisor::start(&self.exe, &self.worker_env).map_err(|error| error.to_string())?;
        self.ctx = Some(ctx.clone());
        let (awake, ctx) = (Arc::clone(&self.awake), ctx.clone());
        worker.set_waker(Box::new(move || {
            if !awake.swap(true, Ordering::AcqRel) {
                ctx.request_repaint_after(REPAINT);
            }
        }));
        self.is_open = false;
        self.supervisor = Some(worker);
        if self.devices.is_empty() {
            self.send(Command::ListDevices)?;
        }
        Ok(())
    }

    /// Chooses a device: a worker of its own serves it.
    pub(super) fn choose_device(&mut self, id: &str, ctx: &egui::Context) {
        if id != self.device {
            self.device = id.into();
            // The old worker writes what it has and ends by itself.
            self.supervisor = None;
        }
        if let Err(error) = self.start(ctx) {
            self.warn(error, false);
        }
    }

    /// Trains a document; its snapshots are of an image, if one was chosen.
    ///
    /// # Errors
    /// In words.
    pub(super) fn train(
        &mut self,
        document: &Arc<Document>,
        serial: u64,
        revision: u64,
        (start_from, watched): (Option<PathBuf>, Option<ImageRef>),
        ctx: &egui::Context,
    ) -> Result<(), String> {
        std::fs::create_dir_all(&self.runs)
            .map_err(|error| format!("Runs are kept in {}. It cannot be made: {error}.", self.runs.display()))?;
        let folder = crate::engine::run::RunFolder::free_path(&self.runs, &document.name);
        // First, so that an engine that does not start takes no run away.
        self.start(ctx)?;
        self.open_device()?;
        self.set_aside(serial);
        self.document = Some(Arc::clone(document));
        let request = TrainRequest::new(document.to_json(), folder);
        self.begin(TrainRequest { start_from, watched, ..request }, revision, ctx)
    }

    /// Goes on with the last run from its last checkpoint, with half the batch if `halve`; from its start if it had not
    /// begun.
    ///
    /// # Errors
    /// In words.
    pub(super) fn resume_run(&mut self, halve: bool, ctx: &egui::Context) -> Result<(), String> {
        let (Some(request), Some(run)) = (self.request.clone(), &self.run) else { return Ok(()) };
        let has_begun = crate::engine::run::RunFolder::open(request.folder.clone()).is_ok();
        let request = if halve { request.with_half_the_batch() } else { request };
        let revision = run.revision;
        self.begin(TrainRequest { resume: has_begun, ..request }, revision, ctx)
    }

    /// Goes on with a stored run, whose history is known; up to so many epochs altogether if they are given.
    ///
    /// # Errors
    /// In words.
    pub(super) fn resume_stored(
        &mut self,
        view: RunView,
        document: &Arc<Document>,
        (serial, revision): (u64, u64),
        epochs: Option<u32>,
        ctx: &egui::Context,
    ) -> Result<(), String> {
        let request = TrainRequest { epochs, ..TrainRequest::resuming(view.folder.clone()) };
        self.start(ctx)?;
        self.open_device()?;
        self.set_aside(serial);
        self.document = Some(Arc::clone(document));
        self.run = Some(view);
        self.begin(request, revision, ctx)
    }

    /// The folder that runs are kept in.
    pub(super) fn runs_folder(&self) -> &std::path::Path {
        &self.runs
    }

    /// Searches for a learning rate of a document.
    ///
    /// # Errors
    /// In words.
    pub(super) fn find_rate(&mut self, document: &Document, revision: u64, ctx: &egui::Context) -> Result<(), String> {
        self.start(ctx)?;
        self.open_device()?;
        self.searches += 1;
        let request = RateSearchRequest::new(self.searches, document.to_json());
        self.search = Some(SearchView { revision, is_running: true, ..SearchView::new(self.searches, request.steps) });
        self.asked_something();
        self.send(Command::FindRate(Box::new(request)))
    }

    /// Takes in how a search goes.
    pub(super) fn searched(&mut self, found: RateSearch) {
        if let Some(search) = self.search.as_mut().filter(|search| search.id == found.id) {
            search.take(found);
        }
    }

    fn begin(&mut self, request: TrainRequest, revision: u64, ctx: &egui::Context) -> Result<(), String> {
        self.news.begin_run();
        self.watch.begin();
        self.start(ctx)?;
        self.open_device()?;
        self.run_id = RunId(self.run_id.0 + 1);
        let run = self.run.get_or_insert_with(RunView::default);
        run.name = request.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        run.folder.clone_from(&request.folder);
        run.state = RunState::Preparing;
        run.revision = revision;
        run.started_with = self.document.as_ref().map(|document| document.training.clone());
        run.activity = "starting the engine".into();
        self.progress = Progress::start(run.elapsed_secs);
        self.run_worker = self.supervisor.as_ref().map(Supervisor::pid);
        self.request = Some(request.clone());
        self.send(Command::Train { run: self.run_id, request: Box::new(request) })
    }

    pub(super) fn open_device(&mut self) -> Result<(), String> {
        if self.is_open {
            return Ok(());
        }
        let device = if self.device == "cpu" { DeviceChoice::Cpu } else { DeviceChoice::Named(self.device.clone()) };
        self.send(Command::Open { device, threads: self.threads })?;
        self.is_open = true;
        Ok(())
    }

    /// Tells the worker something.
    ///
    /// # Errors
    /// It is not there, or does not listen.
    pub(super) fn send(&mut self, command: Command) -> Result<(), String> {
        let Some(worker) = &self.supervisor else {
            return Err("The engine must be running to take a command. It is not. Press Train.".into());
        };
        worker.send(command).map_err(|error| error.to_string())
    }

    /// Shows bad news and writes it down.
    pub(super) fn warn(&mut self, message: impl Into<String>, can_resume: bool) {
        self.tell(Banner::new(message.into(), can_resume));
    }

    /// The same with everything that belongs to it.
    pub(super) fn tell(&mut self, banner: Banner) {
        self.note(format!("Error: {}", banner.message));
        self.news.add(banner);
    }

    /// How long layers take.
    pub(super) fn times(&self) -> &TimesView {
        &self.times
    }

    /// Has the engine measure how long each layer of a document takes.
    ///
    /// # Errors
    /// In words.
    pub(super) fn time_layers(
        &mut self,
        document: &Document,
        revision: u64,
        ctx: &egui::Context,
    ) -> Result<(), String> {
        if self.is_busy() {
            return Err("Layers are measured while nothing trains: both would be slower. Stop the run first.".into());
        }
        self.start(ctx)?;
        self.open_device()?;
        self.timing = (self.timing.0 + 1, revision);
        let request = TimeRequest {
            id: self.timing.0,
            document: document.to_json(),
            batch: document.training.batch,
            repeats: TimeRequest::REPEATS,
        };
        self.asked_something();
        self.send(Command::TimeLayers(Box::new(request)))?;
        self.times.is_busy = true;
        Ok(())
    }

    /// Whether the worker still holds the run's network, in training or just trained.
    pub(super) fn is_run_live(&self) -> bool {
        self.run_worker.is_some() && self.run_worker == self.worker_pid()
    }

    /// Takes in everything that the engine said since. Called once a frame, also while the window is hidden.
    pub(super) fn drain(&mut self) {
        self.awake.store(false, Ordering::Release);
        while let Some(event) = self.supervisor.as_ref().and_then(Supervisor::try_recv) {
            self.watch.heard(self.run.as_ref().is_some_and(|run| run.state == RunState::Training));
            if let Event::Exited(report) = event {
                self.ended(report);
                return;
            }
            self.handle(event);
        }
        if let Some(run) = &mut self.run {
            self.progress.update(run);
        }
        self.look_for_silence();
    }

    /// Puts the list of devices in order: CPU first.
    pub(super) fn set_devices(&mut self, mut devices: Vec<DeviceInfo>) {
        devices.sort_by_key(|device| device.kind != DeviceKind::Cpu);
        self.devices = devices;
        if self.device_info().is_none()
            && let Some(first) = self.devices.first()
        {
            self.device = first.id.clone();
        }
    }

    /// Number of the worker's process, for tests that end it.
    pub(super) fn worker_pid(&self) -> Option<u32> {
        self.supervisor.as_ref().map(Supervisor::pid)
    }

    /// Whether there is a worker that has not ended.
    pub(super) fn has_worker(&self) -> bool {
        self.supervisor.is_some()
    }

    /// Closes the worker's input and goes on listening: it writes a checkpoint and ends.
    pub(super) fn end_run(&mut self) {
        if let Some(worker) = &mut self.supervisor {
            worker.close();
        }
    }

    /// Bytes that a training step may take on the chosen device, as far as that is known now.
    pub(super) fn free_bytes(&self) -> Option<u64> {
        match self.engine() {
            Engine::Cpu => {
                let limit = memory_limit(&self.worker_env);
                let free = crate::platform::available_memory();
                limit.into_iter().chain(free).min()
            }
            Engine::Gpu => self.device_info().and_then(|device| device.capacity_bytes),
        }
    }

    /// The same once the run under way has ended and gives its own back.
    pub(super) fn free_bytes_when_idle(&self) -> Option<u64> {
        let own = self.run.as_ref().filter(|run| run.is_active()).and_then(|run| run.measured_bytes).unwrap_or(0);
        let free = self.free_bytes()?;
        let limit = memory_limit(&self.worker_env).unwrap_or(u64::MAX);
        Some(if self.engine() == Engine::Cpu { free.saturating_add(own).min(limit) } else { free })
    }

    /// Closes the worker's input: it writes a checkpoint and ends.
    pub(super) fn close(&mut self) {
        self.supervisor = None;
    }
}

/// What the worker may allocate at most, if it is limited.
fn memory_limit(worker_env: &[(String, String)]) -> Option<u64> {
    let own = worker_env.iter().find(|(name, _)| name == LIMIT).map(|(_, bytes)| bytes.clone());
    own.or_else(|| std::env::var(LIMIT).ok())?.parse().ok()
}
