//! Packages of the operating system: asked for in one query, installed by the distribution's own tool.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    process::Command,
    thread,
    time::Duration,
};

use model::{
    observe::{Observation, OsFamily, ResourcePropertiesByKind, ResourcePropertyKind, ResourcePropertyValue},
    resource::{Resource, ResourceBody},
};
use nix::{
    fcntl::{FcntlArg, fcntl},
    libc,
};

use super::{
    process::{
        ProcessOutput, failed_command_error, new_noninteractive_command, run_expecting_success,
        run_to_any_exit,
    },
    rpm_command::has_rpm_logged_errors,
};
use crate::{host::HostError, host_root::HostRoot};

/// The states of a package between its installation and its removal.
pub(super) const HALF_INSTALLED_STATES: [&str; 5] =
    ["half-installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending"];

/// How often a removal is tried while another process holds dpkg's lock, and the pause between.
pub(super) const TRIES: u32 = 60;
pub(super) const PAUSE: Duration = Duration::from_secs(2);
/// What dpkg ends with when it cannot work at all; without its lock, for instance.
const DPKG_FATAL: i32 = 2;

/// The distribution's package tools, for one root.
#[derive(Debug)]
pub(super) struct OsPackageManager {
    pub(super) family: Option<OsFamily>,
    /// Whether packages are installed by zypper, as on SUSE, and not by dnf.
    pub(super) zypper: bool,
    /// The host's root when it is not `/`.
    pub(super) prefix: Option<String>,
}

impl OsPackageManager {
    /// Properties of packages, by name; `wanted` is their desired state.
    pub(super) fn observe_os_packages(
        &self,
        wanted: &[(&str, Option<&Resource>)],
    ) -> BTreeMap<String, Observation<ResourcePropertiesByKind>> {
        let (Some(family), false) = (self.family, wanted.is_empty()) else { return BTreeMap::new() };
        let mut command = self.query(family);
        let ended = run_to_any_exit(command.arg("--").args(wanted.iter().map(|(name, _)| name)));
        let error = match &ended {
            Ok(ended) if has_answered(family, ended) => None,
            Ok(ended) => Some(failed_command_error(&command, ended).to_string()),
            Err(error) => Some(error.to_string()),
        };
        let mut found = BTreeMap::new();
        let mut half = BTreeSet::new();
        for line in ended.iter().flat_map(|ended: &ProcessOutput| ended.stdout.lines()) {
            if let [name, arch, "installed", version] = line.split('\t').collect::<Vec<_>>()[..] {
                found.insert(name.to_owned(), version.to_owned());
                found.insert(format!("{name}:{arch}"), version.to_owned());
            } else if let [name, arch, state, _] = line.split('\t').collect::<Vec<_>>()[..]
                && HALF_INSTALLED_STATES.contains(&state)
            {
                half.extend([name.to_owned(), format!("{name}:{arch}")]);
            }
        }
        wanted
            .iter()
            .map(|(name, wanted_resource)| {
                let observed =
                    match (error.clone().or_else(|| ambiguous_name(family, name)), found.get(*name)) {
                        (Some(because), _) => Observation::Unreadable(because),
                        (None, Some(version)) => version_in_wanted_form(version, *wanted_resource),
                        // Who wants it gets it installed; who does not, gets rid of what is there of it: left half
                        // installed, it would make every later installation fail.
                        (None, None) if half.contains(*name) => {
                            match wanted_resource.is_some_and(|wanted| wanted.present) {
                                true => Observation::Absent,
                                false => Observation::Present(ResourcePropertiesByKind::new()),
                            }
                        }
                        (None, None) => self.providing_packages(family, name),
                    };
                ((*name).to_owned(), observed)
            })
            .collect()
    }

    /// The query for name, architecture, state and version of packages.
    pub(super) fn query(&self, family: OsFamily) -> Command {
        match family {
            OsFamily::Deb => {
                let mut command = new_noninteractive_command("dpkg-query");
                if let Some(prefix) = &self.prefix {
                    command.arg(format!("--admindir={prefix}/var/lib/dpkg"));
                }
                command.arg("--show");
                command
                    .arg("--showformat=${Package}\\t${Architecture}\\t${db:Status-Status}\\t${Version}\\n");
                command
            }
            OsFamily::Rpm => {
                let mut command = new_noninteractive_command("rpm");
                if let Some(prefix) = &self.prefix {
                    command.args(["--root", prefix]);
                }
                command.args(["--query", "--queryformat"]);
                command.arg("%{NAME}\\t%{ARCH}\\tinstalled\\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\n");
                command
            }
        }
    }

    /// A name no package has may be one that an installed package provides: that, too, is there.
    fn providing_packages(&self, family: OsFamily, name: &str) -> Observation<ResourcePropertiesByKind> {
        let provided = match family {
            OsFamily::Rpm => {
                let mut command = self.query(family);
                let ended = run_to_any_exit(command.args(["--whatprovides", "--", name]));
                ended.and_then(|ended| match has_answered(family, &ended) {
                    true => Ok(ended.status.success()),
                    false => Err(failed_command_error(&command, &ended)),
                })
            }
            OsFamily::Deb => {
                let mut command = new_noninteractive_command("dpkg-query");
                if let Some(prefix) = &self.prefix {
                    command.arg(format!("--admindir={prefix}/var/lib/dpkg"));
                }
                command.args(["--show", "--showformat=${db:Status-Status}, ${Provides}\\n"]);
                run_expecting_success(&mut command).map(|ended| {
                    ended.stdout.lines().any(|line| {
                        let mut words = line.split(", ").map(|word| word.split(' ').next().unwrap_or(word));
                        words.next() == Some("installed") && words.any(|word| word == name)
                    })
                })
            }
        };
        match provided {
            Ok(true) => Observation::Present(ResourcePropertiesByKind::new()),
            Ok(false) => Observation::Absent,
            Err(error) => Observation::Unreadable(error.to_string()),
        }
    }

    /// Installs a package, in this version if one is named.
    pub(super) fn install_os_package(&self, name: &str, version: Option<&str>) -> Result<(), HostError> {
        match self.family {
            Some(OsFamily::Deb) => {
                let what = version.map_or_else(|| name.to_owned(), |version| format!("{name}={version}"));
                let install = |tool: &Self| {
                    run_expecting_success(
                        tool.apt()
                            .args(["install", "--yes", "--allow-downgrades", "--no-install-recommends"])
                            .arg(&what),
                    )
                };
                match install(self) {
                    // Old or missing package lists are the usual reason.
                    Err(HostError::Command { .. }) => {
                        run_expecting_success(self.apt().arg("update"))?;
                        install(self).map(drop)
                    }
                    result => result.map(drop),
                }
            }
            Some(OsFamily::Rpm) => {
                let joint = if self.zypper { "=" } else { "-" };
                let what =
                    version.map_or_else(|| name.to_owned(), |version| format!("{name}{joint}{version}"));
                let mut command = new_noninteractive_command(if self.zypper { "zypper" } else { "dnf" });
                let root = if self.zypper { "root" } else { "installroot" };
                if let Some(prefix) = &self.prefix {
                    command.arg(format!("--{root}={prefix}"));
                }
                if self.zypper {
                    command.args(["--non-interactive", "install", "--no-recommends", "--oldpackage"]);
                } else {
                    command.args(["install", "--assumeyes", "--setopt=install_weak_deps=False"]);
                }
                run_expecting_success(command.arg("--").arg(what)).map(drop)
            }
            None => Err(HostError::Other(format!(
                "package {name} cannot be installed: there is no distribution under this root"
            ))),
        }
    }

    /// Removes a package unless others need it: then it is kept, and the reason is returned.
    pub(super) fn remove_os_package_unless_needed(
        &self,
        root: &HostRoot,
        name: &str,
    ) -> Result<Option<String>, HostError> {
        let Some(family) = self.family else { return Ok(None) };
        let mut command = self.removal(family, &[], name);
        let mut ended = run_to_any_exit(&mut command)?;
        // apt-get waits for the lock, dpkg itself does not.
        for attempt in 0..TRIES {
            let fatal = family == OsFamily::Deb && ended.status.code() == Some(DPKG_FATAL);
            // Whoever held the lock at the first try may have released it since.
            if !fatal || (attempt > 0 && !dpkg_is_locked(root)) {
                break;
            }
            thread::sleep(PAUSE);
            ended = run_to_any_exit(&mut command)?;
        }
        if ended.status.success() {
            Ok(None)
        } else if self.is_needed_by_others(family, name)? {
            Ok(Some("other packages need it".to_owned()))
        } else {
            Err(failed_command_error(&command, &ended))
        }
    }

    /// Whether nothing but the dependencies of other packages keeps `name` from being removed: a trial that
    /// ignores them succeeds, and one that checks them does not.
    fn is_needed_by_others(&self, family: OsFamily, name: &str) -> Result<bool, HostError> {
        let (checked, unchecked): (&[&str], &[&str]) = match family {
            OsFamily::Deb => (&["--dry-run"], &["--dry-run", "--force-depends"]),
            OsFamily::Rpm => (&["--test"], &["--test", "--nodeps"]),
        };
        let succeeds =
            |options| Ok(run_to_any_exit(&mut self.removal(family, options, name))?.status.success());
        Ok(!succeeds(checked)? && succeeds(unchecked)?)
    }

    /// The command that removes a package.
    fn removal(&self, family: OsFamily, options: &[&str], name: &str) -> Command {
        let mut command = match family {
            OsFamily::Deb => {
                let mut command = new_noninteractive_command("dpkg");
                command.args(self.prefix.iter().map(|prefix| format!("--root={prefix}")));
                command.args(options).arg("--remove");
                command
            }
            OsFamily::Rpm => {
                let mut command = new_noninteractive_command("rpm");
                command.args(self.prefix.iter().flat_map(|prefix| ["--root", prefix]));
                command.arg("--erase").args(options);
                command
            }
        };
        command.env("DEBIAN_FRONTEND", "noninteractive").args(["--", name]);
        command
    }

    fn apt(&self) -> Command {
        let mut command = match &self.prefix {
            None => new_noninteractive_command("apt-get"),
            Some(prefix) => {
                let mut command = new_noninteractive_command("chroot");
                command.args([prefix, "apt-get"]);
                command
            }
        };
        command.env("DEBIAN_FRONTEND", "noninteractive").args([
            "--quiet",
            "--option=Dpkg::Options::=--force-confold",
            "--option=DPkg::Lock::Timeout=120",
        ]);
        command
    }
}

/// Whether a query was answered: some packages may be absent, and the others are listed.
fn has_answered(family: OsFamily, ended: &ProcessOutput) -> bool {
    match family {
        OsFamily::Deb => matches!(ended.status.code(), Some(0 | 1)),
        OsFamily::Rpm => ended.status.code().is_some() && !has_rpm_logged_errors(ended),
    }
}

/// Whether another process holds a lock of dpkg.
pub(super) fn dpkg_is_locked(root: &HostRoot) -> bool {
    ["/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock"].iter().any(|path| {
        // Without the file, or where it cannot be asked, there is nothing to wait for.
        root.open_file(path).is_ok_and(|file| is_locked(&file).unwrap_or(false))
    })
}

/// Whether another process holds a lock on the whole file.
fn is_locked(file: &File) -> nix::Result<bool> {
    lock_holder(file).map(|holder| holder.is_some())
}

/// The process that holds a lock on the whole file, as fcntl(2) tells.
pub(super) fn lock_holder(file: &File) -> nix::Result<Option<i32>> {
    let mut lock = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(file, FcntlArg::F_GETLK(&mut lock))?;
    Ok((lock.l_type != libc::F_UNLCK as libc::c_short).then_some(lock.l_pid))
}

/// Why a package tool would take `name` for something else than the name of a package.
fn ambiguous_name(family: OsFamily, name: &str) -> Option<String> {
    let strange = name.starts_with('-') || (family == OsFamily::Deb && name.ends_with('-'));
    strange.then(|| {
        "this is no name of a package: the package tool would remove it, or take it for an option".to_owned()
    })
}

/// The installed version, written like the wanted one when they differ only in an omitted release or epoch.
fn version_in_wanted_form(
    version: &str,
    wanted_resource: Option<&Resource>,
) -> Observation<ResourcePropertiesByKind> {
    let wanted = match wanted_resource.map(|wanted_resource| &wanted_resource.body) {
        Some(ResourceBody::Package(package)) => package.version.as_deref(),
        _ => None,
    };
    let bare = version.split_once(':').map_or(version, |(_, bare)| bare);
    let forms = [version, bare]
        .into_iter()
        .flat_map(|text| [text, text.rsplit_once('-').map_or(text, |(version, _)| version)]);
    let shown = wanted.filter(|wanted| forms.into_iter().any(|form| form == *wanted)).unwrap_or(version);
    Observation::Present(ResourcePropertiesByKind::from([(
        ResourcePropertyKind::Version,
        ResourcePropertyValue::Text(shown.to_owned()),
    )]))
}

#[cfg(test)]
mod tests {
    use model::resource::{PackageResourceBody, ResourceId, ResourceKind};

    use super::*;

    #[test]
    fn installed_version_is_shown_in_the_form_of_the_wanted_version() {
        let wanted_resource = |version: &str| Resource {
            id: ResourceId { kind: ResourceKind::Package, name: "nginx".to_owned() },
            present: true,
            body: ResourceBody::Package(PackageResourceBody { version: Some(version.to_owned()) }),
            require: Vec::new(),
            notify: Vec::new(),
            secret: false,
        };
        let shown =
            |wanted: &str| match version_in_wanted_form("1:1.20.1-10.el9", Some(&wanted_resource(wanted))) {
                Observation::Present(properties) => properties[&ResourcePropertyKind::Version].to_string(),
                _ => unreachable!(),
            };
        for wanted in ["1.20.1", "1.20.1-10.el9", "1:1.20.1", "1:1.20.1-10.el9"] {
            assert_eq!(shown(wanted), wanted);
        }
        assert_eq!(shown("1.20"), "1:1.20.1-10.el9");
    }

    #[test]
    fn lock_held_by_another_process_is_seen() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(!is_locked(file.as_file()).unwrap());
        // flock(1) uses other locks: fcntl's own are needed, as dpkg takes them.
        let script = "import fcntl,sys,time; f=open(sys.argv[1],'r+'); fcntl.lockf(f,fcntl.LOCK_EX); print(flush=True); time.sleep(60)";
        let holder = Command::new("python3")
            .args(["-c", script])
            .arg(file.path())
            .stdout(std::process::Stdio::piped())
            .spawn();
        let Ok(mut holder) = holder else { return };
        let mut line = [0];
        std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut line).unwrap();
        let locked = is_locked(file.as_file());
        holder.kill().unwrap();
        holder.wait().unwrap();
        assert!(locked.unwrap());
        assert!(!is_locked(file.as_file()).unwrap());
    }

    #[test]
    fn package_that_others_need_is_told_from_one_that_cannot_be_removed() {
        let tool = OsPackageManager { family: Some(OsFamily::Deb), zypper: false, prefix: None };
        let ours = run_to_any_exit(new_noninteractive_command("dpkg-query").args(["--show", "libc6"]));
        if !ours.is_ok_and(|ended| ended.status.success()) {
            return;
        }
        assert!(tool.is_needed_by_others(OsFamily::Deb, "libc6").unwrap());
        assert!(!tool.is_needed_by_others(OsFamily::Deb, "libc-bin").unwrap(), "it is essential");
        assert!(!tool.is_needed_by_others(OsFamily::Deb, "no-such-package").unwrap());
    }

    #[test]
    fn package_name_meaning_removal_or_an_option_is_refused() {
        assert!(ambiguous_name(OsFamily::Deb, "nginx-").is_some());
        assert!(ambiguous_name(OsFamily::Rpm, "--allmatches").is_some());
        assert_eq!(ambiguous_name(OsFamily::Deb, "g++"), None);
    }
}
