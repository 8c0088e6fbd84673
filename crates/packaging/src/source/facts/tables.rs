//! Name and version from `Cargo.toml`, `package.json` and `pyproject.toml`.

use std::path::Path;

use model::format::FormatError;
use toml::{Table, Value};

use super::ProjectMetadata;

/// How many folders above a crate its workspace is looked for.
const PARENTS: usize = 8;

/// Reads a crate's `Cargo.toml`; what it inherits comes from its workspace.
pub(super) fn read_cargo_toml(root: &Path, text: &str) -> Result<ProjectMetadata, FormatError> {
    let file = "Cargo.toml";
    let table = parse(file, text)?;
    let Some(package) = table.get("package").and_then(Value::as_table) else {
        return Err(FormatError::new(
            file,
            "it has no `[package]`; a workspace has no version of its own, so name the crate's folder",
        ));
    };
    let inherited = |key: &str| -> Option<String> {
        let value = package.get(key)?;
        if value.get("workspace").and_then(Value::as_bool) == Some(true) {
            return workspace(root, key);
        }
        value.as_str().map(str::to_owned)
    };
    facts(
        file,
        package.get("name").and_then(Value::as_str).map(str::to_owned),
        inherited("version"),
        [
            inherited("description"),
            inherited("license"),
            inherited("homepage").or_else(|| inherited("repository")),
        ],
    )
}

fn workspace(root: &Path, key: &str) -> Option<String> {
    root.ancestors().take(PARENTS).find_map(|dir| {
        let text = super::super::read_text(&dir.join("Cargo.toml")).ok()?;
        let table: Table = text.parse().ok()?;
        let package = table.get("workspace")?.get("package")?;
        package.get(key)?.as_str().map(str::to_owned)
    })
}

/// Reads a `package.json`.
pub(super) fn read_package_json(text: &str) -> Result<ProjectMetadata, FormatError> {
    let file = "package.json";
    let json: serde_json::Value = serde_json::from_str(text)
        .map_err(|error| FormatError::new(&format!("{file}:{}", error.line()), error.to_string()))?;
    let get = |key: &str| json.get(key).and_then(serde_json::Value::as_str).map(str::to_owned);
    facts(file, get("name"), get("version"), [get("description"), get("license"), get("homepage")])
}

/// Reads a `pyproject.toml`, of PEP 621 or Poetry.
pub(super) fn read_pyproject_toml(text: &str) -> Result<ProjectMetadata, FormatError> {
    let file = "pyproject.toml";
    let table = parse(file, text)?;
    let project = table.get("project").or_else(|| table.get("tool")?.get("poetry"));
    let Some(project) = project.and_then(Value::as_table) else {
        return Err(FormatError::new(file, "it has neither `[project]` nor `[tool.poetry]`"));
    };
    let get = |key: &str| project.get(key).and_then(Value::as_str).map(str::to_owned);
    let license = get("license")
        .or_else(|| project.get("license")?.get("text").and_then(Value::as_str).map(str::to_owned))
        .filter(|text| text.len() < 100 && !text.contains('\n'));
    let url = get("homepage").or_else(|| {
        let urls = project.get("urls")?.as_table()?;
        urls.iter()
            .find(|(key, _)| key.eq_ignore_ascii_case("homepage"))
            .and_then(|(_, url)| url.as_str().map(str::to_owned))
    });
    let version = get("version").map(|version| pep440(&version));
    facts(file, get("name"), version, [get("description"), license, url])
}

/// Python writes `1.0rc1` and `1.0.dev3` for what comes before `1.0`; RPM wants a `~` there.
fn pep440(text: &str) -> String {
    let text = text.trim().trim_start_matches('v').to_ascii_lowercase();
    for mark in [".dev", "rc", "a", "b"] {
        if let Some(at) = text.find(mark)
            && text[..at].ends_with(|c: char| c.is_ascii_digit())
            && text[at + mark.len()..].starts_with(|c: char| c.is_ascii_digit())
        {
            return format!("{}~{}", &text[..at], text[at..].trim_start_matches('.'));
        }
    }
    text
}

fn parse(file: &str, text: &str) -> Result<Table, FormatError> {
    text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map(|span| text[..span.start].matches('\n').count() + 1);
        let place = line.map_or(file.to_owned(), |line| format!("{file}:{line}"));
        FormatError::new(&place, error.message())
    })
}

fn facts(
    file: &str,
    name: Option<String>,
    version: Option<String>,
    [description, license, url]: [Option<String>; 3],
) -> Result<ProjectMetadata, FormatError> {
    Ok(ProjectMetadata {
        name: name.map(|text| super::component_name(file, &text)).transpose()?,
        version: version.map(|text| super::rpm_version(file, &text)).transpose()?,
        description,
        license,
        url,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crate_inherits_its_version_from_the_workspace() {
        let dir = tempfile::tempdir().unwrap();
        let krate = dir.path().join("crates/shop");
        std::fs::create_dir_all(&krate).unwrap();
        std::fs::write(
            dir.path().join("Cargo.toml"),
            "[workspace.package]\nversion = \"2.1.0-rc.1\"\nlicense = \"MIT\"\n",
        )
        .unwrap();
        let text =
            "[package]\nname = \"shop_web\"\nversion.workspace = true\nlicense = { workspace = true }\n";
        let facts = read_cargo_toml(&krate, text).unwrap();
        assert_eq!(facts.name.unwrap().as_str(), "shop-web");
        assert_eq!(facts.version.as_deref(), Some("2.1.0~rc.1"));
        assert_eq!(facts.license.as_deref(), Some("MIT"));
        assert!(read_cargo_toml(&krate, "[workspace]\n").unwrap_err().message.contains("no `[package]`"));
        assert_eq!(read_cargo_toml(&krate, "[package]\nname = \n").unwrap_err().file, "Cargo.toml:2");
    }

    #[test]
    fn npm_scopes_are_dropped_and_pre_releases_come_before() {
        let facts =
            read_package_json(r#"{"name": "@acme/Shop.Web", "version": "1.0.0-beta.2", "license": "MIT"}"#)
                .unwrap();
        assert_eq!(facts.name.unwrap().as_str(), "shop-web");
        assert_eq!(facts.version.as_deref(), Some("1.0.0~beta.2"));
        assert_eq!(read_package_json("{\n nope").unwrap_err().file, "package.json:2");
        assert!(
            read_package_json(r#"{"name": "42"}"#)
                .unwrap_err()
                .message
                .contains("must start with a lower-case letter")
        );
        assert!(
            read_package_json(r#"{"version": "one two"}"#)
                .unwrap_err()
                .message
                .contains("`one two` is not a version")
        );
    }

    #[test]
    fn python_pre_releases_come_before_the_release() {
        for (text, version) in [
            ("1.0", "1.0"),
            ("1.0rc1", "1.0~rc1"),
            ("1.0a2", "1.0~a2"),
            ("2.1.dev3", "2.1~dev3"),
            ("1.0.post1", "1.0.post1"),
        ] {
            let facts =
                read_pyproject_toml(&format!("[project]\nname = 'shop'\nversion = '{text}'\n")).unwrap();
            assert_eq!(facts.version.as_deref(), Some(version));
        }
        let poetry = "[tool.poetry]\nname = 'shop'\nversion = '1'\nhomepage = 'https://example.org'\n";
        assert_eq!(read_pyproject_toml(poetry).unwrap().url.as_deref(), Some("https://example.org"));
    }
}
