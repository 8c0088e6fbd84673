//! `replaces`: each path must be one that the payload package has.

use model::{path_pattern::any_pattern_covers_path, suggest_spelling};

use super::Notes;
use crate::{package::collect_payload_paths, source::ComponentSource};

impl Notes {
    /// Warns of paths that replace nothing, because the package does not have them.
    pub(super) fn replaced_paths(&mut self, source: &ComponentSource) {
        if source.component.replaces.is_empty() {
            return;
        }
        let paths = match source.build {
            None => collect_payload_paths(source),
            // Before the build the files are not there; their folders are known.
            Some(_) => None,
        };
        for replaced in &source.component.replaces {
            let is_packaged = match &paths {
                Some(paths) => paths.iter().any(|path| is_at_or_below(replaced, path)),
                None => source.files.iter().any(|entry| {
                    let path = entry.path.trim_end_matches('/');
                    is_at_or_below(replaced, path) || is_at_or_below(path, replaced)
                }),
            };
            if is_packaged {
                continue;
            }
            let entries = source.files.iter().map(|entry| entry.path.as_str());
            let known = paths.iter().flatten().map(String::as_str).chain(entries);
            let hint = match suggest_spelling(replaced, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "name a path of `files`, or remove it".to_owned(),
            };
            self.warn(
                &source.file,
                format!("`replaces` names `{replaced}`, but the package has nothing there, so nothing is replaced; {hint}"),
            );
        }
    }
}

fn is_at_or_below(declared: &str, path: &str) -> bool {
    any_pattern_covers_path(&[declared.to_owned()], path)
}
