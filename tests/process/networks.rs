//! Small pictures and the networks that are trained on them: quick, and with everything that draws numbers or keeps state.

use std::path::Path;

/// Twenty pictures of stripes and twenty of spots, 12 x 12.
pub(crate) fn pictures(folder: &Path) {
    for class in ["spots", "stripes"] {
        std::fs::create_dir_all(folder.join(class)).unwrap();
        for n in 0..20_u32 {
            let picture = image::RgbImage::from_fn(12, 12, |x, y| {
                let on = if class == "stripes" { (x + n) % 4 < 2 } else { (x + n) % 4 < 2 && (y + n / 2) % 4 < 2 };
                let value = if on { 200 + u8::try_from((x * y + n) % 50).unwrap() } else { 20 };
                image::Rgb([value, value / 2, u8::try_from(n * 5).unwrap()])
            });
            picture.save(folder.join(class).join(format!("{n}.png"))).unwrap();
        }
    }
}

/// A document of layers in a row after a 12 x 12 colour input.
fn document(data: &Path, layers: &[(&str, &str, serde_json::Value)], training: &serde_json::Value) -> String {
    let input = ("input", "input", serde_json::json!({"height": 12, "width": 12, "channels": 3}));
    let nodes: Vec<_> = std::iter::once(&input)
        .chain(layers)
        .zip(1..)
        .map(|((name, kind, settings), id)| {
            serde_json::json!({"id": id, "name": name, "kind": kind, "settings": settings})
        })
        .collect();
    let links: Vec<_> = (1..nodes.len()).map(|id| serde_json::json!({"from": id, "to": id + 1})).collect();
    serde_json::json!({
        "format": "striate-document", "version": 1, "name": "Tiny",
        "graph": {"nodes": nodes, "links": links},
        "training": training,
        "data": {
            "source": {"kind": "folder", "path": data}, "splits": {"validation": 0.2, "test": 0.2},
            "augment": {"flip": true, "shift_px": 1},
        },
        "seed": 5,
    })
    .to_string()
}

/// Convolution, batch norm, dropout, dense: everything that draws numbers or keeps state.
pub(crate) fn small(data: &Path, epochs: u32) -> String {
    let layers = [
        ("conv1", "conv2d", serde_json::json!({"filters": 6, "kernel": [3, 3], "activation": "none"})),
        ("bn1", "batch_norm", serde_json::json!({})),
        ("drop", "dropout", serde_json::json!({"rate": 0.3})),
        ("flat", "flatten", serde_json::json!({})),
        ("fc", "dense", serde_json::json!({"features": 2})),
    ];
    let training = serde_json::json!({
        "epochs": epochs, "batch": 5, "learning_rate": 0.01, "schedule": {"kind": "cosine", "floor": 0.0},
    });
    document(data, &layers, &training)
}

/// A dense layer of 432 x 10,000 = 4.32 million weights, whose gradient norm flex would sum in any order.
pub(crate) fn wide(data: &Path, epochs: u32) -> String {
    let layers = [
        ("flat", "flatten", serde_json::json!({})),
        ("fc1", "dense", serde_json::json!({"features": 10_000, "activation": "relu"})),
        ("fc2", "dense", serde_json::json!({"features": 2})),
    ];
    let training = serde_json::json!({
        "epochs": epochs, "batch": 8, "learning_rate": 0.05, "clip_norm": 0.1,
        "optimizer": {"kind": "sgd", "momentum": 0.9, "nesterov": false},
    });
    document(data, &layers, &training)
}
