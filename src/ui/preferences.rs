//! What a person chooses about the window itself: colours, scale, motion, the map.

use super::app::App;
use super::theme::{self, Tokens, size};
use egui::{Context, Id, RichText, ThemePreference, Ui};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What a person chose about the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Prefs {
    /// Colours.
    pub theme: ThemePreference,
    /// Id of the device.
    pub device: String,
    /// Files opened and saved last, newest first.
    pub recent: Vec<PathBuf>,
    /// The palette is open.
    pub show_palette: bool,
    /// The inspector is open.
    pub show_inspector: bool,
    /// Size of everything; 1 is actual size.
    pub scale: f32,
    /// Whether things move.
    pub motion: Motion,
    /// The map of large networks is shown.
    pub shows_map: bool,
    /// Devices that were compared with the CPU, by name and driver, and whether they agreed.
    pub checked_devices: BTreeMap<String, bool>,
}

impl Default for Prefs {
    fn default() -> Self {
        let theme = ThemePreference::System;
        Self {
            theme,
            device: "cpu".into(),
            recent: Vec::new(),
            show_palette: true,
            show_inspector: true,
            scale: 1.0,
            motion: Motion::default(),
            shows_map: true,
            checked_devices: BTreeMap::new(),
        }
    }
}

/// Whether things move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Motion {
    /// As the system has it, where it tells.
    #[default]
    System,
    /// Cards glide to new places, panels slide.
    Full,
    /// Everything is where it belongs at once.
    Reduced,
}

impl Motion {
    const ALL: [(Self, &'static str, &'static str); 3] = [
        (Self::System, "System", "As the system has it, where it tells"),
        (Self::Full, "Full", "Cards glide to new places, panels slide"),
        (Self::Reduced, "Reduced", "Everything is where it belongs at once"),
    ];
}

/// Scales of the interface that the slider takes.
const SCALES: std::ops::RangeInclusive<f32> = 0.7..=2.0;

/// Whether the canvas shows its map.
pub(super) fn shows_map(ctx: &Context) -> bool {
    ctx.data(|data| data.get_temp(Id::unique("map"))).unwrap_or(true)
}

/// Makes the window as the preferences say.
pub(super) fn apply(ctx: &Context, prefs: &Prefs, system_reduces: bool) {
    ctx.set_zoom_factor(prefs.scale.clamp(*SCALES.start(), *SCALES.end()));
    let is_still = match prefs.motion {
        Motion::System => system_reduces,
        Motion::Full => false,
        Motion::Reduced => true,
    };
    let secs = if is_still { 0.0 } else { egui::Style::default().animation_time };
    ctx.all_styles_mut(|style| style.animation_time = secs);
    ctx.data_mut(|data| data.insert_temp(Id::unique("map"), prefs.shows_map));
}

impl App {
    /// The window of preferences, while it is open.
    pub(super) fn preferences_ui(&mut self, ctx: &Context) {
        if !self.is_preferences_open {
            return;
        }
        let mut prefs = self.prefs.clone();
        let frame = egui::Frame::window(&ctx.global_style()).inner_margin(egui::Margin::same(20));
        let modal = egui::Modal::new(Id::unique("preferences")).frame(frame).show(ctx, |ui| {
            ui.set_width(380.0);
            ui.heading("Preferences");
            ui.add_space(size::STEP);
            form(ui, &mut prefs);
            ui.add_space(size::STEP * 1.5);
            ui.button("Close preferences").on_hover_text("Go back to the window (Esc)").clicked()
        });
        // While the slider is held the scale must not change under it.
        let is_held = ctx.input(|i| i.pointer.any_down());
        if prefs != self.prefs {
            if prefs.theme != self.prefs.theme {
                ctx.set_theme(prefs.theme);
            }
            self.prefs = prefs;
            self.scale_waits = true;
        }
        if self.scale_waits && !is_held {
            self.scale_waits = false;
            self.apply_preferences(ctx);
        }
        if modal.inner || modal.should_close() {
            self.is_preferences_open = false;
        }
    }

    /// Makes the window as its preferences say.
    pub(super) fn apply_preferences(&mut self, ctx: &Context) {
        apply(ctx, &self.prefs, self.system_reduces.get().copied().unwrap_or(false));
    }
}

fn form(ui: &mut Ui, prefs: &mut Prefs) {
    let tokens = Tokens::of(ui);
    egui::Grid::new("preferences").num_columns(2).spacing([20.0, 14.0]).show(ui, |ui| {
        let caption = |ui: &mut Ui, text: &str| ui.label(RichText::new(text).color(tokens.text_weak));
        caption(ui, "Colours");
        ui.horizontal(|ui| {
            for (theme, name) in theme::PREFERENCES {
                let help = format!("Colours: {}", name.to_lowercase());
                ui.selectable_value(&mut prefs.theme, theme, name).on_hover_text(help);
            }
        });
        ui.end_row();
        let label = caption(ui, "Interface scale");
        ui.horizontal(|ui| {
            let slider = egui::Slider::new(&mut prefs.scale, SCALES)
                .step_by(0.05)
                .custom_formatter(|value, _| format!("{:.0} %", value * 100.0))
                .custom_parser(|text| {
                    text.trim_end_matches(['%', ' ']).parse().ok().map(|percent: f64| percent / 100.0)
                });
            ui.add(slider).labelled_by(label.id).on_hover_text("Size of everything in the window");
            if (prefs.scale - 1.0).abs() > 0.001 && ui.button("100 %").on_hover_text("Back to actual size").clicked() {
                prefs.scale = 1.0;
            }
        });
        ui.end_row();
        caption(ui, "Motion");
        ui.horizontal(|ui| {
            for (motion, name, help) in Motion::ALL {
                let button = ui.selectable_value(&mut prefs.motion, motion, name).on_hover_text(help);
                button.widget_info(|| {
                    egui::WidgetInfo::selected(
                        egui::Role::RadioButton,
                        true,
                        prefs.motion == motion,
                        format!("Motion: {}", name.to_lowercase()),
                    )
                });
            }
        });
        ui.end_row();
        caption(ui, "Canvas");
        ui.checkbox(&mut prefs.shows_map, "Map of large networks")
            .on_hover_text("A small map at the lower right while not everything is in sight");
        ui.end_row();
    });
}
