//! Every colour, size and font size of the window, in one table for dark and one for light. Knows no panel.

mod numbers;

pub use numbers::{SHADE, SIGHT, diverging, gray, heat, metric, on, overlay, pixel};

use crate::layers::Family;
use egui::{
    Color32, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, Shadow, Stroke, TextStyle, Theme,
    ThemePreference, vec2,
};
use std::sync::Arc;

/// Colours of one theme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// Whether it is the dark one.
    pub dark: bool,
    /// Behind the network.
    pub canvas: Color32,
    /// Dots of the canvas.
    pub canvas_dot: Color32,
    /// Bars and panels.
    pub panel: Color32,
    /// Cards on the canvas, fields, wells.
    pub card: Color32,
    /// What floats: menus, dialogs, hover texts.
    pub floating: Color32,
    /// Under the pointer.
    pub hover: Color32,
    /// Pressed, or chosen.
    pub active: Color32,
    /// Thin lines between regions.
    pub separator: Color32,
    /// Outline of cards and fields.
    pub outline: Color32,
    /// Headings and what matters.
    pub text_strong: Color32,
    /// Text.
    pub text: Color32,
    /// Captions.
    pub text_weak: Color32,
    /// Selection, focus, the one main action.
    pub accent: Color32,
    /// Fill of the main action.
    pub accent_fill: Color32,
    /// Text on the fill of the main action.
    pub on_accent: Color32,
    /// Behind what is selected.
    pub selection: Color32,
    /// What cannot be.
    pub error: Color32,
    /// Behind messages of what cannot be.
    pub error_fill: Color32,
    /// What may not be meant.
    pub warning: Color32,
    /// Behind warnings.
    pub warning_fill: Color32,
    /// What went well.
    pub ok: Color32,
    /// Wires.
    pub wire: Color32,
    /// Wires of the selection, or of a good drop.
    pub wire_active: Color32,
    /// A card's shadow.
    pub shadow: Color32,
    /// One colour per layer family, in the order of [`Family::ALL`].
    pub families: [Color32; 8],
    /// Chart: training.
    pub series_train: Color32,
    /// Chart: validation.
    pub series_validation: Color32,
    /// Chart: the best epoch.
    pub series_best: Color32,
    /// Bars in tables.
    pub bar: Color32,
    /// Track of bars and gauges.
    pub track: Color32,
}

/// Sizes, spacing and radii in points, on a grid of 8 with halves.
pub mod size {
    /// Half a step of the grid.
    pub const HALF: f32 = 4.0;
    /// The step of the grid.
    pub const STEP: f32 = 8.0;
    /// Margin inside panels.
    pub const MARGIN: f32 = 12.0;
    /// Height of a row of a table or list.
    pub const ROW: f32 = 24.0;
    /// Height of the toolbar.
    pub const TOOLBAR: f32 = 40.0;
    /// Height of the status bar.
    pub const STATUS: f32 = 26.0;
    /// Height of tab bars.
    pub const TABS: f32 = 28.0;
    /// Width of the palette.
    pub const PALETTE: f32 = 216.0;
    /// Width of the inspector.
    pub const INSPECTOR: f32 = 304.0;
    /// Width of a window below which both are narrower.
    pub const NARROW: f32 = 1_120.0;
    /// Width of the palette in a narrow window.
    pub const PALETTE_NARROW: f32 = 208.0;
    /// Width of the inspector in a narrow window.
    pub const INSPECTOR_NARROW: f32 = 288.0;
    /// Corner radius of buttons and fields.
    pub const RADIUS: u8 = 5;
    /// Corner radius of cards and dialogs.
    pub const RADIUS_CARD: u8 = 8;
    /// Font: captions.
    pub const FONT_SMALL: f32 = 11.0;
    /// Font: text.
    pub const FONT_BODY: f32 = 13.0;
    /// Font: headings.
    pub const FONT_HEADING: f32 = 16.0;
    /// Width of a wire.
    pub const WIRE: f32 = 1.75;
    /// Side of an icon.
    pub const ICON: f32 = 16.0;
    /// Side of an image thumbnail.
    pub const THUMB: f32 = 44.0;
}

#[expect(clippy::disallowed_methods, reason = "this is the theme")]
const fn hex(rgb: u32) -> Color32 {
    let [_, r, g, b] = rgb.to_be_bytes();
    Color32::from_rgb(r, g, b)
}

/// The dark table.
pub const DARK: Tokens = Tokens {
    dark: true,
    canvas: hex(0x0f_1114),
    canvas_dot: hex(0x22_262c),
    panel: hex(0x16_181c),
    card: hex(0x1f_2228),
    floating: hex(0x22_262c),
    hover: hex(0x2a_2f37),
    active: hex(0x35_3b45),
    separator: hex(0x25_2930),
    outline: hex(0x33_3942),
    text_strong: hex(0xf4_f6f9),
    text: hex(0xcf_d5dd),
    text_weak: hex(0x96_9fab),
    accent: hex(0x6c_adff),
    accent_fill: hex(0x2a_6cd6),
    on_accent: hex(0xff_ffff),
    selection: hex(0x1f_3a63),
    error: hex(0xff_8078),
    error_fill: hex(0x3a_1d1e),
    warning: hex(0xf2_b544),
    warning_fill: hex(0x35_2a14),
    ok: hex(0x4f_c894),
    wire: hex(0x5b_6470),
    wire_active: hex(0x6c_adff),
    shadow: Color32::from_black_alpha(120),
    families: [
        hex(0x9a_a7b8),
        hex(0x56_b4e9),
        hex(0xe6_9f00),
        hex(0x2f_c39a),
        hex(0xf0_e05a),
        hex(0xd9_8fbc),
        hex(0xf0_7a3a),
        hex(0x9d_92f5),
    ],
    series_train: hex(0x56_b4e9),
    series_validation: hex(0xf0_a030),
    series_best: hex(0x4f_c894),
    bar: hex(0x35_6fb5),
    track: hex(0x2a_2f37),
};

/// The light table.
pub const LIGHT: Tokens = Tokens {
    dark: false,
    canvas: hex(0xf1_f3f6),
    canvas_dot: hex(0xd7_dce3),
    panel: hex(0xfb_fbfd),
    card: hex(0xff_ffff),
    floating: hex(0xff_ffff),
    hover: hex(0xe8_ebf0),
    active: hex(0xda_dfe7),
    separator: hex(0xe1_e5eb),
    outline: hex(0xcd_d3dc),
    text_strong: hex(0x10_1418),
    text: hex(0x2b_323b),
    text_weak: hex(0x5f_6875),
    accent: hex(0x1d_5fd1),
    accent_fill: hex(0x1f_63d6),
    on_accent: hex(0xff_ffff),
    selection: hex(0xd3_e3fd),
    error: hex(0xc0_2a22),
    error_fill: hex(0xfd_e9e7),
    warning: hex(0x94_6200),
    warning_fill: hex(0xfd_f1d8),
    ok: hex(0x1b_7f4d),
    wire: hex(0x9a_a3af),
    wire_active: hex(0x1d_5fd1),
    shadow: Color32::from_black_alpha(36),
    families: [
        hex(0x6a_7787),
        hex(0x00_72b2),
        hex(0xc2_7f00),
        hex(0x00_8f68),
        hex(0x9c_8a00),
        hex(0xb2_5a90),
        hex(0xcf_5200),
        hex(0x65_57d6),
    ],
    series_train: hex(0x00_72b2),
    series_validation: hex(0xd0_7400),
    series_best: hex(0x1b_7f4d),
    bar: hex(0x7f_aef0),
    track: hex(0xe4_e8ee),
};

impl Tokens {
    /// The table in force.
    pub fn of(ui: &egui::Ui) -> &'static Self {
        Self::of_visuals(ui.visuals())
    }

    /// The table that visuals were made from.
    pub fn of_visuals(visuals: &egui::Visuals) -> &'static Self {
        if visuals.dark_mode { &DARK } else { &LIGHT }
    }

    /// Colour of a layer family.
    pub fn family(&self, family: Family) -> Color32 {
        let index = Family::ALL.iter().position(|other| *other == family).unwrap_or(0);
        self.families.get(index).copied().unwrap_or(self.text_weak)
    }

    /// Colour of a stored run in charts, by its number.
    pub fn run(&self, number: usize) -> Color32 {
        // The families' colours are told apart without colour vision; those of training and validation are left out.
        const ORDER: [usize; Tokens::RUNS] = [5, 7, 4, 3, 6, 0];
        let at = ORDER.get(number % ORDER.len()).copied().unwrap_or(0);
        self.families.get(at).copied().unwrap_or(self.accent)
    }

    /// Text that can be read on any fill: the one of the two text colours of the tables that is further from it.
    pub fn text_on(&self, fill: Color32) -> Color32 {
        // Rec. 601 luma, as a rough brightness.
        let luma =
            |color: Color32| 0.299 * f32::from(color.r()) + 0.587 * f32::from(color.g()) + 0.114 * f32::from(color.b());
        let (dark, light) = (LIGHT.text_strong, DARK.text_strong);
        if luma(fill) > 128.0 { dark } else { light }
    }

    /// Number of different colours of stored runs.
    pub const RUNS: usize = 6;

    /// The frame of bars and side panels.
    pub fn panel_frame(&self) -> egui::Frame {
        egui::Frame::new().fill(self.panel).inner_margin(Margin::same(12))
    }

    /// A quiet box in a panel.
    pub fn well(&self) -> egui::Frame {
        egui::Frame::new()
            .fill(self.card)
            .corner_radius(CornerRadius::same(size::RADIUS_CARD))
            .inner_margin(Margin::same(12))
    }

    /// A coloured strip for errors and warnings.
    pub fn banner(&self, is_error: bool) -> egui::Frame {
        self.well()
            .fill(if is_error { self.error_fill } else { self.warning_fill })
            .inner_margin(Margin::symmetric(12, 8))
    }

    fn apply(&self, style: &mut egui::Style) {
        style.text_styles = [
            (TextStyle::Small, FontId::proportional(size::FONT_SMALL)),
            (TextStyle::Body, FontId::proportional(size::FONT_BODY)),
            (TextStyle::Button, FontId::proportional(size::FONT_BODY)),
            (TextStyle::Heading, semibold(size::FONT_HEADING)),
            (TextStyle::Monospace, FontId::new(size::FONT_BODY - 1.0, FontFamily::Monospace)),
        ]
        .into();
        let spacing = &mut style.spacing;
        spacing.item_spacing = vec2(size::STEP, 6.0);
        spacing.button_padding = vec2(10.0, 4.0);
        spacing.interact_size = vec2(40.0, size::ROW);
        spacing.indent = 14.0;
        spacing.menu_margin = Margin::same(6);
        spacing.window_margin = Margin::same(16);
        spacing.scroll.bar_width = 6.0;
        spacing.tooltip_width = 360.0;
        spacing.icon_width = 15.0;

        // Lines between panels can be gripped on 8 points.
        style.interaction.resize_grab_radius_side = 4.0;

        let visuals = &mut style.visuals;
        *visuals = if self.dark { egui::Visuals::dark() } else { egui::Visuals::light() };
        visuals.panel_fill = self.panel;
        visuals.window_fill = self.floating;
        visuals.window_stroke = Stroke::new(1.0, self.separator);
        visuals.window_corner_radius = CornerRadius::same(size::RADIUS_CARD);
        visuals.menu_corner_radius = CornerRadius::same(size::RADIUS_CARD);
        let shadow = Shadow { offset: [0, 8], blur: 24, spread: 0, color: self.shadow };
        visuals.window_shadow = shadow;
        visuals.popup_shadow = shadow;
        visuals.extreme_bg_color = self.card;
        visuals.text_edit_bg_color = Some(self.card);
        visuals.faint_bg_color = self.card;
        visuals.code_bg_color = self.hover;
        visuals.hyperlink_color = self.accent;
        visuals.warn_fg_color = self.warning;
        visuals.error_fg_color = self.error;
        visuals.weak_text_color = Some(self.text_weak);
        visuals.selection.bg_fill = self.selection;
        visuals.selection.stroke = Stroke::new(1.0, self.text_strong);
        visuals.striped = false;
        visuals.indent_has_left_vline = false;
        visuals.slider_trailing_fill = true;
        visuals.widgets.noninteractive.bg_stroke = Stroke::new(1.0, self.separator);
        visuals.widgets.noninteractive.fg_stroke = Stroke::new(1.0, self.text);
        visuals.widgets.noninteractive.bg_fill = self.panel;
        let resting = if self.dark { self.card } else { self.hover };
        let hovered = if self.dark { self.hover } else { self.active };
        // The second fill is that of boxes to tick and of sliders, which must stand out from the panel.
        let states = [
            (&mut visuals.widgets.inactive, resting, self.active, self.text),
            (&mut visuals.widgets.hovered, hovered, self.outline, self.text_strong),
            (&mut visuals.widgets.active, self.active, self.outline, self.text_strong),
            (&mut visuals.widgets.open, self.active, self.outline, self.text_strong),
        ];
        for (widget, fill, knob, text) in states {
            widget.bg_fill = knob;
            widget.weak_bg_fill = fill;
            widget.bg_stroke = Stroke::NONE;
            widget.fg_stroke = Stroke::new(1.0, text);
            widget.corner_radius = CornerRadius::same(size::RADIUS);
            widget.expansion = 0.0;
        }
        // Keyboard focus must be visible.
        visuals.widgets.active.bg_stroke = Stroke::new(1.0, self.accent);
        visuals.widgets.hovered.bg_stroke = Stroke::new(1.0, self.outline);
    }
}

/// The typeface of the window: Inter, one file for all weights.
const INTER: &[u8] = include_bytes!("../../assets/fonts/Inter-roman.var.ttf");
/// Name of its semibold weight as a family of its own.
const SEMIBOLD: &str = "semibold";

/// The semibold weight: names, headings, what is chosen.
pub fn semibold(points: f32) -> FontId {
    FontId::new(points, FontFamily::Name(SEMIBOLD.into()))
}

/// Text in the semibold weight.
pub fn strong(text: impl Into<String>) -> egui::RichText {
    egui::RichText::new(text).family(FontFamily::Name(SEMIBOLD.into()))
}

/// Inter in two weights, and egui's own fonts for what it has not.
fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let fallback = fonts.families.get(&FontFamily::Proportional).cloned().unwrap_or_default();
    let weights = [("inter", 400.0, FontFamily::Proportional), (SEMIBOLD, 600.0, FontFamily::Name(SEMIBOLD.into()))];
    for (name, weight, family) in weights {
        let mut data = FontData::from_static(INTER);
        data.tweak.coords.push("wght", weight);
        fonts.font_data.insert(name.into(), Arc::new(data));
        let chain = std::iter::once(name.to_owned()).chain(fallback.iter().cloned()).collect();
        fonts.families.insert(family, chain);
    }
    fonts
}

/// Sets both themes, and what the whole window agrees on.
pub fn install(ctx: &egui::Context) {
    ctx.set_fonts(fonts());
    for (theme, tokens) in [(Theme::Dark, &DARK), (Theme::Light, &LIGHT)] {
        ctx.style_mut_of(theme, |style| tokens.apply(style));
    }
    ctx.options_mut(|options| {
        options.fallback_theme = Theme::Dark;
        // Ctrl and the number keys belong to the canvas.
        options.zoom_with_keyboard = false;
    });
}

/// Names of the theme preferences.
pub const PREFERENCES: [(ThemePreference, &str); 3] =
    [(ThemePreference::System, "System"), (ThemePreference::Light, "Light"), (ThemePreference::Dark, "Dark")];

#[cfg(test)]
mod tests {
    use super::numbers::tests::contrast;
    use super::*;

    #[test]
    fn all_text_is_readable_on_all_surfaces() {
        for tokens in [DARK, LIGHT] {
            for surface in [tokens.canvas, tokens.panel, tokens.card, tokens.floating] {
                for text in [tokens.text_strong, tokens.text, tokens.text_weak, tokens.error, tokens.warning, tokens.ok]
                {
                    let found = contrast(text, surface);
                    assert!(found >= 4.5, "{text:?} on {surface:?}: {found}");
                }
            }
            assert!(contrast(tokens.on_accent, tokens.accent_fill) >= 4.5);
            assert!(contrast(tokens.error, tokens.error_fill) >= 4.5);
            assert!(contrast(tokens.warning, tokens.warning_fill) >= 4.5);
        }
    }

    #[test]
    fn families_stand_out_from_cards_and_from_each_other() {
        for tokens in [DARK, LIGHT] {
            for (i, a) in tokens.families.iter().enumerate() {
                assert!(contrast(*a, tokens.card) >= 3.0, "{a:?}: {}", contrast(*a, tokens.card));
                assert!(tokens.families[i + 1..].iter().all(|b| a != b));
            }
        }
    }
}
