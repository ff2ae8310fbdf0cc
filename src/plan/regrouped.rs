//! Which parameters of an old network are those of a new one, although groups around them have come or gone since.
//!
//! Knows paths and shapes only.

use std::collections::BTreeMap;

/// The path of a parameter, and its shape.
pub type Named<'a> = (&'a str, Vec<u64>);

/// For parameters of a new network the path of an old one whose numbers they can take, where the two are called otherwise.
///
/// A layer that was put into a group, or taken out of one, keeps the end of its path: `c3.weight` becomes
/// `block1.c3.weight`. It is the same layer if it has the same parameters of the same shapes, and if no other layer of either
/// network could be meant.
pub fn regrouped(old: &[Named<'_>], new: &[Named<'_>]) -> BTreeMap<String, String> {
    let (old, new) = (layers(old), layers(new));
    // Ends of paths agree only where the last names do.
    let mut by_name: BTreeMap<&str, Vec<&Layer<'_>>> = BTreeMap::new();
    for layer in old.values().filter(|layer| !new.contains_key(layer.path)) {
        by_name.entry(last(layer.path)).or_default().push(layer);
    }
    let mut pairs: Vec<(&Layer<'_>, &Layer<'_>)> = Vec::new();
    for layer in new.values().filter(|layer| !old.contains_key(layer.path)) {
        let alike = by_name.get(last(layer.path)).into_iter().flatten().copied();
        let mut alike = alike.filter(|other| is_end(layer.path, other.path) && layer.parameters == other.parameters);
        if let (Some(only), None) = (alike.next(), alike.next()) {
            pairs.push((layer, only));
        }
    }
    let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
    pairs.iter().for_each(|(_, old)| *taken.entry(old.path).or_default() += 1);
    let certain = pairs.iter().filter(|(_, old)| taken.get(old.path) == Some(&1));
    certain
        .flat_map(|(new, old)| {
            let whole = |layer: &Layer<'_>, name: &str| format!("{}.{name}", layer.path);
            new.parameters.iter().map(move |(name, _)| (whole(new, name), whole(old, name)))
        })
        .collect()
}

/// A layer with its parameters, by name.
#[derive(Debug)]
struct Layer<'a> {
    path: &'a str,
    parameters: Vec<(&'a str, &'a [u64])>,
}

fn layers<'a>(parameters: &'a [Named<'_>]) -> BTreeMap<&'a str, Layer<'a>> {
    let mut layers: BTreeMap<&str, Layer<'_>> = BTreeMap::new();
    for (path, shape) in parameters {
        let Some((path, name)) = path.rsplit_once('.') else { continue };
        let layer = layers.entry(path).or_insert_with(|| Layer { path, parameters: Vec::new() });
        layer.parameters.push((name, shape.as_slice()));
    }
    layers.values_mut().for_each(|layer| layer.parameters.sort_unstable());
    layers
}

fn last(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(_, last)| last)
}

/// Whether one path is the end of the other.
fn is_end(one: &str, other: &str) -> bool {
    let ends = |long: &str, short: &str| long.strip_suffix(short).is_some_and(|rest| rest.ends_with('.'));
    ends(one, other) || ends(other, one)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(old: &[(&str, u64)], new: &[(&str, u64)]) -> Vec<(String, String)> {
        fn named<'a>(list: &[(&'a str, u64)]) -> Vec<Named<'a>> {
            list.iter().map(|&(path, size)| (path, vec![size])).collect()
        }
        let mut found: Vec<_> = regrouped(&named(old), &named(new)).into_iter().collect();
        found.sort();
        found
    }

    #[test]
    fn a_layer_in_a_group_or_out_of_one_is_the_same_layer() {
        let flat = [("c1.weight", 150), ("c1.bias", 6), ("f6.weight", 840)];
        let grouped = [("block1.c1.weight", 150), ("block1.c1.bias", 6), ("f6.weight", 840)];
        let inward = pairs(&flat, &grouped);
        assert_eq!(inward.len(), 2);
        assert!(inward.contains(&("block1.c1.weight".into(), "c1.weight".into())), "{inward:?}");
        let outward = pairs(&grouped, &flat);
        assert!(outward.contains(&("c1.bias".into(), "block1.c1.bias".into())), "{outward:?}");
    }

    #[test]
    fn what_could_be_another_layer_is_left_alone() {
        // Two copies where there was one layer, another shape, a missing bias, and a layer that is still there.
        let one = [("c1.weight", 150)];
        assert!(pairs(&one, &[("g.0.c1.weight", 150), ("g.1.c1.weight", 150)]).is_empty());
        assert!(pairs(&one, &[("g.c1.weight", 151)]).is_empty());
        assert!(pairs(&one, &[("g.c1.weight", 150), ("g.c1.bias", 6)]).is_empty());
        assert!(pairs(&one, &[("c1.weight", 150), ("g.c1.weight", 150)]).is_empty());
        // The end of a name is not the end of a path.
        assert!(pairs(&one, &[("g.cc1.weight", 150), ("gc1.weight", 150)]).is_empty());
    }
}
