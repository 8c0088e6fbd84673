//! Names that resources may have, and why others are none.

use super::{ResourceId, ResourceKind};

/// Why `path` is no path a resource can lie at.
pub(super) fn resource_path_problem(path: &str) -> Option<String> {
    let Some(rest) = path.strip_prefix('/') else {
        return Some(format!("`{}` is no absolute path: it must start with `/`", shorten(path)));
    };
    let bad = |part: &str| part.is_empty() || part == "." || part == "..";
    if path.len() > 4000 || path.chars().any(char::is_control) || rest.split('/').any(bad) {
        return Some(format!(
            "`{}` must be a path without `..`, `.`, `//`, control characters or a final `/`",
            shorten(path)
        ));
    }
    None
}

/// A name `useradd` takes.
pub(crate) fn is_valid_account_name(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-')
}

/// Letters, digits, `_`, and the characters in `more`, which cannot come first.
pub(super) fn is_name_of_plain_characters(name: &str, more: &str) -> bool {
    (1..=255).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || more.contains(c))
}

/// The complaint about a name that is not `right`.
pub(super) fn invalid_resource_name_message_unless(right: bool, kind: ResourceKind) -> Option<String> {
    (!right).then(|| format!("this is no name for a {}", kind.manifest_keyword()))
}

/// The folders above a path, the nearest first.
pub(super) fn parent_directory_resource_ids(mut path: &str) -> Vec<ResourceId> {
    let mut folders = Vec::new();
    while let Some((above, _)) = path.rsplit_once('/').filter(|(above, _)| !above.is_empty()) {
        folders.push(ResourceId::new(ResourceKind::Directory, above));
        path = above;
    }
    folders
}

fn shorten(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}
