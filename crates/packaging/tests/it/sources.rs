//! What a component's folder may hold, and what it is told when it holds something else.

use std::os::unix::fs::symlink;

use model::fault::Severity;
use packaging::{
    lint::lint_component,
    package::{CommandEvent, PackagingError, create_packages, run_component_build_command},
    source::ComponentSource,
};

use crate::{
    components::{Folder, shop},
    tools::NOON,
};

/// What packaging a component with these lines says; everything its entries may need is there.
#[track_caller]
fn refused(rest: &str, expected: &str) {
    let folder = Folder::new(rest).write("file.txt", "text").write("dir/a.txt", "a");
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    symlink(outside.path(), folder.path().join("away")).unwrap();
    symlink(outside.path().join("secret"), folder.path().join("dir/leaving")).unwrap();
    let message = match ComponentSource::load_component_source(folder.path()) {
        Err(errors) => errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        Ok(source) => create_packages(&source, &folder.out(), None, NOON).unwrap_err().to_string(),
    };
    let message = message.replace(&outside.path().display().to_string(), "OUTSIDE");
    assert!(message.contains(expected), "wanted: {expected}\ngot: {message}");
    let left = std::fs::read_dir(folder.out()).map(|entries| entries.count()).unwrap_or(0);
    assert_eq!(left, 0, "a refused package leaves nothing");
}

#[test]
fn files_outside_the_component_folder_are_never_packaged() {
    refused(
        "files: [{source: ../x, path: /usr/share/shop/x}]",
        "`files` takes `../x`, which leaves the component's folder by `..`; copy the file into it or build it there",
    );
    refused(
        "files: [{source: /etc/passwd, path: /usr/share/shop/x}]",
        "`files` takes `/etc/passwd`, which is absolute; everything packaged must be inside the component's folder",
    );
    refused(
        "files: [{source: away/secret, path: /usr/share/shop/x}]",
        "away/secret: it is a symbolic link to `OUTSIDE/secret`, outside the component's folder; copy the file into it",
    );
    refused(
        "files: [{source: 'away/*', path: /usr/share/shop}]",
        "away: it is a symbolic link to `OUTSIDE`, outside",
    );
    refused(
        "files: [{source: dir, path: /usr/share/shop}]",
        "dir/leaving: it is a symbolic link to `OUTSIDE/secret`, outside the component's folder; copy the file, or add an entry with `symlink:`",
    );
    refused(
        "files: [{source: 'dir/*', path: /usr/share/shop}]",
        "dir/leaving: it is a symbolic link to `OUTSIDE/secret`",
    );
}

#[test]
fn missing_and_duplicate_files_are_errors_naming_them() {
    refused(
        "files: [{source: build/shop, path: /usr/bin/shop}]",
        "component.yaml: `files` takes `build/shop`, which is not there; check the name, or add the command that makes it as `build:`",
    );
    refused(
        "files: [{source: build/shop, path: /usr/bin/shop}]\nbuild: [make]",
        "build/shop: `files` in component.yaml names it, but it is not there; check the name, or whether the build makes it",
    );
    refused(
        "files: [{source: '*.jar', path: /usr/share/java}]",
        "*.jar: no file matches it; check the pattern",
    );
    refused(
        "files: [{source: file.txt, path: /usr/share/a}, {source: dir/a.txt, path: /usr/share/a}]",
        "/usr/share/a: two entries of `files` put something there; keep one of them",
    );
    refused(
        "files: [{source: file.txt, path: /usr/share/a}, {source: dir/a.txt, path: /usr/share/a/b}]",
        "/usr/share/a/b: `/usr/share/a`, which is packaged too, is no directory",
    );
}

#[test]
fn entry_for_one_file_overrides_its_folder_entry() {
    let folder = Folder::new(
        "files: [{source: dir, path: /usr/share/shop}, {source: dir/run, path: /usr/share/shop/run, mode: '0700'}]",
    )
    .write("dir/run", "x")
    .write("dir/plain", "y");
    let packages = create_packages(&folder.load(), &folder.out(), None, NOON).unwrap();
    let metadata = rpm::PackageMetadata::open(&packages.payload).unwrap();
    let modes: Vec<(String, u16)> = metadata
        .get_file_entries()
        .unwrap()
        .iter()
        .map(|entry| (entry.path().display().to_string(), entry.permissions()))
        .collect();
    assert!(modes.contains(&("/usr/share/shop/run".to_owned(), 0o700)), "{modes:?}");
    assert!(modes.contains(&("/usr/share/shop/plain".to_owned(), 0o644)), "{modes:?}");
}

#[test]
fn output_and_version_control_files_are_never_packaged() {
    for rest in [
        "files: [{source: ., path: /usr/share/shop}]",
        "files: [{source: '**', path: /usr/share/shop}]",
        "files: [{source: dist, path: /usr/share/shop}]",
    ] {
        let folder = Folder::new(rest)
            .write("program", "x")
            .write(".git/HEAD", "ref")
            .write("sub/.git", "gitdir: elsewhere")
            .write(".geppetto/archetype.yaml", "x")
            .write("dist/page.html", "made by the build");
        let packages = create_packages(&folder.load(), &folder.out(), None, NOON).unwrap();
        let first = std::fs::read(&packages.payload).unwrap();
        create_packages(&folder.load(), &folder.out(), None, NOON).unwrap();
        assert!(std::fs::read(&packages.payload).unwrap() == first, "{rest}: the same source, other bytes");
        let paths = rpm::PackageMetadata::open(&packages.payload).unwrap().get_file_paths().unwrap();
        let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        assert!(!paths.iter().any(|path| path.contains(".git") || path.contains(".geppetto")), "{paths:?}");
        // Who names the folder itself means it.
        let named = rest.contains("dist");
        assert_eq!(paths.iter().any(|path| path.ends_with("page.html")), named, "{rest}: {paths:?}");
        assert!(!paths.iter().any(|path| path.ends_with(".rpm")), "{paths:?}");
        let warned =
            lint_component(&folder.load()).iter().any(|note| note.message.contains("is the whole folder"));
        assert_eq!(warned, !named, "{rest}");
    }
}

#[test]
fn name_of_another_package_is_refused() {
    let folder = Folder::empty().write(
        "component.yaml",
        "format: geppetto/component/1\nname: eq-deployment\nversion: 1.0\nkind: os-config\nsummary: S\n",
    );
    assert_eq!(
        folder.mistakes(),
        "component.yaml: a component cannot be called `eq-deployment`: that is the deployment package of a component `eq`; choose another name\n"
    );
    let folder = Folder::empty()
        .write(
            "component.yaml",
            "format: geppetto/component/1\nfrom: package.json\nkind: os-config\nsummary: S\n",
        )
        .write("package.json", r#"{"name": "server", "version": "1.0.0"}"#);
    assert!(folder.mistakes().starts_with("package.json: a component cannot be called `server`"));
}

#[test]
fn named_pipe_is_refused_without_waiting() {
    let folder = Folder::empty();
    let path = folder.path().join("component.yaml");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let (output, heard) = std::sync::mpsc::channel();
    let waiting = folder.path().to_owned();
    std::thread::spawn(move || {
        output.send(ComponentSource::load_component_source(&waiting).unwrap_err()[0].to_string())
    });
    let message = heard.recv_timeout(std::time::Duration::from_secs(20));
    // Whoever waits for a writer gets one.
    drop(std::fs::File::options().read(true).write(true).open(&path));
    assert_eq!(message.as_deref(), Ok("component.yaml: it is not a regular file"));
}

#[test]
fn folder_without_component_is_an_error_with_a_hint() {
    let folder = Folder::empty();
    assert!(
        folder.mistakes().contains("go to a component's folder, or make one with `punch new ARCHETYPE NAME`")
    );
    let errors = ComponentSource::load_component_source(&folder.path().join("nowhere")).unwrap_err();
    assert!(errors[0].to_string().ends_with("nowhere: there is no such folder"), "{errors:?}");
}

#[test]
fn hostile_files_are_refused_with_a_sentence() {
    for (text, expected) in [
        (
            "format: geppetto/component/1\nname: shop\nname: shop\n".to_owned(),
            "the key `name` is written twice",
        ),
        ("x: ".to_owned() + &"[".repeat(10_000), "component.yaml"),
        ("a: &a [x, x]\nb: &b [*a, *a]\n".to_owned() + "c: [*b, *b]\n", "component.yaml"),
        ("x".repeat(9 * 1024 * 1024), "bytes"),
        ("format: geppetto/component/1\nsummry: x\n".to_owned(), "did you mean `summary`?"),
        ("format: geppetto/role/1\n".to_owned(), "here `format: geppetto/component/1` is needed"),
        ("\u{0}".to_owned(), "component.yaml"),
    ] {
        let folder = Folder::empty().write("component.yaml", &text);
        let mistakes = folder.mistakes();
        assert!(mistakes.contains(expected), "wanted: {expected}\ngot: {mistakes}");
        assert!(mistakes.len() < 2000, "{mistakes}");
    }
    let folder = Folder::empty().write("component.yaml", [0xff, 0xfe]);
    assert!(folder.mistakes().contains("it is not UTF-8 text"));
    let folder = Folder::empty();
    std::fs::create_dir(folder.path().join("component.yaml")).unwrap();
    assert!(folder.mistakes().contains("it is not a regular file"));
}

#[test]
fn templates_are_read_from_the_folder_alone() {
    let folder = shop();
    symlink("/etc/passwd", folder.path().join("deploy/templates/passwd.j2")).unwrap();
    assert!(folder.mistakes().contains(
        "deploy/templates/passwd.j2: it is a symbolic link to `/etc/passwd`, outside the component's folder; copy the file into the folder"
    ));
    let folder = shop();
    std::fs::remove_file(folder.path().join("deploy/manifest.yaml")).unwrap();
    symlink("/etc/passwd", folder.path().join("deploy/manifest.yaml")).unwrap();
    assert!(folder.mistakes().contains("deploy/manifest.yaml: it is a symbolic link to `/etc/passwd`"));
}

#[test]
fn name_and_version_come_from_the_project() {
    let folder = Folder::empty()
        .write(
            "component.yaml",
            "format: geppetto/component/1\nfrom: package.json\nkind: web-service\nsummary: S\n",
        )
        .write("package.json", r#"{"name": "@acme/shop", "version": "2.0.0-rc.1", "license": "MIT"}"#);
    let source = folder.load();
    assert_eq!(source.component.name.as_str(), "acme-shop");
    assert_eq!(source.component.version.to_string(), "2.0.0~rc.1-1");
    assert_eq!(source.license.as_deref(), Some("MIT"));
    let folder = folder.write("package.json", "{}");
    assert_eq!(folder.mistakes(), "package.json: it has no name; write `name:` in component.yaml\n");
    std::fs::remove_file(folder.path().join("package.json")).unwrap();
    assert!(folder.mistakes().starts_with("package.json: it cannot be read: No such file or directory"));
}

#[test]
fn fact_written_in_component_yaml_replaces_an_unusable_one_of_the_project() {
    let project = r#"{"name": "42", "version": "1.0.0-rc1", "license": "a\rb"}"#;
    let head = "format: geppetto/component/1\nfrom: package.json\nkind: web-service\nsummary: S\n";
    let folder = Folder::empty()
        .write("component.yaml", format!("{head}name: shop\nversion: 1.0.0~rc1\nlicense: MIT\n"))
        .write("package.json", project);
    assert_eq!(folder.load().component.version.to_string(), "1.0.0~rc1-1");
    let folder = folder.write("component.yaml", format!("{head}name: shop\nlicense: MIT\n"));
    assert_eq!(
        folder.mistakes(),
        "package.json: the version `1.0.0-rc1` has `rc1`, and SemVer sorts `rc10` before `rc2`; write `rc.1`, or write `version:` in component.yaml as RPM compares it\n"
    );
}

#[test]
fn description_with_windows_line_ends_is_packaged_and_a_control_character_is_refused() {
    let yaml = "format: geppetto/component/1\nfrom: package.json\nkind: os-config\nsummary: S\n";
    let folder = Folder::empty()
        .write("component.yaml", yaml)
        .write("package.json", r#"{"name": "shop", "version": "1.0.0", "description": "One.\r\nTwo."}"#);
    assert_eq!(folder.load().description, "One.\nTwo.");
    create_packages(&folder.load(), &folder.out(), None, NOON).unwrap();
    let folder = folder.write(
        "package.json",
        "{\n  \"name\": \"shop\", \"version\": \"1.0.0\",\n  \"description\": \"One.\\rTwo.\"\n}\n",
    );
    assert_eq!(
        folder.mistakes(),
        "package.json:3: `description` holds the control character U+000D (carriage return); only plain text, tabs and line breaks may be in it; or write `description:` in component.yaml\n"
    );
}

#[test]
fn byte_order_mark_before_a_file_is_skipped() {
    let bom = "\u{feff}";
    let yaml = |from: &str| {
        format!("{bom}format: geppetto/component/1\nfrom: {from}\nkind: os-config\nsummary: S\n")
    };
    for (file, text) in [
        ("package.json", r#"{"name": "shop", "version": "1.0.0"}"#),
        ("Cargo.toml", "[package]\nname = 'shop'\nversion = '1.0.0'\n"),
        ("pyproject.toml", "[project]\nname = 'shop'\nversion = '1.0.0'\n"),
        ("pom.xml", "<project><artifactId>shop</artifactId><version>1.0.0</version></project>"),
    ] {
        let folder = Folder::empty()
            .write("component.yaml", yaml(file))
            .write(file, format!("{bom}{text}"))
            .write("deploy/manifest.yaml", format!("{bom}format: geppetto/manifest/1\nresources: []\n"));
        let source = folder.load();
        assert_eq!(source.component.version.to_string(), "1.0.0-1", "{file}");
        assert!(
            lint_component(&source).iter().all(|note| note.severity == Severity::Warning),
            "{:#?}",
            lint_component(&source)
        );
    }
}

#[test]
fn latin_1_pom_is_read_in_the_encoding_it_names() {
    let text = b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><project><artifactId>shop</artifactId>\
        <version>1.0.0</version><description>Caf\xe9</description></project>";
    let yaml = "format: geppetto/component/1\nfrom: pom.xml\nkind: os-config\nsummary: S\n";
    let folder = Folder::empty().write("component.yaml", yaml).write("pom.xml", text);
    assert_eq!(folder.load().description, "Caf\u{e9}");
    let undeclared = text.split(|byte| *byte == b'>').skip(1).collect::<Vec<_>>().join(&b'>');
    let folder = folder.write("pom.xml", undeclared);
    assert_eq!(
        folder.mistakes(),
        "pom.xml: it is not text in the encoding UTF-8; save it as UTF-8, or name its encoding in the first line\n"
    );
}

#[test]
fn lint_blames_the_file_a_text_came_from() {
    let long = "x".repeat(80);
    let project = |properties: &str| {
        format!(
            "<project><artifactId>shop</artifactId><version>1.0.0</version><name>a shop</name>\
             <description>{long}</description><properties>{properties}</properties></project>"
        )
    };
    let files = |folder: &Folder| -> Vec<String> {
        lint_component(&folder.load())
            .iter()
            .filter(|note| note.message.contains("`description`") || note.message.contains("small letter"))
            .map(|note| {
                format!("{} {}", note.file.as_deref().unwrap(), note.message.split(' ').next().unwrap())
            })
            .collect()
    };
    let folder = Folder::empty().write("pom.xml", project("<geppetto.kind>os-config</geppetto.kind>"));
    assert_eq!(files(&folder), ["pom.xml `summary`", "pom.xml `description`"]);
    let yaml = "format: geppetto/component/1\nfrom: pom.xml\nkind: os-config\nsummary: a shop\n";
    let folder = folder.write("component.yaml", yaml);
    assert_eq!(files(&folder), ["component.yaml `summary`", "pom.xml `description`"]);
}

#[test]
fn pom_with_properties_needs_no_component_yaml() {
    let folder = Folder::empty()
        .write(
            "pom.xml",
            "<project><artifactId>shop</artifactId><version>1.0-SNAPSHOT</version><properties>\
             <geppetto.kind>webapp</geppetto.kind><geppetto.tomcat.context>/shop</geppetto.tomcat.context>\
             </properties></project>",
        )
        .write("target/shop-1.0-SNAPSHOT.war", "war");
    let source = folder.load();
    assert_eq!(source.component.version.to_string(), "1.0.0~snapshot-1");
    assert!(
        lint_component(&source).iter().all(|note| note.severity == Severity::Warning),
        "{:#?}",
        lint_component(&source)
    );
    let packages = create_packages(&source, &folder.out(), None, NOON).unwrap();
    let deployment = rpm::PackageMetadata::open(&packages.deployment).unwrap();
    let paths = deployment.get_file_paths().unwrap();
    assert!(paths.iter().any(|path| path.ends_with("shop/templates/context.xml.j2")), "{paths:?}");
    assert!(source.deploy.manifest.unwrap().contains("/etc/tomcat10/Catalina/localhost/shop.xml"));
}

fn collect_line(event: CommandEvent<'_>, lines: &mut Vec<String>) {
    if let CommandEvent::Line(line) = event {
        lines.push(line.to_owned());
    }
}

#[test]
fn failing_build_repeats_its_last_lines() {
    let folder = Folder::new(
        "build: 'echo starting; echo $COMPONENT_NAME $SOURCE_DATE_EPOCH; echo no compiler >&2; exit 3'",
    );
    let mut lines = Vec::new();
    let error =
        run_component_build_command(&folder.load(), NOON, &mut |event| collect_line(event, &mut lines))
            .unwrap_err();
    assert_eq!(lines, ["starting", "shop 1700000000", "no compiler"]);
    let message = error.to_string();
    assert!(message.starts_with("the build command `echo starting;"), "{message}");
    assert!(message.ends_with(
        "ended with exit status: 3; its last lines:\n  | starting\n  | shop 1700000000\n  | no compiler"
    ));
    let folder = Folder::new("build: [./not-there]");
    let message = run_component_build_command(&folder.load(), NOON, &mut |_| ()).unwrap_err().to_string();
    assert!(message.contains("the build command `./not-there` cannot be started in"), "{message}");
}

#[test]
fn error_of_a_build_has_the_signal_that_ended_it() {
    for (build, ended_by) in [("kill -INT $$", Some(2)), ("echo '(SIGINT)' >&2; exit 3", None)] {
        let folder = Folder::new(&format!("build: \"{build}\""));
        let error = run_component_build_command(&folder.load(), NOON, &mut |_| ()).unwrap_err();
        let PackagingError::Command { signal, .. } = error else { panic!("{error}") };
        assert_eq!(signal, ended_by, "{build}");
    }
}

#[test]
fn build_ends_although_a_child_process_still_runs() {
    let folder = Folder::new("build: 'sleep 30 & echo $!'");
    let mut lines = Vec::new();
    run_component_build_command(&folder.load(), NOON, &mut |event| collect_line(event, &mut lines)).unwrap();
    let stopped = std::process::Command::new("kill").args(&lines).status().unwrap();
    assert!(stopped.success(), "it was still running: {lines:?}");
}

#[test]
fn lint_names_what_would_go_wrong_on_a_host() {
    let folder = Folder::new(
        "files:
  - {source: file.txt, path: /opt/shop/file.txt, mode: '0666'}
  - {source: file.txt, path: /run/shop/file.txt}
  - {source: file.txt, path: /etc/shop.conf}
  - {source: gone.txt, path: /usr/share/shop/gone.txt}
parameters:
  port: {type: port, description: x, default: 99999}
",
    )
    .write("file.txt", "x")
    .write(
        "deploy/manifest.yaml",
        "format: geppetto/manifest/1\nresources: [{file: /etc/motd, content: '{{ prt }}'}]\n",
    )
    .write("deploy/templates/unused.j2", "");
    let notes = lint_component(&folder.load());
    for (severity, expected) in [
        (Severity::Error, "`/opt/shop/file.txt` has mode 0666, so every account of the host could change it"),
        (Severity::Error, "at `/run/shop/file.txt`, which does not survive a reboot"),
        (Severity::Error, "`files` takes `gone.txt`, which is not there"),
        (Severity::Error, "`port`"),
        (Severity::Error, "prt"),
        (Severity::Warning, "`/opt` belongs to the host's administrator"),
        (Severity::Warning, "`/etc/shop.conf` is packaged in /etc; add `config: true`"),
        (Severity::Warning, "no resource uses it"),
        (Severity::Warning, "`test` is missing"),
    ] {
        assert!(
            notes.iter().any(|note| note.severity == severity && note.message.contains(expected)),
            "{expected} is not in {notes:#?}"
        );
    }
}

#[test]
fn set_user_id_file_is_an_error_of_lint_unless_it_is_declared() {
    let files = |more: &str| {
        let text = format!(
            "files:\n  - {{source: su2, path: /usr/bin/su2, mode: '4755'{more}}}\nreplaces: [/usr/bin/su2]\n"
        );
        Folder::new(&text).write("su2", "x")
    };
    let error = "`/usr/bin/su2` has mode 4755: it has the rights of its owner or group";
    let notes = |folder: &Folder| lint_component(&folder.load());
    let found = |folder: &Folder| {
        notes(folder).iter().any(|note| note.severity == Severity::Error && note.message.starts_with(error))
    };
    assert!(found(&files("")));
    let declared = files(", setuid: true");
    assert!(!found(&declared));
    let component = declared.load().component;
    assert_eq!(
        (component.setuid, component.replaces),
        (vec!["/usr/bin/su2".to_owned()], vec!["/usr/bin/su2".to_owned()])
    );
}
