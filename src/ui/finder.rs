//! The command palette: everything that can be done, added, opened, shown or set, found by a few letters. It decides what was
//! meant; the app does it.

use super::command::{self, Scope};
use super::fuzzy::{self, Hit};
use super::theme::{Tokens, size};
use super::{Panel, PanelCx, UiCommand, icons, inspector, kit, locate};
use crate::graph::Content;
use crate::layers::{Layer, LayerKind as _, list_fields};
use crate::presets;
use egui::text::{LayoutJob, TextFormat, TextWrapping};
use egui::{Align2, FontId, Id, Key, Modifiers, Rect, Role, ScrollArea, Sense, TextEdit, Ui, Vec2, WidgetInfo, vec2};

/// What an entry does.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    /// A command of the table, by id.
    Command(&'static str),
    /// What a panel could ask for.
    Ui(UiCommand),
    /// Gives the keyboard to a field of the inspector: of the selection, or of the whole network.
    Field {
        /// Its name there.
        name: String,
        /// Whether it belongs to the network and not to the selected layer.
        of_network: bool,
    },
    /// Gives the keyboard to a control elsewhere, by its name, and shows its panel.
    Control(&'static str, &'static str),
}

/// One entry.
#[derive(Clone, Debug)]
struct Entry {
    title: String,
    /// What kind of thing it is, or where.
    kind: &'static str,
    detail: String,
    keys: String,
    icon: &'static str,
    action: Action,
    /// Other words by which it is looked for.
    words: String,
}

/// Other words for things, by the first words of their title; the likeliest first. They count less than titles.
const WORDS: &[(&str, &str)] = &[
    // Panels.
    ("Network", "canvas cards diagram graph wires architecture model structure"),
    ("Cost", "ram memory csv bytes parameters params weights macs flops multiply-adds table size"),
    ("Outline", "tree list layers structure summary groups"),
    ("Training", "curves loss accuracy charts csv plot epochs progress overfitting"),
    ("Results", "confusion matrix mistakes errors wrong precision recall f1 classes images accuracy"),
    ("Runs", "history experiments results csv compare checkpoints stored trained"),
    (
        "Data",
        "dataset images mnist photos pictures digits examples classes augmentation split validation test preprocessing",
    ),
    (
        "Feature maps",
        "maps activations channels patches strongest filters kernels convolution visualize explain saliency attention \
         receptive field image draw pad",
    ),
    ("Problems", "errors warnings diagnostics red fix mistakes"),
    ("Log", "messages output console errors engine worker"),
    // Commands and settings.
    ("Histograms and dead channels", "dead filters units neurons relu zero weights gradients activations distribution"),
    ("MNIST folder", "data dataset images digits fashion idx open import"),
    ("Photo folder", "photos pictures images dataset data own classes open import"),
    ("Minimap", "map overview"),
    ("Copy cost table as CSV", "export save csv spreadsheet excel"),
    ("Copy cost table as Markdown", "export save table text"),
    ("Reduce memory", "save ram smaller out of memory oom remedies"),
    ("Element type", "f16 f32 half float precision dtype fp16 fp32"),
    ("Frozen of", "freeze unfreeze trainable fixed"),
    ("Freeze", "frozen unfreeze trainable fixed"),
    ("Colour of the cards", "color coloring colouring metric heatmap legend"),
    ("Preferences", "theme dark light scale settings color colours"),
    ("Bypass", "skip disable mute"),
    ("Delete", "remove"),
    ("Expand", "ungroup"),
    ("Stop", "cancel abort"),
    ("Find learning rate", "lr finder range"),
    ("Learning rate", "lr step"),
    ("Undo", "revert back"),
    ("Check device", "gpu cuda vulkan test"),
    ("Keys and help", "shortcuts keyboard manual"),
];

/// The other words of a title.
fn words(title: &str) -> &'static str {
    let is_meant = |name: &str| {
        let rest = title.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest == "…" || rest.starts_with(' ') && name.ends_with(" of"))
    };
    WORDS.iter().find(|(name, _)| is_meant(name)).map_or("", |(_, words)| words)
}

/// A fit by other words: each word of the query must begin one of them, and an early one counts more; all count less than the
/// same fit of a title.
fn fit_words(query: &str, words: &str) -> Option<Hit> {
    let (query, words) = (query.to_lowercase(), words.to_lowercase());
    let mut score = -10;
    for part in query.split_whitespace() {
        let (rank, word) = words.split_whitespace().enumerate().find(|(_, word)| word.starts_with(part))?;
        score += fuzzy::fit(part, word)?.score - i32::try_from(rank).unwrap_or(i32::MAX);
    }
    (!query.trim().is_empty()).then_some(Hit { score, at: Vec::new() })
}

/// A kind's first entries come before those of later kinds where both fit alike.
const KINDS: [&str; 7] =
    ["Command", "Setting", "Add layer", "Go to layer", "Open preset", "Show panel", "Training setting"];
/// Most rows that are shown.
const ROWS: usize = 60;

/// The palette.
#[derive(Debug, Default)]
pub(super) struct Finder {
    is_open: bool,
    is_new: bool,
    query: String,
    cursor: usize,
    entries: Vec<Entry>,
    /// Indices of the entries that fit, best first, with the letters that were hit.
    found: Vec<(usize, Hit)>,
}

impl Finder {
    /// Opens it empty.
    pub(super) fn open(&mut self, ctx: &egui::Context, cx: &PanelCx<'_>, panels: &[Box<dyn Panel>]) {
        *self = Self { is_open: true, is_new: true, entries: entries(ctx, cx, panels), ..Self::default() };
        self.search();
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    pub(super) fn close(&mut self) {
        self.is_open = false;
    }

    fn search(&mut self) {
        self.cursor = 0;
        let rank = |entry: &Entry| KINDS.iter().position(|kind| *kind == entry.kind).unwrap_or(KINDS.len());
        let mut found: Vec<(usize, Hit)> = self
            .entries
            .iter()
            .enumerate()
            .filter_map(|(at, entry)| {
                let title = fuzzy::fit(&self.query, &entry.title);
                // What only fits with its kind and its detail must have the words whole; it counts less, and marks no letters.
                let more = || {
                    let text = format!("{} {} {}", entry.title, entry.kind, entry.detail).to_lowercase();
                    let has_all = self.query.to_lowercase().split_whitespace().all(|word| text.contains(word));
                    has_all.then_some(Hit { score: -40, at: Vec::new() })
                };
                let other = fit_words(&self.query, &entry.words);
                let best = match (title, other) {
                    (Some(title), Some(other)) if other.score > title.score => Some(other),
                    (title, other) => title.or(other),
                };
                best.or_else(more).map(|hit| (at, hit))
            })
            .collect();
        if self.query.trim().is_empty() {
            found.sort_by_key(|(at, _)| self.entries.get(*at).map(rank));
        } else {
            found.sort_by_key(|(at, hit)| (std::cmp::Reverse(hit.score), self.entries.get(*at).map(rank)));
        }
        found.truncate(ROWS);
        self.found = found;
    }

    /// Shows it over the window; what was chosen.
    pub(super) fn ui(&mut self, ctx: &egui::Context) -> Option<Action> {
        if !self.is_open {
            return None;
        }
        let id = Id::unique("finder");
        let area = egui::Modal::default_area(id).anchor(Align2::CENTER_TOP, vec2(0.0, 72.0));
        let frame = egui::Frame::popup(&ctx.global_style()).inner_margin(egui::Margin::same(10));
        let modal = egui::Modal::new(id).area(area).frame(frame).show(ctx, |ui| {
            ui.set_width((ctx.content_rect().width() - 80.0).min(600.0));
            self.content_ui(ui)
        });
        if modal.inner.is_some() || modal.should_close() {
            self.is_open = false;
        }
        modal.inner
    }

    fn content_ui(&mut self, ui: &mut Ui) -> Option<Action> {
        // Before the field, which would take the arrow keys for itself.
        let (down, up, enter) = ui.input_mut(|i| {
            (
                i.consume_key(Modifiers::NONE, Key::ArrowDown),
                i.consume_key(Modifiers::NONE, Key::ArrowUp),
                i.consume_key(Modifiers::NONE, Key::Enter),
            )
        });
        let edit = TextEdit::singleline(&mut self.query)
            .hint_text("Find a command, layer, preset, panel or setting")
            .font(FontId::proportional(size::FONT_HEADING))
            .margin(egui::Margin::symmetric(8, 7))
            .desired_width(f32::INFINITY);
        let edit = ui
            .add(edit)
            .on_hover_text("A few letters are enough. Arrow keys choose, Enter does it, Esc closes")
            .accessible_name("Command palette");
        edit.request_focus();
        let mut moved = std::mem::take(&mut self.is_new);
        if edit.changed() {
            self.search();
            moved = true;
        }
        let count = self.found.len();
        if count > 0 && (down || up) {
            self.cursor = if down { (self.cursor + 1) % count } else { (self.cursor + count - 1) % count };
            moved = true;
        }
        ui.add_space(size::HALF);
        let mut chosen = enter.then_some(self.cursor).filter(|_| count > 0);
        let tall = (ui.ctx().content_rect().height() - 190.0).clamp(120.0, 420.0);
        ScrollArea::vertical().max_height(tall).auto_shrink([false, true]).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 1.0;
            for (row, (at, hit)) in self.found.iter().enumerate() {
                let Some(entry) = self.entries.get(*at) else { continue };
                let is_current = row == self.cursor;
                let response = row_ui(ui, entry, hit, is_current);
                if is_current && moved {
                    response.scroll_to_me(None);
                }
                if response.clicked() {
                    chosen = Some(row);
                }
            }
            if count == 0 {
                kit::weak(ui, format!("Nothing is called {:?}.", self.query.trim()));
            }
        });
        let (at, _) = self.found.get(chosen?)?;
        // What was chosen may need the keyboard.
        edit.surrender_focus();
        self.entries.get(*at).map(|entry| entry.action.clone())
    }
}

fn row_ui(ui: &mut Ui, entry: &Entry, hit: &Hit, is_current: bool) -> egui::Response {
    let tokens = Tokens::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 28.0), Sense::click());
    response.widget_info(|| {
        WidgetInfo::selected(Role::ListBoxOption, true, is_current, format!("{}: {}", entry.kind, entry.title))
    });
    if ui.is_rect_visible(rect) {
        kit::fill_choice(ui, rect, is_current, response.hovered());
        let square = Rect::from_center_size(rect.left_center() + vec2(18.0, 0.0), Vec2::splat(size::ICON));
        icons::paint(ui.painter(), entry.icon, square, tokens.text_weak);
        let write = |at, align, text: &str, room| {
            super::canvas::write(ui.painter(), at, align, text, size::FONT_SMALL + 0.5, tokens.text_weak, room, false)
        };
        let right = if entry.keys.is_empty() { entry.kind } else { &entry.keys };
        let taken = write(rect.right_center() - vec2(10.0, 0.0), Align2::RIGHT_CENTER, right, 180.0);
        let left = rect.left_center() + vec2(38.0, 0.0);
        let room = rect.width() - 38.0 - taken - 30.0;
        let mut job = LayoutJob::default();
        for (at, letter) in entry.title.chars().enumerate() {
            let font = FontId::proportional(size::FONT_BODY);
            let colour = if hit.at.contains(&at) { tokens.accent } else { tokens.text_strong };
            job.append(letter.encode_utf8(&mut [0; 4]), 0.0, TextFormat::simple(font, colour));
        }
        job.wrap = TextWrapping::truncate_at_width(room);
        let galley = ui.painter().layout_job(job);
        let size = galley.size();
        ui.painter().galley(left - vec2(0.0, size.y / 2.0), galley, tokens.text_strong);
        let rest = room - size.x - 12.0;
        write(left + vec2(size.x + 12.0, 0.5), Align2::LEFT_CENTER, &entry.detail, rest);
    }
    response
}

/// Everything that can be found now.
fn entries(ctx: &egui::Context, cx: &PanelCx<'_>, panels: &[Box<dyn Panel>]) -> Vec<Entry> {
    let plain = |title: &str, kind, detail: &str, icon, action| Entry {
        title: title.to_owned(),
        kind,
        detail: detail.to_owned(),
        keys: String::new(),
        icon,
        action,
        words: if matches!(kind, "Add layer" | "Go to layer") { String::new() } else { words(title).to_owned() },
    };
    let mut list = Vec::new();
    let is_offered = |spec: &&command::Spec| spec.scope != Scope::Maps && !matches!(spec.id, "palette" | "walk");
    for spec in command::ALL.iter().filter(is_offered) {
        let needs_none = matches!(spec.id, "fit" | "actual_size" | "select_all" | "paste" | "add" | "out");
        if spec.scope == Scope::Canvas && !needs_none && cx.selection.is_empty() {
            if spec.id == "freeze" {
                let action = Action::Ui(UiCommand::Notify("Select the layers to freeze first.".into()));
                list.push(plain(spec.label, "Command", "Of selected layers: there are none", "command", action));
            }
            continue;
        }
        let keys = command::keys_text(ctx, spec.id);
        list.push(Entry { keys, ..plain(spec.label, "Command", spec.help, "command", Action::Command(spec.id)) });
    }
    if let [only] = cx.selection
        && let Some(node) = cx.graph().node(*only)
    {
        let mut setting = |name: &str, help: &str| {
            let action = Action::Field { name: name.to_owned(), of_network: false };
            list.push(plain(&format!("{name} of {}", node.name), "Setting", help, "setting", action));
        };
        setting("Name", "What the layer is called");
        if let Some(mut layer) = node.layer().cloned() {
            for (spec, ..) in list_fields(&mut layer) {
                setting(spec.label, spec.help);
            }
            if layer.has_weights() {
                setting("Frozen", "Whether it keeps its weights while training");
            }
        }
    }
    let control = |name: &'static str, panel| Action::Control(name, panel);
    let element = "Whether values are computed in 16 or 32 bits while training";
    list.push(plain("Element type", "Training setting", element, "setting", control("Element type", "training")));
    let colour = "What the colours stand for: kind, RAM, parameters, MACs, receptive field or measured time";
    list.push(plain("Colour of the cards", "Setting", colour, "setting", control("Colour of the cards", "canvas")));
    for (name, help) in inspector::SETTINGS {
        let action = Action::Field { name: (*name).to_owned(), of_network: true };
        list.push(plain(name, "Training setting", help, "setting", action));
    }
    for layer in Layer::all() {
        let about = layer.about();
        let action = Action::Ui(UiCommand::AddAfterSelection(Box::new(Content::Layer(layer))));
        list.push(plain(about.name, "Add layer", about.summary, about.id, action));
    }
    for place in locate::places(cx.document) {
        let action = Action::Ui(UiCommand::Reveal { path: place.path, node: Some(place.id), link: None });
        list.push(plain(&place.name, "Go to layer", &place.kind, place.icon, action));
    }
    for preset in presets::ALL {
        let action = Action::Ui(UiCommand::OpenPreset(preset.id.to_owned()));
        let name = preset.document().name;
        list.push(Entry {
            words: preset.id.to_owned(),
            ..plain(&name, "Open preset", preset.summary, "preset", action)
        });
    }
    for panel in panels {
        let action = Action::Ui(UiCommand::ShowPanel(panel.id()));
        list.push(plain(panel.title(), "Show panel", panel.help(), "panel", action));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_things_with_one_name_the_command_comes_first() {
        let entry = |title: &str, kind| Entry {
            title: title.into(),
            kind,
            detail: String::new(),
            keys: String::new(),
            icon: "command",
            action: Action::Command("fit"),
            words: words(title).to_owned(),
        };
        let entries =
            vec![entry("Training", "Show panel"), entry("Train", "Command"), entry("Trainable", "Go to layer")];
        let mut finder = Finder { query: "train".into(), entries, ..Finder::default() };
        finder.search();
        assert_eq!(finder.found.first().map(|(at, _)| *at), Some(1));
        finder.query = "zzz".into();
        finder.search();
        assert!(finder.found.is_empty());
    }

    #[test]
    fn every_panel_is_found_by_the_words_of_a_learner() {
        let panels = crate::ui::all_panels();
        let entry = |title: &str, kind| Entry {
            title: title.into(),
            kind,
            detail: String::new(),
            keys: String::new(),
            icon: "panel",
            action: Action::Command("fit"),
            words: if kind == "Add layer" { String::new() } else { words(title).to_owned() },
        };
        let mut entries: Vec<Entry> = command::ALL.iter().map(|spec| entry(spec.label, "Command")).collect();
        entries.extend(Layer::all().iter().map(|layer| entry(layer.about().name, "Add layer")));
        entries.extend(panels.iter().map(|panel| entry(panel.title(), "Show panel")));
        for panel in &panels {
            assert!(!words(panel.title()).is_empty(), "{} has no other words", panel.title());
        }
        for (query, title) in [
            ("map", "Feature maps"),
            ("maps", "Feature maps"),
            ("activations", "Feature maps"),
            ("patch", "Feature maps"),
            ("strong", "Feature maps"),
            ("dead", "Histograms and dead channels"),
            ("minimap", "Minimap"),
            ("mnist", "MNIST folder…"),
            ("photos", "Photo folder…"),
            ("confusion", "Results"),
            ("curves", "Training"),
            ("dataset", "Data"),
            ("errors", "Problems"),
            ("canvas", "Network"),
        ] {
            let mut finder = Finder { query: query.into(), entries: entries.clone(), ..Finder::default() };
            finder.search();
            let first = finder.found.first().and_then(|(at, _)| finder.entries.get(*at));
            assert_eq!(first.map(|entry| entry.title.as_str()), Some(title), "{query}");
        }
    }

    #[test]
    fn other_words_find_what_is_called_otherwise_but_titles_come_first() {
        for (query, title) in [
            ("ram", "Cost"),
            ("memory", "Cost"),
            ("csv", "Cost"),
            ("f16", "Element type"),
            ("half", "Element type"),
            ("freeze", "Frozen of conv1"),
            ("color", "Colour of the cards"),
        ] {
            assert!(fit_words(query, words(title)).is_some(), "{query} finds {title}");
        }
        // Only from the start of a word, and never with an empty query.
        assert_eq!(fit_words("am", words("Cost")), None);
        assert_eq!(fit_words("", words("Cost")), None);
        // A layer that happens to begin alike has none of them.
        assert_eq!(words("Costly"), "");
        assert!(
            fuzzy::fit("freeze", "Freeze").unwrap().score > fit_words("freeze", words("Frozen of a")).unwrap().score
        );
    }
}
