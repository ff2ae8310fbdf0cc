//! The device check: shown when a GPU is chosen for the first time, and on demand. Each case runs in the worker, forward
//! and backward, on the device and on the CPU.

use super::app::App;
use super::session::Session;
use super::theme::{Tokens, size};
use super::{dialogs, kit};
use crate::engine::protocol::{CheckRow, Command, DeviceInfo, DeviceKind};
use crate::text;
use egui::RichText;

/// A device check, under way or done.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct DeviceCheck {
    /// The device.
    pub(super) device: DeviceInfo,
    /// What was found so far.
    pub(super) rows: Vec<CheckRow>,
    /// How many cases there are; 0 before the first is done.
    pub(super) cases: u32,
    /// Where it stands.
    pub(super) state: CheckState,
}

/// Where a check stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CheckState {
    /// Cases are computed.
    Running,
    /// All are done.
    Done,
    /// It broke off; why.
    Failed(String),
}

/// The name under which a result is remembered: another driver is another device.
pub(super) fn key(device: &DeviceInfo) -> String {
    format!("{} | {} | {}", device.name, device.backend, device.driver)
}

fn cpu() -> DeviceInfo {
    DeviceInfo {
        id: "cpu".into(),
        name: "The CPU".into(),
        kind: DeviceKind::Cpu,
        backend: String::new(),
        driver: String::new(),
        capacity_bytes: None,
        automatic: false,
    }
}

impl DeviceCheck {
    /// Whether the device agrees with the CPU; `None` as long as that is open.
    pub(super) fn verdict(&self) -> Option<bool> {
        match self.state {
            CheckState::Running => None,
            CheckState::Done => Some(!self.rows.is_empty() && self.rows.iter().all(CheckRow::passes)),
            CheckState::Failed(_) => Some(false),
        }
    }
}

impl Session {
    /// Starts the check of the chosen device.
    ///
    /// # Errors
    /// In words.
    pub(super) fn check_device(&mut self, ctx: &egui::Context) -> Result<(), String> {
        if self.is_busy() {
            return Err("The device can be checked while nothing trains. A run is training. Stop it first.".into());
        }
        let known = self.device_info().cloned();
        // The list may come a moment after the window; the CPU is there without it.
        let Some(device) = known.or_else(|| (self.device() == "cpu").then(cpu)) else {
            return Err("The list of devices is not there yet. Try again in a moment.".into());
        };
        self.start(ctx)?;
        self.open_device()?;
        self.asked_something();
        self.send(Command::CheckDevice)?;
        self.check = Some(DeviceCheck { device, rows: Vec::new(), cases: 0, state: CheckState::Running });
        Ok(())
    }

    /// The check broke off.
    pub(super) fn fail_check(&mut self, why: &str) -> bool {
        match &mut self.check {
            Some(check) if check.state == CheckState::Running => {
                check.state = CheckState::Failed(why.to_owned());
                true
            }
            _ => false,
        }
    }
}

impl App {
    /// Checks a device that was just chosen, unless that was done before.
    pub(super) fn check_if_new(&mut self, ctx: &egui::Context) {
        let Some(device) = self.session.device_info().filter(|device| device.kind != DeviceKind::Cpu) else { return };
        match self.prefs.checked_devices.get(&key(device)) {
            Some(true) => {}
            Some(false) => {
                let words = format!(
                    "{} did not agree with the CPU when it was checked. Run the check again from the Help menu, or train on the CPU.",
                    device.name
                );
                self.session.warn(words, false);
            }
            None => self.start_check(ctx),
        }
    }

    /// Starts the check and shows it.
    pub(super) fn start_check(&mut self, ctx: &egui::Context) {
        match self.session.check_device(ctx) {
            Ok(()) => self.safety.shows_check = true,
            Err(error) => self.session.warn(error, false),
        }
    }

    /// Remembers the result of a check that is done.
    pub(super) fn remember_check(&mut self) {
        let Some(check) = &self.session.check else { return };
        if let Some(verdict) = check.verdict()
            && check.device.kind != DeviceKind::Cpu
        {
            let key = key(&check.device);
            if self.prefs.checked_devices.get(&key) != Some(&verdict) {
                self.prefs.checked_devices.insert(key, verdict);
            }
        }
    }

    /// The window of the check.
    pub(super) fn check_ui(&mut self, ctx: &egui::Context) {
        let Some(check) = self.session.check.clone() else {
            self.safety.shows_check = false;
            return;
        };
        let modal = dialogs::modal(ctx, "device-check").show(ctx, |ui| check_dialog_ui(ui, &check));
        let closed = modal.should_close();
        match modal.inner {
            Some(Next::UseCpu) => {
                self.safety.shows_check = false;
                self.session.choose_device("cpu", ctx);
            }
            Some(Next::Close) => self.safety.shows_check = false,
            None if closed => self.safety.shows_check = false,
            None => {}
        }
    }
}

/// What a person chose.
enum Next {
    UseCpu,
    Close,
}

fn check_dialog_ui(ui: &mut egui::Ui, check: &DeviceCheck) -> Option<Next> {
    let tokens = Tokens::of(ui);
    ui.set_width(600.0);
    ui.heading("Device check");
    ui.add_space(size::HALF);
    let is_cpu = check.device.kind == DeviceKind::Cpu;
    if is_cpu {
        ui.label(format!(
            "{} is the reference that other devices are compared with, so here it is compared with itself: this shows that every case runs and repeats.",
            check.device.name
        ));
    } else {
        ui.label(format!(
            "{} ({}) computes small pieces of networks, forward and backward, and is compared with the CPU. The largest error, relative to the largest number, may be {:.0e}.",
            check.device.name,
            check.device.backend,
            CheckRow::TOLERANCE
        ));
    }
    ui.add_space(size::STEP);
    tokens.well().show(ui, |ui| {
        ui.set_width(ui.available_width());
        rows_ui(ui, check);
    });
    ui.add_space(size::STEP);
    verdict_ui(ui, check, is_cpu);
    ui.add_space(size::STEP);
    let failed = check.verdict() == Some(false);
    ui.horizontal(|ui| {
        let mut next = None;
        if failed
            && !is_cpu
            && kit::main_button(ui, "Use the CPU").on_hover_text("Choose the CPU as the device").clicked()
        {
            next = Some(Next::UseCpu);
        }
        let (label, hover) = match check.verdict() {
            None => ("Hide", "Close this; the check goes on and its result is kept"),
            Some(true) => ("Close", "Go back to the window"),
            Some(false) => ("Keep this device", "Go on with this device all the same"),
        };
        if ui.button(label).on_hover_text(hover).clicked() {
            next = Some(Next::Close);
        }
        next
    })
    .inner
}

fn rows_ui(ui: &mut egui::Ui, check: &DeviceCheck) {
    let tokens = Tokens::of(ui);
    egui::Grid::new("cases").num_columns(5).spacing([20.0, 6.0]).min_col_width(64.0).show(ui, |ui| {
        for heading in ["Case", "Forward", "Backward", "Time", ""] {
            kit::weak(ui, heading);
        }
        ui.end_row();
        for row in &check.rows {
            let passes = row.passes();
            ui.label(text::sentence(&row.case));
            for error in [row.forward_error, row.backward_error] {
                let words = match error {
                    0.0 => "0".into(),
                    error if error.is_finite() => format!("{error:.1e}"),
                    _ => "none".into(),
                };
                ui.label(RichText::new(words).monospace());
            }
            let time = if row.secs < 1.0 { format!("{:.0} ms", row.secs * 1e3) } else { text::duration(row.secs) };
            ui.label(RichText::new(time).monospace());
            let (color, words) = if passes { (tokens.ok, "agrees") } else { (tokens.error, "differs") };
            let verdict = ui.label(RichText::new(words).color(color));
            if let Some(problem) = &row.problem {
                verdict.on_hover_text(problem);
            }
            ui.end_row();
        }
    });
    for problem in check.rows.iter().filter_map(|row| row.problem.as_ref()) {
        ui.label(RichText::new(problem).color(tokens.error));
    }
    if check.state == CheckState::Running {
        ui.horizontal(|ui| {
            ui.spinner();
            let done = check.rows.len();
            let words = if check.cases == 0 {
                "Opening the device".into()
            } else {
                format!("{done} of {} cases; a GPU compiles its kernels now", check.cases)
            };
            kit::weak(ui, words);
        });
    }
}

fn verdict_ui(ui: &mut egui::Ui, check: &DeviceCheck, is_cpu: bool) {
    let tokens = Tokens::of(ui);
    let (color, words) = match (&check.state, check.verdict()) {
        (CheckState::Running, _) => return,
        (CheckState::Failed(why), _) => (tokens.error, format!("The check broke off. {why}")),
        (CheckState::Done, Some(true)) if is_cpu => {
            (tokens.ok, format!("All {} cases run and repeat.", check.rows.len()))
        }
        (CheckState::Done, Some(true)) => {
            (tokens.ok, format!("This device agrees with the CPU in all {} cases. It is not checked again until its driver changes.", check.rows.len()))
        }
        (CheckState::Done, _) => {
            (tokens.error, "This device does not agree with the CPU: networks may not learn on it. Update its driver, or train on the CPU.".to_owned())
        }
    };
    ui.label(RichText::new(words).color(color));
}
