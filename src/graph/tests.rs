//! Edits, undo, and the file format, hostile files included.

use super::*;
use crate::layers::{Add, Conv2d, Dense, Flatten, Input, Layer, MaxPool};

fn insert(document: &Document, layer: impl Into<Layer>, place: Place) -> Document {
    apply(document, &[], &Edit::Insert { content: Box::new(Content::Layer(layer.into())), place }).unwrap().0
}

/// input1 → conv1 → pool1
fn chain() -> Document {
    let document = insert(&Document::default(), Input::default(), Place::Loose);
    let document = insert(&document, Conv2d::default(), Place::After(NodeId(1)));
    insert(&document, MaxPool::default(), Place::After(NodeId(2)))
}

fn links(document: &Document) -> Vec<(u64, u64, u16)> {
    let mut links: Vec<_> = document.graph.links.iter().map(|l| (l.from.0, l.to.0, l.to_port)).collect();
    links.sort_unstable();
    links
}

#[test]
fn inserting_after_a_layer_takes_over_what_followed_it() {
    let document = insert(&chain(), Conv2d::default(), Place::After(NodeId(2)));
    assert_eq!(links(&document), [(1, 2, 0), (2, 4, 0), (4, 3, 0)]);
    assert_eq!(document.graph.node(NodeId(4)).unwrap().name, "conv2");
}

#[test]
fn inserting_on_a_wire_joins_both_ends() {
    let link = chain().graph.links_into(NodeId(2))[0];
    let document = insert(&chain(), Conv2d::default(), Place::OnLink(link));
    assert_eq!(links(&document), [(1, 4, 0), (2, 3, 0), (4, 2, 0)]);
}

#[test]
fn removing_a_layer_heals_the_chain() {
    let document = apply(&chain(), &[], &Edit::Remove { nodes: vec![NodeId(2)] }).unwrap().0;
    assert_eq!(links(&document), [(1, 3, 0)]);
    // Every layer of a chain at once.
    let document = apply(&chain(), &[], &Edit::Remove { nodes: vec![NodeId(1), NodeId(2), NodeId(3)] }).unwrap().0;
    assert!(document.graph.nodes.is_empty() && document.graph.links.is_empty());
}

#[test]
fn removing_the_only_layer_on_a_branch_leaves_a_merge_with_one_input() {
    // input → conv → add, input → add: without conv both would be the same link, so one stays.
    let document = insert(&chain(), Add::default(), Place::After(NodeId(3)));
    let document = apply(&document, &[], &Edit::Connect { from: NodeId(2), to: NodeId(4), port: None }).unwrap().0;
    assert_eq!(links(&document), [(1, 2, 0), (2, 3, 0), (2, 4, 1), (3, 4, 0)]);
    let document = apply(&document, &[], &Edit::Remove { nodes: vec![NodeId(3)] }).unwrap().0;
    assert_eq!(links(&document), [(1, 2, 0), (2, 4, 0)]);
}

#[test]
fn moving_a_card_heals_its_old_place() {
    let to = chain().graph.links_into(NodeId(2))[0];
    let document = apply(&chain(), &[], &Edit::Move { nodes: vec![NodeId(3)], place: Place::OnLink(to) }).unwrap().0;
    assert_eq!(links(&document), [(1, 3, 0), (3, 2, 0)]);
}

/// input1 → conv1 → pool1 → add1, conv1 → add1, add1 → conv2 → flatten1
fn skip() -> Document {
    let document = insert(&chain(), Add::default(), Place::After(NodeId(3)));
    let document = apply(&document, &[], &Edit::Connect { from: NodeId(2), to: NodeId(4), port: None }).unwrap().0;
    let document = insert(&document, Conv2d::default(), Place::After(NodeId(4)));
    insert(&document, Flatten::default(), Place::After(NodeId(5)))
}

#[test]
fn a_card_with_several_links_moves_with_its_branch() {
    let document = skip();
    let order = [(1, 2, 0), (2, 3, 0), (2, 4, 1), (3, 4, 0), (4, 5, 0), (5, 6, 0)];
    assert_eq!(links(&document), order);
    let moved = |id: u64| document.graph.load(&[NodeId(id)]).unwrap().nodes();
    // The split takes all up to its merge along, the merge all that its split feeds.
    assert_eq!(moved(2), [2, 3, 4].map(NodeId));
    assert_eq!(moved(4), [3, 4].map(NodeId));
    assert_eq!(moved(3), [NodeId(3)]);
    // Behind conv2: input → conv2 → (conv1, pool1, add1) → flatten.
    let to = Place::OnLink(document.graph.links_into(NodeId(6))[0]);
    let moved = apply(&document, &[], &Edit::Move { nodes: vec![NodeId(2)], place: to }).unwrap().0;
    assert_eq!(links(&moved), [(1, 5, 0), (2, 3, 0), (2, 4, 1), (3, 4, 0), (4, 6, 0), (5, 2, 0)]);
    // The merge alone moves what lies between: conv1 → conv2 → (pool1, add1 and the skip) → flatten.
    let moved =
        apply(&document, &[], &Edit::Move { nodes: vec![NodeId(4)], place: Place::After(NodeId(5)) }).unwrap().0;
    assert_eq!(links(&moved), [(1, 2, 0), (2, 5, 0), (3, 4, 0), (4, 6, 0), (5, 3, 0), (5, 4, 1)]);
    // Onto a place of its own nothing changes.
    let own = Place::After(NodeId(3));
    assert_eq!(apply(&document, &[], &Edit::Move { nodes: vec![NodeId(2)], place: own }).unwrap().0, document);
}

#[test]
fn a_card_whose_branch_is_not_one_piece_says_why_it_cannot_move() {
    // A second way out of the split, which nothing joins.
    let document = insert(&skip(), Dense::default(), Place::Branch(NodeId(2)));
    let refused = |node: u64, place: Place| {
        apply(&document, &[], &Edit::Move { nodes: vec![NodeId(node)], place }).map(|_| ()).unwrap_err().to_string()
    };
    assert!(refused(2, Place::After(NodeId(5))).contains("fc1 ends without being joined"));
    assert!(refused(4, Place::Loose).contains("cannot lie beside the network"));
    // Two inputs that a merge joins would have to come along.
    let document = insert(&skip(), Input::default(), Place::Loose);
    let input = document.graph.nodes.last().unwrap().id;
    let document = apply(&document, &[], &Edit::Connect { from: input, to: NodeId(4), port: None }).unwrap().0;
    let error =
        apply(&document, &[], &Edit::Move { nodes: vec![NodeId(4)], place: Place::After(NodeId(5)) }).unwrap_err();
    assert!(error.to_string().contains("would have to come along"), "{error}");
}

/// input1 → conv1 → pool1 → conv2 → flatten1, with ids 1 to 5.
fn row() -> Document {
    let document = insert(&chain(), Conv2d::default(), Place::After(NodeId(3)));
    insert(&document, Flatten::default(), Place::After(NodeId(4)))
}

fn moved(document: &Document, nodes: &[u64], place: Place) -> Result<Document, String> {
    let nodes = nodes.iter().copied().map(NodeId).collect();
    apply(document, &[], &Edit::Move { nodes, place }).map(|(document, _)| document).map_err(|error| error.to_string())
}

#[test]
fn several_cards_move_as_one_and_keep_their_links() {
    let behind = moved(&row(), &[3, 2], Place::After(NodeId(4))).unwrap();
    assert_eq!(links(&behind), [(1, 4, 0), (2, 3, 0), (3, 5, 0), (4, 2, 0)]);
    let order: Vec<u64> = behind.graph.nodes.iter().map(|node| node.id.0).collect();
    assert_eq!(order, [1, 4, 2, 3, 5]);
    // Onto a wire, and those that stand apart one after another; the place of each is healed.
    let wire = Place::OnLink(row().graph.links_into(NodeId(5))[0]);
    assert_eq!(links(&moved(&row(), &[2, 3], wire).unwrap()), links(&behind));
    let gathered = moved(&row(), &[2, 4], Place::After(NodeId(5))).unwrap();
    assert_eq!(links(&gathered), [(1, 3, 0), (2, 4, 0), (3, 5, 0), (5, 2, 0)]);
    // A split and a layer of one of its branches take along what joins them, the whole block.
    let order = [(1, 5, 0), (2, 3, 0), (2, 4, 1), (3, 4, 0), (4, 6, 0), (5, 2, 0)];
    assert_eq!(links(&moved(&skip(), &[2, 3], Place::After(NodeId(5))).unwrap()), order);
}

#[test]
fn a_run_taken_out_of_the_network_stays_linked_and_goes_back_into_a_wire() {
    let out = moved(&row(), &[2, 3], Place::Loose).unwrap();
    assert_eq!(links(&out), [(1, 4, 0), (2, 3, 0), (4, 5, 0)]);
    let wire = Place::OnLink(out.graph.links_into(NodeId(4))[0]);
    assert_eq!(links(&moved(&out, &[2, 3], wire).unwrap()), links(&row()));
    // As a branch: linked from a layer whose other links stay.
    let branch = moved(&row(), &[3, 4], Place::Branch(NodeId(2))).unwrap();
    assert_eq!(links(&branch), [(1, 2, 0), (2, 3, 0), (2, 5, 0), (3, 4, 0)]);
}

#[test]
fn several_cards_that_cannot_move_as_one_say_why() {
    // input → conv1 → add and input → conv2 → add: two ways side by side.
    let document = insert(&Document::default(), Input::default(), Place::Loose);
    let document = insert(&document, Conv2d::default(), Place::After(NodeId(1)));
    let document = insert(&document, Add::default(), Place::After(NodeId(2)));
    let document = insert(&document, Conv2d::default(), Place::Branch(NodeId(1)));
    let document = apply(&document, &[], &Edit::Connect { from: NodeId(4), to: NodeId(3), port: None }).unwrap().0;
    let document = insert(&document, Flatten::default(), Place::After(NodeId(3)));
    let why = moved(&document, &[2, 4], Place::After(NodeId(5))).unwrap_err();
    assert!(why.contains("lie side by side") && why.contains("Select what joins them too"), "{why}");
    let why = moved(&row(), &[1, 2], Place::After(NodeId(4))).unwrap_err();
    assert!(why.contains("input1 is where data enter"), "{why}");
}

#[test]
fn one_step_earlier_or_later_passes_one_layer() {
    let document = row();
    let step = |nodes: &[u64], is_earlier| {
        let nodes: Vec<NodeId> = nodes.iter().copied().map(NodeId).collect();
        document.graph.step(&document.graph.load(&nodes).unwrap(), is_earlier).map_err(|why| why.to_string())
    };
    assert_eq!(step(&[3, 4], true), Ok(Place::OnLink(document.graph.links_into(NodeId(2))[0])));
    assert_eq!(step(&[2, 3], false), Ok(Place::After(NodeId(4))));
    assert!(step(&[2], true).unwrap_err().contains("nothing lies before input1"));
    assert!(step(&[5], false).unwrap_err().contains("nothing follows it"));
}

#[test]
fn links_that_would_close_a_circle_are_refused() {
    let error = apply(&chain(), &[], &Edit::Connect { from: NodeId(3), to: NodeId(2), port: None }).unwrap_err();
    assert!(error.to_string().contains("feed back"), "{error}");
    let error = apply(&chain(), &[], &Edit::Connect { from: NodeId(3), to: NodeId(1), port: None }).unwrap_err();
    assert!(matches!(error, EditError::Cycle { .. } | EditError::NoInput { .. }));
}

#[test]
fn names_are_unique_and_fit_parameter_paths() {
    let rename = |name: &str| apply(&chain(), &[], &Edit::Rename { node: NodeId(2), name: name.into() });
    assert!(rename("stem").is_ok());
    // A dotted name is what a layer out of an expanded group is called; it must not lie inside a sibling's name.
    assert!(rename("stem.0.conv").is_ok());
    for bad in ["", "a..b", ".a", "pool1", "pool1.conv", "two words"] {
        assert!(rename(bad).is_err(), "{bad:?} was accepted");
    }
}

#[test]
fn edits_reach_into_groups() {
    let document = crate::presets::find("resnet-mini").unwrap();
    let group = document.graph.by_name("layer1").unwrap().id;
    let inner = document.graph.at(&[group]).unwrap().by_name("block").unwrap().id;
    let edit = Edit::SetTrainable { nodes: vec![inner], trainable: false };
    let changed = apply(&document, &[group], &edit).unwrap().0;
    assert!(!changed.graph.at(&[group]).unwrap().node(inner).unwrap().trainable);
    assert!(document.graph.at(&[group]).unwrap().node(inner).unwrap().trainable, "the old document is untouched");
}

#[test]
fn undo_and_redo_restore_document_selection_and_saved_state() {
    let mut history = History::new(chain());
    let set = |filters| {
        let layer = Box::new(Conv2d { filters, ..Conv2d::default() }.into());
        Edit::SetLayer { node: NodeId(2), layer }
    };
    // Two changes of one gesture are one step; a third with another gesture is its own.
    history.apply(&[], &set(40), &[NodeId(2)], Some(1)).unwrap();
    history.apply(&[], &set(48), &[NodeId(2)], Some(1)).unwrap();
    history.apply(&[], &set(56), &[NodeId(2)], Some(2)).unwrap();
    assert!(history.is_modified());
    assert_eq!(history.undo_label(), Some("Change conv1"));
    history.undo(&[], &[]).unwrap();
    let restored = history.undo(&[], &[]).unwrap();
    assert_eq!(restored.selection, [NodeId(2)]);
    assert_eq!(**history.document(), chain());
    assert!(!history.is_modified() && history.undo(&[], &[]).is_none());
    history.redo(&[], &[]).unwrap();
    let filters = crate::layers::get_field(
        &mut history.document().graph.node(NodeId(2)).unwrap().layer().unwrap().clone(),
        "filters",
    );
    assert_eq!(filters, Some(crate::layers::FieldValue::Integer(48)));
}

#[test]
fn undo_is_a_hundred_deep() {
    let mut history = History::new(chain());
    for seed in 1..=150 {
        history.apply(&[], &Edit::SetSeed(seed), &[], None).unwrap();
    }
    let steps = std::iter::from_fn(|| history.undo(&[], &[])).count();
    assert_eq!(steps, DEPTH);
}

#[test]
fn unknown_kinds_fields_and_sections_survive_saving() {
    let text = r#"{
        "format": "striate-document", "version": 1, "name": "x", "from_the_future": {"a": [1, 2]},
        "graph": { "nodes": [
            {"id": 1, "name": "input", "kind": "input", "settings": {"height": 8, "width": 8, "channels": 1, "gamma": 2.2}},
            {"id": 2, "name": "warp", "kind": "warp_drive", "settings": {"factor": 9}, "colour": "red"}
        ], "links": [{"from": 1, "to": 2}] },
        "training": {"epochs": 3, "novel": true}
    }"#;
    let opened = Document::read(text).unwrap();
    assert_eq!(opened.warnings.len(), 1, "{:?}", opened.warnings);
    let once = opened.document.to_json();
    for kept in ["from_the_future", "gamma", "warp_drive", "\"factor\": 9", "\"colour\": \"red\"", "\"novel\": true"] {
        assert!(once.contains(kept), "{kept} was lost in {once}");
    }
    assert_eq!(Document::from_json(&once).unwrap().to_json(), once, "saving is stable");
    assert!(once.trim_start().starts_with("{\n  \"format\": \"striate-document\",\n  \"version\": 1"));
}

#[test]
fn unknown_fields_keep_their_order_from_save_to_save() {
    // Found by fuzzing: taking the graph out of the raw fields moved the last of them to its place.
    let text = r#"{"format": "striate-document", "version": 1, "graph": {"nodes": [
        {"id": 1, "name": "g", "kind": "group", "group": {"graph": {}}, "u": 1, "v": 2, "w": 3}]}, "x": 1, "y": 2, "z": 3}"#;
    let once = Document::from_json(text).unwrap().to_json();
    assert_eq!(Document::from_json(&once).unwrap().to_json(), once);
    let places = ["\"u\"", "\"v\"", "\"w\"", "\"x\"", "\"y\"", "\"z\""].map(|key| once.find(key).unwrap());
    assert!(places.is_sorted(), "{once}");
}

#[test]
fn a_newer_version_opens_read_only() {
    let text = r#"{"format": "striate-document", "version": 99, "graph": {"nodes": [], "links": []}}"#;
    assert!(Document::read(text).unwrap().read_only.unwrap().contains("99"));
}

#[test]
fn hostile_documents_get_a_message_and_no_panic() {
    let document = |nodes: &str, links: &str| {
        format!(
            r#"{{"format": "striate-document", "version": 1, "graph": {{"nodes": [{nodes}], "links": [{links}]}}}}"#
        )
    };
    let mut nested = "{\"nodes\": []}".to_owned();
    for _ in 0..20 {
        nested = format!(r#"{{"nodes": [{{"id": 1, "name": "g", "kind": "group", "group": {{"graph": {nested}}}}}]}}"#);
    }
    let good = crate::presets::find("lenet5").unwrap().to_json();
    let cases = [
        (String::new(), "JSON"),
        ("[1, 2]".into(), "object"),
        ("{}".into(), "format"),
        (good[..good.len() / 2].to_owned(), "JSON"),
        (
            document(r#"{"id": 1, "name": "a", "kind": "flatten"}, {"id": 1, "name": "b", "kind": "flatten"}"#, ""),
            "unique",
        ),
        (document(r#"{"id": 1, "name": "a", "kind": "flatten"}"#, r#"{"from": 1, "to": 7}"#), "links"),
        (document(r#"{"id": -1, "name": "a", "kind": "flatten"}"#, ""), "id"),
        (document(r#"{"id": 1, "name": "a b.c", "kind": "flatten"}"#, ""), "name"),
        (
            document(r#"{"id": 1, "name": "a", "kind": "flatten"}, {"id": 2, "name": "a.b", "kind": "flatten"}"#, ""),
            "inside a sibling",
        ),
        (document(r#"{"id": 1, "name": "a", "kind": "flatten", "bypassed": "yes"}"#, ""), "bypassed"),
        (document(r#"{"id": 1, "name": "a", "kind": "conv2d", "settings": {"filters": -3}}"#, ""), "settings"),
        (document(r#"{"id": 1, "name": "a", "kind": "conv2d", "settings": {"filters": 1e400}}"#, ""), "JSON"),
        (document(r#"{"id": 1, "name": "a", "kind": "group", "group": {"repeat": 4294967296}}"#, ""), "repeat"),
        (format!(r#"{{"format": "striate-document", "version": 1, "graph": {nested}}}"#), "nested"),
        ("[".repeat(100_000), "JSON"),
    ];
    for (text, about) in cases {
        let error = Document::read(&text).map(|_| ()).unwrap_err().to_string();
        assert!(error.to_lowercase().contains(&about.to_lowercase()), "{about}: {error}");
    }
}

#[test]
fn two_links_into_one_input_are_refused_when_read() {
    let text = r#"{"format": "striate-document", "version": 1, "graph": {"nodes": [
        {"id": 1, "name": "a", "kind": "input"}, {"id": 2, "name": "b", "kind": "input"}, {"id": 3, "name": "c", "kind": "flatten"}],
        "links": [{"from": 1, "to": 3}, {"from": 2, "to": 3}]}}"#;
    assert!(Document::read(text).map(|_| ()).unwrap_err().to_string().contains("one link"));
}

#[test]
fn saving_is_atomic_and_a_failed_save_leaves_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.json");
    let document = crate::presets::find("lenet5").unwrap();
    document.save(&path).unwrap();
    assert_eq!(Document::open(&path).unwrap().document.to_json(), document.to_json());
    // A folder in the way of the target's name: nothing is left behind.
    let blocked = folder.path().join("dir");
    std::fs::create_dir(&blocked).unwrap();
    std::fs::write(blocked.join("x"), "x").unwrap();
    assert!(document.save(&blocked).is_err());
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn a_pasted_fragment_gets_fresh_ids_and_names() {
    let document = chain();
    let fragment = document.graph.clone();
    let (pasted, outcome) = apply(&document, &[], &Edit::Paste { fragment: Box::new(fragment) }).unwrap();
    assert_eq!(outcome.select.unwrap().len(), 3);
    assert_eq!(pasted.graph.nodes.len(), 6);
    assert_eq!(check(&pasted.graph), Ok(()));
}

#[test]
fn every_edit_of_a_random_walk_keeps_the_graph_sound() {
    // A fixed sequence of pseudo-random edits; refused ones must change nothing, accepted ones must keep all rules.
    let mut state = 12_345_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below.max(1)
    };
    let mut document = chain();
    for _ in 0..600 {
        let ids: Vec<NodeId> = document.graph.nodes.iter().map(|node| node.id).collect();
        let pick = ids.get(next(ids.len())).copied().unwrap_or(NodeId(1));
        let other = ids.get(next(ids.len())).copied().unwrap_or(NodeId(1));
        let link = document.graph.links.get(next(document.graph.links.len())).copied();
        let place = match (next(4), link) {
            (0, _) => Place::After(pick),
            (1, Some(link)) => Place::OnLink(link),
            (2, _) => Place::Branch(pick),
            _ => Place::Loose,
        };
        let layer: Layer = match next(4) {
            0 => Add::default().into(),
            1 => Dense::default().into(),
            2 => Flatten::default().into(),
            _ => Conv2d::default().into(),
        };
        let edit = match next(7) {
            0 | 1 if ids.len() < 40 => Edit::Insert { content: Box::new(Content::Layer(layer)), place },
            2 => Edit::Remove { nodes: vec![pick] },
            3 => Edit::Move { nodes: vec![pick], place },
            4 => Edit::Move { nodes: vec![pick, other], place },
            _ => Edit::Connect { from: pick, to: other, port: None },
        };
        if let Ok((changed, _)) = apply(&document, &[], &edit) {
            assert_eq!(check(&changed.graph), Ok(()), "after {edit:?}");
            assert!(changed.graph.topological().1.is_empty(), "a cycle after {edit:?}");
            // Lowering never panics, whatever the network looks like.
            let _plan = crate::plan::plan(&changed);
            document = changed;
        }
    }
}
