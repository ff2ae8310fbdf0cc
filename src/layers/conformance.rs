//! What every layer kind must keep, tested for all of them. Knows no particular layer but the list of ids.

use super::testing::lowered;
use super::{Arity, FieldSpec, FieldValue, Layer, LayerKind as _, list_fields, set_field};
use crate::op::{Shape, ShapeError};
use std::collections::BTreeSet;
use std::path::Path;

/// Ids in files. They never change; a new kind adds one.
const IDS: [&str; 20] = [
    "input",
    "conv2d",
    "conv_transpose2d",
    "max_pool",
    "avg_pool",
    "global_avg_pool",
    "batch_norm",
    "layer_norm",
    "group_norm",
    "lrn",
    "dropout",
    "flatten",
    "dense",
    "activation",
    "zero_pad",
    "upsample",
    "add",
    "multiply",
    "concat",
    "residual",
];

/// Every kind with its defaults, and once more for each option of each choice: some options bring fields of their own.
fn variants() -> Vec<Layer> {
    let mut list = Vec::new();
    for layer in Layer::all() {
        for (spec, _, options) in list_fields(&mut layer.clone()) {
            for option in options {
                let mut variant = layer.clone();
                set_field(&mut variant, spec.key, option.id).unwrap();
                list.push(variant);
            }
        }
        list.push(layer);
    }
    list
}

/// What a person can type into a field at its ends.
fn extremes(spec: &FieldSpec, value: &FieldValue) -> Vec<String> {
    match value {
        FieldValue::Integer(_) | FieldValue::Float(_) => vec![spec.min.to_string(), spec.max.to_string()],
        FieldValue::Pair(_) => {
            [(spec.min, spec.min), (spec.max, spec.max), (spec.min, spec.max)].map(|(a, b)| format!("{a}x{b}")).to_vec()
        }
        FieldValue::Flag(_) => vec!["true".into(), "false".into()],
        FieldValue::Choice(_) => Vec::new(),
    }
}

#[test]
fn ids_are_the_published_ones_in_the_palettes_order() {
    let ids: Vec<_> = Layer::all().iter().map(|layer| layer.about().id).collect();
    assert_eq!(ids, IDS);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
}

#[test]
fn every_kind_says_what_it_is() {
    for layer in Layer::all() {
        let about = layer.about();
        for text in [about.id, about.name, about.stem, about.summary, about.help, about.source] {
            assert!(!text.trim().is_empty(), "{}", about.id);
        }
        assert!(about.summary.ends_with('.'), "{}: a summary is a sentence", about.id);
        assert!(!about.help.contains("  "), "{}: the help page holds a run of spaces", about.id);
        assert!(
            about.stem.chars().all(|c| c.is_ascii_lowercase() || c == '_'),
            "{}: a stem becomes part of a parameter's name",
            about.id
        );
    }
}

#[test]
fn every_layer_saves_and_loads_unchanged() {
    for layer in variants() {
        let id = layer.about().id;
        assert_eq!(Layer::from_json(id, layer.to_json()), Some(Ok(layer)), "{id}");
    }
}

#[test]
fn an_empty_object_gives_the_defaults() {
    for layer in Layer::all() {
        let id = layer.about().id;
        assert_eq!(Layer::from_json(id, serde_json::json!({})), Some(Ok(layer)), "{id}");
    }
    assert_eq!(Layer::from_json("conv3d", serde_json::json!({})), None);
}

#[test]
fn every_field_is_described_and_within_its_range() {
    for mut layer in variants() {
        let id = layer.about().id;
        let mut keys = BTreeSet::new();
        for (spec, value, options) in list_fields(&mut layer) {
            let at = format!("{id}.{}", spec.key);
            assert!(keys.insert(spec.key), "{at} stands twice");
            assert!(!spec.label.is_empty() && !spec.help.is_empty(), "{at}");
            assert!(spec.min < spec.max, "{at}");
            let within = |number: f64| (spec.min..=spec.max).contains(&number);
            match value {
                FieldValue::Integer(number) => assert!(within(number as f64), "{at} = {number}"),
                FieldValue::Pair(pair) => assert!(pair.iter().all(|&n| within(n as f64)), "{at} = {pair:?}"),
                FieldValue::Float(number) => assert!(within(number), "{at} = {number}"),
                FieldValue::Choice(choice) => assert!(options.iter().any(|o| o.id == choice), "{at} = {choice}"),
                FieldValue::Flag(_) => {}
            }
            for option in options {
                assert!(!option.label.is_empty() && !option.help.is_empty(), "{at} {}", option.id);
            }
        }
    }
}

#[test]
fn every_shown_value_can_be_typed_back() {
    for mut layer in variants() {
        let before = layer.clone();
        for (spec, value, _) in list_fields(&mut layer) {
            set_field(&mut layer, spec.key, &value.to_string()).unwrap();
        }
        assert_eq!(layer, before);
    }
}

#[test]
fn a_field_at_the_end_of_its_range_never_panics() {
    let shapes = [Shape::map(1, 8, 8), Shape::map(16, 8, 8), Shape::vector(16)];
    for mut layer in variants() {
        for (spec, value, _) in list_fields(&mut layer) {
            for text in extremes(&spec, &value) {
                let mut changed = layer.clone();
                set_field(&mut changed, spec.key, &text).unwrap();
                for shape in &shapes {
                    // An error is an answer too, as long as it reads like one.
                    if let Err(error) = lowered(&changed, shape.clone()) {
                        assert!(error.to_string().ends_with('.'), "{error}");
                    }
                }
            }
        }
    }
}

#[test]
fn any_whole_number_a_file_can_hold_never_panics() {
    for layer in variants() {
        let id = layer.about().id;
        let settings = layer.to_json();
        for (key, value) in settings.as_object().unwrap() {
            for number in [0, 1, u64::MAX] {
                let mut changed = settings.clone();
                changed[key] = match value {
                    serde_json::Value::Number(old) if old.is_u64() => number.into(),
                    serde_json::Value::Array(_) => serde_json::json!([number, number]),
                    _ => continue,
                };
                let changed = Layer::from_json(id, changed).unwrap().unwrap();
                for shape in [Shape::map(16, 8, 8), Shape::vector(16)] {
                    // What counts is that an answer comes back; zero filters, strides and kernels must be errors.
                    let _ = changed.input_shape();
                    let result = lowered(&changed, shape);
                    let required = ["filters", "kernel", "stride", "scale", "features"].contains(&key.as_str());
                    assert!(!(required && number == 0 && result.is_ok()), "{id}.{key} = 0");
                }
            }
        }
    }
}

#[test]
fn every_default_fits_a_map_of_16_channels_or_says_what_it_needs() {
    for layer in Layer::all() {
        let id = layer.about().id;
        match (layer.arity(), lowered(&layer, Shape::map(16, 8, 8))) {
            (Arity::Many, result) => assert!(matches!(result, Err(ShapeError::Inputs { .. })), "{id}"),
            (_, Err(error)) => {
                assert!(id == "dense" && matches!(error, ShapeError::NeedsVector { .. }), "{id}: {error}");
            }
            (_, Ok(_)) => {}
        }
    }
}

#[test]
fn layers_with_weights_draw_random_numbers_and_the_others_do_not() {
    for layer in Layer::all() {
        let shape = if layer.about().id == "dense" { Shape::vector(16) } else { Shape::map(16, 8, 8) };
        if let Ok(program) = lowered(&layer, shape) {
            let drawn = program.params.iter().any(|p| !matches!(p.start, crate::op::Start::Constant(_)));
            assert_eq!(layer.has_weights(), drawn, "{}", layer.about().id);
        }
    }
}

#[test]
fn an_unknown_field_is_answered_with_the_fields_there_are() {
    let mut layer = Layer::from_id("conv2d").unwrap();
    let error = set_field(&mut layer, "filtres", "64").unwrap_err();
    assert!(error.contains("filtres") && error.contains("filters, kernel, stride"), "{error}");
}

#[test]
fn a_value_outside_its_range_is_refused_and_changes_nothing() {
    let mut layer = Layer::from_id("conv2d").unwrap();
    let before = layer.clone();
    for (key, text) in [("filters", "0"), ("filters", "-3"), ("kernel", "999"), ("padding", "most"), ("bias", "maybe")]
    {
        let error = set_field(&mut layer, key, text).unwrap_err();
        assert!(error.starts_with(&format!("{key} must be")) && error.contains(text), "{error}");
    }
    // One bad half refuses the whole pair.
    assert!(set_field(&mut layer, "kernel", "3x999").unwrap_err().contains("999"));
    assert_eq!(layer, before);
}

#[test]
fn every_kind_and_the_group_have_a_small_icon() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/icons");
    for id in IDS.iter().chain(["group"].iter()) {
        let text = std::fs::read_to_string(folder.join(format!("{id}.svg"))).unwrap_or_default();
        assert!(text.starts_with("<svg") && text.contains(r#"viewBox="0 0 24 24""#), "{id}");
        assert!(text.len() < 1_000, "{id}: {} bytes", text.len());
    }
}
