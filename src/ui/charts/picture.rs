//! The charts as a picture: drawn anew on a sheet of their own at twice the usual fineness, whole, however little of them the
//! panel shows. The window's graphics device draws it, in a background thread.

use super::export::Exported;
use super::plot::Seen;
use super::series::{Look, What};
use super::{Charts, Shown};
use crate::ui::settings;
use crate::ui::theme::{self, Tokens, size};
use eframe::egui_wgpu::{RenderState, Renderer, RendererOptions, wgpu};
use egui::mutex::RwLock;
use egui::{Rect, RichText, Theme, Ui, Vec2, vec2};
use egui_kittest::Harness;
use egui_kittest::wgpu::WgpuTestRenderer;
use std::io;
use std::sync::Arc;

/// Pixels a point.
const FINENESS: f32 = 2.0;
/// Size of one chart.
const CHART: Vec2 = vec2(640.0, 360.0);
/// Height of a line above the charts.
const LINE: f32 = 22.0;
/// Frames until axes have found their numbers.
const FRAMES: usize = 4;

/// How the charts of a picture are looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    pub(super) look: Look,
    pub(super) is_open: [bool; 4],
    pub(super) seen: [Seen; 4],
    pub(super) is_dark: bool,
}

impl Picture {
    /// The picture as PNG.
    ///
    /// # Errors
    /// The device or the encoder refuses.
    pub(in crate::ui) fn png(self, runs: Vec<Exported>, device: &RenderState) -> io::Result<Vec<u8>> {
        let picture = self.drawn(runs, device).map_err(io::Error::other)?;
        let mut file = io::Cursor::new(Vec::new());
        picture.write_to(&mut file, image::ImageFormat::Png).map_err(io::Error::other)?;
        Ok(file.into_inner())
    }

    /// Points of the whole sheet.
    fn size(&self, lines: usize) -> Vec2 {
        let open = self.is_open.iter().filter(|is_open| **is_open).count().max(1);
        let (columns, rows) = (open.min(2), open.div_ceil(2));
        vec2(CHART.x * columns as f32, CHART.y * rows as f32 + LINE * lines as f32) + Vec2::splat(size::STEP * 4.0)
    }

    fn drawn(self, runs: Vec<Exported>, device: &RenderState) -> Result<image::RgbImage, String> {
        let format = wgpu::TextureFormat::Rgba8Unorm;
        // The window's device, with a drawer of its own: nothing of the window's textures is touched.
        let renderer = Renderer::new(&device.device, format, RendererOptions::PREDICTABLE);
        let state = RenderState { target_format: format, renderer: Arc::new(RwLock::new(renderer)), ..device.clone() };
        let (size, is_dark) = (self.size(runs.len().max(1)), self.is_dark);
        let mut charts = Charts { look: self.look, is_open: self.is_open, fixed: Some(self.seen), ..Charts::default() };
        let mut harness = Harness::builder()
            .with_size(size)
            .with_pixels_per_point(FINENESS)
            .with_theme(if is_dark { Theme::Dark } else { Theme::Light })
            .with_render_cursor(false)
            .with_accessibility_check(false)
            .with_context_setup(theme::install)
            .renderer(WgpuTestRenderer::from_render_state(state))
            .build_ui(move |ui| sheet_ui(ui, &runs, &mut charts));
        (0..FRAMES).for_each(|_| harness.step());
        let picture = harness.render()?;
        Ok(image::DynamicImage::ImageRgba8(picture).into_rgb8())
    }
}

/// The runs by name, and their charts.
fn sheet_ui(ui: &mut Ui, runs: &[Exported], charts: &mut Charts) {
    let tokens = Tokens::of(ui);
    let sheet = ui.ctx().content_rect();
    ui.painter().rect_filled(sheet, 0.0, tokens.panel);
    let inner: Rect = sheet.shrink(size::STEP * 2.0);
    ui.scope_builder(egui::UiBuilder::new().max_rect(inner), |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        for exported in runs {
            let color = exported.color.map_or(tokens.text_strong, |number| tokens.run(number));
            ui.allocate_ui_with_layout(
                vec2(inner.width(), LINE),
                egui::Layout::left_to_right(egui::Align::Min),
                |ui| {
                    ui.label(RichText::new(&exported.name).color(color));
                    let spec = exported.run.started_with.as_ref().map(settings::in_words);
                    let about = [spec.unwrap_or_default(), exported.note.replace('\n', " ")];
                    let about: Vec<&str> = about.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
                    let about = RichText::new(about.join(". ")).color(tokens.text_weak);
                    ui.add(egui::Label::new(about).truncate());
                },
            );
        }
        ui.spacing_mut().item_spacing.y = size::STEP;
        let shown: Vec<Shown<'_>> = runs.iter().map(|exported| exported.shown(tokens)).collect();
        charts.draw(&shown, ui);
    });
}

impl Charts {
    /// What a picture of these charts needs, besides the runs.
    pub(super) fn picture(&self, ui: &Ui) -> Picture {
        Picture { look: self.look, is_open: self.is_open, seen: self.seen.clone(), is_dark: ui.visuals().dark_mode }
    }

    /// Place of a chart among all.
    pub(super) fn place(what: What) -> usize {
        What::ALL.iter().position(|other| *other == what).unwrap_or(0)
    }
}
