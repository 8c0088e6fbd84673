//! An ordinary user, for what needs no rights of root.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::OnceLock};

/// The user that such commands run as, when the tests run as root.
pub(crate) const ORDINARY_USER: u32 = 1001;

/// A folder that any user may read, with both programs: the folder they were built in may be closed.
pub(crate) fn readable_programs() -> &'static Path {
    static PROGRAMS: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = PROGRAMS.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for program in ["punch", "geppetto"] {
            let built = Path::new(env!("CARGO_BIN_EXE_punch")).with_file_name(program);
            assert!(built.exists(), "{program} is not built: run `cargo build --workspace` first");
            fs::copy(built, folder.path().join(program)).unwrap();
        }
        folder
    });
    folder.path()
}
