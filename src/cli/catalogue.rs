//! `striate presets` and `striate layers`: what comes with the program, in its own words.

use crate::layers::{Layer, LayerKind as _, list_fields};
use crate::plan::{CostSettings, cost, plan};
use crate::presets;
use crate::text::count;
use anyhow::{Result, anyhow};
use serde_json::json;

/// How a list is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ListFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON array.
    Json,
}

/// All presets.
pub(super) fn presets(format: ListFormat) -> String {
    let rows = presets::ALL.iter().map(|preset| {
        let document = preset.document();
        let plan = plan(&document);
        let input = plan.program.inputs.first().map(|input| plan.program.value(input.value).shape.to_string());
        let params = cost(&plan.program, CostSettings::default()).totals.params();
        (preset, document.name, input.unwrap_or_default(), params)
    });
    match format {
        ListFormat::Text => {
            let row = |(preset, _, input, params): (&presets::Preset, String, String, u64)| {
                format!("{:<14} {:>12} parameters  {:<14} {}\n", preset.id, count(params), input, preset.summary)
            };
            rows.map(row).collect::<Vec<_>>().concat()
        }
        ListFormat::Json => {
            let list: Vec<_> = rows
                .map(|(preset, name, input, params)| {
                    json!({"id": preset.id, "name": name, "summary": preset.summary, "input": input, "params": params})
                })
                .collect();
            format!("{:#}\n", json!(list))
        }
    }
}

/// All layers, or the help page of one.
pub(super) fn layers(name: Option<&str>) -> Result<String> {
    let all = Layer::all();
    let Some(wanted) = name else {
        let mut text = String::new();
        let mut family = None;
        for layer in &all {
            let about = layer.about();
            if family != Some(about.family) {
                family = Some(about.family);
                text.push_str(&format!("{}\n", about.family.label()));
            }
            text.push_str(&format!("  {:<18} {}\n", about.id, about.summary));
        }
        return Ok(text);
    };
    let fits = |layer: &Layer| {
        let about = layer.about();
        about.id == wanted || about.name.eq_ignore_ascii_case(wanted)
    };
    let mut layer = all.into_iter().find(fits).ok_or_else(|| {
        let ids: Vec<_> = Layer::all().iter().map(|layer| layer.about().id).collect();
        anyhow!("A layer must be one of {}. Received {wanted:?}.", ids.join(", "))
    })?;
    let about = layer.about();
    let mut text = format!("{} ({})\n{}\n\n{}\n", about.name, about.id, about.summary, about.help.trim());
    let fields = list_fields(&mut layer);
    if !fields.is_empty() {
        text.push_str("\nSettings (--set layer.setting=value):\n");
    }
    for (spec, value, options) in fields {
        let unit = spec.unit.label();
        let range = if options.is_empty() && spec.max > 1.0 {
            format!(", {} to {}", spec.min, spec.max)
        } else {
            String::new()
        };
        text.push_str(&format!("  {} = {value}{}{unit}{range}\n      {}\n", spec.key, gap(unit), spec.help));
        for option in options {
            text.push_str(&format!("        {:<16} {}\n", option.id, option.help));
        }
    }
    text.push_str(&format!("\nSource: {}\n", about.source));
    Ok(text)
}

fn gap(unit: &str) -> &'static str {
    if unit.is_empty() { "" } else { " " }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layer_has_a_page_and_an_unknown_one_names_those_there_are() {
        for layer in Layer::all() {
            let about = layer.about();
            let page = layers(Some(about.id)).unwrap();
            assert!(page.contains(about.name) && page.contains("Source"), "{page}");
        }
        assert!(layers(None).unwrap().contains("conv2d"));
        assert!(layers(Some("nope")).unwrap_err().to_string().contains("conv2d"));
    }

    #[test]
    fn presets_are_listed_for_people_and_for_programs() {
        let list: serde_json::Value = serde_json::from_str(&presets(ListFormat::Json)).unwrap();
        // 61,706 is the parameter count of LeNet-5 in every textbook.
        let lenet = list.as_array().unwrap().iter().find(|row| row["id"] == "lenet5").unwrap();
        assert_eq!(lenet["params"], 61_706);
        assert!(presets(ListFormat::Text).contains("61,706"));
    }
}
