//! YUM metadata as a reader needs it: which packages there are, and where. Of any repository, ours or not, and before
//! anything has verified it.
//!
//! `primary.xml` is read package by package: each `<package>` element is cut out of the stream and parsed
//! on its own, so that a repository of any size costs the memory of its largest entry.

use std::io::{self, BufRead, Read};

use model::{fault::without_control_characters, version::Version};

/// The XML namespaces of repository metadata; the first is the one without a prefix.
const OPEN: &str = r#"<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm">"#;
const CLOSE: &str = "</metadata>";

/// The largest list of packages that is read, in bytes after decompression, and the most packages of it:
/// a list that is not signed must not fill the memory.
const MAX_LIST: u64 = 2 * 1024 * 1024 * 1024;
const MAX_PACKAGES: usize = 500_000;
/// The largest entry of one package that is read, in bytes.
const MAX_ENTRY: usize = 16 * 1024 * 1024;

/// Why metadata cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryMetadataError {
    /// Its bytes could not be read.
    #[error("the list of packages cannot be read: {0}")]
    Read(io::Error),
    /// It is not what a repository says.
    #[error("{0}")]
    Malformed(String),
}

impl From<String> for RepositoryMetadataError {
    fn from(why: String) -> Self {
        Self::Malformed(without_control_characters(why))
    }
}

impl From<&str> for RepositoryMetadataError {
    fn from(why: &str) -> Self {
        Self::Malformed(why.to_owned())
    }
}

/// The location of the package list, from `repomd.xml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrimaryXmlLocation {
    /// Relative to the repository.
    pub href: String,
    /// SHA-256 of the compressed file, in hexadecimal.
    pub sha256: String,
    /// Its size, if declared.
    pub size: Option<u64>,
}

/// One package of a repository.
#[derive(Debug, Clone, PartialEq)]
pub struct PackageInPrimaryXml {
    /// Its name.
    pub name: String,
    /// Version and release.
    pub version: Version,
    /// The machines it is for.
    pub arch: String,
    /// Relative to the repository.
    pub href: String,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// Its size, if declared.
    pub size: Option<u64>,
}

/// Finds the list of packages in `repomd.xml`.
pub fn parse_primary_location_in_repomd(repomd: &str) -> Result<PrimaryXmlLocation, RepositoryMetadataError> {
    let document = roxmltree::Document::parse(repomd).map_err(|error| format!("it is not XML: {error}"))?;
    let data = document
        .root_element()
        .children()
        .find(|node| node.tag_name().name() == "data" && node.attribute("type") == Some("primary"))
        .ok_or("it names no `primary` metadata")?;
    let href =
        child(data, "location").and_then(|node| node.attribute("href")).ok_or("`primary` has no location")?;
    Ok(PrimaryXmlLocation {
        href: check_path_inside_repository(href)?.to_owned(),
        sha256: checksum(data)?,
        size: text(data, "size").and_then(|size| size.parse().ok()),
    })
}

/// Calls `each` with every package of an uncompressed `primary.xml`. Packages whose version is not one
/// of ours (with an epoch, for instance) are passed over: no component can mean them.
pub fn for_each_package_in_primary(
    primary: impl BufRead,
    each: impl FnMut(PackageInPrimaryXml),
) -> Result<(), RepositoryMetadataError> {
    for_each_package_with_limits(primary, each, MAX_LIST, MAX_PACKAGES)
}

fn for_each_package_with_limits(
    primary: impl BufRead,
    mut each: impl FnMut(PackageInPrimaryXml),
    most_bytes: u64,
    most_packages: usize,
) -> Result<(), RepositoryMetadataError> {
    let mut primary = primary.take(most_bytes);
    let mut piece = Vec::new();
    for count in 0.. {
        piece.clear();
        if !next_element(&mut primary, &mut piece)? {
            break;
        }
        if count >= most_packages {
            return Err(format!("the list of packages has more than {most_packages} entries").into());
        }
        let text = std::str::from_utf8(&piece).map_err(|_| "the list of packages is not UTF-8")?;
        // Before the first entry come the declaration and the root element's start.
        let Some(start) = text.find("<package ").or_else(|| text.find("<package>")) else { continue };
        let entry = format!("{OPEN}{}{CLOSE}", &text[start..]);
        let document = roxmltree::Document::parse(&entry)
            .map_err(|error| format!("an entry of the list of packages is not XML: {error}"))?;
        if let Some(package) = document.root_element().first_element_child()
            && let Some(listed) = parse_package(package)?
        {
            each(listed);
        }
    }
    match primary.limit() {
        0 => Err(format!("the list of packages has more than {most_bytes} bytes").into()),
        _ => Ok(()),
    }
}

/// Reads up to and with the next `</package>`; false at the end.
fn next_element(from: &mut impl BufRead, into: &mut Vec<u8>) -> Result<bool, RepositoryMetadataError> {
    loop {
        let before = into.len();
        let read = Read::take(&mut *from, (MAX_ENTRY - before) as u64)
            .read_until(b'>', into)
            .map_err(RepositoryMetadataError::Read)?;
        if read == 0 {
            return match into.len() {
                MAX_ENTRY => {
                    Err(format!("an entry of the list of packages has more than {MAX_ENTRY} bytes").into())
                }
                _ => Ok(false),
            };
        }
        if into.ends_with(b"</package>") {
            return Ok(true);
        }
    }
}

fn parse_package(package: roxmltree::Node<'_, '_>) -> Result<Option<PackageInPrimaryXml>, String> {
    let name = text(package, "name").ok_or("a package of the list has no name")?;
    let problem = |why: &str| format!("the entry of package `{}`: {why}", shorten(name, 80));
    let evr = child(package, "version").ok_or_else(|| problem("no version"))?;
    if !matches!(evr.attribute("epoch"), None | Some("0")) {
        return Ok(None);
    }
    let Ok(version) = Version::new(evr.attribute("ver").unwrap_or_default(), evr.attribute("rel")) else {
        return Ok(None);
    };
    let href = child(package, "location")
        .and_then(|node| node.attribute("href"))
        .ok_or_else(|| problem("no location"))?;
    Ok(Some(PackageInPrimaryXml {
        name: name.to_owned(),
        version,
        arch: text(package, "arch").unwrap_or("noarch").to_owned(),
        href: check_path_inside_repository(href).map_err(|why| problem(&why))?.to_owned(),
        sha256: checksum(package).map_err(|why| problem(&why))?,
        size: child(package, "size").and_then(|node| node.attribute("package")?.parse().ok()),
    }))
}

fn child<'a, 'i>(node: roxmltree::Node<'a, 'i>, name: &str) -> Option<roxmltree::Node<'a, 'i>> {
    node.children().find(|child| child.tag_name().name() == name)
}

fn text<'a>(node: roxmltree::Node<'a, '_>, name: &str) -> Option<&'a str> {
    child(node, name)?.text().map(str::trim)
}

/// The SHA-256 an element declares; other digests are not accepted.
fn checksum(node: roxmltree::Node<'_, '_>) -> Result<String, String> {
    let node = child(node, "checksum").ok_or("no checksum")?;
    let digest = node.text().unwrap_or_default().trim().to_ascii_lowercase();
    match node.attribute("type") {
        Some("sha256") if digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Ok(digest)
        }
        Some("sha256") => Err("its checksum is not 64 hexadecimal digits".to_owned()),
        other => Err(format!(
            "its checksum is `{}`; only sha256 is accepted (createrepo_c --checksum sha256)",
            shorten(other.unwrap_or("untyped"), 20)
        )),
    }
}

/// A path that stays inside the repository.
pub fn check_path_inside_repository(href: &str) -> Result<&str, String> {
    let usual =
        |part: &str| !part.is_empty() && part != ".." && part != "." && !part.contains(['\\', '?', '#']);
    if href.chars().any(char::is_control) || !href.split('/').all(usual) || href.contains("://") {
        return Err(format!("`{}` is not a path inside the repository", shorten(href, 120)));
    }
    Ok(href)
}

/// Text of the network in a message: without control characters, and not longer than `most`.
fn shorten(text: &str, most: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn entry(name: &str, epoch: &str, href: &str) -> String {
        format!(
            r#"<package type="rpm"><name>{name}</name><arch>noarch</arch><version epoch="{epoch}" ver="1.0" rel="1"/>
            <checksum type="sha256" pkgid="YES">{SHA}</checksum><size package="7" installed="9"/><location href="{href}"/>
            <format><rpm:license>x</rpm:license></format></package>"#
        )
    }

    fn read(entries: &str) -> Result<Vec<PackageInPrimaryXml>, RepositoryMetadataError> {
        let text = format!("<?xml version=\"1.0\"?>\n{OPEN}\n{entries}\n{CLOSE}");
        let mut all = Vec::new();
        for_each_package_in_primary(text.as_bytes(), |listed| all.push(listed))?;
        Ok(all)
    }

    #[test]
    fn packages_are_read_one_by_one_and_foreign_epochs_passed_over() {
        let all =
            read(&[entry("shop", "0", "packages/shop.rpm"), entry("old", "1", "old.rpm")].concat()).unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].name.as_str(), all[0].version.to_string().as_str()), ("shop", "1.0-1"));
        assert_eq!((all[0].size, all[0].href.as_str()), (Some(7), "packages/shop.rpm"));
        assert_eq!(read("").unwrap(), []);
    }

    #[test]
    fn endless_package_list_is_refused() {
        let list = [entry("shop", "0", "s.rpm"), entry("shop", "0", "s.rpm")].concat();
        let read = |bytes, packages| for_each_package_with_limits(list.as_bytes(), |_| (), bytes, packages);
        read(10_000, 2).unwrap();
        assert!(read(10_000, 1).unwrap_err().to_string().contains("more than 1 entries"));
        assert!(read(20, 2).unwrap_err().to_string().contains("more than 20 bytes"));
    }

    #[test]
    fn path_out_of_the_repository_is_refused() {
        for href in ["../x.rpm", "/etc/x.rpm", "a/../../x.rpm", "http://evil/x.rpm", "a//b.rpm", ""] {
            assert!(
                read(&entry("shop", "0", href)).unwrap_err().to_string().contains("not a path inside"),
                "{href}"
            );
        }
    }

    #[test]
    fn weak_checksum_is_refused_by_name() {
        let weak = entry("shop", "0", "s.rpm").replace("\"sha256\"", "\"md5\"");
        assert!(read(&weak).unwrap_err().to_string().contains("`md5`; only sha256"));
    }

    #[test]
    fn broken_metadata_is_an_error_and_never_a_panic() {
        for text in
            ["<package ><name>a</package>", "<package></package>", "<package type=\"rpm\">\u{0}</package>"]
        {
            assert!(for_each_package_in_primary(text.as_bytes(), |_| ()).is_err(), "{text}");
        }
        assert!(
            parse_primary_location_in_repomd("<repomd/>").unwrap_err().to_string().contains("no `primary`")
        );
        let error = parse_primary_location_in_repomd("<repomd \u{1b}[2J/>").unwrap_err().to_string();
        assert!(error.contains("not XML") && !error.contains(char::is_control), "{error:?}");
        assert!(parse_primary_location_in_repomd("").unwrap_err().to_string().contains("not XML"));
    }

    #[test]
    fn repomd_says_where_the_list_is() {
        let found = parse_primary_location_in_repomd(&format!(
            r#"<repomd xmlns="http://linux.duke.edu/metadata/repo"><data type="primary"><checksum type="sha256">{SHA}</checksum>
            <location href="repodata/{SHA}-primary.xml.gz"/><size>12</size></data></repomd>"#
        ))
        .unwrap();
        assert_eq!(found.href, format!("repodata/{SHA}-primary.xml.gz"));
        assert_eq!((found.sha256.as_str(), found.size), (SHA, Some(12)));
    }
}
