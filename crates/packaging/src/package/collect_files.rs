//! The entries of `files`, looked up on the disk: which paths a package holds, and where their bytes are.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use model::{
    format::component::{PackagedEntrySource, PackagedFileEntry},
    path_pattern,
};

use super::PackagingError;

/// One path of a package.
#[derive(Debug, Clone)]
pub(crate) struct CollectedPath {
    /// Where it goes: absolute, without a slash at its end.
    pub(crate) path: String,
    /// What is there.
    pub(crate) content: CollectedContent,
    /// Permission bits.
    pub(crate) mode: u16,
    /// User that owns it.
    pub(crate) owner: String,
    /// Group that owns it.
    pub(crate) group: String,
    /// Kept by upgrades when it was edited.
    pub(crate) config: bool,
}

/// What a path of a package holds.
#[derive(Debug, Clone)]
pub(crate) enum CollectedContent {
    /// The bytes of a file on the disk, which has this size now.
    File(PathBuf, u64),
    /// These bytes.
    Bytes(Vec<u8>),
    /// A directory.
    Directory,
    /// A symbolic link to this target.
    Symlink(String),
}

impl CollectedPath {
    /// A path of root's.
    pub(super) fn new_path_owned_by_root(
        path: impl Into<String>,
        content: CollectedContent,
        mode: u16,
    ) -> CollectedPath {
        let root = "root".to_owned();
        CollectedPath { path: path.into(), content, mode, owner: root.clone(), group: root, config: false }
    }

    /// How many bytes it holds.
    pub(super) fn size_in_bytes(&self) -> u64 {
        match &self.content {
            CollectedContent::File(_, size) => *size,
            CollectedContent::Bytes(bytes) => bytes.len() as u64,
            CollectedContent::Symlink(target) => target.len() as u64,
            CollectedContent::Directory => 0,
        }
    }
}

/// What is in a component's folder beside what its developer made: version control's, an archetype's.
const NOT_SOURCE: [&str; 2] = [".git", ".geppetto"];

/// What has been collected, by path; what one entry names itself outranks what came with a folder or pattern.
#[derive(Debug, Default)]
pub(super) struct FileCollector {
    items: BTreeMap<String, (CollectedPath, bool)>,
    /// The folder packages are written to, canonical.
    out: Option<PathBuf>,
}

impl FileCollector {
    /// Nothing yet, of a component whose packages go to the folder `out`.
    pub(super) fn new_collector_excluding_output_folder(out: &Path) -> FileCollector {
        FileCollector { items: BTreeMap::new(), out: out.canonicalize().ok() }
    }

    /// Adds an item that was `named` itself, or came with a folder.
    pub(super) fn insert_item_by_precedence(
        &mut self,
        item: CollectedPath,
        named: bool,
    ) -> Result<(), PackagingError> {
        if let Some((_, there)) = self.items.get(&item.path) {
            if *there == named && (named || !matches!(item.content, CollectedContent::Directory)) {
                return Err(new_packaged_path_error(
                    &item.path,
                    "two entries of `files` put something there; keep one of them".to_owned(),
                ));
            }
            if *there {
                return Ok(());
            }
        }
        self.items.insert(item.path.clone(), (item, named));
        Ok(())
    }

    /// All items in the order of their paths, once it is sure that none lies below a file.
    pub(super) fn into_checked_sorted_paths(self) -> Result<Vec<CollectedPath>, PackagingError> {
        for path in self.items.keys() {
            let above = Path::new(path).ancestors().skip(1).filter_map(Path::to_str);
            for parent in above {
                if let Some((item, _)) = self.items.get(parent)
                    && !matches!(item.content, CollectedContent::Directory)
                {
                    return Err(new_packaged_path_error(
                        path,
                        format!("`{parent}`, which is packaged too, is no directory"),
                    ));
                }
            }
        }
        Ok(self.items.into_values().map(|(item, _)| item).collect())
    }

    /// Adds the files of one entry of `files`; `root` is the component's canonical folder.
    pub(super) fn add_files_of_entry(
        &mut self,
        root: &Path,
        entry: &PackagedFileEntry,
    ) -> Result<(), PackagingError> {
        let path = entry.path.trim_end_matches('/');
        match entry.source_symlink_or_directory() {
            PackagedEntrySource::Directory => {
                self.insert_item_by_precedence(dressed(entry, path, CollectedContent::Directory, 0o755), true)
            }
            PackagedEntrySource::Symlink(target) => self.insert_item_by_precedence(
                dressed(entry, path, CollectedContent::Symlink(target.to_owned()), 0o777),
                true,
            ),
            PackagedEntrySource::Source(source) if path_pattern::has_wildcard(source) => {
                self.pattern(root, entry, source)
            }
            PackagedEntrySource::Source(source) => {
                let real = inside(root, &root.join(source), source)?;
                if real.is_dir() {
                    return self.folder(root, entry, &real, source, path);
                }
                let name = Path::new(source).file_name().and_then(|name| name.to_str()).unwrap_or_default();
                let path = if entry.path.ends_with('/') { format!("{path}/{name}") } else { path.to_owned() };
                self.insert_item_by_precedence(file(entry, &path, &real, source)?, true)
            }
        }
    }

    /// Adds a folder's content, and the folder itself.
    fn folder(
        &mut self,
        root: &Path,
        entry: &PackagedFileEntry,
        dir: &Path,
        shown: &str,
        path: &str,
    ) -> Result<(), PackagingError> {
        let mut plain = entry.clone();
        plain.mode = None;
        self.insert_item_by_precedence(dressed(&plain, path, CollectedContent::Directory, 0o755), false)?;
        for (name, child) in self.children(dir, shown)? {
            let shown = format!("{}/{name}", shown.trim_end_matches('/'));
            let path = format!("{path}/{name}");
            let kind = child.symlink_metadata().map_err(|error| unreadable(&shown, &error))?.file_type();
            if kind.is_symlink() {
                let target = link(&child, dir, root, &shown)?;
                self.insert_item_by_precedence(
                    dressed(entry, &path, CollectedContent::Symlink(target), 0o777),
                    false,
                )?;
            } else if kind.is_dir() {
                self.folder(root, entry, &child, &shown, &path)?;
            } else {
                self.insert_item_by_precedence(file(entry, &path, &child, &shown)?, false)?;
            }
        }
        Ok(())
    }

    /// Adds the files a pattern matches, each below `path` as it is below the pattern's fixed folder.
    fn pattern(
        &mut self,
        root: &Path,
        entry: &PackagedFileEntry,
        source: &str,
    ) -> Result<(), PackagingError> {
        let (base, parts) = path_pattern::split_path_at_first_wildcard(source);
        let dir = inside(root, &root.join(&base), if base.is_empty() { "." } else { &base })?;
        let mut found = Vec::new();
        self.walk(&dir, &base, &mut Vec::new(), &mut |names, child| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            if path_pattern::pattern_matches_path(&parts, &names) {
                found.push((names.join("/"), child.to_path_buf()));
            }
        })?;
        if found.is_empty() {
            return Err(new_packaged_path_error(
                source,
                "no file matches it; check the pattern, or whether the build makes these files".to_owned(),
            ));
        }
        for (below, child) in found {
            let shown = if base.is_empty() { below.clone() } else { format!("{base}/{below}") };
            let real = inside(root, &child, &shown)?;
            let path = format!("{}/{below}", entry.path.trim_end_matches('/'));
            self.insert_item_by_precedence(file(entry, &path, &real, &shown)?, false)?;
        }
        Ok(())
    }

    /// Visits all files below `dir` in the order of their names, without following links to folders.
    fn walk(
        &self,
        dir: &Path,
        shown: &str,
        names: &mut Vec<String>,
        visit: &mut dyn FnMut(&[String], &Path),
    ) -> Result<(), PackagingError> {
        for (name, child) in self.children(dir, shown)? {
            let kind = child.symlink_metadata().map_err(|error| unreadable(&name, &error))?.file_type();
            let below = format!("{shown}/{name}");
            names.push(name);
            if kind.is_dir() {
                self.walk(&child, &below, names, visit)?;
            } else {
                visit(names, &child);
            }
            names.pop();
        }
        Ok(())
    }

    /// What a folder holds that can be packaged, in the order of the names.
    fn children(&self, dir: &Path, shown: &str) -> Result<Vec<(String, PathBuf)>, PackagingError> {
        let mut found = children(dir, shown)?;
        found.retain(|(name, path)| !NOT_SOURCE.contains(&name.as_str()) && !self.is_output(path));
        Ok(found)
    }

    /// Whether packaging itself made `path`: the output folder, or a package in it. If those were packaged too,
    /// the same source would give other bytes each time.
    fn is_output(&self, path: &Path) -> bool {
        self.out.as_deref().is_some_and(|out| {
            path == out || (path.parent() == Some(out) && path.extension().is_some_and(|end| end == "rpm"))
        })
    }
}

fn children(dir: &Path, shown: &str) -> Result<Vec<(String, PathBuf)>, PackagingError> {
    let mut found = Vec::new();
    for child in fs::read_dir(dir).map_err(|error| unreadable(shown, &error))? {
        let child = child.map_err(|error| unreadable(shown, &error))?;
        let Ok(name) = child.file_name().into_string() else {
            return Err(new_packaged_path_error(
                shown,
                "it holds a file whose name is not UTF-8; rename it".to_owned(),
            ));
        };
        if name.chars().any(char::is_control) {
            return Err(new_packaged_path_error(
                shown,
                "it holds a file with a control character in its name; rename it".to_owned(),
            ));
        }
        found.push((name, child.path()));
    }
    found.sort();
    Ok(found)
}

fn dressed(entry: &PackagedFileEntry, path: &str, content: CollectedContent, mode: u16) -> CollectedPath {
    let mode = entry.mode.map_or(mode, |mode| mode.0);
    let mut item = CollectedPath::new_path_owned_by_root(path, content, mode);
    if let Some(owner) = &entry.owner {
        item.owner.clone_from(owner);
    }
    if let Some(group) = &entry.group {
        item.group.clone_from(group);
    }
    item.config = entry.config;
    item
}

/// A regular file; only whether its owner may execute it is taken from the disk, the rest is umask's chance.
fn file(
    entry: &PackagedFileEntry,
    path: &str,
    real: &Path,
    shown: &str,
) -> Result<CollectedPath, PackagingError> {
    let metadata = real.metadata().map_err(|error| unreadable(shown, &error))?;
    if !metadata.is_file() {
        return Err(new_packaged_path_error(
            shown,
            "it is neither a file, a folder nor a link, so it cannot be packaged".to_owned(),
        ));
    }
    let mode = if metadata.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 };
    Ok(dressed(entry, path, CollectedContent::File(real.to_path_buf(), metadata.len()), mode))
}

/// The target of a link inside a packaged folder, which must stay inside the component's folder on the
/// developer's disk, and is relative, so that it means the same on the host.
fn link(path: &Path, dir: &Path, root: &Path, shown: &str) -> Result<String, PackagingError> {
    let target = fs::read_link(path).map_err(|error| unreadable(shown, &error))?;
    let leaving = || {
        new_packaged_path_error(
            shown,
            format!(
                "it is a symbolic link to `{}`, outside the component's folder; copy the file, or add an entry with `symlink:`",
                target.display()
            ),
        )
    };
    let real = dir.join(&target).canonicalize().map_err(|error| {
        new_packaged_path_error(shown, format!("it is a symbolic link to `{}`: {error}", target.display()))
    })?;
    if target.is_absolute() || !real.starts_with(root) {
        return Err(leaving());
    }
    target.to_str().map(str::to_owned).ok_or_else(leaving)
}

/// Follows links, and checks that what is found is still inside the component's folder.
fn inside(root: &Path, path: &Path, shown: &str) -> Result<PathBuf, PackagingError> {
    let real = path.canonicalize().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => new_packaged_path_error(
            shown,
            "`files` in component.yaml names it, but it is not there; check the name, or whether the build makes it"
                .to_owned(),
        ),
        _ => unreadable(shown, &error),
    })?;
    if real.starts_with(root) {
        return Ok(real);
    }
    Err(new_packaged_path_error(
        shown,
        format!(
            "it is a symbolic link to `{}`, outside the component's folder; copy the file into it",
            real.display()
        ),
    ))
}

fn unreadable(shown: &str, error: &std::io::Error) -> PackagingError {
    new_packaged_path_error(shown, format!("it cannot be read: {error}"))
}

pub(super) fn new_packaged_path_error(place: &str, message: String) -> PackagingError {
    PackagingError::Source { place: place.to_owned(), message }
}
