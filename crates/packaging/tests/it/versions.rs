//! Versions of Maven, Python, npm and Cargo sort in RPM as in their own tool.
//!
//! Each file of `tests/versions` lists versions in the order of the tool, those that are equal on one line. The lists were
//! sorted by the tools themselves: `ComparableVersion` of Maven 3.8, `packaging` of Python, `semver` of npm.

use std::{cmp::Ordering, path::Path, process::Command};

use model::version::Version;
use packaging::source::project_metadata::read_project_file_metadata;

use crate::{
    skip::{has_tool, skip},
    tools::run,
};

const MAVEN: &str = include_str!("../versions/maven.txt");
const PEP440: &str = include_str!("../versions/pep440.txt");
const SEMVER: &str = include_str!("../versions/semver.txt");

/// Where Debian keeps Maven's class that compares versions.
const MAVEN_ARTIFACT: &str = "/usr/share/java/maven3-artifact.jar";

#[test]
fn maven_versions_sort_in_rpm_as_in_maven() {
    check_order(MAVEN, "pom.xml", in_pom);
}

#[test]
fn python_versions_sort_in_rpm_as_in_python() {
    check_order(PEP440, "pyproject.toml", in_pyproject);
}

#[test]
fn npm_and_cargo_versions_sort_in_rpm_as_in_semver() {
    check_order(SEMVER, "package.json", in_package_json);
    check_order(SEMVER, "Cargo.toml", in_cargo_toml);
}

#[test]
fn list_of_maven_versions_is_in_the_order_of_maven_itself() {
    if !has_tool("java") {
        return;
    }
    if !Path::new(MAVEN_ARTIFACT).exists() {
        return skip("libmaven3-core-java is not installed");
    }
    let versions: Vec<(usize, &str)> = lines(MAVEN).collect();
    let printed = run(Command::new("java")
        .args(["-jar", MAVEN_ARTIFACT])
        .args(versions.iter().map(|(_, version)| version)));
    for pair in versions.windows(2) {
        let [(line, version), (next_line, next)] = pair else { continue };
        let sign = if line == next_line { "==" } else { "<" };
        assert!(
            printed.contains(&format!("   {version} {sign} {next}\n")),
            "{version} {sign} {next}:\n{printed}"
        );
    }
}

#[test]
fn versions_in_the_reference_are_written_as_it_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/project-files.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, table) = text.split_once("| tool | its order | written | for RPM |\n").unwrap();
    let quoted =
        |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let (mut tool, mut checked) = (String::new(), 0);
    for row in table.lines().skip(1).take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, first, _, written, rpm, _] = cells[..] else { panic!("{row}") };
        if !first.is_empty() {
            first.clone_into(&mut tool);
        }
        let (file, project): (_, fn(&str) -> String) = match tool.as_str() {
            "Maven" => ("pom.xml", in_pom),
            "Python" => ("pyproject.toml", in_pyproject),
            _ => ("package.json", in_package_json),
        };
        let refused = cells[2] == "refused";
        for (at, version) in quoted(written).iter().enumerate() {
            let found = rpm_version(file, &project(version));
            match refused {
                true => assert!(found.is_err(), "{version}: {found:?}"),
                false => assert_eq!(found.as_ref(), Ok(&quoted(rpm)[at]), "{version}"),
            }
            checked += 1;
        }
    }
    assert!(checked > 30, "only {checked} versions were found");
}

fn in_pom(version: &str) -> String {
    format!("<project><version>{version}</version></project>")
}

fn in_pyproject(version: &str) -> String {
    format!("[project]\nversion = '{version}'\n")
}

fn in_package_json(version: &str) -> String {
    format!("{{\"version\": \"{version}\"}}")
}

fn in_cargo_toml(version: &str) -> String {
    format!("[package]\nversion = '{version}'\n")
}

/// What a project file with this text gives as the version.
fn rpm_version(file: &str, text: &str) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(file), text).unwrap();
    let version = read_project_file_metadata(folder.path(), file).unwrap().version;
    version.map(Option::unwrap).map_err(|error| error.to_string())
}

/// The versions of a list, each with its line.
fn lines(list: &'static str) -> impl Iterator<Item = (usize, &'static str)> {
    list.lines().enumerate().flat_map(|(at, line)| line.split(' ').map(move |version| (at, version)))
}

#[track_caller]
fn check_order(list: &'static str, file: &str, project: impl Fn(&str) -> String) {
    let versions: Vec<(usize, &str, Version)> = lines(list)
        .map(|(line, text)| {
            let version = rpm_version(file, &project(text)).unwrap_or_else(|error| panic!("{error}"));
            (line, text, Version::new(&version, None).unwrap())
        })
        .collect();
    assert!(versions.len() >= 60, "only {} versions", versions.len());
    for (line, text, version) in &versions {
        for (other_line, other_text, other) in &versions {
            let (wanted, found): (Ordering, Ordering) = (line.cmp(other_line), version.cmp(other));
            assert_eq!(found, wanted, "{text} ({version}) and {other_text} ({other})");
        }
    }
}
