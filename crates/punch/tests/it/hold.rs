//! Hosts that somebody holds: the timer leaves them as they are.

use std::fs;

use serde_json::json;

use crate::{control_plane::ControlPlane, skip::has_tool, test_folder::TestFolder};

const TIMER: [&str; 4] = ["restore", "--unless-held", "--root", "root"];

fn held(test: &TestFolder) -> serde_json::Value {
    test.ok(&["status", "--root", "root", "--json"]).json()["held"].clone()
}

#[test]
fn held_host_is_left_as_it_is_by_the_timer_and_shown_as_held() {
    let test = TestFolder::new();
    if !has_tool("rpm") {
        return;
    }
    let Some(_control_plane) = ControlPlane::with_shop(&test) else { return };
    let outcome = || test.ok(&["server", "list", "--json"]).json()[0]["outcome"].clone();
    test.ok(&TIMER);
    assert_eq!(outcome(), json!("changed"));

    let hold = ["hold", "--root", "root", "--until", "2d", "--reason", "new kernel"];
    let said = test.ok(&hold).stderr;
    assert!(said.contains("this host is held since ") && said.contains("UTC: new kernel"), "{said}");
    assert_eq!(outcome(), json!("held"));
    let length = held(&test)["until_us"].as_i64().unwrap() - held(&test)["since_us"].as_i64().unwrap();
    assert_eq!((length, held(&test)["reason"].clone()), (172_800_000_000, json!("new kernel")));
    let shown = test.ok(&["status", "--root", "root"]).stdout;
    assert!(shown.contains("new kernel; `punch hold --release` ends it"), "{shown}");

    fs::write(test.path("root/etc/shop/shop.conf"), "edited\n").unwrap();
    let reports = || test.ok(&["history", "--root", "root", "--json"]).json().as_array().unwrap().len();
    let before = reports();
    let said = test.ok(&TIMER).stderr;
    assert!(said.contains("new kernel"), "{said}");
    assert_eq!(test.read("root/etc/shop/shop.conf"), "edited\n");
    assert_eq!(reports(), before, "one report says it");

    // A person still restores the host; the timer then says again that it is held.
    let said = test.ok(&["restore", "--root", "root"]).stderr;
    assert!(said.contains("this host is held"), "{said}");
    assert_ne!(test.read("root/etc/shop/shop.conf"), "edited\n");
    assert_eq!(outcome(), json!("changed"));
    test.ok(&TIMER);
    assert_eq!(outcome(), json!("held"));

    test.ok(&["hold", "--root", "root", "--release"]);
    assert_eq!(held(&test), json!(null));
    test.ok(&TIMER);
    assert_eq!(outcome(), json!("unchanged"));
}

#[test]
fn hold_ends_at_its_time_and_a_damaged_one_is_told_and_can_be_released() {
    let test = TestFolder::new();
    fs::create_dir(test.path("root")).unwrap();
    test.ok(&["hold", "--root", "root"]);
    assert!(held(&test)["until_us"].is_null());
    let file = test.path("root/var/lib/geppetto/punch/hold.json");
    assert_eq!(crate::test_folder::mode(&file), 0o600);
    fs::write(&file, "{\"since_us\": 1, \"until_us\": 2}").unwrap();
    assert_eq!(held(&test), json!(null), "it was over in 1970");
    fs::write(&file, "{").unwrap();
    test.punch(&["status", "--root", "root"]).fails(3, &["hold.json", "`punch hold --release` removes it"]);
    test.ok(&["hold", "--root", "root", "--release"]);
    assert!(!file.exists());
}

#[test]
fn wrong_time_of_a_hold_is_refused_and_nothing_is_held() {
    let test = TestFolder::new();
    fs::create_dir(test.path("root")).unwrap();
    let hold = |until: &str| test.punch(&["hold", "--root", "root", "--until", until]);
    hold("tomorrow").fails(1, &["`tomorrow` is no time that punch knows", "30m, 4h, 2d"]);
    hold("2020-02-29").fails(1, &["2020-02-29 00:00:00 UTC is over; it is ", "times are in UTC"]);
    hold("0s").fails(1, &["is over"]);
    test.punch(&["hold", "--root", "root", "--reason", "a\nb"]).fails(1, &["one line"]);
    assert_eq!(held(&test), json!(null));
}
