//! Our own packages, by the real `rpm`: one query a run, one transaction a step.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
};

use model::{observe::Observation, version::Version};

use super::process::{
    ProcessOutput, failed_command_error, new_noninteractive_command, run_keeping_large_output,
    run_to_any_exit,
};
use super::rpm_messages::{TransactionWarnings, needs_only_files_that_are_there};
use crate::{
    host::{HostError, file_system_error_reason_with_advice},
    host_root::HostRoot,
    payload::InstalledFile,
};

/// Where rpm's database may be: Debian's rpm, most others, newer ones.
pub(super) const DATABASES: [&str; 3] = ["/root/.rpmdb", "/var/lib/rpm", "/usr/lib/sysimage/rpm"];

/// The properties of a file that a query lists, one line a file.
const FILE_FACTS: &str = "[%{=NAME}\\t%{FILENAMES}\\t%{FILEMODES}\\t%{LONGFILESIZES}\\t%{FILEDIGESTS}\\t%{=FILEDIGESTALGO}\\t%{FILEUSERNAME}\\t%{FILEGROUPNAME}\\t%{FILELINKTOS}\\t%{FILEFLAGS}\\t%{FILEVERIFYFLAGS}\\t%{FILESTATES}\\n]";

/// The `rpm` program, for one root.
#[derive(Debug)]
pub(super) struct RpmCommand {
    /// The host's root when it is not `/`.
    pub(super) prefix: Option<String>,
}

impl RpmCommand {
    pub(super) fn program(&self) -> Command {
        let mut command = new_noninteractive_command("rpm");
        // Debian's rpm keeps its database in the home of who runs it: always the same one, then.
        command.env("HOME", "/root");
        if let Some(prefix) = &self.prefix {
            command.args(["--root", prefix]);
        }
        command
    }

    /// The installed versions of packages.
    pub(super) fn query_installed_versions(
        &self,
        root: &HostRoot,
        names: &[String],
    ) -> BTreeMap<String, Observation<Version>> {
        let all = |observed: Observation<Version>| {
            names.iter().map(|name| (name.clone(), observed.clone())).collect()
        };
        // Asking makes a database where there is none; looking must leave no trace.
        match root.first_existing_path(DATABASES.map(str::to_owned)) {
            Ok(Some(_)) if !names.is_empty() => (),
            Ok(_) => return all(Observation::Absent),
            Err(error) => {
                let because = file_system_error_reason_with_advice(&error);
                return all(Observation::Unreadable(format!("cannot look for rpm's database: {because}")));
            }
        }
        let mut command = self.program();
        command.args(["--query", "--queryformat", "%{NAME}\\t%{VERSION}\\t%{RELEASE}\\n", "--"]).args(names);
        let ended = match run_to_any_exit(&mut command) {
            Ok(ended) => ended,
            // Without rpm no package of ours is installed; installing reports how to get rpm.
            Err(HostError::Missing { .. }) => return all(Observation::Absent),
            Err(error) => return all(Observation::Unreadable(error.to_string())),
        };
        let mut found: BTreeMap<String, Observation<Version>> = BTreeMap::new();
        for line in ended.stdout.lines() {
            if let [name, version, release] = line.split('\t').collect::<Vec<_>>()[..] {
                let observed = match Version::new(version, Some(release)) {
                    Ok(version) => Observation::Present(version),
                    Err(error) => Observation::Unreadable(format!(
                        "package {name} has a version punch cannot read: {error}"
                    )),
                };
                let observed = match found.remove(name) {
                    Some(other) => neither_of_duplicates(other, observed),
                    None => observed,
                };
                found.insert(name.to_owned(), observed);
            } else if !has_rpm_logged_errors(&ended)
                && let Some(name) =
                    line.strip_prefix("package ").and_then(|rest| rest.strip_suffix(" is not installed"))
            {
                found.entry(name.to_owned()).or_insert(Observation::Absent);
            }
        }
        let error = failed_command_error(&command, &ended).to_string();
        names
            .iter()
            .map(|name| {
                let observed = found.remove(name).unwrap_or_else(|| Observation::Unreadable(error.clone()));
                (name.clone(), observed)
            })
            .collect()
    }

    /// The files of installed packages, each with its package: of `names`, or of all.
    pub(super) fn list_files_of_installed_packages(
        &self,
        root: &HostRoot,
        names: Option<&[String]>,
    ) -> Result<Vec<(String, String)>, HostError> {
        let listed = self.query_files(root, names, "[%{=NAME}\\t%{FILENAMES}\\n]")?;
        let lines = listed.lines().filter_map(|line| line.split_once('\t'));
        Ok(lines.map(|(name, path)| (name.to_owned(), path.to_owned())).collect())
    }

    /// What the database says of packages, of `names` or of all, in the form `format`.
    fn query_files(
        &self,
        root: &HostRoot,
        names: Option<&[String]>,
        format: &str,
    ) -> Result<String, HostError> {
        let wrong = |error| HostError::from_io_error("cannot look for", "rpm's database", &error);
        let there = root.first_existing_path(DATABASES.map(str::to_owned)).map_err(wrong)?;
        if there.is_none() || names.is_some_and(<[String]>::is_empty) {
            return Ok(String::new());
        }
        let mut command = self.program();
        command.args(["--query", "--queryformat", format]);
        match names {
            Some(names) => command.arg("--").args(names),
            None => command.arg("--all"),
        };
        let ended = run_keeping_large_output(&mut command)?;
        if has_rpm_logged_errors(&ended) {
            return Err(failed_command_error(&command, &ended));
        }
        Ok(ended.stdout)
    }

    /// What the database says of the files of packages, with the package's name.
    pub(super) fn list_installed_files(
        &self,
        root: &HostRoot,
        names: &[String],
    ) -> Result<Vec<(String, InstalledFile)>, HostError> {
        let lines = self.query_files(root, Some(names), FILE_FACTS)?;
        Ok(lines.lines().filter_map(parse_installed_file).collect())
    }

    /// Installs, upgrades and downgrades to these package files in one transaction. Returns what rpm says about
    /// edited configuration files, which it keeps beside the new ones or the other way round.
    pub(super) fn install_upgrade_or_downgrade_rpm_files(
        &self,
        root: &HostRoot,
        files: &[PathBuf],
    ) -> Result<Option<String>, HostError> {
        let install = |nodeps: bool| {
            self.run_transaction(root, || {
                let mut command = self.program();
                command.args(["--upgrade", "--oldpackage", "--replacepkgs"]);
                // Signatures were checked against the keys punch trusts; rpm has not necessarily got them.
                command.args(["--define", "_pkgverify_level digest"]);
                if nodeps {
                    command.arg("--nodeps");
                }
                debian_options(&mut command);
                command.arg("--").args(files);
                command
            })
        };
        let ended = match install(false) {
            Err(HostError::Command { message, .. })
                if is_debian() && needs_only_files_that_are_there(&message, root) =>
            {
                install(true)?
            }
            ended => ended?,
        };
        let warnings = TransactionWarnings::of(&ended);
        if warnings.failed_scriptlets.is_empty() {
            return Ok(warnings.into_note());
        }
        Err(HostError::Scriptlets { failed: warnings.failed_scriptlets, notes: warnings.notes })
    }

    /// Removes packages in one transaction, and returns what rpm says about edited configuration files and failed
    /// scripts. The packages `changing` get another version later in this run: only they may need what goes, and only
    /// until then.
    pub(super) fn remove_rpm_packages(
        &self,
        root: &HostRoot,
        names: &[String],
        changing: &BTreeSet<String>,
    ) -> Result<Option<String>, HostError> {
        let erase = |nodeps: bool| {
            let ended = self.run_transaction(root, || {
                let mut command = self.program();
                // Of a package that is there twice both go.
                command.args(["--erase", "--allmatches"]);
                if nodeps {
                    command.arg("--nodeps");
                }
                debian_options(&mut command);
                command.arg("--").args(names);
                command
            });
            ended.map(|ended| TransactionWarnings::of(&ended).into_note())
        };
        match erase(false) {
            // Their new versions cannot come first: they may have files that the removed ones have now.
            // What they need is checked when they are installed.
            Err(HostError::Command { message, .. }) if only_needed_by(&message, changing) => erase(true),
            result => result,
        }
    }
}

/// One line of [`FILE_FACTS`]; nothing for a file that rpm did not install.
fn parse_installed_file(line: &str) -> Option<(String, InstalledFile)> {
    const SHA256: &str = "8";
    const INSTALLED: &str = "0";
    let [name, path, mode, size, digest, algorithm, owner, group, target, flags, compared, state] =
        line.split('\t').collect::<Vec<_>>()[..]
    else {
        return None;
    };
    let file = InstalledFile {
        path: match path.trim_end_matches('/') {
            "" => "/".to_owned(),
            path => path.to_owned(),
        },
        // rpm shows the 16 bits with their sign.
        mode: u32::try_from(mode.parse::<i64>().ok()? & 0xffff).ok()?,
        size: size.parse().ok()?,
        sha256: if algorithm == SHA256 { digest.to_ascii_lowercase() } else { String::new() },
        owner: owner.to_owned(),
        group: group.to_owned(),
        target: target.to_owned(),
        flags: flags.parse().ok()?,
        compared: compared.parse::<i64>().ok().and_then(|bits| u32::try_from(bits & 0xffff_ffff).ok())?,
        seen: None,
    };
    (state == INSTALLED).then(|| (name.to_owned(), file))
}

/// Whether rpm logged an error. Without a readable database it says of every package that it is not
/// installed, and only the log tells.
pub(super) fn has_rpm_logged_errors(ended: &ProcessOutput) -> bool {
    ended.stderr.lines().any(|line| line.starts_with("error:"))
}

/// Whether rpm refused for no other reason than that `packages` need what is to go.
fn only_needed_by(message: &str, packages: &BTreeSet<String>) -> bool {
    let mut lines = message.lines().filter(|line| !line.trim().is_empty()).peekable();
    let refused = lines.next_if(|line| line.trim_end().ends_with("Failed dependencies:")).is_some();
    let ours = |line: &str| {
        let (_, needing) = line.split_once(" is needed by (installed) ")?;
        // A version and a release have no dash in them; a name may.
        let name = needing.trim().rsplitn(3, '-').nth(2)?;
        packages.contains(name).then_some(())
    };
    refused && lines.peek().is_some() && lines.all(|line| ours(line).is_some())
}

/// A package that is there twice: rpm died after it had put the new one there and before it took the old
/// one away. It is neither version, so that it is installed again, which leaves only the right one.
fn neither_of_duplicates(one: Observation<Version>, other: Observation<Version>) -> Observation<Version> {
    match (one, other) {
        (Observation::Present(one), Observation::Present(other)) => {
            let release =
                one.release_part().zip(other.release_part()).map(|(one, other)| format!("{one}_{other}"));
            match Version::new(
                &format!("{}_and_{}", one.version_without_release(), other.version_without_release()),
                release.as_deref(),
            ) {
                Ok(version) => Observation::Present(version),
                Err(error) => Observation::Unreadable(error.to_string()),
            }
        }
        (Observation::Present(_), unreadable) | (unreadable, _) => unreadable,
    }
}

/// Debian's rpm refuses to install packages without `--force-debian`. Whose rpm it is depends on
/// the system it runs on, not on the root it works on.
fn debian_options(command: &mut Command) {
    if is_debian() {
        command.arg("--force-debian");
    }
}

/// Whether the rpm that runs is Debian's.
fn is_debian() -> bool {
    Path::new("/etc/debian_version").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_of_an_unreadable_database_is_not_taken_for_absent() {
        let folder = tempfile::tempdir().unwrap();
        for database in DATABASES {
            let database = folder.path().join(database.trim_start_matches('/'));
            std::fs::create_dir_all(&database).unwrap();
            for file in ["rpmdb.sqlite", "Packages", "Packages.db"] {
                std::fs::write(database.join(file), "this is no database").unwrap();
            }
        }
        let root = HostRoot::new(folder.path());
        let rpm = RpmCommand { prefix: folder.path().to_str().map(str::to_owned) };
        if matches!(run_to_any_exit(rpm.program().arg("--version")), Err(HostError::Missing { .. })) {
            return;
        }
        let observed = rpm.query_installed_versions(&root, &["shop".to_owned()]);
        assert!(matches!(observed["shop"], Observation::Unreadable(_)), "{observed:?}");
    }

    #[test]
    fn removal_needed_only_by_changing_packages_is_accepted() {
        let changing = BTreeSet::from(["shop".to_owned(), "shop-api".to_owned()]);
        let refused =
            |lines: &str| only_needed_by(&format!("error: Failed dependencies:\n{lines}"), &changing);
        assert!(refused("\tlib is needed by (installed) shop-1.0-1\n"));
        assert!(refused(
            "\tlib >= 1 is needed by (installed) shop-api-1.0-1.noarch\n\tlib is needed by (installed) shop-1.0-1.noarch\n"
        ));
        assert!(!refused("\tlib is needed by (installed) shop-extra-1.0-1.noarch\n"));
        assert!(!refused(
            "\tlib is needed by (installed) shop-1.0-1\n\tlib is needed by (installed) other-1.0-1\n"
        ));
        assert!(!refused(""));
        assert!(!only_needed_by("error: can't create transaction lock", &changing));
    }
}
