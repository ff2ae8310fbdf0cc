//! The top of the window: menus, device, run buttons, the RAM gauge; and the tabs of the documents.

use super::UiCommand;
use super::app::App;
use super::command;
use super::dock::Room;
use super::kit::{self, Symbol};
use super::runs::RunState;
use super::theme::{self, Tokens, size};
use super::train_action::TrainAction;
use crate::{presets, text};
use egui::{RichText, Sense, Ui, vec2};

/// A menu entry of the command table.
pub(super) fn entry(ui: &mut Ui, id: &str, is_enabled: bool, label: Option<String>, out: &mut Vec<UiCommand>) -> bool {
    let help = command::find(id).map_or("", |spec| spec.help);
    entry_that_says(ui, id, is_enabled, label, help, out)
}

/// The same with a hover text of its own, which also says why it can do nothing.
fn entry_that_says(
    ui: &mut Ui,
    id: &str,
    is_enabled: bool,
    label: Option<String>,
    hover: &str,
    out: &mut Vec<UiCommand>,
) -> bool {
    let Some(spec) = command::find(id) else { return false };
    let button = egui::Button::new(label.unwrap_or_else(|| spec.label.to_owned()))
        .shortcut_text(command::keys_text(ui.ctx(), id));
    let response = ui.add_enabled(is_enabled, button);
    let clicked = response.on_hover_text(hover).on_disabled_hover_text(hover).clicked();
    if clicked {
        out.extend(command::ui_command(id));
        ui.close();
    }
    clicked
}

impl App {
    /// The bar at the top.
    pub(super) fn top_ui(&mut self, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        ui.horizontal_centered(|ui| {
            self.menus_ui(ui, out);
            ui.separator();
            self.device_ui(ui, out);
            self.run_buttons_ui(ui, out);
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| self.gauge_ui(ui));
        });
    }

    fn menus_ui(&mut self, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        // A menu bar takes all the room it is given.
        let room = vec2(214.0, ui.available_height());
        let layout = egui::Layout::left_to_right(egui::Align::Center);
        ui.allocate_ui_with_layout(room, layout, |ui| self.menu_bar_ui(ui, out));
    }

    fn menu_bar_ui(&mut self, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        egui::MenuBar::new().ui(ui, |ui| {
            ui.menu_button("File", |ui| self.file_menu(ui, out));
            ui.menu_button("Edit", |ui| {
                let history = &self.workspace.front().history;
                let undo = history.undo_label().map(|label| format!("Undo {label}"));
                entry(ui, "undo", undo.is_some(), undo, out);
                let redo = history.redo_label().map(|label| format!("Redo {label}"));
                entry(ui, "redo", redo.is_some(), redo, out);
                ui.separator();
                super::canvas::edit_menu(ui, self.workspace.front().into(), out);
                entry(ui, "copy_cost_csv", true, None, out);
                entry(ui, "copy_cost_markdown", true, None, out);
                ui.separator();
                for id in ["find", "find_next", "next_problem", "preferences"] {
                    self.command_entry(ui, id, out);
                }
            });
            ui.menu_button("View", |ui| self.view_menu(ui, out));
            ui.menu_button("Run", |ui| self.run_menu(ui, out));
            ui.menu_button("Help", |ui| {
                if entry(ui, "help", true, None, out) {
                    self.is_help_open = true;
                }
                entry(ui, "check_device", !self.session.is_busy(), None, out);
                ui.separator();
                kit::weak(ui, format!("Striate {}", env!("CARGO_PKG_VERSION")));
            });
        });
    }

    /// An entry whose command the app handles itself.
    fn command_entry(&mut self, ui: &mut Ui, id: &'static str, out: &mut Vec<UiCommand>) {
        if entry(ui, id, true, None, out) {
            self.command(id, &ui.ctx().clone(), out);
        }
    }

    fn file_menu(&mut self, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        entry(ui, "new", true, None, out);
        entry(ui, "open", true, None, out);
        ui.menu_button("Open preset", |ui| {
            for preset in presets::ALL {
                let name = preset.document().name;
                let about = RichText::new(preset.summary).small().color(Tokens::of(ui).text_weak);
                let entry = ui.add(egui::Button::new(name.as_str()).wrap_mode(egui::TextWrapMode::Extend));
                entry.widget_info(|| egui::WidgetInfo::labeled(egui::Role::MenuItem, true, &name));
                ui.add(egui::Label::new(about).extend().selectable(false));
                if entry.on_hover_text(preset.summary).clicked() {
                    out.push(UiCommand::OpenPreset(preset.id.into()));
                    ui.close();
                }
            }
        });
        ui.add_enabled_ui(!self.prefs.recent.is_empty(), |ui| {
            ui.menu_button("Open recent", |ui| {
                for path in &self.prefs.recent {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    if ui.button(name).on_hover_text(path.display().to_string()).clicked() {
                        out.push(UiCommand::Open(Some(path.clone())));
                        ui.close();
                    }
                }
            });
        });
        ui.separator();
        entry(ui, "save", true, None, out);
        entry(ui, "save_as", true, None, out);
        entry(ui, "export_cost", true, None, out);
        ui.separator();
        if entry(ui, "close", true, None, out) {
            out.push(UiCommand::CloseDocument(self.workspace.active));
        }
        if ui.button("Quit").on_hover_text("Close the window").clicked() {
            out.push(UiCommand::Quit);
            ui.close();
        }
    }

    fn view_menu(&mut self, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        self.command_entry(ui, "palette", out);
        ui.separator();
        entry(ui, "fit", true, None, out);
        entry(ui, "actual_size", true, None, out);
        self.command_entry(ui, "map", out);
        ui.separator();
        let verb = |is_hidden: bool| if is_hidden { "Show" } else { "Hide" };
        let now = self.room();
        entry(ui, "lower", true, Some(format!("{} lower panels", verb(now == Room::Network))), out);
        entry(ui, "network", true, Some(format!("{} network", verb(now == Room::Panels))), out);
        ui.checkbox(&mut self.prefs.show_palette, "Palette").on_hover_text("Show the list of layers");
        ui.checkbox(&mut self.prefs.show_inspector, "Inspector").on_hover_text("Show the settings of the selection");
        for panel in &self.panels {
            if ui.button(panel.title()).on_hover_text(panel.help()).clicked() {
                out.push(UiCommand::ShowPanel(panel.id()));
                ui.close();
            }
        }
        if ui.button("Reset layout").on_hover_text("Put every panel back to its place").clicked() {
            self.reset_layout();
            ui.close();
        }
        ui.separator();
        for (preference, name) in theme::PREFERENCES {
            let is_chosen = self.prefs.theme == preference;
            if ui.radio(is_chosen, name).on_hover_text(format!("Colours: {}", name.to_lowercase())).clicked() {
                self.set_theme(ui.ctx(), preference);
                ui.close();
            }
        }
    }

    fn run_menu(&mut self, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        let busy = self.session.is_busy();
        let cx = self.panel_cx();
        let action = TrainAction::of(&cx);
        let label = (action != TrainAction::Running).then(|| action.label().to_owned());
        entry_that_says(ui, "train", action.is_enabled(), label, &action.hover(ui.ctx()), out);
        let is_paused = self.session.run().is_some_and(|run| run.state == RunState::Paused);
        let of = cx.elsewhere().map(|name| format!(" {name}")).unwrap_or_default();
        let named = |verb: &str| (!of.is_empty()).then(|| format!("{verb}{of}"));
        entry(ui, "pause", busy && !is_paused, named("Pause"), out);
        entry(ui, "stop", busy, named("Stop"), out);
        entry(ui, "stop_best", busy, None, out);
        ui.separator();
        let problem = cx.plan.training_problem();
        let why = problem.clone().or_else(|| busy.then(|| "Rates are searched while nothing trains".into()));
        let help = |id: &str| command::find(id).map_or("", |spec| spec.help).to_owned();
        entry_that_says(ui, "find_rate", why.is_none(), None, &why.unwrap_or_else(|| help("find_rate")), out);
        // Where Train itself adds to the queue, once is enough.
        if !matches!(action, TrainAction::Enqueue(_)) {
            let hover = problem.clone().unwrap_or_else(|| help("enqueue"));
            entry_that_says(ui, "enqueue", problem.is_none(), None, &hover, out);
        }
        entry(ui, "reduce_memory", true, None, out);
        ui.separator();
        let why_not = match cx.run {
            None => Some("This network was not trained yet in this session. The Runs panel has all stored runs"),
            Some(run) if run.is_active() => Some("Its run is under way"),
            Some(run) if run.is_complete() => Some("All its epochs are done. The Training panel can add more"),
            Some(_) if busy => Some("Another network is being trained"),
            Some(_) => None,
        };
        let resume = ui.add_enabled(why_not.is_none(), egui::Button::new("Resume last run"));
        let resume = resume.on_hover_text("Go on from the last checkpoint of this network's last run");
        if resume.on_disabled_hover_text(why_not.unwrap_or_default()).clicked() {
            out.push(UiCommand::ResumeRun);
            ui.close();
        }
    }

    fn device_ui(&self, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        let name = self.session.device_info().map_or("CPU", |device| device.name.as_str());
        let short: String =
            if name.chars().count() > 22 { name.chars().take(21).chain(['…']).collect() } else { name.into() };
        let is_enabled = !self.session.is_busy();
        let combo = ui.add_enabled_ui(is_enabled, |ui| {
            egui::ComboBox::from_id_salt("device").width(120.0).selected_text(short).show_ui(ui, |ui| {
                for device in self.session.devices() {
                    let capacity = device.capacity_bytes.map_or_else(|| "capacity unknown".into(), text::bytes);
                    let label = format!("{}  ({}, {capacity})", device.name, device.kind.label());
                    let is_chosen = device.id == self.session.device();
                    let hover = format!("{} {}", device.backend, device.driver);
                    if ui.selectable_label(is_chosen, label).on_hover_text(hover).clicked() {
                        out.push(UiCommand::ChooseDevice(device.id.clone()));
                    }
                }
            })
        });
        let response = combo.inner.response;
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::ComboBox, is_enabled, format!("Device: {name}")));
        response.on_hover_text("What the network is trained on. It cannot change during a run");
    }

    fn run_buttons_ui(&self, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        let cx = self.panel_cx();
        let (busy, elsewhere, action) = (self.session.is_busy(), cx.elsewhere(), TrainAction::of(&cx));
        let is_paused = self.session.run().is_some_and(|run| run.state == RunState::Paused);
        // While another network trains, every button says whose run it is about.
        let hover = |ui: &Ui, id: &str| {
            let about = elsewhere.map(|name| format!("\nThis is about {name}, which is training")).unwrap_or_default();
            format!("{}{about}", command::hover_text(ui.ctx(), id))
        };
        if action != TrainAction::Running {
            let symbol = if matches!(action, TrainAction::Enqueue(_)) { Symbol::Queue } else { Symbol::Play };
            let button = kit::symbol_button(ui, symbol, action.label(), true, action.is_enabled());
            let words = action.hover(ui.ctx());
            if button.on_hover_text(&words).on_disabled_hover_text(words).clicked() {
                out.push(UiCommand::Train);
            }
        }
        let is_stopping = self.session.run().is_some_and(|run| run.state == RunState::Stopping);
        if busy && !is_stopping && action != TrainAction::GoOn {
            let (symbol, label) = if is_paused { (Symbol::Play, "Go on") } else { (Symbol::Pause, "Pause") };
            if kit::symbol_button(ui, symbol, label, false, true).on_hover_text(hover(ui, "pause")).clicked() {
                out.push(UiCommand::Pause);
            }
        }
        let label = if is_stopping { "Stopping…" } else { "Stop" };
        let stop = kit::symbol_button(ui, Symbol::Stop, label, false, busy && !is_stopping);
        if stop.on_hover_text(hover(ui, "stop")).clicked() {
            out.push(UiCommand::Stop { keep_best: false });
        }
        // Beside another network's run it stays in the menu: the bar has no room for all.
        if elsewhere.is_none() && !is_stopping && (ui.available_width() > 330.0 || busy) {
            let best = kit::symbol_button(ui, Symbol::StopBest, "Stop and keep best", false, busy);
            if best.on_hover_text(hover(ui, "stop_best")).clicked() {
                out.push(UiCommand::Stop { keep_best: true });
            }
        }
    }

    fn gauge_ui(&self, ui: &mut Ui) {
        let tokens = Tokens::of(ui);
        let planned = self.workspace.front().derived().cost.memory.training_planned_bytes;
        let capacity = self.session.device_info().and_then(|device| device.capacity_bytes);
        let width = ui.available_width().clamp(90.0, 220.0);
        let (share, color, mut text) = match capacity {
            Some(capacity) => {
                #[expect(clippy::cast_possible_truncation, reason = "a share for a bar")]
                let share = (planned as f64 / capacity.max(1) as f64) as f32;
                let color = match share {
                    share if share > 1.0 => tokens.error,
                    share if share > 0.8 => tokens.warning,
                    _ => tokens.bar,
                };
                (share, color, format!("RAM {} of {}", text::bytes(planned), text::bytes(capacity)))
            }
            None => (0.0, tokens.bar, format!("RAM {}, capacity unknown", text::bytes(planned))),
        };
        if width < 170.0 {
            text = format!("RAM {}", text::bytes(planned));
        }
        let hover = "Planned RAM of one training step against what the device has.\n\
             Textbook: every output counted once. Planned: what this engine will hold at its fullest moment, with gradients, \
             optimizer and workspace. Measured: what it really held, known after the first steps. The Cost panel shows all three.";
        kit::gauge(ui, share, width, color, &text, "Planned RAM").on_hover_text(hover);
    }

    /// The tabs of the documents.
    pub(super) fn tabs_ui(&self, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        let tokens = Tokens::of(ui);
        ui.horizontal_centered(|ui| {
            ui.spacing_mut().item_spacing.x = 2.0;
            for (index, open) in self.workspace.documents.iter().enumerate() {
                let is_front = index == self.workspace.active;
                let fill = if is_front { tokens.canvas } else { tokens.panel };
                let frame = egui::Frame::new()
                    .fill(fill)
                    .corner_radius(size::RADIUS)
                    .inner_margin(egui::Margin::symmetric(8, 2));
                frame.show(ui, |ui| {
                    ui.spacing_mut().item_spacing.x = 6.0;
                    let is_modified = open.history.is_modified();
                    if is_modified {
                        let (dot, response) = ui.allocate_exact_size(vec2(7.0, 7.0), Sense::hover());
                        ui.painter().circle_filled(dot.center(), 3.5, tokens.accent);
                        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, "Modified"));
                        response.on_hover_text("There are changes that are not saved");
                    }
                    let title = open.title();
                    let color = if is_front { tokens.text_strong } else { tokens.text_weak };
                    let label =
                        egui::Label::new(RichText::new(&title).color(color)).selectable(false).sense(Sense::click());
                    let file =
                        open.file.as_ref().map_or_else(|| "Not saved yet".into(), |file| file.display().to_string());
                    let label = ui.add(label);
                    label.widget_info(|| {
                        egui::WidgetInfo::selected(egui::Role::Tab, true, is_front, format!("Network {title}"))
                    });
                    if label.on_hover_text(file).clicked() {
                        out.push(UiCommand::ShowDocument(index));
                    }
                    let close =
                        ui.add(egui::Button::new(RichText::new("×").color(tokens.text_weak)).frame(false).small());
                    close.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, format!("Close {title}")));
                    if close.on_hover_text("Close this network").clicked() {
                        out.push(UiCommand::CloseDocument(index));
                    }
                });
            }
            let add = ui.add(egui::Button::new(RichText::new("+").color(tokens.text_weak)).frame(false));
            add.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, "New network"));
            if add.on_hover_text(command::hover_text(ui.ctx(), "new")).clicked() {
                out.push(UiCommand::New);
            }
        });
    }
}
