//! rpm's database: how it looks, who works on it, and how one that was left half made is completed.

use std::io::ErrorKind;

use model::report::{RepairKind, RepairOfInterruptedWork};

use super::{
    process::{ProcessOutput, failed_command_error, run_to_any_exit},
    rpm_command::{DATABASES, RpmCommand, has_rpm_logged_errors},
};
use crate::{host::HostError, host_root::HostRoot};

/// The files of a database that change with it.
const DATABASE_FILES: [&str; 4] = ["rpmdb.sqlite", "rpmdb.sqlite-wal", "Packages", "Packages.db"];

impl RpmCommand {
    /// How the database looks: another text whenever packages came or went.
    pub(super) fn database_look(&self, root: &HostRoot) -> Result<String, HostError> {
        let files = DATABASES.iter().flat_map(|folder| DATABASE_FILES.map(|file| format!("{folder}/{file}")));
        let mut look = String::new();
        for path in files {
            let stat = match root.open_parent_folder(&path) {
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    continue;
                }
                opened => opened.and_then(|handle| handle.stat_without_following_link()),
            };
            let stat =
                stat.map_err(|error| HostError::from_io_error("cannot look at", path.as_str(), &error))?;
            // An empty log of changes says nothing, whenever it was made.
            if let Some(stat) = stat.filter(|stat| stat.st_size > 0) {
                let (size, inode, seconds, rest) =
                    (stat.st_size, stat.st_ino, stat.st_mtime, stat.st_mtime_nsec);
                look += &format!("{path} {size} {inode} {seconds}.{rest:09}\n");
            }
        }
        Ok(look)
    }

    /// Completes a database that rpm was killed while making, and rebuilds one that is damaged. An error says that
    /// neither was possible.
    pub(super) fn repair_database(
        &self,
        root: &HostRoot,
    ) -> Result<Option<RepairOfInterruptedWork>, HostError> {
        let wrong = |error| HostError::from_io_error("cannot look for", "rpm's database", &error);
        let Some(folder) = root.first_existing_path(DATABASES.map(str::to_owned)).map_err(wrong)? else {
            return Ok(None);
        };
        let Some(found) = self.database_error()? else { return Ok(None) };
        let said = found.lines().next().unwrap_or_default().to_owned();
        for (option, done) in [
            // Makes what is missing, and leaves what is there.
            ("--initdb", "rpm had been stopped while it made it; `rpm --initdb` has completed it"),
            ("--rebuilddb", "`rpm --rebuilddb` has made it anew from the packages in it"),
        ] {
            // Whether it helped, the database tells.
            run_to_any_exit(self.program().arg(option))?;
            if self.database_error()?.is_none() {
                return Ok(Some(RepairOfInterruptedWork {
                    kind: RepairKind::RpmDatabase,
                    what: format!("rpm's database in {folder} could not be read ({said}): {done}"),
                }));
            }
        }
        Err(HostError::Other(format!(
            "rpm's database in {folder} is damaged, and neither `rpm --initdb` nor `rpm --rebuilddb` repairs it ({said}); put back a copy of {folder} from a backup, then run again"
        )))
    }

    /// What rpm says when it cannot read its database.
    fn database_error(&self) -> Result<Option<String>, HostError> {
        let mut command = self.program();
        // Reads the whole database: each package is of some group.
        command.args(["--query", "--all", "--queryformat", "%{NAME}\\n"]);
        let ended: ProcessOutput = match run_to_any_exit(&mut command) {
            Err(HostError::Missing { .. }) => return Ok(None),
            ended => ended?,
        };
        let wrong = has_rpm_logged_errors(&ended) || !ended.status.success();
        Ok(wrong.then(|| match failed_command_error(&command, &ended) {
            HostError::Command { message, .. } => message,
            error => error.to_string(),
        }))
    }
}
