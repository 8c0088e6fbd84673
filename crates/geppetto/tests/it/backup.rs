//! Backups of a running control plane, and their recovery, on both databases.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
    process::Command,
};

use model::format::node;

use crate::{
    control_plane::{ControlPlane, ESTATE, local_administrator, program, result_of},
    postgres_cluster,
    skip::skip,
};

/// A control plane with a published component and an estate whose servers have node files.
fn filled(arguments: &[&str]) -> ControlPlane {
    let plane = ControlPlane::start_with(arguments);
    let key = plane.trusted_key();
    plane.publish_shop("1.0.0", &key, "prod");
    plane.import(&ESTATE).ok();
    plane
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The number of the server's node file: its epoch and generation.
fn number(plane: &ControlPlane, token: &str) -> (u64, u64) {
    let answer = plane.get("/api/v1/servers/web-01/node", token);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let node = node::parse_node_yaml("node", &answer.text()).unwrap();
    (node.epoch, node.generation)
}

fn backup_and_recovery(storage: &[&str], empty_storage: &[&str], database_file: &str) {
    let plane = filled(storage);
    // The token is in the backup.
    let admin = plane.admin();
    assert_eq!(number(&plane, &admin), (1, 1));
    let backup = plane.path("backup");
    let made = plane.run(&[&["backup", "--out", text(&backup)], storage].concat());
    let count = |said: &str| said.split(" files").next().unwrap().rsplit(' ').next().unwrap().to_owned();
    let files = count(&made.err);
    made.ok();
    let listed = fs::read_to_string(backup.join("SHA256SUMS")).unwrap().lines().count();
    assert_eq!(files, listed.to_string(), "as many as SHA256SUMS lists");
    for private in [backup.clone(), backup.join(database_file), backup.join("keys/store.key")] {
        let mode = fs::metadata(&private).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}: {mode:o}", private.display());
    }
    // Everybody's own program checks it.
    let checked =
        Command::new("sha256sum").args(["-c", "--quiet", "SHA256SUMS"]).current_dir(&backup).output();
    assert!(checked.unwrap().status.success());

    // What happens after the backup is gone.
    let lost = plane.create_token("made-later", &["viewer"]);
    let recovered = ControlPlane::empty();
    let checked =
        recovered.run(&[&["recover", "--from", text(&backup), "--dry-run"], empty_storage].concat());
    assert_eq!(count(&checked.err), files, "{}", checked.err);
    checked.ok();
    assert!(!recovered.data().exists(), "a dry run made something");
    let said = recovered.run(&[&["recover", "--from", text(&backup)], empty_storage].concat());
    assert!(said.err.contains("is recovered, in epoch"), "{}", said.err);
    let mut recovered = recovered;
    recovered.serve(empty_storage);

    // The generation goes on, in a higher epoch, although the content is the same.
    let (epoch, generation) = number(&recovered, &admin);
    assert!(epoch > 1_700_000_000, "an epoch is never lower than the time: {epoch}");
    assert_eq!(generation, 2);
    assert_eq!(number(&recovered, &admin), (epoch, generation));
    recovered.get("/api/v1/servers", &lost).problem(401);
    let audit = recovered.get("/api/v1/audit", &admin).text();
    assert!(audit.contains(&format!("epoch {epoch}")) && audit.contains(&local_administrator()), "{audit}");
    // Packages are one file with several names again, others may read the channels, and nobody the key.
    let repository = recovered.data().join("repository");
    let package = repository.join("channels/prod/packages/shop-1.0.0-1.noarch.rpm");
    let found = fs::metadata(&package).unwrap();
    assert_eq!((found.nlink(), found.permissions().mode() & 0o777), (2, 0o644));
    let key = fs::metadata(repository.join("signing.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    recovered.punch(&["repository", "check"]).ok();
    let key = recovered.trusted_key();
    recovered.publish_shop_as(&admin, "1.1.0", &key, "prod");

    // What is there stays: neither the folder nor the database is empty any more.
    let again = ["recover", "--from", text(&backup)];
    let occupied = recovered.run(&[&again, empty_storage].concat()).failed(1);
    assert!(occupied.contains("is not empty"), "{occupied}");
    if !empty_storage.is_empty() {
        let occupied = ControlPlane::empty().run(&[&again, empty_storage].concat());
        assert_eq!(occupied.code, 1, "{}", occupied.err);
        assert!(occupied.err.contains("error: the database"), "{}", occupied.err);
    }
}

#[test]
fn recovered_backup_of_sqlite_has_what_was_there_in_a_higher_epoch() {
    backup_and_recovery(&[], &[], "geppetto.db");
}

#[test]
fn recovered_backup_of_postgres_has_what_was_there_in_a_higher_epoch() {
    let Some(first) = postgres_cluster::create_database() else { return };
    let Some(second) = postgres_cluster::create_database() else { return };
    backup_and_recovery(&["--database", &first], &["--database", &second], "geppetto.pgdump");
}

#[test]
fn damaged_or_unfinished_backup_is_refused_and_nothing_is_recovered() {
    let plane = filled(&[]);
    let backup = plane.path("backup");
    plane.run(&["backup", "--out", text(&backup)]).ok();
    let recovered = ControlPlane::empty();
    let refused = |what: &str| {
        let said = recovered.run(&["recover", "--from", text(&backup)]).failed(1);
        assert!(said.contains(what), "{said}");
        assert!(!recovered.data().exists(), "a refused recovery made something");
    };
    let key = backup.join("keys/node.key");
    let kept = fs::read(&key).unwrap();
    fs::write(&key, b"x").unwrap();
    refused("keys/node.key has changed since the backup was made");
    fs::remove_file(&key).unwrap();
    refused("keys/node.key is missing");
    fs::write(&key, kept).unwrap();
    fs::write(backup.join("keys/more.key"), b"x").unwrap();
    refused("has a file that is no part of it: keys/more.key; move it out");
    fs::remove_file(backup.join("keys/more.key")).unwrap();
    fs::rename(backup.join("SHA256SUMS"), plane.path("sums")).unwrap();
    refused("has no SHA256SUMS");
    let sums = fs::read_to_string(plane.path("sums")).unwrap();
    fs::write(backup.join("SHA256SUMS"), sums.replace("keys/node.key", "../node.key")).unwrap();
    refused("has the line");
}

#[test]
fn backup_into_a_folder_that_exists_and_of_no_control_plane_are_refused() {
    let plane = filled(&[]);
    fs::create_dir(plane.path("backup")).unwrap();
    let said = plane.run(&["backup", "--out", text(&plane.path("backup"))]).failed(1);
    assert!(said.contains("exists already"), "{said}");
    let nothing = ControlPlane::empty();
    let said = nothing.run(&["backup", "--out", text(&nothing.path("backup"))]).failed(1);
    assert!(said.contains("there is no control plane in"), "{said}");
    assert!(!nothing.data().exists() && !nothing.path("backup").exists());
}

#[test]
fn backup_inside_what_it_copies_or_inside_another_backup_is_refused() {
    let plane = filled(&[]);
    let backup = plane.path("backup");
    plane.run(&["backup", "--out", text(&backup)]).ok();
    for (inside, what) in [
        (plane.data().join("repository/backup"), "is inside the repository"),
        (plane.data().join("backup"), "is inside the data folder"),
        (backup.join("another"), "is inside the backup"),
    ] {
        let said = plane.run(&["backup", "--out", text(&inside)]).failed(1);
        assert!(said.contains(what), "{said}");
        assert!(!inside.exists());
    }
}

#[test]
fn recovery_into_the_backup_that_it_reads_is_refused() {
    let plane = filled(&[]);
    let backup = plane.path("backup");
    plane.run(&["backup", "--out", text(&backup)]).ok();
    for destination in [backup.join("new"), backup.join("new/below")] {
        for more in [&[][..], &["--dry-run"]] {
            let mut recover = program();
            recover.args(["recover", "--from", text(&backup), "--data", text(&destination)]).args(more);
            let said = result_of(recover.output().unwrap()).failed(1);
            assert!(said.contains("is inside the backup"), "{said}");
            assert!(!backup.join("new").exists());
        }
    }
}

#[test]
fn backup_that_cannot_be_written_leaves_nothing() {
    let plane = filled(&[]);
    fs::remove_file(plane.data().join("keys/node.key")).unwrap();
    let out = plane.path("backups");
    fs::create_dir(&out).unwrap();
    let said = plane.run(&["backup", "--out", text(&out.join("today"))]).failed(1);
    assert!(said.contains("node.key"), "{said}");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0, "{said}");
}

#[test]
fn backup_without_the_database_of_a_control_plane_on_postgres_is_refused() {
    let Some(database) = postgres_cluster::create_database() else { return };
    let plane = filled(&["--database", &database]);
    let said = plane.run(&["backup", "--out", text(&plane.path("backup"))]).failed(1);
    assert!(said.contains("has no database there") && said.contains("--database"), "{said}");
    assert!(!plane.path("backup").exists() && !plane.data().join("geppetto.db").exists());
}

#[test]
fn recovery_into_a_database_that_cannot_be_filled_leaves_nothing() {
    let Some(first) = postgres_cluster::create_database() else { return };
    let plane = filled(&["--database", &first]);
    let backup = plane.path("backup");
    plane.run(&["backup", "--out", text(&backup), "--database", &first]).ok();
    let recovered = ControlPlane::empty();
    // One that has tables already, one that nobody serves, and programs of PostgreSQL that are not there.
    let nobody = "postgres://ann@127.0.0.1:1/estate";
    for (database, what) in [(first.as_str(), "not empty"), (nobody, "could not be opened")] {
        for dry_run in [&["--dry-run"][..], &[]] {
            let recover = ["recover", "--from", text(&backup), "--database", database];
            let said = recovered.run(&[&recover, dry_run].concat());
            assert_ne!(said.code, 0);
            assert!(said.err.contains(what), "{}", said.err);
            assert!(!recovered.data().exists(), "a refused recovery made something");
        }
    }
    // What fails while it is copied: a dump that is whole, and none of PostgreSQL's.
    let Some(second) = postgres_cluster::create_database() else { return };
    let sums = fs::read_to_string(backup.join("SHA256SUMS")).unwrap();
    fs::write(backup.join("geppetto.pgdump"), "no dump").unwrap();
    let sum = Command::new("sha256sum").arg(backup.join("geppetto.pgdump")).output().unwrap().stdout;
    let sum = &String::from_utf8(sum).unwrap()[..64];
    let replaced = |line: &str| match line.ends_with("  geppetto.pgdump") {
        true => format!("{sum}  geppetto.pgdump\n"),
        false => format!("{line}\n"),
    };
    fs::write(backup.join("SHA256SUMS"), sums.lines().map(replaced).collect::<String>()).unwrap();
    let said = recovered.run(&["recover", "--from", text(&backup), "--database", &second]);
    assert_ne!(said.code, 0);
    assert!(said.err.contains("pg_restore"), "{}", said.err);
    assert!(!recovered.data().exists(), "a failed recovery left something");
}

#[test]
fn backup_and_recovery_by_root_in_the_data_folder_of_another_user_are_refused() {
    if !nix::unistd::geteuid().is_root() {
        skip("folders of other users can be made by root only");
        return;
    }
    let plane = filled(&[]);
    let backup = plane.path("backup");
    plane.run(&["backup", "--out", text(&backup)]).ok();
    std::os::unix::fs::chown(plane.data(), Some(65_534), None).unwrap();
    let said = plane.run(&["backup", "--out", text(&plane.path("again"))]).failed(1);
    assert!(said.contains("geppetto backup ...`") && said.contains("runuser -u"), "{said}");

    // Into a folder that is there, and into one that would be made.
    let recovered = ControlPlane::empty();
    let parent = recovered.data();
    fs::create_dir(&parent).unwrap();
    std::os::unix::fs::chown(&parent, Some(65_534), None).unwrap();
    for folder in [parent.clone(), parent.join("new")] {
        let mut recover = program();
        recover.args(["recover", "--from", text(&backup), "--data", text(&folder)]);
        let said = result_of(recover.output().unwrap()).failed(1);
        assert!(said.contains("belongs to") && said.contains("geppetto recover ...`"), "{said}");
    }
    assert_eq!(fs::read_dir(&parent).unwrap().count(), 0, "a refused recovery made something");
}

#[test]
fn control_plane_does_not_start_where_a_recovery_was_interrupted() {
    let plane = ControlPlane::empty();
    fs::create_dir(plane.data()).unwrap();
    fs::write(plane.data().join("recovery-not-completed"), "").unwrap();
    let said = plane.run(&["serve", "--listen", "127.0.0.1:0"]).failed(1);
    assert!(said.contains("was interrupted"), "{said}");
    let said = plane.run(&["backup", "--out", text(&plane.path("backup"))]).failed(1);
    assert!(said.contains("was interrupted") && !plane.path("backup").exists(), "{said}");
    let said = plane.run(&["recover", "--from", "/nonexistent"]).failed(1);
    assert!(said.contains("is not empty"), "{said}");
}
