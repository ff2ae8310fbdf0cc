//! The palette: every layer kind by family, with a search, and the presets below. Drag onto the canvas, or press Enter.

use super::canvas::LayerDrag;
use super::theme::{Tokens, size};
use super::{Panel, PanelCx, UiCommand, icons, kit};
use crate::graph::Content;
use crate::layers::{About, Family, Layer, LayerKind as _};
use crate::presets;
use egui::{Align2, Key, Modifiers, Rect, Role, Sense, Ui, Vec2, WidgetInfo, vec2};

/// The palette.
#[derive(Debug)]
pub struct Palette {
    search: String,
    /// Index among the rows that match.
    cursor: usize,
    kinds: Vec<&'static About>,
    /// Presets with the names of their networks.
    presets: Vec<(String, presets::Preset)>,
}

impl Default for Palette {
    fn default() -> Self {
        let presets = presets::ALL.map(|preset| (preset.document().name, preset)).to_vec();
        Self { search: String::new(), cursor: 0, kinds: Layer::all().iter().map(Layer::about).collect(), presets }
    }
}

impl Panel for Palette {
    fn id(&self) -> &'static str {
        "palette"
    }

    fn title(&self) -> &'static str {
        "Layers"
    }

    fn help(&self) -> &'static str {
        "Everything a network is made of. Drag a layer onto a wire; double-click or Enter adds it after the selection."
    }

    fn ui(&mut self, _cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        let is_searching = self.search_ui(ui, out);
        ui.add_space(size::HALF);
        egui::ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 1.0;
            let matches = self.matches();
            let mut place = 0;
            for family in Family::ALL {
                let rows: Vec<&About> = matches.iter().filter(|about| about.family == family).copied().collect();
                if rows.is_empty() {
                    continue;
                }
                heading(ui, family.label());
                for about in rows {
                    layer_row(ui, about, is_searching && place == self.cursor, out);
                    place += 1;
                }
            }
            if matches.is_empty() {
                let message = format!("No layer is called {:?}.", self.search.trim());
                ui.label(egui::RichText::new(message).color(Tokens::of(ui).text_weak));
            }
            if self.search.is_empty() {
                heading(ui, "Presets");
                for (name, preset) in &self.presets {
                    preset_row(ui, name, preset, out);
                }
            }
            ui.add_space(size::MARGIN);
        });
    }
}

impl Palette {
    /// Kinds that match the search, in the order of the list.
    fn matches(&self) -> Vec<&'static About> {
        let words: Vec<String> = self.search.to_lowercase().split_whitespace().map(ToOwned::to_owned).collect();
        let found = |about: &About| {
            let text = format!("{} {} {} {}", about.name, about.id, about.family.label(), about.summary).to_lowercase();
            words.iter().all(|word| text.contains(word.as_str()))
        };
        let by_family =
            Family::ALL.into_iter().flat_map(|family| self.kinds.iter().filter(move |about| about.family == family));
        let mut list: Vec<&'static About> = by_family.copied().filter(|about| found(about)).collect();
        // A name that starts with the search comes before one that only mentions it, family by family.
        if let Some(first) = words.first() {
            list.sort_by_key(|about| {
                let family = Family::ALL.iter().position(|family| *family == about.family);
                (family, !about.name.to_lowercase().starts_with(first.as_str()))
            });
        }
        list
    }

    /// The search field. Whether it has the keyboard.
    fn search_ui(&mut self, ui: &mut Ui, out: &mut Vec<UiCommand>) -> bool {
        let edit = egui::TextEdit::singleline(&mut self.search).hint_text("Search layers").desired_width(f32::INFINITY);
        let output = ui
            .add(edit)
            .on_hover_text("Find a layer by name or use. Arrow keys choose, Enter adds.")
            .accessible_name("Search layers");
        if output.changed() {
            self.cursor = 0;
        }
        let count = self.matches().len();
        if output.has_focus() {
            let (down, up) = ui.input_mut(|i| {
                (i.consume_key(Modifiers::NONE, Key::ArrowDown), i.consume_key(Modifiers::NONE, Key::ArrowUp))
            });
            if down {
                self.cursor = (self.cursor + 1).min(count.saturating_sub(1));
            }
            if up {
                self.cursor = self.cursor.saturating_sub(1);
            }
        }
        if output.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter)) {
            if let Some(about) = self.matches().get(self.cursor) {
                add(about, out);
            }
            self.search.clear();
            self.cursor = 0;
        }
        output.has_focus()
    }
}

fn add(about: &About, out: &mut Vec<UiCommand>) {
    out.extend(Layer::from_id(about.id).map(|layer| UiCommand::AddAfterSelection(Box::new(Content::Layer(layer)))));
}

fn heading(ui: &mut Ui, text: &str) {
    ui.add_space(size::STEP);
    ui.label(egui::RichText::new(text).small().color(Tokens::of(ui).text_weak));
}

/// A row with icon and name; hover fill.
fn row(
    ui: &mut Ui,
    icon: &str,
    colour: egui::Color32,
    text: &str,
    label: &str,
    is_current: bool,
    sense: Sense,
) -> egui::Response {
    let tokens = Tokens::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), size::ROW + 2.0), sense);
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, is_current, label));
    if ui.is_rect_visible(rect) {
        kit::fill_choice(ui, rect, is_current || response.has_focus(), response.hovered());
        let square = Rect::from_center_size(rect.left_center() + vec2(16.0, 0.0), Vec2::splat(size::ICON + 2.0));
        icons::paint(ui.painter(), icon, square, colour);
        let room = rect.width() - 40.0;
        let at = rect.left_center() + vec2(34.0, 0.0);
        super::canvas::write(ui.painter(), at, Align2::LEFT_CENTER, text, size::FONT_BODY, tokens.text, room, false);
    }
    response
}

fn layer_row(ui: &mut Ui, about: &About, is_current: bool, out: &mut Vec<UiCommand>) {
    let colour = Tokens::of(ui).family(about.family);
    let response = row(ui, about.id, colour, about.name, about.name, is_current, Sense::click_and_drag());
    response.dnd_set_drag_payload(LayerDrag(about.id.to_owned()));
    let enter = response.has_focus() && ui.input(|i| i.key_pressed(Key::Enter));
    if response.double_clicked() || enter {
        add(about, out);
    }
    if is_current {
        response.scroll_to_me(None);
    }
    response.on_hover_cursor(egui::CursorIcon::Grab).on_hover_ui(|ui| {
        ui.set_max_width(280.0);
        ui.strong(about.name);
        ui.label(about.summary);
        ui.label(egui::RichText::new("Drag it onto a wire, or double-click").small().weak());
    });
}

fn preset_row(ui: &mut Ui, name: &str, preset: &presets::Preset, out: &mut Vec<UiCommand>) {
    let colour = Tokens::of(ui).text_weak;
    let label = format!("Open preset {name}");
    let response = row(ui, "preset", colour, name, &label, false, Sense::click());
    if response.clicked() {
        out.push(UiCommand::OpenPreset(preset.id.to_owned()));
    }
    response.on_hover_ui(|ui| {
        ui.set_max_width(280.0);
        ui.strong(name);
        ui.label(preset.summary);
        ui.label(egui::RichText::new("Click to open it as a new network").small().weak());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(search: &str) -> Vec<&'static str> {
        let palette = Palette { search: search.into(), ..Palette::default() };
        palette.matches().iter().map(|about| about.id).collect()
    }

    #[test]
    fn the_search_finds_by_name_by_family_and_by_use() {
        assert_eq!(found("").len(), Layer::all().len());
        assert_eq!(found("conv2d").first(), Some(&"conv2d"));
        assert!(found("Max Pool").contains(&"max_pool"));
        assert!(found("merge").contains(&"add"));
        assert!(found("no such layer").is_empty());
    }
}
