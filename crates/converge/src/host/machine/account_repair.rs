//! Completes what useradd or userdel was stopped in: both change `/etc/passwd` before `/etc/group`.

use model::report::{RepairKind, RepairOfInterruptedWork};

use super::{
    account_database::AccountDatabase,
    account_tools::AccountTools,
    group::{recorded_user_private_groups, remove_user_private_group_record},
    process::{new_noninteractive_command, run_expecting_success},
};
use crate::{host::HostError, host_root::HostRoot};

impl AccountTools<'_> {
    /// Completes users and groups that punch made; `thorough` looks into `/etc/shadow`, too.
    pub(super) fn repair_half_made_accounts(
        &self,
        root: &HostRoot,
        thorough: bool,
    ) -> Result<Vec<RepairOfInterruptedWork>, HostError> {
        let names = recorded_user_private_groups(root)?;
        if names.is_empty() && !thorough {
            return Ok(Vec::new());
        }
        let mut repairs = Vec::new();
        let mut add =
            |what: String| repairs.push(RepairOfInterruptedWork { kind: RepairKind::Account, what });
        let accounts = AccountDatabase::read_passwd_and_group(root, self.prefix.is_none());
        for name in &names {
            match (accounts.lookup_user(name)?, accounts.lookup_gid(name)?) {
                (Some(user), None) if !accounts.has_group_numbered(user.gid) => {
                    let gid = user.gid.to_string();
                    run_expecting_success(
                        self.new_account_command("groupadd").args(["--gid", &gid, "--", name]),
                    )?;
                    add(format!(
                        "user {name} had been made without its group {name} ({gid}), which is made now"
                    ));
                }
                (None, Some(_)) if accounts.is_empty_group(name) => {
                    self.remove_group(&accounts, name)?;
                    remove_user_private_group_record(root, name)?;
                    add(format!(
                        "user {name} had been removed without its group {name}, which is removed now"
                    ));
                }
                (Some(_), Some(_)) if self.remove_private_group_that_user_left(root, &accounts, name)? => {
                    add(format!(
                        "user {name} had got another primary group and had kept its own, which is removed now"
                    ));
                }
                (None, None) => remove_user_private_group_record(root, name)?,
                _ => (),
            }
        }
        if thorough && let Some(name) = user_without_shadow_entry(root)? {
            let mut command = new_noninteractive_command("pwconv");
            command.args(self.prefix.iter().flat_map(|prefix| ["--root", prefix]));
            run_expecting_success(&mut command)?;
            add(format!("user {name} had been made without its line in /etc/shadow; `pwconv` has added it"));
        }
        Ok(repairs)
    }
}

/// A user whose password is said to be in `/etc/shadow`, and is not.
fn user_without_shadow_entry(root: &HostRoot) -> Result<Option<String>, HostError> {
    let read = |path: &str| {
        let text = root.read_text_file_if_exists(path);
        text.map_err(|error| HostError::from_io_error("cannot read", path, &error))
    };
    let (Some(passwd), Some(shadow)) = (read("/etc/passwd")?, read("/etc/shadow")?) else { return Ok(None) };
    let known: std::collections::BTreeSet<&str> =
        shadow.lines().filter_map(|line| line.split(':').next()).collect();
    let missing = passwd.lines().find_map(|line| {
        let (name, rest) = line.split_once(':')?;
        (rest.starts_with("x:") && !known.contains(name)).then(|| name.to_owned())
    });
    Ok(missing)
}
