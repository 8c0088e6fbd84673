//! A first start that is killed is completed by the next one; keys that are lost after use are not replaced.

use std::{fs, path::Path, process::Command};

use crate::control_plane::ControlPlane;

/// What a first start makes after the data folder, in order: what to remove to get what it has left when it was killed
/// before that step.
const STEPS: [(&str, &[&str]); 9] = [
    ("the folder of keys", &["keys"]),
    ("the database key", &["keys/store.key"]),
    ("the node key", &["keys/node.key"]),
    ("the repository", &["repository"]),
    ("the trusted keys", &["repository/keys.asc"]),
    ("the signing key", &["repository/signing.key"]),
    ("the channels", &["repository/order.json", "repository/channels/dev", "repository/members/dev"]),
    ("the second channel", &["repository/channels/staging", "repository/members/staging"]),
    ("the third channel", &["repository/channels/prod", "repository/members/prod"]),
];

/// The first steps are done before the database belongs to the keys.
const SEALED_AFTER: usize = 3;

fn remove(path: &Path) {
    if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
}

/// The data folder of a first start that was killed before `step`.
fn killed_before(step: usize) -> ControlPlane {
    let plane = ControlPlane::empty();
    plane.run(&["init"]).ok();
    for path in STEPS[step..].iter().rev().flat_map(|(_, paths)| *paths) {
        remove(&plane.data().join(path));
    }
    let database = plane.data().join("geppetto.db");
    match step {
        0 => remove(&database),
        1 => fs::write(&database, "").unwrap(),
        _ if step <= SEALED_AFTER => {
            let unseal = "DELETE FROM control_plane";
            let done = Command::new("sqlite3").arg(&database).arg(unseal).status().unwrap();
            assert!(done.success());
        }
        _ => {}
    }
    plane
}

/// The channels that exist, in the order of promotion.
fn channels(plane: &ControlPlane) -> Vec<String> {
    let order = fs::read(plane.data().join("repository/order.json")).unwrap();
    let mut order: Vec<String> = serde_json::from_slice(&order).unwrap();
    let page = plane.get("/api/v1/channels", &plane.admin()).ok();
    let created: Vec<_> = page["items"].as_array().unwrap().iter().map(|item| &item["name"]).collect();
    assert!(created.iter().all(|name| order.iter().any(|known| **name == known.as_str())), "{page}");
    order.retain(|name| created.iter().any(|known| **known == name.as_str()));
    order
}

/// That the whole chain works, to a published package in the last channel.
fn works(plane: &mut ControlPlane, after: &str) {
    plane.serve(&[]);
    assert_eq!(channels(plane), ["dev", "staging", "prod"], "{after}");
    let key = plane.trusted_key();
    plane.publish_shop("1.0.0", &key, "prod");
    assert_eq!(plane.get("/repository/keys.asc", "").status, 200, "{after}");
}

#[test]
fn first_start_killed_before_any_step_is_completed_by_the_next_start() {
    for (step, (name, _)) in STEPS.iter().enumerate() {
        works(&mut killed_before(step), name);
    }
}

#[test]
fn channels_chosen_by_a_killed_init_are_created_by_the_next_start() {
    let mut plane = ControlPlane::empty();
    plane.run(&["init", "--channel", "test", "--channel", "live"]).ok();
    for path in ["repository/channels/live", "repository/members/live"] {
        remove(&plane.data().join(path));
    }
    plane.serve(&[]);
    assert_eq!(channels(&plane), ["test", "live"]);
}

#[test]
fn missing_key_of_a_used_data_folder_is_refused_and_not_replaced() {
    let (mut plane, _) = ControlPlane::with_shop();
    assert_eq!(plane.end("-TERM"), Some(0));
    for (key, sentence) in [
        ("keys/store.key", "store.key` is missing, and the database was used with one"),
        ("keys/node.key", "node.key` is missing, and the database was used with one"),
        ("repository/signing.key", "signing.key is missing although the repository has been used"),
    ] {
        let (path, aside) = (plane.data().join(key), plane.path("aside"));
        let trusted = fs::read(plane.data().join("repository/keys.asc")).unwrap();
        fs::rename(&path, &aside).unwrap();
        let message = plane.run(&["init"]).failed(1);
        assert!(message.contains(sentence) && message.contains("backup"), "{message}");
        assert!(!path.exists(), "no new key stands where {key} is to be put back");
        assert_eq!(fs::read(plane.data().join("repository/keys.asc")).unwrap(), trusted);
        fs::rename(&aside, &path).unwrap();
    }
    plane.serve(&[]);
}
