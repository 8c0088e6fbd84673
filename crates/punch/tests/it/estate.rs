//! Estate folders: subfolders, and the way to a control plane and back.

use crate::{control_plane::ControlPlane, test_folder::TestFolder};

#[test]
fn documents_in_subfolders_are_imported_named_in_faults_and_exported_where_they_were() {
    let test = TestFolder::new();
    let Some(_control_plane) = ControlPlane::with_shop(&test) else { return };
    let server = "format: geppetto/server/2\nenvironment: prod\n";
    test.write("estate/servers/paris/edge/web-02.yaml", &server.replace("prod", "prd"));
    test.punch(&["import", "estate"])
        .fails(1, &["servers/paris/edge/web-02.yaml:2:", "did you mean `prod`?"]);
    test.write("estate/servers/paris/edge/web-02.yaml", server);
    test.ok(&["import", "estate"]);
    let list = test.ok(&["server", "list"]).stdout;
    assert!(list.contains("web-02"), "{list}");
    test.ok(&["export", "estate", "--replace"]);
    assert!(test.path("estate/servers/paris/edge/web-02.yaml").exists());
    assert!(!test.path("estate/servers/web-02.yaml").exists(), "it is not there twice");
    test.write("estate/servers/lyon/web-02.yaml", server);
    test.punch(&["import", "estate"]).fails(
        1,
        &["servers/paris/edge/web-02.yaml and servers/lyon/web-02.yaml have the same name", "subfolders"],
    );
}

#[test]
fn message_of_a_revision_is_bounded() {
    let test = TestFolder::new();
    let Some(_control_plane) = ControlPlane::with_shop(&test) else { return };
    test.write("estate/groups/paris.yaml", "format: geppetto/group/1\n");
    let long = "m".repeat(2_001);
    test.punch(&["import", "estate", "--message", &long]).fails(1, &["2001 characters", "at most 2000"]);
    test.ok(&["import", "estate", "--message", &long[1..]]);
}

#[test]
fn import_and_revision_diff_give_the_same_json_for_a_place() {
    let test = TestFolder::new();
    let Some(_control_plane) = ControlPlane::with_shop(&test) else { return };
    test.write("estate/groups/paris.yaml", "format: geppetto/group/1\n");
    let change = test.ok(&["import", "estate", "--diff", "--json"]).json();
    let revision = change["revision"].as_u64().unwrap();
    let diff = test.ok(&["revision", "diff", &(revision - 1).to_string(), &revision.to_string(), "--json"]);
    assert_eq!(change["places"][0]["place"], "group paris");
    assert_eq!(change["places"][0]["how"], "added");
    assert_eq!(change["places"], diff.json()["places"]);
}
