//! A component made of an archetype and answers.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use model::{component::reserved_component_name_problem, name::Name};

use super::{
    AnswersByQuestion, Archetype, ArchetypeError, archetype_record::ArchetypeRecord,
    render::RenderedFilesByPath, write_file::write_component_file_atomically,
};
use crate::source::ComponentSource;

/// Generates the component `name` in the new folder `dir`; returns the paths of its files.
///
/// It appears whole or not at all: everything is written aside and checked first.
pub fn generate_component(
    archetype: &Archetype,
    name: &Name,
    answers: &AnswersByQuestion,
    dir: &Path,
) -> Result<Vec<String>, ArchetypeError> {
    let refuse = |reason: String| ArchetypeError::Folder { path: dir.to_path_buf(), reason };
    if let Some(why) = reserved_component_name_problem(name) {
        return Err(ArchetypeError::Answer(why));
    }
    let there = match fs::read_dir(dir) {
        Ok(mut entries) => match entries.next() {
            None => true,
            Some(_) => {
                let reason = "is there already and is not empty; choose another with `--dir`";
                return Err(refuse(reason.to_owned()));
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(refuse("is or lies below a file; choose another folder with `--dir`".to_owned()));
        }
        Err(error) => return Err(refuse(format!("cannot be looked into: {error}"))),
    };
    let answers = archetype.complete_and_check_answers(name, answers)?;
    let files = archetype.render_component_files(name, &answers)?;

    let aside = match dir.parent() {
        _ if there => dir.to_path_buf(),
        Some(parent) if parent != Path::new("") => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    let cannot = |error: io::Error| {
        refuse(format!("cannot be made: {error}; choose a folder you may write to with `--dir`"))
    };
    fs::create_dir_all(&aside).map_err(cannot)?;
    let draft = tempfile::Builder::new().prefix(".geppetto-new-").tempdir_in(&aside).map_err(cannot)?;
    write_all(draft.path(), &files).map_err(cannot)?;
    ComponentSource::load_component_source(draft.path())
        .map_err(|errors| ArchetypeError::Result { archetype: archetype.name.clone(), errors })?;
    let record = ArchetypeRecord::new(archetype, name, &answers, &files);
    write_all(draft.path(), &record.render_record_and_base_files(&files)).map_err(cannot)?;
    if there {
        // The folder itself stays: it may be a working directory or a mount point.
        move_in(draft.path(), dir).map_err(cannot)?;
        return Ok(files.into_keys().collect());
    }
    fs::set_permissions(draft.path(), fs::Permissions::from_mode(0o755)).map_err(cannot)?;
    fs::rename(draft.path(), dir).map_err(cannot)?;
    // The draft has another name now, so there is nothing left to remove.
    let _ = draft.keep();
    Ok(files.into_keys().collect())
}

/// Moves all that is in `draft` to the folder `dir`, or nothing.
fn move_in(draft: &Path, dir: &Path) -> io::Result<()> {
    let names: Vec<_> =
        fs::read_dir(draft)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
    for (count, name) in names.iter().enumerate() {
        if let Err(error) = fs::rename(draft.join(name), dir.join(name)) {
            for name in &names[..count] {
                // That it cannot be taken back either adds nothing to the error.
                let _ = fs::rename(dir.join(name), draft.join(name));
            }
            return Err(error);
        }
    }
    Ok(())
}

fn write_all(dir: &Path, files: &RenderedFilesByPath) -> io::Result<()> {
    files.iter().try_for_each(|(path, bytes)| write_component_file_atomically(dir, path, bytes, None))
}
