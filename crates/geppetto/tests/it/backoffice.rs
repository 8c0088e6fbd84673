//! Import, export, changes, revisions.

use std::{fs, os::unix::fs::symlink};

use serde_json::json;

use crate::control_plane::{ControlPlane, ESTATE, local_administrator};

#[test]
fn import_shows_changes_and_repeating_it_changes_nothing() {
    let plane = ControlPlane::start();
    let key = plane.trusted_key();
    plane.publish_shop("1.0.0", &key, "prod");
    let preview = plane.punch(&["import", plane.estate(&ESTATE).to_str().unwrap(), "--dry-run"]).ok();
    assert!(preview.contains("nothing was committed (--dry-run)"), "{preview}");
    let first = plane.import(&ESTATE).ok();
    for output in [
        "3 added: environment prod, role web, server web-01",
        "1 server, 1 distinct result",
        "1 server: web-01\n  + installs shop 1.0.0-1",
        "committed as revision 1",
    ] {
        assert!(first.contains(output), "{output}: {first}");
    }
    assert_eq!(plane.import(&ESTATE).ok(), "nothing to change\n");
    let revisions = plane.get("/api/v1/revisions", &plane.admin()).ok();
    assert_eq!(revisions["items"].as_array().unwrap().len(), 1, "{revisions}");
    assert_eq!(revisions["items"][0]["author"], local_administrator());
}

#[test]
fn import_removes_places_missing_from_the_folder() {
    let (plane, _) = ControlPlane::with_shop();
    let mut files = ESTATE.to_vec();
    files.push(("roles/spare.yaml", "format: geppetto/role/1\n"));
    plane.import(&files).ok();
    let output = plane.import(&ESTATE).ok();
    assert!(
        output.contains("1 removed: role spare") && output.contains("nothing changes on any server"),
        "{output}"
    );
    let output = plane.import(&[]).failed(1);
    assert!(output.contains("there is no document in"), "{output}");
    let nothing = json!({"documents": {}, "whole": true, "message": "", "preview": false});
    let detail = plane.post("/api/v1/changes", &plane.admin(), &nothing).problem(422);
    assert!(detail.contains("all 3 places of revision 3 would be removed"), "{detail}");
    let folder = plane.estate(&[]);
    let output = plane.punch(&["import", folder.to_str().unwrap(), "--allow-empty"]).ok();
    assert!(output.contains("  - leaves; its credential is revoked"), "{output}");
}

#[test]
fn place_that_could_not_be_read_back_is_refused() {
    let (plane, _) = ControlPlane::with_shop();
    // A few hundred kilobytes as written, many megabytes with one value a line.
    let lists = format!("{}{}{}", "[".repeat(50), "1,".repeat(150_000), "]".repeat(50));
    let role = format!("format: geppetto/role/1\nvalues: {{later: {{numbers: {lists}}}}}\n");
    let mut files = ESTATE.to_vec();
    files.push(("roles/spare.yaml", &role));
    let output = plane.import(&files).failed(1);
    assert!(
        output.contains("roles/spare.yaml: it has ") && output.contains("as it would be stored"),
        "{output}"
    );
    assert_eq!(plane.import(&ESTATE).ok(), "nothing to change\n");
}

#[test]
fn export_then_import_is_the_identity_and_an_older_revision_can_be_restored() {
    let (plane, _) = ControlPlane::with_shop();
    let changed = ESTATE.map(|(path, text)| (path, text.replace("8080", "9090")));
    let changed: Vec<(&str, &str)> = changed.iter().map(|(path, text)| (*path, text.as_str())).collect();
    plane.import(&changed).ok();

    let (now, before) = (plane.path("now"), plane.path("before"));
    plane.punch(&["export", now.to_str().unwrap()]).ok();
    assert_eq!(plane.punch(&["import", now.to_str().unwrap()]).ok(), "nothing to change\n");
    let output = plane.punch(&["export", now.to_str().unwrap()]).failed(1);
    assert!(output.contains("--replace"), "{output}");

    plane.punch(&["export", before.to_str().unwrap(), "--revision", "1"]).ok();
    let output = plane.punch(&["import", before.to_str().unwrap()]).failed(1);
    assert!(
        output.contains(&format!("role web in revision 2 by {}", local_administrator()))
            && output.contains("--overwrite"),
        "{output}"
    );
    let output = plane.punch(&["import", before.to_str().unwrap(), "--overwrite"]).ok();
    assert!(output.contains("9090") && output.contains("committed as revision 3"), "{output}");
    plane.punch(&["export", now.to_str().unwrap(), "--replace"]).ok();
    for (path, _) in ESTATE {
        assert_eq!(fs::read(now.join(path)).unwrap(), fs::read(before.join(path)).unwrap(), "{path}");
    }
    let output = plane.punch(&["export", "x", "--revision", "7"]).failed(1);
    assert!(output.contains("there is no revision `7`; the newest is 3"), "{output}");
    let output = plane.punch(&["revision", "show", "999"]).failed(1);
    assert!(output.contains("there is no revision `999`; the newest is 3"), "{output}");
}

#[test]
fn import_of_an_older_export_does_not_overwrite_newer_changes() {
    let (plane, _) = ControlPlane::with_shop();
    let (mine, theirs) = (plane.path("mine"), plane.path("theirs"));
    for folder in [&mine, &theirs] {
        plane.punch(&["export", folder.to_str().unwrap()]).ok();
    }
    let edit = |folder: &std::path::Path, path: &str, from: &str, to: &str| {
        let text = fs::read_to_string(folder.join(path)).unwrap();
        fs::write(folder.join(path), text.replace(from, to)).unwrap();
        plane.punch(&["import", folder.to_str().unwrap()])
    };
    edit(&theirs, "roles/web.yaml", "8080", "9090").ok();
    let output =
        edit(&mine, "servers/web-01.yaml", "environment", "description: front\nenvironment").failed(1);
    assert!(output.contains(&format!("role web in revision 2 by {}", local_administrator())), "{output}");
    assert!(!output.contains("server web-01 in"), "{output}");
    // After one's own import the folder is as new as what it made.
    edit(&theirs, "roles/web.yaml", "9090", "9091").ok();
    edit(&theirs, "roles/web.yaml", "9091", "9092").ok();
    plane.punch(&["import", mine.to_str().unwrap(), "--overwrite"]).ok();
    assert!(plane.get("/api/v1/servers/web-01/node", &plane.admin()).text().contains("8080"));
}

#[test]
fn change_based_on_an_older_revision_does_not_overwrite_newer_changes() {
    let (plane, _) = ControlPlane::with_shop();
    let operator = plane.token("operator");
    let post = |path: &str, text: serde_json::Value, base: u64| {
        let change = json!({"documents": {path: text}, "message": "", "preview": false, "base": base});
        plane.post("/api/v1/changes", &operator, &change)
    };
    let port = |port: &str| json!(ESTATE[1].1.replace("8080", port));
    assert_eq!(post("roles/web.yaml", port("9090"), 1).ok()["revision"], 2);
    assert_eq!(post("roles/web.yaml", port("9090"), 1).ok()["revision"], json!(null), "sent again");
    let detail = post("roles/web.yaml", port("9091"), 1).problem(409);
    assert!(detail.contains("role web in revision 2 by token operator-1"), "{detail}");
    post("roles/web.yaml", json!(null), 1).problem(409);
    let other = json!("format: geppetto/role/1\n");
    assert_eq!(post("roles/other.yaml", other, 1).ok()["revision"], 3, "nobody else touched it");
    post("roles/web.yaml", port("9091"), 99).problem(404);
}

#[test]
fn duplicate_document_is_refused() {
    let plane = ControlPlane::start();
    let body =
        br#"{"documents": {"roles/a.yaml": null, "roles/a.yaml": "x"}, "message": "", "preview": true}"#;
    let json = [("content-type", "application/json")];
    let detail = plane.ask("POST", "/api/v1/changes", &plane.admin(), &json, body).problem(422);
    assert!(detail.contains("`roles/a.yaml` is there twice"), "{detail}");
}

#[test]
fn unexpected_files_in_an_estate_are_all_refused_by_name() {
    let plane = ControlPlane::start();
    let folder = plane.estate(&[
        ("role/web.yaml", ""),
        ("notes.txt", ""),
        ("roles/web.yml", ""),
        (".git/config", ""),
        ("README.md", ""),
    ]);
    symlink("/etc/passwd", folder.join("roles/passwd.yaml")).unwrap();
    symlink("/etc", folder.join("groups")).unwrap();
    fs::create_dir_all(folder.join("environments")).unwrap();
    fs::write(folder.join("environments/prod.yaml"), [0xff, 0xfe]).unwrap();
    let huge = fs::File::create(folder.join("environments/huge.yaml")).unwrap();
    huge.set_len(100 << 20).unwrap();
    let output = plane.punch(&["import", folder.to_str().unwrap()]).failed(1);
    for part in [
        "role does not belong here; did you mean roles/?",
        "notes.txt does not belong here",
        "roles/web.yml is not a .yaml file",
        "roles/passwd.yaml is a symbolic link",
        "groups is a symbolic link",
        "environments/prod.yaml is not UTF-8 text",
        "environments/huge.yaml has 104857600 bytes",
    ] {
        assert!(output.contains(part), "{part}: {output}");
    }
    assert!(!output.contains("README") && !output.contains(".git"), "{output}");
}

#[test]
fn estate_with_faults_is_refused_listing_each_fault_with_its_file() {
    let (plane, _) = ControlPlane::with_shop();
    let mut files = ESTATE.to_vec();
    files[1].1 = "format: geppetto/role/1\ncomponents: {shop: '*'}\nvalues:\n  shop:\n    htpp_port: 1\n    http_port: many\n    password: s3cr3t\n";
    files.push(("roles/ring.yaml", "format: geppetto/role/1\ninherits: [rong]\n"));
    files.push(("roles/rong.yaml", "format: geppetto/role/1\ninherits: [ring]\n"));
    let output = plane.import(&files).failed(1);
    for part in ["nothing was changed", "roles/web.yaml:5", "`http_port`", "roles/web.yaml:6", "cycle"] {
        assert!(output.contains(part), "{part}: {output}");
    }
    assert!(!output.contains("s3cr3t"), "{output}");
    assert_eq!(plane.get("/api/v1/revisions", &plane.admin()).ok()["items"].as_array().unwrap().len(), 1);
}

#[test]
fn change_with_faults_in_two_documents_is_answered_with_each_fault_and_its_place() {
    let (plane, _) = ControlPlane::with_shop();
    let web = "format: geppetto/role/1\ncomponents: {shop: '*'}\nvalues:\n  shop:\n    htpp_port: 1\n    http_port: many\n";
    let ring = "format: geppetto/role/1\ninherits: [rong]\n";
    let change = json!({"documents": {"roles/web.yaml": web, "roles/ring.yaml": ring}, "message": "", "preview": true});
    let reply = plane.post("/api/v1/changes", &plane.admin(), &change);
    reply.problem(422);
    let problem = reply.json();
    let faults: Vec<model::fault::Fault> = serde_json::from_value(problem["faults"].clone()).unwrap();
    let located: Vec<_> = faults
        .iter()
        .map(|fault| {
            (
                fault.file.as_deref().unwrap(),
                fault.line,
                fault.column,
                fault.key.as_ref().map(|key| key.as_str()),
            )
        })
        .collect();
    for expected in [
        ("roles/ring.yaml", Some(2), Some(12), None),
        ("roles/web.yaml", Some(5), Some(16), Some("htpp_port")),
        ("roles/web.yaml", Some(6), Some(16), Some("http_port")),
    ] {
        assert!(located.contains(&expected), "{expected:?}: {problem}");
    }
    assert!(faults.iter().all(|fault| fault.place.is_some()), "{problem}");

    let broken = json!({"documents": {"roles/web.yaml": "format: geppetto/role/1\nvalues: [\n"}, "message": "", "preview": true});
    let problem = plane.post("/api/v1/changes", &plane.admin(), &broken).json();
    assert_eq!(problem["faults"][0]["file"], "roles/web.yaml");
    assert!(problem["faults"][0]["line"].is_u64() && problem["faults"][0]["column"].is_u64(), "{problem}");
}

#[test]
fn secrets_are_masked_in_diffs_and_documents_and_a_changed_one_still_shows() {
    let (plane, _) = ControlPlane::with_shop();
    let changed = ESTATE.map(|(path, text)| (path, text.replace("hunter2", "correct horse")));
    let changed: Vec<(&str, &str)> = changed.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let output = plane.import(&changed).ok();
    assert!(output.contains("(secret, changed)"), "{output}");
    assert!(!output.contains("hunter2") && !output.contains("correct horse"), "{output}");

    let viewed = plane.get("/api/v1/roles/web", &plane.token("viewer")).ok();
    let document = viewed["document"].as_str().unwrap();
    assert!(
        document.contains("(secret)") && document.contains("8080") && !document.contains("horse"),
        "{viewed}"
    );
    let operated = plane.get("/api/v1/roles/web", &plane.token("operator")).ok();
    assert!(operated["document"].as_str().unwrap().contains("correct horse"), "{operated}");
    assert_eq!(operated["revision"], 2);
}

#[test]
fn values_of_a_component_nobody_published_are_hidden_too() {
    let plane = ControlPlane::start();
    let role = "format: geppetto/role/1\nvalues: {vault: {key: sesame}}\n";
    let ran = plane.import(&[("roles/web.yaml", role)]);
    assert!(!ran.out.contains("sesame") && !ran.err.contains("sesame"), "{}{}", ran.out, ran.err);
}

#[test]
fn environment_with_a_misspelled_channel_is_the_one_fault_and_the_right_channel_is_suggested() {
    let (plane, _) = ControlPlane::with_shop();
    let misspelled: Vec<(&str, String)> =
        ESTATE.iter().map(|(path, text)| (*path, text.replace("channel: prod", "channel: pro"))).collect();
    let files: Vec<(&str, &str)> = misspelled.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let said = plane.import(&files).failed(1);
    assert!(said.contains("environments/prod.yaml:2:"), "{said}");
    assert!(said.contains("there is no channel `pro`; did you mean `prod`?"), "{said}");
    assert!(!said.contains("roles/web.yaml"), "{said}");
}

#[test]
fn api_change_is_previewed_and_then_committed() {
    let (plane, _) = ControlPlane::with_shop();
    let operator = plane.token("operator");
    let text = ESTATE[1].1.replace("8080", "9090");
    let mut change = json!({"documents": {"roles/web.yaml": text}, "message": "other port", "preview": true, "diffs": true});
    let preview = plane.post("/api/v1/changes", &operator, &change).ok();
    assert_eq!(preview["revision"], json!(null));
    let effects = &preview["effects"][0];
    assert_eq!(effects["servers"], json!(["web-01"]));
    assert_eq!(effects["effects"][0]["text"], "shop.http_port: 8080 -> 9090");
    assert_eq!(effects["effects"][0]["from"], "8080");
    assert_eq!(preview["places"][0]["place"], "role web");
    assert_eq!(preview["places"][0]["how"], "changed");
    let diff = preview["places"][0]["diff"].as_str().unwrap();
    assert!(diff.contains("http_port: 9090") && diff.starts_with("--- a/roles/web.yaml"), "{diff}");

    change["preview"] = json!(false);
    assert_eq!(plane.post("/api/v1/changes", &operator, &change).ok()["revision"], 2);
    assert_eq!(plane.post("/api/v1/changes", &operator, &change).ok()["revision"], json!(null));
    let node = plane.get("/api/v1/servers/web-01/node", &operator).text();
    assert!(node.contains("9090"), "{node}");
    let removal = json!({"documents": {"roles/wob.yaml": null}, "message": "", "preview": false});
    let detail = plane.post("/api/v1/changes", &operator, &removal).problem(404);
    assert!(detail.contains("did you mean `roles/web.yaml`?"), "{detail}");
    let outside = json!({"documents": {"../etc/passwd": "x"}, "message": "", "preview": false});
    plane.post("/api/v1/changes", &operator, &outside).problem(422);
}

#[test]
fn lists_come_page_by_page() {
    let (plane, _) = ControlPlane::with_shop();
    let mut files = ESTATE.to_vec();
    for path in ["roles/a.yaml", "roles/b.yaml", "roles/c.yaml"] {
        files.push((path, "format: geppetto/role/1\n"));
    }
    plane.import(&files).ok();
    let admin = plane.admin();
    let mut names = Vec::new();
    let mut path = "/api/v1/roles?limit=2".to_owned();
    loop {
        let page = plane.get(&path, &admin).ok();
        names.extend(
            page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/roles?limit=2&after={next}");
    }
    assert_eq!(names, ["a", "b", "c", "web"]);
    let detail = plane.get("/api/v1/roles?limit=0", &admin).problem(400);
    assert!(detail.contains("1 to 1000"), "{detail}");
    let page = plane.get("/api/v1/revisions?limit=1", &admin).ok();
    assert_eq!(page["next"], 2);
    assert_eq!(plane.get("/api/v1/revisions?limit=1&before=2", &admin).ok()["next"], json!(null));
}

#[test]
fn every_write_is_in_the_audit_log_with_its_actor() {
    let (plane, _) = ControlPlane::with_shop();
    let log = plane.get("/api/v1/audit?limit=1000", &plane.admin()).ok();
    let entries: Vec<String> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| format!("{} {}", entry["actor"].as_str().unwrap(), entry["action"].as_str().unwrap()))
        .collect();
    let local = local_administrator();
    for expected in [
        format!("{local} create-token"),
        format!("{local} trust-keys"),
        "token admin receive".to_owned(),
        "token admin publish".to_owned(),
        format!("{local} commit"),
    ] {
        assert!(entries.contains(&expected), "{expected}: {entries:?}");
    }
}
