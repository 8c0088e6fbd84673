//! What the built-in archetypes generate is whole: it lints, tests, builds and packages without an edit.

use crate::skip::has_tool;
use crate::skip::skip;
use std::{os::unix::fs::PermissionsExt, path::Path, process::Command};

use model::name::{Key, Name};
use packaging::{
    archetype::{AnswersByQuestion, Archetype, generate_component},
    lint::lint_component,
    package::{
        CommandEvent, PayloadAndDeploymentPackages, create_packages, run_component_build_command,
        run_component_test_command,
    },
    source::ComponentSource,
};

use tempfile::TempDir;

use crate::tools::{NOON, key, run};

/// Answers that are hard to quote.
fn answers(archetype: &Archetype) -> AnswersByQuestion {
    let hostile = AnswersByQuestion::from([(
        Key::new("summary").unwrap(),
        "It's 100% \"ready\": <b>{{ go }}</b> #1".to_owned(),
    )]);
    hostile.into_iter().filter(|(key, _)| archetype.questions.contains_key(key)).collect()
}

fn generated(
    archetype: &str,
    dir: &Path,
    answers: impl Fn(&Archetype) -> AnswersByQuestion,
) -> ComponentSource {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../library/archetypes");
    let archetype =
        Archetype::load_archetype_folder(&library.join(archetype)).unwrap_or_else(|error| panic!("{error}"));
    let name = Name::new("my-thing").unwrap();
    generate_component(&archetype, &name, &answers(&archetype), dir)
        .unwrap_or_else(|error| panic!("{error}"));
    ComponentSource::load_component_source(dir).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

/// The component an archetype gives to who answers nothing.
pub(crate) fn plain(archetype: &str, dir: &Path) -> ComponentSource {
    generated(archetype, dir, |_| AnswersByQuestion::new())
}

fn works(archetype: &str) -> Option<(TempDir, PayloadAndDeploymentPackages)> {
    let dir = tempfile::tempdir().unwrap();
    let source = generated(archetype, &dir.path().join("a"), |_| AnswersByQuestion::new());
    let notes = lint_component(&source);
    assert!(notes.is_empty(), "{notes:#?}");
    let mut lines = String::new();
    let mut output = |event: CommandEvent<'_>| {
        if let CommandEvent::Line(line) = event {
            lines.push_str(&format!("{line}\n"));
        }
    };
    run_component_test_command(&source, NOON, &mut output).unwrap_or_else(|error| panic!("{error}\n{lines}"));
    // What a generated test leaves out must not look as if it had been done.
    for skipped in lines.lines().filter(|line| line.starts_with("skipped:")) {
        skip(&format!("{archetype}: {skipped}"));
    }

    // Once more with answers that are hard to quote: only reading, checking and building.
    let source = generated(archetype, &dir.path().join("b"), answers);
    assert_eq!(lint_component(&source), []);
    run_component_build_command(&source, NOON, &mut |_| ()).unwrap_or_else(|error| panic!("{error}"));
    create_packages(&source, &dir.path().join("dist-b"), None, NOON).unwrap();

    let source = ComponentSource::load_component_source(&dir.path().join("a")).unwrap();
    run_component_build_command(&source, NOON, &mut |_| ()).unwrap_or_else(|error| panic!("{error}"));
    let key = key("builder");
    let packages = create_packages(&source, &dir.path().join("dist"), Some(&key), NOON).unwrap();
    crate::packages::judged(&packages, &key);
    Some((dir, packages))
}

#[test]
fn web_service_works_as_generated() {
    works("web-service");
}

#[test]
fn web_service_on_a_low_port_may_answer_there() {
    let dir = tempfile::tempdir().unwrap();
    let port = |port: &'static str| {
        move |_: &Archetype| AnswersByQuestion::from([(Key::new("port").unwrap(), port.to_owned())])
    };
    let low = generated("web-service", &dir.path().join("low"), port("80"));
    assert!(low.launch.as_ref().unwrap().ports_below_1024);
    assert_eq!(lint_component(&low), []);
    // Elsewhere a low port is refused when it is set, not by a service that does not start.
    let high = generated("web-service", &dir.path().join("high"), port("8080"));
    assert!(!high.launch.as_ref().unwrap().ports_below_1024);
    let parameter = &high.component.parameters[&Key::new("http_port").unwrap()];
    assert_eq!(parameter.min, Some(1024));
}

#[test]
fn answer_of_the_wrong_type_is_refused_with_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let archetype = packaging::archetype::find_built_in_archetype("web-service").unwrap();
    for (key, answer, expected) in [
        ("port", "abc", "the answer to `port` must be a port"),
        ("port", "99999", "the answer to `port` must be a port"),
        ("url", "nowhere", "the answer to `url` must be a URL"),
    ] {
        let answers = AnswersByQuestion::from([(Key::new(key).unwrap(), answer.to_owned())]);
        let name = Name::new("shop").unwrap();
        let error =
            generate_component(&archetype, &name, &answers, &dir.path().join("x")).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn reserved_word_as_name_gives_another_identifier() {
    let dir = tempfile::tempdir().unwrap();
    let archetype = packaging::archetype::find_built_in_archetype("webapp").unwrap();
    let name = Name::new("class").unwrap();
    let files =
        generate_component(&archetype, &name, &AnswersByQuestion::new(), &dir.path().join("x")).unwrap();
    assert!(files.contains(&"src/main/java/class_/Page.java".to_owned()), "{files:?}");
    let text = std::fs::read_to_string(dir.path().join("x/src/main/java/class_/Page.java")).unwrap();
    assert!(text.starts_with("package class_;\n"), "{text}");
}

#[test]
fn reserved_component_name_is_refused_before_generation() {
    let dir = tempfile::tempdir().unwrap();
    let archetype = packaging::archetype::find_built_in_archetype("os-config").unwrap();
    for (name, expected) in [
        ("server", "a component cannot be called `server`"),
        ("shop-deployment", "that is the deployment package of a component `shop`; choose another name"),
    ] {
        let name = Name::new(name).unwrap();
        let error = generate_component(&archetype, &name, &AnswersByQuestion::new(), &dir.path().join("x"))
            .unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn generation_into_an_existing_folder_changes_nothing() {
    use std::os::unix::fs::MetadataExt;

    let dir = tempfile::tempdir().unwrap();
    let inode = || dir.path().metadata().unwrap().ino();
    let before = inode();
    plain("os-config", dir.path());
    assert_eq!(inode(), before, "whoever stood in it stands in it still");
    let hidden: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".geppetto-"))
        .collect();
    assert!(hidden.is_empty(), "{hidden:?}");
}

#[test]
fn processing_works_as_generated() {
    works("processing");
}

#[test]
fn webapp_works_as_generated() {
    if !has_tool("mvn") {
        return;
    }
    works("webapp");
}

#[test]
fn db_schema_works_as_generated() {
    works("db-schema");
}

#[test]
fn monitoring_plugin_works_as_generated() {
    works("monitoring-plugin");
}

#[test]
fn os_config_works_as_generated() {
    works("os-config");
}

#[test]
fn webapp_pom_names_a_version_of_every_plugin_its_build_uses() {
    let dir = tempfile::tempdir().unwrap();
    plain("webapp", &dir.path().join("x"));
    let pom = std::fs::read_to_string(dir.path().join("x/pom.xml")).unwrap();
    // What Maven binds to the phases up to `package` of a war; build.sh asks for no other phase or goal.
    for plugin in ["resources", "compiler", "surefire", "war"] {
        let (_, after) = pom.split_once(&format!("<artifactId>maven-{plugin}-plugin</artifactId>")).unwrap();
        assert!(
            after.trim_start().starts_with(&format!("<version>${{{plugin}.version}}</version>")),
            "{plugin}"
        );
        let (_, version) = pom.split_once(&format!("<{plugin}.version>")).unwrap();
        assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{plugin}");
    }
    let build = std::fs::read_to_string(dir.path().join("x/build.sh")).unwrap();
    assert!(build.trim_end().ends_with("\"$@\" package"), "{build}");
}

#[test]
fn webapp_build_takes_debians_repository_only_when_it_has_every_plugin() {
    let dir = tempfile::tempdir().unwrap();
    plain("webapp", &dir.path().join("x"));
    let repository = dir.path().join("repository");
    let bin = dir.path().join("bin");
    std::fs::create_dir_all(repository.join("jakarta/servlet/jakarta.servlet-api/5.0.0")).unwrap();
    std::fs::create_dir(&bin).unwrap();
    let script = dir.path().join("x/build.sh");
    let text = std::fs::read_to_string(&script).unwrap();
    std::fs::write(&script, text.replace("/usr/share/maven-repo", repository.to_str().unwrap())).unwrap();
    std::fs::write(bin.join("mvn"), "#!/bin/sh\necho \"mvn $*\"\n").unwrap();
    std::fs::set_permissions(bin.join("mvn"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let build = || {
        let path = format!("{}:/usr/bin:/bin", bin.display());
        run(Command::new(&script).env("PATH", path).env_remove("MAVEN_ARGS"))
    };
    for plugin in ["war", "surefire", "resources", "compiler"] {
        let printed = build();
        assert!(!printed.contains("--offline") && !printed.contains(".version="), "{printed}");
        assert!(printed.contains("building from Maven Central"), "{printed}");
        let folder = repository.join(format!("org/apache/maven/plugins/maven-{plugin}-plugin"));
        std::fs::create_dir_all(folder.join("3.9")).unwrap();
        std::fs::create_dir(folder.join("3.10")).unwrap();
    }
    let printed = build();
    assert!(printed.contains("--offline") && printed.contains("-Dcompiler.version=3.10 "), "{printed}");
}
