//! The archetypes built into the program, from `library/archetypes/`: plain files that can be edited.

/// A file of an archetype: its path below the archetype's folder, and its bytes.
type File = (&'static str, &'static [u8]);

/// Embeds the named files of one archetype.
macro_rules! archetype {
    ($name:literal: $($path:literal)*) => {
        &[$((
            $path,
            include_bytes!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../library/archetypes/",
                $name,
                "/",
                $path
            )) as &'static [u8],
        )),*]
    };
}

/// All of them, in the order of their names. A test holds this list against the folder.
pub(super) const BUILT_IN_ARCHETYPE_FILES: &[&[File]] = &[
    archetype!("db-schema":
        "archetype.yaml"
        "files/.gitignore"
        "files/README.md.tmpl"
        "files/component.yaml.tmpl"
        "files/deploy/manifest.yaml.tmpl"
        "files/deploy/templates/__name__.conf.j2"
        "files/migrations/001_items.sql"
        "files/migrations/002_item_changed_at.postgresql.sql"
        "files/migrations/002_item_changed_at.sqlite.sql"
        "files/node.yaml.tmpl"
        "files/src/migrate.tmpl"
        "files/test.sh"
        "files/tests/test_migrate.py"
    ),
    archetype!("monitoring-plugin":
        "archetype.yaml"
        "files/.gitignore"
        "files/README.md.tmpl"
        "files/build.sh.tmpl"
        "files/component.yaml.tmpl"
        "files/deploy/manifest.yaml.tmpl"
        "files/deploy/templates/nrpe.cfg.j2.tmpl"
        "files/node.yaml.tmpl"
        "files/src/check___identifier__.tmpl"
        "files/test.sh"
        "files/tests/test___identifier__.py.tmpl"
    ),
    archetype!("os-config":
        "archetype.yaml"
        "files/.gitignore"
        "files/README.md.tmpl"
        "files/component.yaml.tmpl"
        "files/deploy/manifest.yaml.tmpl"
        "files/deploy/templates/journald.conf.j2"
        "files/node.yaml.tmpl"
        "files/test.sh"
        "files/tests/test_settings.py"
    ),
    archetype!("processing":
        "archetype.yaml"
        "files/.gitignore"
        "files/README.md.tmpl"
        "files/component.yaml.tmpl"
        "files/deploy/manifest.yaml.tmpl"
        "files/deploy/templates/__name__.conf.j2"
        "files/deploy/templates/schedule.conf.j2"
        "files/node.yaml.tmpl"
        "files/src/__name__.py.tmpl"
        "files/test.sh"
        "files/tests/test___identifier__.py.tmpl"
    ),
    archetype!("web-service":
        "archetype.yaml"
        "files/.gitignore"
        "files/README.md.tmpl"
        "files/component.yaml.tmpl"
        "files/deploy/manifest.yaml.tmpl"
        "files/deploy/templates/__name__.conf.j2"
        "files/node.yaml.tmpl"
        "files/src/__name__.py.tmpl"
        "files/test.sh"
        "files/tests/test___identifier__.py.tmpl"
    ),
    archetype!("webapp":
        "archetype.yaml"
        "files/.gitignore"
        "files/README.md.tmpl"
        "files/build.sh"
        "files/component.yaml.tmpl"
        "files/deploy/manifest.yaml.tmpl"
        "files/deploy/templates/context.xml.j2"
        "files/node.yaml.tmpl"
        "files/pom.xml.tmpl"
        "files/src/main/java/__identifier__/Page.java.tmpl"
        "files/src/main/java/__identifier__/PageServlet.java.tmpl"
        "files/src/test/java/__identifier__/PageTest.java.tmpl"
        "files/test.sh.tmpl"
    ),
];

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    fn walk(root: &Path, dir: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }

    #[test]
    fn every_file_of_the_library_is_built_in() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../library/archetypes");
        let names: BTreeSet<String> = fs::read_dir(&root)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let all = crate::archetype::list_built_in_archetypes();
        assert_eq!(all.iter().map(|archetype| archetype.name.to_string()).collect::<BTreeSet<_>>(), names);
        assert_eq!(all.len(), super::BUILT_IN_ARCHETYPE_FILES.len(), "an archetype.yaml cannot be read");
        for (archetype, files) in all.iter().zip(super::BUILT_IN_ARCHETYPE_FILES) {
            let dir = root.join(archetype.name.as_str());
            let mut there = BTreeSet::new();
            walk(&dir, &dir, &mut there);
            let listed: BTreeSet<String> = files.iter().map(|(path, _)| (*path).to_owned()).collect();
            assert_eq!(listed, there, "{}", archetype.name);
        }
    }
}
