//! Whose a folder is, for errors: a control plane's folder is used by one user.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use nix::unistd::{AccessFlags, Uid, User, eaccess, geteuid};

use crate::command_error::GeppettoCommandError;

/// Refuses a folder that this user cannot use, or that root could only spoil: what root makes in another user's folder, that
/// user could not read. Of a folder that is not there, the nearest one above counts. `command` is what was typed after
/// `geppetto`.
pub(crate) fn refuse_folder_of_other_user(folder: &Path, command: &str) -> Result<(), GeppettoCommandError> {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    // One that cannot be looked at is reported when it is used.
    let Some((found_at, found)) =
        folder.ancestors().find_map(|above| Some((above, fs::metadata(above).ok()?)))
    else {
        return Ok(());
    };
    let me = geteuid();
    if found.uid() == me.as_raw() || !found.is_dir() {
        return Ok(());
    }
    let (owner, as_root, as_user) = match name_of_user(found.uid()) {
        Some(name) => (format!("user {name}"), format!("runuser -u {name} --"), format!("sudo -u {name}")),
        None => {
            let uid = found.uid();
            (
                format!("uid {uid}"),
                format!("setpriv --reuid {uid} --clear-groups"),
                format!("sudo -u '#{uid}'"),
            )
        }
    };
    let shown = found_at.display();
    if me.is_root() {
        return Err(GeppettoCommandError::invalid_input_error(format!(
            "`{shown}` belongs to {owner}, who could not use what root makes in it; nothing was changed"
        ))
        .with_hint(format!("run it as that user: `{as_root} geppetto {command} ...`")));
    }
    if eaccess(found_at, AccessFlags::R_OK | AccessFlags::W_OK | AccessFlags::X_OK).is_ok() {
        return Ok(());
    }
    let mine = name_of_user(me.as_raw()).map_or_else(|| format!("uid {me}"), |name| format!("user {name}"));
    let refusal = GeppettoCommandError::invalid_input_error(format!(
        "`{shown}` belongs to {owner}, and {mine} may not use it; nothing was changed"
    ));
    Err(match found_at == folder {
        true => refusal.with_hint(format!("run it as that user: `{as_user} geppetto {command} ...`")),
        false => refusal.with_hint(format!(
            "choose a folder you may write to with --data DIR, or run it as that user: `{as_user} geppetto {command} ...`"
        )),
    })
}

fn name_of_user(uid: u32) -> Option<String> {
    User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name)
}
