//! Name and version from `Cargo.toml`, `package.json` and `pyproject.toml`.

use std::path::Path;

use model::format::FormatError;
use toml::{Table, Value};

use super::{OptionalProjectFieldResult, ProjectFileMetadata, VersionScheme};

/// How many folders above a crate its workspace is looked for.
const PARENTS: usize = 8;

/// Reads a crate's `Cargo.toml`; what it inherits comes from its workspace.
pub(super) fn read_cargo_toml(root: &Path, text: &str) -> Result<ProjectFileMetadata, FormatError> {
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
    let texts = Texts {
        file,
        text,
        name: package.get("name").and_then(Value::as_str).map(str::to_owned),
        description: inherited("description"),
        license: inherited("license"),
        url: inherited("homepage").or_else(|| inherited("repository")),
    };
    Ok(texts.into_metadata(Ok(inherited("version")), VersionScheme::SemVer))
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
pub(super) fn read_package_json(text: &str) -> Result<ProjectFileMetadata, FormatError> {
    let file = "package.json";
    let json: serde_json::Value = serde_json::from_str(text)
        .map_err(|error| FormatError::new_at_line(file, error.line() as u64, error.to_string()))?;
    let get = |key: &str| json.get(key).and_then(serde_json::Value::as_str).map(str::to_owned);
    let texts = Texts {
        file,
        text,
        name: get("name"),
        description: get("description"),
        license: get("license"),
        url: get("homepage"),
    };
    Ok(texts.into_metadata(Ok(get("version")), VersionScheme::SemVer))
}

/// Reads a `pyproject.toml`, of PEP 621 or Poetry, or of both: what one leaves out is taken from the other.
pub(super) fn read_pyproject_toml(text: &str) -> Result<ProjectFileMetadata, FormatError> {
    let file = "pyproject.toml";
    let table = parse(file, text)?;
    let project = table.get("project").and_then(Value::as_table);
    let poetry = table.get("tool").and_then(|tool| tool.get("poetry")).and_then(Value::as_table);
    if project.is_none() && poetry.is_none() {
        return Err(FormatError::new(file, "it has neither `[project]` nor `[tool.poetry]`"));
    }
    let value = |key: &str| [project, poetry].into_iter().flatten().find_map(|table| table.get(key));
    let get = |key: &str| value(key).and_then(Value::as_str).map(str::to_owned);
    let license = get("license")
        .or_else(|| value("license")?.get("text").and_then(Value::as_str).map(str::to_owned))
        .filter(|text| text.len() < 100 && !text.contains('\n'));
    let url = get("homepage").or_else(|| {
        let urls = value("urls")?.as_table()?;
        urls.iter()
            .find(|(key, _)| key.eq_ignore_ascii_case("homepage"))
            .and_then(|(_, url)| url.as_str().map(str::to_owned))
    });
    let dynamic = value("dynamic").and_then(Value::as_array);
    let version = match get("version") {
        None if dynamic.is_some_and(|keys| keys.iter().any(|key| key.as_str() == Some("version"))) => {
            Err(error_at_key(
                file,
                text,
                "dynamic",
                "its version is `dynamic`, so only the build knows it; write `version:` in component.yaml",
            ))
        }
        version => Ok(version),
    };
    let texts = Texts { file, text, name: get("name"), description: get("description"), license, url };
    Ok(texts.into_metadata(version, VersionScheme::Pep440))
}

fn parse(file: &str, text: &str) -> Result<Table, FormatError> {
    text.parse().map_err(|error: toml::de::Error| match error.span() {
        Some(span) => FormatError::new_at_line(
            file,
            text[..span.start].matches('\n').count() as u64 + 1,
            error.message(),
        ),
        None => FormatError::new(file, error.message()),
    })
}

/// What a project file says, as it says it.
struct Texts<'a> {
    file: &'a str,
    text: &'a str,
    name: Option<String>,
    description: Option<String>,
    license: Option<String>,
    url: Option<String>,
}

impl Texts<'_> {
    fn into_metadata(
        self,
        version: OptionalProjectFieldResult<String>,
        scheme: VersionScheme,
    ) -> ProjectFileMetadata {
        let at = |key: &'static str| move |message: String| error_at_key(self.file, self.text, key, message);
        let version = version.and_then(|version| {
            version.map(|text| super::rpm_version(scheme, &text).map_err(at("version"))).transpose()
        });
        ProjectFileMetadata {
            name: self.name.map(|text| super::component_name(&text).map_err(at("name"))).transpose(),
            version,
            description: self
                .description
                .map(|text| super::description(&text).map_err(at("description")))
                .transpose(),
            license: super::one_line("license", self.license.unwrap_or_default()).map_err(at("license")),
            url: super::one_line("url", self.url.unwrap_or_default()).map_err(at("homepage")),
        }
    }
}

/// An error at the first line that starts with the key: `"version": ...` or `version = ...`.
fn error_at_key(file: &str, text: &str, key: &str, message: impl Into<String>) -> FormatError {
    let starts_key = |line: &str| {
        let line = line.trim_start();
        let rest = line.strip_prefix('"').and_then(|line| line.strip_prefix(key)?.strip_prefix('"'));
        rest.or_else(|| line.strip_prefix(key)).is_some_and(|rest| rest.trim_start().starts_with([':', '=']))
    };
    match text.lines().position(starts_key) {
        Some(at) => FormatError::new_at_line(file, at as u64 + 1, message),
        None => FormatError::new(file, message),
    }
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
        let metadata = read_cargo_toml(&krate, text).unwrap();
        assert_eq!(metadata.name.unwrap().unwrap().as_str(), "shop-web");
        assert_eq!(metadata.version.unwrap().as_deref(), Some("2.1.0~rc.1"));
        assert_eq!(metadata.license.unwrap().as_deref(), Some("MIT"));
        assert!(read_cargo_toml(&krate, "[workspace]\n").unwrap_err().message.contains("no `[package]`"));
        assert_eq!(
            read_cargo_toml(&krate, "[package]\nname = \n").unwrap_err().file_and_line(),
            "Cargo.toml:2"
        );
    }

    #[test]
    fn npm_scope_is_kept_in_the_name() {
        for (npm, name) in
            [("@acme/Shop.Web", "acme-shop-web"), ("shop", "shop"), ("@acme/shop_2", "acme-shop-2")]
        {
            let metadata = read_package_json(&format!("{{\"name\": \"{npm}\"}}")).unwrap();
            assert_eq!(metadata.name.unwrap().unwrap().as_str(), name);
        }
    }

    #[test]
    fn unusable_fact_of_package_json_names_its_line() {
        assert_eq!(read_package_json("{\n nope").unwrap_err().file_and_line(), "package.json:2");
        let metadata = read_package_json("{\n\"name\": \"42\",\n\"version\": \"one two\"}").unwrap();
        let error = metadata.name.unwrap_err().to_string();
        assert!(
            error.starts_with("package.json:2: ") && error.contains("must start with a lower-case"),
            "{error}"
        );
        assert_eq!(
            metadata.version.unwrap_err().to_string(),
            "package.json:3: the version `one two` is not one of SemVer, for instance `1.2.0` or `1.2.0-rc.1`, or write `version:` in component.yaml as RPM compares it"
        );
    }

    #[test]
    fn python_project_is_read_from_pep_621_and_poetry() {
        let metadata = read_pyproject_toml("[project]\nname = 'shop'\nversion = '1.0rc1'\n").unwrap();
        assert_eq!(metadata.version.unwrap().as_deref(), Some("1.0.0~rc1"));
        let poetry = "[tool.poetry]\nname = 'shop'\nversion = '1'\nhomepage = 'https://example.org'\n";
        let metadata = read_pyproject_toml(poetry).unwrap();
        assert_eq!(metadata.url.unwrap().as_deref(), Some("https://example.org"));
        let both = "[project]\nname = 'shop'\ndynamic = ['version']\n[tool.poetry]\nversion = '2.0'\n";
        assert_eq!(read_pyproject_toml(both).unwrap().version.unwrap().as_deref(), Some("2.0.0"));
    }

    #[test]
    fn dynamic_python_version_is_an_error_that_says_where_to_write_it() {
        let text = "[project]\nname = 'shop'\ndynamic = ['readme', 'version']\n";
        assert_eq!(
            read_pyproject_toml(text).unwrap().version.unwrap_err().to_string(),
            "pyproject.toml:3: its version is `dynamic`, so only the build knows it; write `version:` in component.yaml"
        );
    }
}
