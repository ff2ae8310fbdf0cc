//! Many small pictures in one texture, so that a panel of hundreds of them is one draw call.

use egui::{Color32, ColorImage, Context, Mesh, Rect, TextureHandle, TextureOptions, Ui, pos2, vec2};

/// Most pixels of a side that every GPU takes.
const SIDE: usize = 2048;
/// Empty pixels around a tile, against bleeding.
const GAP: usize = 1;

/// Tiles of one size in one texture; the texture is made again only when it must grow.
#[derive(Default)]
pub(super) struct Atlas {
    texture: Option<TextureHandle>,
    tile: [usize; 2],
    columns: usize,
    count: usize,
}

impl std::fmt::Debug for Atlas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Atlas").field("tile", &self.tile).field("count", &self.count).finish_non_exhaustive()
    }
}

impl Atlas {
    /// Puts tiles of `tile` = [width, height] pixels into the texture; `pixel(i, x, y)` gives their colours. Returns how many
    /// fitted.
    pub(super) fn set(
        &mut self,
        ctx: &Context,
        name: &str,
        tile: [usize; 2],
        count: usize,
        pixel: impl Fn(usize, usize, usize) -> Color32,
    ) -> usize {
        let step = [tile[0].max(1) + GAP, tile[1].max(1) + GAP];
        let columns = (SIDE / step[0]).max(1);
        let count = count.min(columns * (SIDE / step[1]));
        self.tile = tile;
        self.columns = columns.min(count.max(1));
        self.count = count;
        let rows = count.div_ceil(self.columns).max(1);
        let size = [self.columns * step[0], rows * step[1]];
        let mut image = ColorImage::filled(size, Color32::TRANSPARENT);
        for i in 0..count {
            let (left, top) = ((i % self.columns) * step[0], (i / self.columns) * step[1]);
            for y in 0..tile[1] {
                for x in 0..tile[0] {
                    if let Some(target) = image.pixels.get_mut((top + y) * size[0] + left + x) {
                        *target = pixel(i, x, y);
                    }
                }
            }
        }
        match &mut self.texture {
            Some(texture) if texture.size() == size => texture.set_partial([0, 0], image, TextureOptions::NEAREST),
            texture => *texture = Some(ctx.load_texture(name, image, TextureOptions::NEAREST)),
        }
        count
    }

    /// Number of tiles.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Draws tiles into rectangles, all at once.
    pub(super) fn paint(&self, ui: &Ui, tiles: impl Iterator<Item = (usize, Rect)>) {
        self.paint_parts(ui, tiles.map(|(i, rect)| (i, self.tile, rect)));
    }

    /// The same with the upper left part of each tile, by its width and height in pixels.
    pub(super) fn paint_parts(&self, ui: &Ui, tiles: impl Iterator<Item = (usize, [usize; 2], Rect)>) {
        let Some(texture) = &self.texture else { return };
        let [width, height] = texture.size();
        let mut mesh = Mesh::with_texture(texture.id());
        for (i, part, rect) in tiles.filter(|(i, ..)| *i < self.count) {
            let left = (i % self.columns) * (self.tile[0].max(1) + GAP);
            let top = (i / self.columns) * (self.tile[1].max(1) + GAP);
            let uv = Rect::from_min_size(
                pos2(left as f32 / width as f32, top as f32 / height as f32),
                vec2(part[0] as f32 / width as f32, part[1] as f32 / height as f32),
            );
            mesh.add_rect_with_uv(rect, uv, Color32::WHITE);
        }
        ui.painter().add(egui::Shape::mesh(mesh));
    }
}
