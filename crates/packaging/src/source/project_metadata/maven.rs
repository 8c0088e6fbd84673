//! Metadata from a Maven project's `pom.xml`: parents, properties, and a whole component in `geppetto.*` properties.

use std::{collections::BTreeMap, path::Path};

use model::format::{
    FormatError,
    component::{self, ComponentFile},
};
use roxmltree::{Document, Node};

use super::{OptionalProjectFieldResult, ProjectFileMetadata, VersionScheme, xml_text};

/// The name of a Maven project's own file.
pub(super) const POM_FILE_NAME: &str = "pom.xml";
/// How many parents are read, and how deep `${...}` may refer.
const DEPTH: usize = 8;
/// How many `${...}` one value may take, those in what they stand for included.
const REFERENCES: usize = 1000;

/// A `pom.xml`, with what it inherits from parents that are on the disk beside it.
#[derive(Debug, Default)]
pub(super) struct PomWithParents {
    values: BTreeMap<String, String>,
}

impl PomWithParents {
    /// Reads the POM in `root`; parents are looked for where Maven looks, below their `relativePath`.
    pub(super) fn read_pom_with_parents(root: &Path) -> Result<PomWithParents, FormatError> {
        let text = read_text(&root.join(POM_FILE_NAME))
            .map_err(|message| FormatError::new(POM_FILE_NAME, message))?;
        PomWithParents::parse(root, text)
    }

    fn parse(root: &Path, mut text: String) -> Result<PomWithParents, FormatError> {
        let mut pom = PomWithParents::default();
        let mut dir = root.to_path_buf();
        for depth in 0..DEPTH {
            let document = match Document::parse(&text) {
                Ok(document) => document,
                // A parent that is broken is Maven's to complain about.
                Err(_) if depth > 0 => break,
                Err(error) => {
                    return Err(FormatError::new_at_line(
                        POM_FILE_NAME,
                        error.pos().row.into(),
                        error.to_string(),
                    ));
                }
            };
            let project = document.root_element();
            if project.tag_name().name() != "project" {
                if depth > 0 {
                    break;
                }
                return Err(FormatError::new(POM_FILE_NAME, "its outermost element is not `<project>`"));
            }
            pom.merge_project(project, depth);
            let Some(parent) = child(project, "parent") else { break };
            let relative = child_text(parent, "relativePath").unwrap_or_else(|| "../pom.xml".to_owned());
            if relative.is_empty() {
                break;
            }
            let mut path = dir.join(relative);
            if path.is_dir() {
                path.push(POM_FILE_NAME);
            }
            let Ok(parent_text) = read_text(&path) else { break };
            dir = path.parent().unwrap_or(root).to_path_buf();
            text = parent_text;
        }
        Ok(pom)
    }

    /// Adds the values of `project` that nearer projects do not set.
    fn merge_project(&mut self, project: Node<'_, '_>, depth: usize) {
        let mut add = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                self.values.entry(key.to_owned()).or_insert(value);
            }
        };
        // Names are not inherited.
        if depth == 0 {
            add("project.artifactId", child_text(project, "artifactId"));
            add("project.name", child_text(project, "name"));
            add("project.description", child_text(project, "description"));
        }
        add("project.version", child_text(project, "version"));
        add("project.url", child_text(project, "url"));
        let license = child(project, "licenses").and_then(|licenses| child(licenses, "license"));
        add("project.license", license.and_then(|license| child_text(license, "name")));
        if let Some(parent) = child(project, "parent") {
            add("project.parent.version", child_text(parent, "version"));
            add("project.version", child_text(parent, "version"));
        }
        // A profile's properties win over the project's, and those of a later profile over an earlier one's.
        let profiles: Vec<_> = default_profiles(project).collect();
        for holder in profiles.into_iter().rev().chain([project]) {
            if let Some(properties) = child(holder, "properties") {
                for property in properties.children().filter(Node::is_element) {
                    add(property.tag_name().name(), Some(text_of(property)));
                }
            }
        }
    }

    /// A value with its `${...}` filled in.
    fn value(&self, key: &str) -> OptionalProjectFieldResult<String> {
        self.values.get(key).map(|text| self.interpolate(text, DEPTH, &mut 0)).transpose()
    }

    fn interpolate(&self, text: &str, depth: usize, references: &mut usize) -> Result<String, FormatError> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((key, after)) = after.split_once('}') else { break };
            let alias = key.strip_prefix("pom.").map(|key| format!("project.{key}"));
            let value = self.values.get(key).or_else(|| self.values.get(alias.as_deref()?));
            let Some(value) = value else {
                return Err(FormatError::new(
                    POM_FILE_NAME,
                    format!(
                        "`{text}` refers to `${{{key}}}`, which no `<properties>` here or in a parent on this disk sets; write the value in component.yaml"
                    ),
                ));
            };
            if depth == 0 {
                return Err(FormatError::new(POM_FILE_NAME, format!("`${{{key}}}` refers to itself")));
            }
            *references += 1;
            if *references > REFERENCES || filled.len() > 4096 {
                let message =
                    "its properties refer to each other too often; write the value in component.yaml";
                return Err(FormatError::new(POM_FILE_NAME, message));
            }
            filled.push_str(before);
            filled.push_str(&self.interpolate(value, depth - 1, references)?);
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    pub(super) fn project_metadata_of_pom(&self) -> ProjectFileMetadata {
        ProjectFileMetadata {
            name: self.convert("project.artifactId", super::component_name),
            version: self.convert("project.version", |text| super::rpm_version(VersionScheme::Maven, text)),
            description: self.convert("project.description", super::description),
            license: self
                .convert("project.license", |name| super::one_line("license", spdx(name)))
                .map(Option::flatten),
            url: self
                .convert("project.url", |url| super::one_line("url", url.to_owned()))
                .map(Option::flatten),
        }
    }

    fn convert<T>(
        &self,
        key: &str,
        convert: impl FnOnce(&str) -> Result<T, String>,
    ) -> OptionalProjectFieldResult<T> {
        let convert =
            |text: String| convert(&text).map_err(|message| FormatError::new(POM_FILE_NAME, message));
        self.value(key)?.map(convert).transpose()
    }

    /// The component its `geppetto.*` properties describe, if it has a `geppetto.kind`.
    ///
    /// `geppetto.tomcat.context` stands for `tomcat: {context}`; every other `geppetto.KEY` for the key of
    /// `component.yaml`, in YAML's flow style where it is not a plain text.
    pub(super) fn component_of_geppetto_properties(&self) -> Option<Result<ComponentFile, Vec<FormatError>>> {
        self.values.get("geppetto.kind")?;
        // The lines of the text that is put together here say nothing about the POM.
        let in_pom = |error: FormatError| {
            FormatError::new(POM_FILE_NAME, format!("of its properties `geppetto.*`: {}", error.message))
        };
        Some(self.component_text().map_err(|error| vec![error]).and_then(|text| {
            component::parse_component_yaml(POM_FILE_NAME, &text)
                .map_err(|errors| errors.into_iter().map(in_pom).collect())
        }))
    }

    fn component_text(&self) -> Result<String, FormatError> {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let mut text =
            format!("format: {}\nfrom: {POM_FILE_NAME}\n", component::COMPONENT_FORMAT_NAME_AND_VERSION);
        let mut properties: BTreeMap<&str, String> = BTreeMap::new();
        for key in self.values.keys() {
            if let Some(name) = key.strip_prefix("geppetto.") {
                properties.insert(name, self.value(key)?.unwrap_or_default());
            }
        }
        if !properties.contains_key("summary") {
            let summary =
                self.value("project.name")?.or(self.value("project.artifactId")?).unwrap_or_default();
            properties.insert("summary", summary);
        }
        if let Some(context) = properties.remove("tomcat.context") {
            let war = match properties.remove("tomcat.war") {
                Some(war) => war,
                None => format!(
                    "target/{}-{}.war",
                    self.value("project.artifactId")?.unwrap_or_default(),
                    self.value("project.version")?.unwrap_or_default()
                ),
            };
            let tomcat = format!("{{war: {}, context: {}}}", quoted(&war), quoted(&context));
            properties.insert("tomcat", tomcat);
        }
        for (key, value) in properties {
            let value = value.trim();
            let flow = value.starts_with(['{', '[']);
            text.push_str(&format!("{key}: {}\n", if flow { value.to_owned() } else { quoted(value) }));
        }
        Ok(text)
    }
}

/// The SPDX name of a licence POMs usually write out.
fn spdx(name: &str) -> String {
    let plain = name.to_ascii_lowercase();
    let known = [
        ("apache", "2", "Apache-2.0"),
        ("mit", "", "MIT"),
        ("eclipse public", "2", "EPL-2.0"),
        ("gnu lesser", "3", "LGPL-3.0-or-later"),
        ("gnu general", "3", "GPL-3.0-or-later"),
    ];
    let found = known.iter().find(|(start, number, _)| {
        plain.trim_start_matches("the ").starts_with(start) && plain.contains(number)
    });
    found.map_or_else(|| name.to_owned(), |(_, _, spdx)| (*spdx).to_owned())
}

/// The profiles that are active unless the command line says otherwise.
fn default_profiles<'a, 'i>(project: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    let profiles = child(project, "profiles").into_iter().flat_map(|profiles| profiles.children());
    profiles.filter(|profile| {
        let activation = child(*profile, "activation");
        activation.and_then(|activation| child_text(activation, "activeByDefault")).as_deref() == Some("true")
    })
}

/// The text of a POM, in the encoding it names.
fn read_text(path: &Path) -> Result<String, String> {
    xml_text::decode_xml_bytes(&super::super::read_bytes(path)?)
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| child.is_element() && child.tag_name().name() == name)
}

fn child_text(node: Node<'_, '_>, name: &str) -> Option<String> {
    child(node, name).map(text_of)
}

fn text_of(node: Node<'_, '_>) -> String {
    let words: Vec<&str> = node.text().unwrap_or_default().split_whitespace().collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pom(inner: &str) -> Result<PomWithParents, FormatError> {
        let text = format!("<project xmlns=\"http://maven.apache.org/POM/4.0.0\">{inner}</project>");
        PomWithParents::parse(Path::new("/nonexistent"), text)
    }

    #[test]
    fn version_comes_from_the_parent_and_properties() {
        let metadata = pom("<parent><version>7</version></parent><artifactId>Shop.Web</artifactId>\
             <licenses><license><name>The Apache License, Version 2.0</name></license></licenses>")
        .unwrap()
        .project_metadata_of_pom();
        assert_eq!(metadata.name.unwrap().unwrap().as_str(), "shop-web");
        assert_eq!(metadata.version.unwrap().as_deref(), Some("7.0.0"));
        assert_eq!(metadata.license.unwrap().as_deref(), Some("Apache-2.0"));

        let dir = tempfile::tempdir().unwrap();
        let child = dir.path().join("web");
        std::fs::create_dir(&child).unwrap();
        std::fs::write(
            dir.path().join(POM_FILE_NAME),
            "<project><properties><revision>1.2</revision><tag>-SNAPSHOT</tag></properties></project>",
        )
        .unwrap();
        let text = "<project><parent><version>0</version></parent><artifactId>a</artifactId><version>${revision}${tag}</version></project>";
        let metadata = PomWithParents::parse(&child, text.to_owned()).unwrap().project_metadata_of_pom();
        assert_eq!(metadata.version.unwrap().as_deref(), Some("1.2.0~snapshot"));
    }

    #[test]
    fn unreadable_pom_is_an_error_with_line_and_reason() {
        let error = PomWithParents::parse(Path::new("/"), "<project>\n<a></project>".to_owned()).unwrap_err();
        assert_eq!(error.file_and_line(), "pom.xml:2");
        let error =
            pom("<version>${nowhere}</version>").unwrap().project_metadata_of_pom().version.unwrap_err();
        assert!(error.message.contains("`${nowhere}`, which no `<properties>`"), "{error}");
        let error = pom("<version>${a}</version><properties><a>${b}</a><b>${a}</b></properties>")
            .unwrap()
            .project_metadata_of_pom()
            .version
            .unwrap_err();
        assert!(error.message.contains("refers to itself"), "{error}");
        // Sixty references to what holds sixty references, eight times over: nothing, in ages.
        let level = |n: u8| format!("<p{n}>{}</p{n}>", format!("${{p{}}}", n + 1).repeat(60));
        let properties: String = (0..7).map(level).collect();
        let bomb = format!("<version>${{p0}}</version><properties>{properties}<p7></p7></properties>");
        let error = pom(&bomb).unwrap().project_metadata_of_pom().version.unwrap_err();
        assert!(error.message.contains("too often"), "{error}");
        // No entity of a document type is ever expanded.
        let bomb = "<!DOCTYPE p [<!ENTITY a \"x\">]><project><version>&a;</version></project>";
        assert!(PomWithParents::parse(Path::new("/"), bomb.to_owned()).is_err());
    }

    #[test]
    fn properties_describe_a_whole_component() {
        let pom = pom("<artifactId>shop</artifactId><version>1.0</version><name>Shop</name><properties>\
             <geppetto.kind>webapp</geppetto.kind><geppetto.tomcat.context>/shop</geppetto.tomcat.context>\
             <geppetto.os_packages>{deb: [tomcat10]}</geppetto.os_packages></properties>")
        .unwrap();
        let component = pom.component_of_geppetto_properties().unwrap().unwrap();
        assert_eq!(component.summary, "Shop");
        assert_eq!(component.tomcat.unwrap().war, "target/shop-1.0.war");
        assert_eq!(component.os_packages.deb, ["tomcat10"]);
        assert!(
            self::pom("<artifactId>shop</artifactId>").unwrap().component_of_geppetto_properties().is_none()
        );
        let wrong = self::pom("<properties><geppetto.kind>web</geppetto.kind></properties>").unwrap();
        let errors = wrong.component_of_geppetto_properties().unwrap().unwrap_err();
        assert!(
            errors[0].to_string().starts_with("pom.xml: of its properties `geppetto.*`: unknown word `web`")
        );
    }

    #[test]
    fn profile_active_by_default_sets_its_properties() {
        let profile = |active: &str, version: &str| {
            format!(
                "<profile><activation><activeByDefault>{active}</activeByDefault></activation>\
                 <properties><revision>{version}</revision></properties></profile>"
            )
        };
        let version = |profiles: &str| {
            let text = format!(
                "<version>${{revision}}</version><properties><revision>1.0.0</revision></properties>\
                 <profiles>{profiles}</profiles>"
            );
            pom(&text).unwrap().project_metadata_of_pom().version.unwrap().unwrap()
        };
        assert_eq!(version(&profile("true", "2.0.0")), "2.0.0");
        assert_eq!(version(&profile("false", "2.0.0")), "1.0.0");
        assert_eq!(version(&(profile("true", "2.0.0") + &profile("true", "3.0.0"))), "3.0.0");
    }
}
