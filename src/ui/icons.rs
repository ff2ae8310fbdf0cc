//! Our own icons: white line drawings, one file per layer kind, tinted when painted. Knows no panel.

use egui::{Color32, Painter, Rect, TextureOptions, load::SizeHint, load::TexturePoll, pos2};

macro_rules! icons {
    ($($id:literal),+ $(,)?) => {
        /// Every icon: id and drawing.
        const ALL: &[(&str, &str, &[u8])] = &[
            $(($id, concat!("bytes://icons/", $id, ".svg"), include_bytes!(concat!("../../assets/icons/", $id, ".svg")))),+
        ];
    };
}

icons![
    "input",
    "conv2d",
    "conv_transpose2d",
    "max_pool",
    "avg_pool",
    "global_avg_pool",
    "upsample",
    "zero_pad",
    "batch_norm",
    "layer_norm",
    "group_norm",
    "lrn",
    "dropout",
    "activation",
    "flatten",
    "dense",
    "add",
    "multiply",
    "concat",
    "residual",
    "group",
    "unknown",
    "frozen",
    "problem",
    "search",
    "preset",
    "reset",
    "command",
    "setting",
    "panel",
];

fn find(id: &str) -> Option<(&'static str, &'static [u8])> {
    ALL.iter().find(|(other, ..)| *other == id).map(|&(_, uri, bytes)| (uri, bytes))
}

/// Sides in pixels at which drawings are made; others are scaled, so that zooming does not draw anew in every frame.
const SIDES: [u32; 5] = [16, 24, 36, 56, 96];

/// Paints the icon of a layer kind (or another of ours) into a square.
pub fn paint(painter: &Painter, id: &str, rect: Rect, tint: Color32) {
    let ctx = painter.ctx();
    if !ctx.is_loader_installed(egui_extras::loaders::svg_loader::SvgLoader::ID) {
        egui_extras::install_image_loaders(ctx);
    }
    let Some((uri, bytes)) = find(id).or_else(|| find("unknown")) else { return };
    ctx.include_bytes(uri, bytes);
    let wanted = rect.width() * painter.pixels_per_point();
    let side = SIDES.into_iter().find(|&side| side as f32 + 0.5 >= wanted).unwrap_or(SIDES[SIDES.len() - 1]);
    let hint = SizeHint::Size { width: side, height: side, maintain_aspect_ratio: true };
    if let Ok(TexturePoll::Ready { texture }) = ctx.try_load_texture(uri, TextureOptions::LINEAR, hint) {
        painter.image(texture.id, rect, Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0)), tint);
    }
}

/// A place in the flow of a panel with an icon in it.
pub fn show(ui: &mut egui::Ui, id: &str, side: f32, tint: Color32) -> egui::Response {
    let (rect, response) = ui.allocate_exact_size(egui::Vec2::splat(side), egui::Sense::hover());
    if ui.is_rect_visible(rect) {
        paint(ui.painter(), id, rect, tint);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Layer, LayerKind as _};

    #[test]
    fn every_layer_kind_has_an_icon_of_its_own() {
        for layer in Layer::all() {
            let id = layer.about().id;
            assert!(find(id).is_some(), "assets/icons/{id}.svg is missing or not listed");
        }
    }
}
