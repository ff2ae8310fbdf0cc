//! Every command with a key, once: menus, hover texts, the help page and the key handling read this table.

use super::UiCommand;
use super::dock::Room;
use super::runs_view::RunsCommand;
use egui::{Key, KeyboardShortcut, Modifiers};

/// Who acts on the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The window, wherever the focus is.
    Window,
    /// The canvas, while it has the focus or the pointer.
    Canvas,
    /// The feature maps, while they have the focus or the pointer.
    Maps,
}

/// One command.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Stable id.
    pub id: &'static str,
    /// Text in menus and on buttons.
    pub label: &'static str,
    /// What it does, for hover texts and the help page.
    pub help: &'static str,
    /// Its keys; the first is the one that menus show.
    pub keys: &'static [KeyboardShortcut],
    /// Who acts on them.
    pub scope: Scope,
}

const fn ctrl(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND, key)
}

const fn ctrl_shift(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), key)
}

const fn shift(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::SHIFT, key)
}

const fn alt(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::ALT, key)
}

const fn plain(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::NONE, key)
}

const fn window(id: &'static str, label: &'static str, help: &'static str, keys: &'static [KeyboardShortcut]) -> Spec {
    Spec { id, label, help, keys, scope: Scope::Window }
}

const fn canvas(id: &'static str, label: &'static str, help: &'static str, keys: &'static [KeyboardShortcut]) -> Spec {
    Spec { id, label, help, keys, scope: Scope::Canvas }
}

const fn maps(id: &'static str, label: &'static str, help: &'static str, keys: &'static [KeyboardShortcut]) -> Spec {
    Spec { id, label, help, keys, scope: Scope::Maps }
}

/// All commands, in the order of the help page.
pub const ALL: &[Spec] = &[
    window("new", "New", "Start an empty network in a tab of its own", &[ctrl(Key::N)]),
    window("open", "Open…", "Open a network from a file", &[ctrl(Key::O)]),
    window("save", "Save", "Write the network to its file", &[ctrl(Key::S)]),
    window("save_as", "Save as…", "Write the network to another file", &[ctrl_shift(Key::S)]),
    window("close", "Close tab", "Close the network in front", &[ctrl(Key::W)]),
    window(
        "mnist_folder",
        "MNIST folder…",
        "Learn from a folder with the four files of MNIST or Fashion-MNIST, packed or not",
        &[],
    ),
    window("photo_folder", "Photo folder…", "Learn from a folder with one folder of pictures per class", &[]),
    window("undo", "Undo", "Take back the last change of the network", &[ctrl(Key::Z)]),
    window("redo", "Redo", "Make the undone change again", &[ctrl_shift(Key::Z), ctrl(Key::Y)]),
    window("train", "Train", "Train the network on its data, or go on after a pause", &[ctrl(Key::Enter)]),
    window("pause", "Pause", "Hold training after the present step", &[]),
    window("stop", "Stop", "End training after the present step and keep the last weights", &[ctrl(Key::Period)]),
    window("stop_best", "Stop and keep best", "End training and go back to the weights of the best epoch", &[]),
    window("find_rate", "Find learning rate", "Search for the learning rate at which the loss falls fastest", &[]),
    window("enqueue", "Add to queue", "Train the network as it is now once the runs before it have ended", &[]),
    window(
        "palette",
        "Command palette…",
        "Find any command, layer, preset, panel or setting by a few letters",
        &[ctrl(Key::K), ctrl_shift(Key::P)],
    ),
    window("find", "Find layer…", "Find a layer of the network by name or kind, also inside groups", &[ctrl(Key::F)]),
    window("find_next", "Find next", "Show the next layer that was found", &[plain(Key::F3)]),
    window("next_problem", "Next problem", "Show the next error or warning of the network", &[plain(Key::F8)]),
    window("map", "Minimap", "Show or hide the small map of a network that is not all in sight", &[]),
    window("lower", "Lower panels", "Show or hide the panels below the network", &[ctrl(Key::J)]),
    window("network", "Network", "Show or hide the network above the panels", &[ctrl_shift(Key::J)]),
    window("preferences", "Preferences…", "Colours, scale and motion of the window", &[ctrl(Key::Comma)]),
    window("export_cost", "Export cost table…", "Write the table of costs to a file (CSV)", &[]),
    window(
        "copy_cost_csv",
        "Copy cost table as CSV",
        "Put the table of costs on the clipboard for other programs",
        &[],
    ),
    window(
        "copy_cost_markdown",
        "Copy cost table as Markdown",
        "Put the table of costs on the clipboard for documents",
        &[],
    ),
    window(
        "reduce_memory",
        "Reduce memory…",
        "Show what would make training need less memory, each with its planned figure",
        &[],
    ),
    window(
        "histograms",
        "Histograms and dead channels",
        "Show how weights, activations and gradients of the layers are spread, and which channels give nothing but zero",
        &[],
    ),
    window("check_device", "Check device…", "Compare the chosen device with the CPU on small fixed cases", &[]),
    window("help", "Keys and help", "Show what every key does", &[plain(Key::F1), plain(Key::Questionmark)]),
    canvas(
        "fit",
        "Fit to window",
        "Show the selection, or the network if nothing is selected; once more shows all of what is too long to read",
        &[plain(Key::F), plain(Key::Home)],
    ),
    canvas("actual_size", "Actual size", "Show the network at 100 %", &[ctrl(Key::Num0)]),
    canvas(
        "delete",
        "Delete",
        "Remove the selected layers and close the gap",
        &[plain(Key::Delete), plain(Key::Backspace)],
    ),
    canvas("select_all", "Select all", "Select every layer", &[ctrl(Key::A)]),
    canvas("copy", "Copy", "Copy the selected layers", &[ctrl(Key::C)]),
    canvas("cut", "Cut", "Copy the selected layers and remove them", &[ctrl(Key::X)]),
    canvas("paste", "Paste", "Put copied layers beside the network", &[ctrl(Key::V)]),
    canvas("duplicate", "Duplicate", "Copy and paste in one step", &[ctrl(Key::D)]),
    canvas("rename", "Rename", "Give the selected layer another name", &[plain(Key::F2)]),
    canvas("add", "Add layer…", "Search for a layer and add it after the selection", &[plain(Key::Slash)]),
    canvas(
        "link",
        "Link",
        "Link the two selected layers, or choose with the arrows what the selected one feeds",
        &[plain(Key::L)],
    ),
    canvas("unlink", "Unlink", "Remove the links between the selected layers", &[shift(Key::L)]),
    canvas("group", "Group", "Put the selected layers into one card", &[ctrl(Key::G)]),
    canvas("expand", "Expand", "Take the selected group or block apart into its layers", &[ctrl_shift(Key::G)]),
    canvas(
        "bypass",
        "Bypass",
        "Leave the selected layers out without removing them, or take them up again",
        &[ctrl(Key::B)],
    ),
    canvas(
        "freeze",
        "Freeze",
        "Keep the weights of the selected layers while training, or let them learn again",
        &[ctrl(Key::L)],
    ),
    canvas(
        "enter",
        "Open",
        "Open the selected group, or go to the settings of the selected layer",
        &[plain(Key::Enter)],
    ),
    canvas("out", "Back", "Let go, then clear the selection, then leave the open group", &[plain(Key::Escape)]),
    canvas(
        "walk",
        "Move the selection",
        "Along the links, and among layers side by side; with Shift, add to the selection",
        &[plain(Key::ArrowUp), plain(Key::ArrowDown), plain(Key::ArrowLeft), plain(Key::ArrowRight)],
    ),
    canvas("earlier", "Move earlier", "Move the selected layers past the one before them", &[alt(Key::ArrowUp)]),
    canvas("later", "Move later", "Move the selected layers past the one behind them", &[alt(Key::ArrowDown)]),
    maps(
        "maps_channel",
        "Channel before, after",
        "Show another channel of the layer",
        &[plain(Key::ArrowLeft), plain(Key::ArrowRight)],
    ),
    maps(
        "maps_layer",
        "Layer before, after",
        "Show another layer, in the order of computing",
        &[plain(Key::ArrowUp), plain(Key::ArrowDown)],
    ),
    maps(
        "maps_cell",
        "Move the cell",
        "Explain a neighbouring cell of the channel",
        &[shift(Key::ArrowLeft), shift(Key::ArrowRight), shift(Key::ArrowUp), shift(Key::ArrowDown)],
    ),
    maps("maps_back", "All channels", "Go back from one channel to all of them", &[plain(Key::Escape)]),
];

/// The topics of the help page with the commands that each shows; one that no topic names stands under [`OTHER`].
pub const TOPICS: &[(&str, &[&str])] = &[
    (
        "Find and see",
        &[
            "palette",
            "find",
            "find_next",
            "next_problem",
            "fit",
            "actual_size",
            "map",
            "lower",
            "network",
            "preferences",
            "help",
        ],
    ),
    (
        "Build",
        &[
            "add",
            "link",
            "unlink",
            "walk",
            "earlier",
            "later",
            "select_all",
            "enter",
            "out",
            "rename",
            "group",
            "expand",
            "bypass",
            "freeze",
            "delete",
            "duplicate",
            "copy",
            "cut",
            "paste",
            "undo",
            "redo",
        ],
    ),
    ("Train", &["train", "pause", "stop", "stop_best", "find_rate", "enqueue", "reduce_memory", "check_device"]),
    ("Feature maps", &["maps_channel", "maps_layer", "maps_cell", "maps_back", "histograms"]),
    (
        "Files",
        &[
            "new",
            "open",
            "save",
            "save_as",
            "close",
            "mnist_folder",
            "photo_folder",
            "export_cost",
            "copy_cost_csv",
            "copy_cost_markdown",
        ],
    ),
];
/// The topic of all other commands.
pub const OTHER: &str = "Other";

/// The commands of every topic, those that no topic names last; every command once.
pub fn by_topic() -> Vec<(&'static str, Vec<&'static Spec>)> {
    let named = |id: &str| TOPICS.iter().any(|(_, ids)| ids.contains(&id));
    let topics = TOPICS.iter().map(|(topic, ids)| (*topic, ids.iter().filter_map(|id| find(id)).collect::<Vec<_>>()));
    let others: Vec<&Spec> = ALL.iter().filter(|spec| !named(spec.id)).collect();
    topics.chain((!others.is_empty()).then_some((OTHER, others))).collect()
}

/// The command of an id.
pub fn find(id: &str) -> Option<&'static Spec> {
    ALL.iter().find(|spec| spec.id == id)
}

/// Its keys in words, the first only.
pub fn keys_text(ctx: &egui::Context, id: &str) -> String {
    find(id).and_then(|spec| spec.keys.first()).map_or_else(String::new, |keys| shortcut_text(ctx, keys))
}

/// A key in words, with signs as signs.
pub fn shortcut_text(ctx: &egui::Context, keys: &KeyboardShortcut) -> String {
    let words = ctx.format_shortcut(keys);
    words.replace("Period", ".").replace("Slash", "/").replace("Comma", ",").replace("Questionmark", "?")
}

/// What hovering over its button shows: help and keys.
pub fn hover_text(ctx: &egui::Context, id: &str) -> String {
    let Some(spec) = find(id) else { return String::new() };
    let keys = keys_text(ctx, id);
    if keys.is_empty() { spec.help.into() } else { format!("{} ({keys})", spec.help) }
}

/// Takes the window's commands out of the input. Keys with more modifiers come first, since matching ignores extra Shift.
pub fn pressed(ctx: &egui::Context) -> Vec<&'static str> {
    let typing = ctx.text_edit_focused();
    // What is typed into a field is not a command: neither its own undo nor a question mark.
    let of_field = |keys: &KeyboardShortcut| {
        matches!(keys.logical_key, Key::Questionmark)
            || (keys.modifiers.command && matches!(keys.logical_key, Key::Z | Key::Y))
    };
    pressed_in(ctx, Scope::Window, |keys| !(typing && of_field(keys)))
}

/// Takes the commands of one scope out of the input, as far as their keys may be taken.
pub fn pressed_in(ctx: &egui::Context, scope: Scope, may: impl Fn(&KeyboardShortcut) -> bool) -> Vec<&'static str> {
    let mut keys: Vec<(&'static str, KeyboardShortcut)> = ALL
        .iter()
        .filter(|spec| spec.scope == scope)
        .flat_map(|spec| spec.keys.iter().map(|keys| (spec.id, *keys)))
        .filter(|(_, keys)| may(keys))
        .collect();
    keys.sort_by_key(|(_, keys)| std::cmp::Reverse(u8::from(keys.modifiers.shift) + u8::from(keys.modifiers.alt)));
    keys.into_iter()
        .filter_map(|(id, keys)| ctx.input_mut(|input| input.consume_shortcut(&keys)).then_some(id))
        .collect()
}

/// What a command of the window asks for; `None` for those that the app handles itself.
pub fn ui_command(id: &str) -> Option<UiCommand> {
    Some(match id {
        "new" => UiCommand::New,
        "open" => UiCommand::Open(None),
        "mnist_folder" => UiCommand::ChooseData { idx: true },
        "photo_folder" => UiCommand::ChooseData { idx: false },
        "save" => UiCommand::Save,
        "save_as" => UiCommand::SaveAs,
        "undo" => UiCommand::Undo,
        "redo" => UiCommand::Redo,
        "train" => UiCommand::Train,
        "pause" => UiCommand::Pause,
        "stop" => UiCommand::Stop { keep_best: false },
        "find_rate" => UiCommand::Runs(RunsCommand::FindRate),
        "enqueue" => UiCommand::Runs(RunsCommand::Enqueue),
        "stop_best" => UiCommand::Stop { keep_best: true },
        "export_cost" => UiCommand::ExportCost,
        "copy_cost_csv" => UiCommand::CopyCost { as_markdown: false },
        "copy_cost_markdown" => UiCommand::CopyCost { as_markdown: true },
        "reduce_memory" => UiCommand::ReduceMemory,
        "check_device" => UiCommand::CheckDevice,
        "lower" => UiCommand::GiveRoom(Room::Network),
        "network" => UiCommand::GiveRoom(Room::Panels),
        "fit" => UiCommand::Fit,
        "actual_size" => UiCommand::ActualSize,
        _ => return find(id).filter(|spec| spec.scope == Scope::Canvas).map(|spec| UiCommand::Canvas(spec.id)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_shown_as_signs() {
        let ctx = egui::Context::default();
        for (key, sign) in [(Key::Questionmark, "?"), (Key::Slash, "/"), (Key::Comma, ","), (Key::Period, ".")] {
            assert_eq!(shortcut_text(&ctx, &plain(key)), sign);
        }
    }

    #[test]
    fn no_two_commands_share_a_key_or_an_id() {
        // Canvas and maps never have the keyboard at once; the window's keys hold everywhere.
        for own in [Scope::Canvas, Scope::Maps] {
            let held = |spec: &&Spec| spec.scope == Scope::Window || spec.scope == own;
            let keys: Vec<_> = ALL.iter().filter(held).flat_map(|spec| spec.keys).collect();
            for (i, key) in keys.iter().enumerate() {
                assert!(keys[i + 1..].iter().all(|other| other != key), "{key:?} twice");
            }
        }
        for (i, spec) in ALL.iter().enumerate() {
            assert!(ALL[i + 1..].iter().all(|other| other.id != spec.id), "{} twice", spec.id);
            assert!(!spec.help.is_empty() && !spec.help.ends_with('.'), "{}", spec.id);
        }
    }

    #[test]
    fn the_help_page_shows_every_command_under_one_topic() {
        let mut shown: Vec<&str> = by_topic().into_iter().flat_map(|(_, specs)| specs).map(|spec| spec.id).collect();
        let mut all: Vec<&str> = ALL.iter().map(|spec| spec.id).collect();
        shown.sort_unstable();
        all.sort_unstable();
        assert_eq!(shown, all);
        for id in TOPICS.iter().flat_map(|(_, ids)| *ids) {
            assert!(find(id).is_some(), "{id} is no command");
        }
    }

    #[test]
    fn every_key_of_the_window_does_something() {
        for spec in ALL.iter().filter(|spec| spec.scope == Scope::Window && !spec.keys.is_empty()) {
            assert!(
                ui_command(spec.id).is_some()
                    || matches!(
                        spec.id,
                        "help" | "close" | "palette" | "find" | "find_next" | "next_problem" | "preferences"
                    ),
                "{}",
                spec.id
            );
        }
    }
}
