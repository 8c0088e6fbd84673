//! What lint says of components that are packaged, but would not do what their developer means.

use model::fault::{Fault, Severity};
use packaging::lint::lint_component;

use crate::components::Folder;

fn faults(folder: &Folder, part: &str) -> Vec<(Severity, String)> {
    let faults = lint_component(&folder.load()).into_iter();
    faults
        .filter(|fault| fault.to_string().contains(part))
        .map(|fault: Fault| (fault.severity, fault.to_string()))
        .collect()
}

fn replacing(path: &str, build: &str) -> Folder {
    let text = format!(
        "{build}files:\n  - {{source: shop, path: /usr/bin/shop}}\n  - {{source: man, path: /usr/share/man}}\nreplaces: [\"{path}\"]\n"
    );
    Folder::new(&text).write("shop", "x").write("man/man1/shop.1", "x")
}

#[test]
fn replaced_path_that_the_package_does_not_have_is_a_warning_with_the_nearest_path() {
    let found = faults(&replacing("/usr/bin/shpo", ""), "`replaces`");
    assert_eq!(
        found,
        [(
            Severity::Warning,
            "component.yaml: `replaces` names `/usr/bin/shpo`, but the package has nothing there, so nothing is replaced; did you mean `/usr/bin/shop`?"
                .to_owned()
        )]
    );
    assert_eq!(faults(&replacing("/usr/share/man/man2", ""), "`replaces`").len(), 1);
    assert_eq!(faults(&replacing("/usr/lib/other/thing", "build: make\n"), "`replaces`").len(), 1);
}

#[test]
fn replaced_path_that_the_package_has_or_may_have_after_its_build_is_no_fault() {
    for path in ["/usr/bin/shop", "/usr/share/man/man1", "/usr/share/man/man1/shop*.1"] {
        assert_eq!(faults(&replacing(path, ""), "`replaces`"), [], "{path}");
    }
    assert_eq!(faults(&replacing("/usr/share/man/man2/a.2", "build: make\n"), "`replaces`"), []);
}

#[test]
fn files_that_say_who_is_root_are_neither_packaged_nor_replaced() {
    for path in ["/etc/passwd", "/etc/sudoers", "/etc/ld.so.preload"] {
        let text = format!("files: [{{source: a, path: {path}}}]\nreplaces: [{path}]\n");
        let mistakes = Folder::new(&text).write("a", "x").mistakes();
        for key in ["`files` has the path", "`replaces` names"] {
            let expected = format!("{key} `{path}`");
            assert!(mistakes.contains(&expected), "{mistakes}");
        }
        assert!(mistakes.contains("it says who is root, or what every program loads"), "{mistakes}");
    }
}

#[test]
fn file_of_root_below_a_folder_of_a_user_is_an_error_with_its_line() {
    let with = |owner: &str| {
        Folder::new("").write(
            "deploy/manifest.yaml",
            format!(
                "format: geppetto/manifest/1\nresources:\n  - {{user: vic}}\n  - {{directory: /var/lib/vic, owner: vic}}\n  - file: /var/lib/vic/conf/app.conf\n    content: x\n{owner}"
            ),
        )
    };
    assert_eq!(
        faults(&with("    owner: root\n"), "vic can change"),
        [(
            Severity::Error,
            "deploy/manifest.yaml:5: `file:/var/lib/vic/conf/app.conf`: vic can change /var/lib/vic, and what belongs to root cannot be kept safe there; give it `owner: vic`, or put it elsewhere"
                .to_owned()
        )]
    );
    assert_eq!(faults(&with(""), "vic can change"), []);
    assert_eq!(faults(&with("    owner: vic\n"), "vic can change"), []);
}

#[test]
fn manifest_with_a_wrong_name_is_an_error_that_says_the_right_one() {
    for name in ["manifest.yml", "Manifest.yaml", "manifests.yaml"] {
        let folder = Folder::new("").write(&format!("deploy/{name}"), "format: geppetto/manifest/1\n");
        let expected = format!(
            "deploy/{name}: it is not read, as there is no deploy/manifest.yaml; rename it to `deploy/manifest.yaml`"
        );
        assert_eq!(faults(&folder, name), [(Severity::Error, expected)]);
    }
}

#[test]
fn faults_of_the_description_and_of_the_manifest_are_reported_in_one_run() {
    let folder = Folder::new("licence: MIT\nbuild: 42\n").write(
        "deploy/manifest.yaml",
        "format: geppetto/manifest/1\nresources:\n  - {fiel: /etc/a}\n  - {user: a, homme: /x}\n",
    );
    let mistakes = folder.mistakes();
    for part in [
        "component.yaml:9: unknown key `licence`",
        "component.yaml:10: expected a command",
        "deploy/manifest.yaml:3: `fiel` is no kind of resource; did you mean `file`?",
        "deploy/manifest.yaml:4: a `user` has no field `homme`; did you mean `home`?",
    ] {
        assert!(mistakes.contains(part), "`{part}` is not in:\n{mistakes}");
    }
}

#[test]
fn word_in_a_version_range_is_a_wrong_version() {
    let mistakes = Folder::new("requires: {base: \">=banana\"}\n").mistakes();
    assert!(
        mistakes.contains("component.yaml:9: `>=banana` is not a version range: write `1.2.0`"),
        "{mistakes}"
    );
}
