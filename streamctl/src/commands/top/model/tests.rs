//! The keys of `top`, by themselves.

use proptest::prelude::*;

use super::{
    super::{
        columns::SORTS,
        page::tests::{client, stats},
    },
    *,
};

fn ids(model: &Model) -> Vec<i64> {
    model.clients().iter().map(|row| row.client.id).collect()
}

fn type_in(model: &mut Model, keys: &str) -> Next {
    let mut next = Next::Nothing;
    for key in keys.chars() {
        next = model.key(match key {
            '\n' => Key::Enter,
            '\t' => Key::Tab,
            key => Key::Char(key),
        });
    }
    next
}

fn model() -> Model {
    let mut model = Model::new(Sort::Id);
    model.update(stats());
    model
}

#[test]
fn the_selected_client_stays_selected_where_it_moves() {
    let mut model = model();
    assert_eq!(ids(&model), [1, 2, 7]);
    model.key(Key::Down);
    assert_eq!(model.client_row(), Some(1));
    type_in(&mut model, "r");
    model.key(Key::Home);
    assert_eq!(ids(&model), [7, 2, 1]);
    assert_eq!(model.client_row(), Some(0));
    let mut fewer = stats();
    fewer.clients.retain(|client| client.id != 7);
    model.update(fewer);
    assert_eq!(ids(&model), [2, 1]);
    assert_eq!(model.client_row(), Some(0));
}

#[test]
fn the_worst_comes_first_when_sorted_by_latency() {
    let mut model = model();
    type_in(&mut model, "sss");
    assert_eq!(model.sort, Sort::Latency);
    assert_eq!(ids(&model), [7, 1, 2]);
}

#[test]
fn a_kick_is_asked_first() {
    let mut model = model();
    assert_eq!(type_in(&mut model, "kn"), Next::Nothing);
    assert_eq!(type_in(&mut model, "k"), Next::Nothing);
    assert!(matches!(model.mode, Mode::Confirm { id: 1, .. }));
    assert_eq!(type_in(&mut model, "y"), Next::Act(Action::Kick(1)));
    assert_eq!(type_in(&mut model, "\tky"), Next::Nothing);
    assert!(model.message().is_some());
}

#[test]
fn limits_of_a_client_are_set_and_lifted() {
    let mut model = model();
    let limit = |quality, fps| {
        Next::Act(Action::Client(SetClient {
            id: 1,
            quality,
            fps,
            max_width: None,
        }))
    };
    assert_eq!(type_in(&mut model, "u55\n"), limit(Some(55), None));
    assert_eq!(type_in(&mut model, "f12.5\n"), limit(None, Some(12.5)));
    assert_eq!(type_in(&mut model, "fnone\n"), limit(None, Some(0.0)));
    assert_eq!(
        type_in(&mut model, "f\n"),
        Next::Nothing,
        "nothing was typed"
    );
    for letters in ["fa\n", "f5a\n", "finf\n", "unan\n"] {
        assert_eq!(type_in(&mut model, letters), Next::Nothing, "{letters}");
        let said = model.message().unwrap_or_default();
        assert!(said.contains("is no number"), "{letters}: {said}");
    }
    assert_eq!(type_in(&mut model, "-"), limit(Some(75), None));
    assert_eq!(type_in(&mut model, "u5.5\n"), Next::Nothing);
    assert!(model.message().is_some_and(|text| text.contains("whole")));
    assert_eq!(type_in(&mut model, "f1.2.3\n"), Next::Nothing);
    assert!(
        model
            .message()
            .is_some_and(|text| text.contains("no number"))
    );
}

#[test]
fn a_camera_is_changed() {
    let mut model = model();
    let next = type_in(&mut model, "\tu55\n");
    assert_eq!(
        next,
        Next::Act(Action::Camera(SetCamera {
            camera: Some("main".into()),
            quality: Some(55),
            fps: None,
            ..SetCamera::default()
        }))
    );
    assert_eq!(type_in(&mut model, "f\n"), Next::Nothing);
}

#[test]
fn without_clients_nothing_is_done() {
    let mut model = Model::new(Sort::Id);
    for key in ["k", "u", "f", "+", "-"] {
        assert_eq!(type_in(&mut model, key), Next::Nothing, "{key}");
        assert_eq!(model.mode, Mode::Normal);
        assert!(model.message().is_some());
    }
}

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![
        "[a-z0-9.?+-]".prop_map(|text| Key::Char(text.chars().next().unwrap_or('x'))),
        prop::sample::select(vec![
            Key::Enter,
            Key::Escape,
            Key::Backspace,
            Key::Tab,
            Key::Up,
            Key::Down,
            Key::PageUp,
            Key::PageDown,
            Key::Home,
            Key::End,
        ]),
    ]
}

proptest! {
    #[test]
    fn whatever_is_typed_calls_name_what_exists(
        events in prop::collection::vec((key(), prop::option::of(prop::collection::vec(1_i64..9, 0..6))), 0..120),
    ) {
        let mut model = Model::new(Sort::Id);
        let mut known = std::collections::BTreeSet::new();
        for (key, clients) in events {
            if let Some(ids) = clients {
                known.extend(ids.iter().copied());
                let mut stats = stats();
                stats.clients = ids.into_iter().map(client).collect();
                model.update(stats);
            }
            match model.key(key) {
                Next::Act(Action::Kick(id)) => prop_assert!(known.contains(&id)),
                Next::Act(Action::Client(call)) => prop_assert!(known.contains(&call.id)),
                Next::Act(Action::Camera(call)) => prop_assert_eq!(call.camera.as_deref(), Some("main")),
                Next::Quit | Next::Nothing => {}
            }
            if let Some(row) = model.client_row() {
                prop_assert!(row < model.clients().len());
            }
        }
    }
}

#[test]
fn the_sort_key_goes_round() {
    let mut sort = Sort::Id;
    for expected in SORTS.iter().cycle().skip(1).take(14) {
        sort = sort.next();
        assert_eq!(sort, *expected);
    }
}
