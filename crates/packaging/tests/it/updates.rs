//! A newer archetype merged into a component people have edited: nothing is lost.

use std::{collections::BTreeMap, fs, path::Path};

use model::name::{Key, Name};
use packaging::archetype::{
    AnswersByQuestion, Archetype, FileUpdateOutcome, generate_component, read_archetype_record,
    update_component,
};

use crate::{components::Folder, tools::run};

const COMPONENT: &str =
    "format: geppetto/component/1\nname: {{ name }}\nversion: 1.0\nkind: os-config\nsummary: A thing\n";
const TEXT: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n";

/// A folder with version `version` of an archetype that has these files.
fn archetype(version: u32, files: &[(&str, &str)]) -> Folder {
    let mut folder = Folder::empty()
        .write(
            "archetype.yaml",
            format!(
                "format: geppetto/archetype/1\nname: thing\nversion: {version}\nsummary: A thing\nanswers:\n  colour: {{description: Which, default: 'blue', one_of: [blue, red]}}\n  size: {{description: How big}}\n"
            ),
        )
        .write("files/component.yaml.tmpl", COMPONENT);
    for (path, text) in files {
        folder = folder.write(&format!("files/{path}"), text);
    }
    folder
}

fn load(folder: &Folder) -> Archetype {
    Archetype::load_archetype_folder(folder.path()).unwrap_or_else(|error| panic!("{error}"))
}

fn answers(pairs: &[(&str, &str)]) -> AnswersByQuestion {
    pairs.iter().map(|(key, answer)| (Key::new(key).unwrap(), (*answer).to_owned())).collect()
}

fn generated(archetype: &Archetype) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    generate_component(archetype, &Name::new("my-thing").unwrap(), &answers(&[("size", "big")]), dir.path())
        .unwrap_or_else(|error| panic!("{error}"));
    dir
}

fn read(dir: &Path, path: &str) -> String {
    fs::read_to_string(dir.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn update_merges_every_kind_of_difference() {
    let old = archetype(
        1,
        &[
            ("untouched.txt", TEXT),
            ("both.txt", TEXT),
            ("conflict.txt", TEXT),
            ("deleted-by-you.txt", "old\n"),
            ("dropped.txt", "old\n"),
            ("dropped-but-edited.txt", "old\n"),
            ("picture.bin", "\0old"),
            ("same.txt", TEXT),
            ("__name__.cfg.tmpl", "{{ colour }} {{ size }}\n"),
        ],
    );
    let new = archetype(
        2,
        &[
            ("untouched.txt", "new\n"),
            ("both.txt", &TEXT.replace("two", "TWO")),
            ("conflict.txt", &TEXT.replace("two", "theirs")),
            ("deleted-by-you.txt", "new\n"),
            ("picture.bin", "\0new"),
            ("same.txt", TEXT),
            ("added.sh", "#!/bin/sh\n"),
            ("added-by-both.txt", "theirs\n"),
            ("__name__.cfg.tmpl", "{{ colour }} {{ size }}!\n"),
        ],
    );
    let dir = generated(&load(&old));
    let path = dir.path();
    fs::write(path.join("both.txt"), TEXT.replace("six", "SIX")).unwrap();
    fs::write(path.join("conflict.txt"), TEXT.replace("two", "mine")).unwrap();
    fs::remove_file(path.join("deleted-by-you.txt")).unwrap();
    fs::write(path.join("dropped-but-edited.txt"), "mine\n").unwrap();
    fs::write(path.join("picture.bin"), "\0mine").unwrap();
    fs::write(path.join("added-by-both.txt"), "mine\n").unwrap();
    fs::write(path.join("own.txt"), "mine\n").unwrap();

    let updated = update_component(path, Some(&load(&new)), &answers(&[("colour", "red")])).unwrap();
    let outcomes: BTreeMap<&str, FileUpdateOutcome> =
        updated.files.iter().map(|(path, outcome)| (path.as_str(), *outcome)).collect();
    assert_eq!(
        outcomes,
        BTreeMap::from([
            ("added-by-both.txt", FileUpdateOutcome::Conflicted),
            ("added.sh", FileUpdateOutcome::Added),
            ("both.txt", FileUpdateOutcome::Merged),
            ("conflict.txt", FileUpdateOutcome::Conflicted),
            ("deleted-by-you.txt", FileUpdateOutcome::StayedDeleted),
            ("dropped-but-edited.txt", FileUpdateOutcome::Kept),
            ("dropped.txt", FileUpdateOutcome::Removed),
            ("my-thing.cfg", FileUpdateOutcome::Replaced),
            ("picture.bin", FileUpdateOutcome::Beside),
            ("untouched.txt", FileUpdateOutcome::Replaced),
        ])
    );
    assert_eq!(
        updated.files_to_review().collect::<Vec<_>>(),
        ["added-by-both.txt", "conflict.txt", "picture.bin"]
    );
    assert_eq!(read(path, "untouched.txt"), "new\n");
    assert_eq!(read(path, "both.txt"), TEXT.replace("two", "TWO").replace("six", "SIX"));
    assert_eq!(
        read(path, "conflict.txt"),
        TEXT.replace("two", "<<<<<<< yours\nmine\n=======\ntheirs\n>>>>>>> archetype thing 2")
    );
    assert_eq!(read(path, "my-thing.cfg"), "red big!\n");
    assert_eq!(read(path, "picture.bin"), "\0mine");
    assert_eq!(read(path, "picture.bin.archetype"), "\0new");
    assert_eq!(read(path, "dropped-but-edited.txt"), "mine\n");
    assert_eq!(read(path, "own.txt"), "mine\n");
    assert!(!path.join("dropped.txt").exists() && !path.join("deleted-by-you.txt").exists());
    assert_eq!(read(path, ".geppetto/base/deleted-by-you.txt"), "new\n");

    let record = read_archetype_record(path).unwrap();
    assert_eq!((record.version, record.answers), (2, answers(&[("colour", "red"), ("size", "big")])));
    // The same again changes nothing.
    let again = update_component(path, Some(&load(&new)), &AnswersByQuestion::new()).unwrap();
    assert_eq!(again.files, []);
}

#[test]
fn impossible_update_is_an_error_and_changes_nothing() {
    let old = archetype(2, &[("a.txt", "old\n")]);
    let new = archetype(3, &[("a.txt", "new\n")]);
    let fails = |dir: &Path, archetype: &Folder, given: &[(&str, &str)]| {
        update_component(dir, Some(&load(archetype)), &answers(given)).unwrap_err().to_string()
    };
    let dir = generated(&load(&old));
    let path = dir.path();
    assert!(fails(path, &new, &[("color", "red")]).contains("does not ask `color`; did you mean `colour`?"));
    assert!(
        fails(path, &new, &[("colour", "green")])
            .contains("`green` is no answer to `colour`; it takes one of: blue, red")
    );
    let older = archetype(1, &[("a.txt", "older\n")]);
    assert!(
        fails(path, &older, &[])
            .contains("generated from version 2 of the archetype `thing`, and this is the older version 1")
    );

    fs::write(path.join("a.txt"), "<<<<<<< yours\nx\n=======\ny\n>>>>>>> archetype thing 1\n").unwrap();
    assert!(fails(path, &new, &[]).contains("a.txt: it still has conflict marks"));
    fs::remove_file(path.join("a.txt")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", path.join("a.txt")).unwrap();
    assert!(fails(path, &new, &[]).contains("is reached through a symbolic link"));
    fs::remove_file(path.join("a.txt")).unwrap();
    fs::write(path.join("a.txt"), "mine\n").unwrap();
    fs::write(path.join(".geppetto/base/a.txt"), "edited\n").unwrap();
    assert!(fails(path, &new, &[]).contains(".geppetto/base: it is not what was generated any more"));
    assert_eq!(read(path, "a.txt"), "mine\n");
    assert_eq!(read_archetype_record(path).unwrap().version, 2);

    let nothing = tempfile::tempdir().unwrap();
    assert!(fails(nothing.path(), &new, &[]).contains("was not generated from an archetype"));
}

#[test]
fn interrupted_update_is_completed_by_the_next() {
    let old = archetype(1, &[("a.txt", "old\n")]);
    let new = archetype(2, &[("a.txt", "new\n")]);
    let dir = generated(&load(&old));
    // As after a crash between the two renames.
    fs::rename(dir.path().join(".geppetto"), dir.path().join(".geppetto.old")).unwrap();
    let updated = update_component(dir.path(), Some(&load(&new)), &AnswersByQuestion::new()).unwrap();
    assert_eq!((updated.from, updated.to), (1, 2));
    assert_eq!(read(dir.path(), "a.txt"), "new\n");
    assert!(!dir.path().join(".geppetto.old").exists());
}

#[test]
fn update_interrupted_at_any_step_gives_the_same_result_when_repeated() {
    let old = archetype(1, &[("a.txt", TEXT), ("picture.bin", "\0old"), ("z.txt", "old\n")]);
    let theirs = TEXT.replace("two", "theirs");
    let new = archetype(
        2,
        &[("a.txt", &theirs), ("picture.bin", "\0new"), ("x/added.txt", "new\n"), ("z.txt", "new\n")],
    );
    let dir = generated(&load(&old));
    let path = dir.path();
    fs::write(path.join("a.txt"), TEXT.replace("two", "mine")).unwrap();
    fs::write(path.join("picture.bin"), "\0mine").unwrap();

    let other = tempfile::tempdir().unwrap();
    let whole = other.path().join("whole");
    run(std::process::Command::new("cp").arg("-a").arg(path).arg(&whole));
    let expected = update_component(&whole, Some(&load(&new)), &AnswersByQuestion::new()).unwrap();
    assert_eq!(expected.files_to_review().collect::<Vec<_>>(), ["a.txt", "picture.bin"]);

    // A file where a folder is needed: the first files are written by then.
    fs::write(path.join("x"), "in the way").unwrap();
    let cut = update_component(path, Some(&load(&new)), &AnswersByQuestion::new()).unwrap_err().to_string();
    assert!(cut.ends_with("nothing is lost, repeat the update"), "{cut}");
    assert!(read(path, "a.txt").contains("<<<<<<< yours"));
    fs::remove_file(path.join("x")).unwrap();
    let repeated = update_component(path, Some(&load(&new)), &AnswersByQuestion::new()).unwrap();
    assert_eq!(repeated, expected);
    for file in ["a.txt", "picture.bin", "picture.bin.archetype", "z.txt", ".geppetto/archetype.yaml"] {
        assert_eq!(read(path, file), read(&whole, file), "{file}");
    }
    assert!(!path.join("picture.bin.2.archetype").exists() && !path.join(".geppetto/update.yaml").exists());
}

#[test]
fn file_added_by_the_user_is_not_taken_for_a_generated_one() {
    let dir = generated(&load(&archetype(1, &[("picture.bin", "\0old")])));
    let path = dir.path();
    fs::write(path.join("picture.bin"), "\0mine").unwrap();
    fs::write(path.join("picture.bin.archetype"), "my notes").unwrap();
    let updated = update_component(
        path,
        Some(&load(&archetype(2, &[("picture.bin", "\0new")]))),
        &AnswersByQuestion::new(),
    )
    .unwrap();
    assert_eq!(read(path, "picture.bin.archetype"), "my notes");
    assert_eq!(updated.beside["picture.bin"], "picture.bin.2.archetype");
    assert_eq!(read(path, "picture.bin.2.archetype"), "\0new");
}

#[test]
fn file_that_becomes_a_script_is_made_executable() {
    use std::os::unix::fs::PermissionsExt;

    let dir = generated(&load(&archetype(1, &[("run", "one\ntwo\n"), ("edited", "one\ntwo\n")])));
    let path = dir.path();
    fs::write(path.join("edited"), "one\ntwo\nmine\n").unwrap();
    fs::set_permissions(path.join("edited"), fs::Permissions::from_mode(0o640)).unwrap();
    let new = archetype(2, &[("run", "#!/bin/sh\ntwo\n"), ("edited", "#!/bin/sh\ntwo\n")]);
    update_component(path, Some(&load(&new)), &AnswersByQuestion::new()).unwrap();
    let mode = |file: &str| path.join(file).metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("run"), mode("edited")), (0o755, 0o750));
}

#[test]
fn moved_archetype_folder_can_be_given_explicitly() {
    let dir = generated(&load(&archetype(1, &[])));
    // The folder it was generated from is gone with the test that made it.
    let error = update_component(dir.path(), None, &AnswersByQuestion::new()).unwrap_err().to_string();
    assert!(error.contains("cannot be opened: No such file or directory"), "{error}");
    assert!(error.ends_with("name the archetype's folder with `--from FOLDER`"), "{error}");
}

#[test]
fn component_is_generated_whole_or_not_at_all() {
    let good = load(&archetype(1, &[("a.txt", "x")]));
    let name = Name::new("my-thing").unwrap();
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("my-thing");
    let error = generate_component(&good, &name, &AnswersByQuestion::new(), &dir).unwrap_err().to_string();
    assert_eq!(
        error,
        "the archetype `thing` needs an answer to `size` (How big); give it with `--set size=...`"
    );
    let bad =
        load(&archetype(1, &[]).write("files/component.yaml.tmpl", "format: geppetto/component/1\nnam: x\n"));
    let error = generate_component(&bad, &name, &answers(&[("size", "1")]), &dir).unwrap_err().to_string();
    assert!(
        error.contains("what archetype `thing` generated is not a component: component.yaml:2:"),
        "{error}"
    );
    let leaving = load(&archetype(1, &[]).write("files/__size__/x", ""));
    let error = generate_component(&leaving, &name, &answers(&[("size", "../../etc")]), &dir)
        .unwrap_err()
        .to_string();
    assert!(error.contains("it would become `../../etc/x`, which no archetype may write"), "{error}");
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0, "nothing is left");

    generate_component(&good, &name, &answers(&[("size", "1")]), &dir).unwrap();
    let error = generate_component(&good, &name, &answers(&[("size", "1")]), &dir).unwrap_err().to_string();
    assert!(error.ends_with("is there already and is not empty; choose another with `--dir`"), "{error}");
}

#[test]
fn folder_without_archetype_is_an_error_naming_it() {
    let fails = |folder: &Folder| Archetype::load_archetype_folder(folder.path()).unwrap_err().to_string();
    assert!(fails(&Folder::empty()).ends_with("is no archetype: it has no `archetype.yaml`"));
    let folder = archetype(1, &[]);
    std::os::unix::fs::symlink("/etc", folder.path().join("files/etc")).unwrap();
    assert!(fails(&folder).contains("files/etc` cannot be part of an archetype"));
    let reserved = Folder::empty().write("files/a", "").write(
        "archetype.yaml",
        "format: geppetto/archetype/1\nname: a\nversion: 1\nsummary: x\nanswers: {name: {description: x}}\n",
    );
    assert!(fails(&reserved).contains("the answer `name` has the name of something every template knows"));
    let error = packaging::archetype::find_built_in_archetype("web-servce").unwrap_err().to_string();
    assert!(error.starts_with("there is no archetype `web-servce`, did you mean `web-service`?"), "{error}");
}
