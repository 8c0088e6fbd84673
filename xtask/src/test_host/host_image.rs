//! Debian images: made once by mmdebstrap, kept in the work folder under a name that says what is in them.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
};

use crate::{
    chore_failure::{ChoreFailure, io_failure_maker_for_path},
    command_shell::CommandShell,
};

/// What every host has from the start, beside Debian's smallest system.
const BASE: &str = "systemd,systemd-sysv,dbus,udev,passwd,procps,iproute2,rpm,cron,curl,python3,sqlite3";

/// Packages that a host can install with apt-get though it has no internet: they are in a local archive.
const ARCHIVE: [&str; 5] =
    ["prometheus-node-exporter", "tomcat10", "openssh-server", "postgresql", "haproxy"];

/// What makes a minimal Debian a good host: names, and the folder whose absence breaks Java's packages.
const FINISH: &str = "printf '127.0.0.1 localhost\\n' > \"$1/etc/hosts\"; mkdir -p \"$1/usr/share/man/man1\"; \
                      rm -f \"$1/etc/machine-id\"; : > \"$1/etc/machine-id\"";

/// A file system a host can boot from: read-only layers, the strongest first.
pub(crate) struct HostImage {
    layers: Vec<PathBuf>,
}

impl HostImage {
    /// Debian with what every host needs.
    pub(crate) fn build_or_reuse_debian_image(work: &Path) -> Result<HostImage, ChoreFailure> {
        let hosts = work.join("hosts");
        fs::create_dir_all(&hosts).map_err(io_failure_maker_for_path("create", &hosts))?;
        let layer = hosts.join(format!("debian-{:016x}", content_key(&[BASE, FINISH])));
        cached_layer(&layer, |partial| {
            CommandShell::shell_on_this_machine(&hosts).run_line_expecting_success(&format!(
                "mmdebstrap --mode=root --variant=minbase --include={BASE} \
                 --aptopt='APT::Install-Recommends \"false\"' \
                 --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
                 --dpkgopt='path-exclude=/usr/share/man/*/*' \
                 --customize-hook={hook} bookworm {partial}",
                hook = quoted(FINISH),
                partial = partial.display()
            ))
        })?;
        Ok(HostImage { layers: vec![layer] })
    }

    /// The same image with an archive of Debian packages inside it, which its apt-get installs from.
    pub(crate) fn with_local_debian_package_archive(&self, work: &Path) -> Result<HostImage, ChoreFailure> {
        let hosts = work.join("hosts");
        let below = self.overlay_mount_lowerdir_text();
        let packages = ARCHIVE.join(" ");
        let layer = hosts.join(format!("archive-{:016x}", content_key(&[&below, &packages, FILL])));
        cached_layer(&layer, |partial| {
            let script = FILL
                .replace("PARTIAL", &partial.display().to_string())
                .replace("BELOW", &below)
                .replace("PACKAGES", &packages);
            CommandShell::shell_on_this_machine(&hosts)
                .run_line_expecting_success(&format!("unshare -m sh -ec {}", quoted(&script)))
        })?;
        let layers = [layer].into_iter().chain(self.layers.iter().cloned()).collect();
        Ok(HostImage { layers })
    }

    /// Its layers as `mount -t overlay` wants them.
    pub(crate) fn overlay_mount_lowerdir_text(&self) -> String {
        self.layers.iter().map(|layer| layer.display().to_string()).collect::<Vec<_>>().join(":")
    }
}

/// Downloads packages inside the image, then makes them its only source of packages.
const FILL: &str = "
    mkdir -p PARTIAL PARTIAL.scratch PARTIAL.root
    mount -t overlay overlay -o lowerdir=BELOW,upperdir=PARTIAL,workdir=PARTIAL.scratch PARTIAL.root
    cd PARTIAL.root
    cp /etc/resolv.conf etc/resolv.conf
    chroot . apt-get -q update
    chroot . apt-get -q install --yes --download-only PACKAGES
    mkdir -p srv/packages
    mv var/cache/apt/archives/*.deb srv/packages/
    (cd srv/packages && dpkg-scanpackages --multiversion . > Packages)
    rm -rf etc/apt/sources.list etc/apt/sources.list.d var/lib/apt/lists etc/resolv.conf
    echo 'deb [trusted=yes] file:/srv/packages ./' > etc/apt/sources.list
    chroot . apt-get -q update
    chroot . apt-get -q clean
    cd /
    umount PARTIAL.root
    rmdir PARTIAL.root
    rm -rf PARTIAL.scratch";

/// Makes `layer` by filling a folder beside it and renaming that, unless it is there already.
fn cached_layer(
    layer: &Path,
    fill: impl FnOnce(&Path) -> Result<crate::command_shell::CommandOutput, ChoreFailure>,
) -> Result<(), ChoreFailure> {
    if layer.exists() {
        return Ok(());
    }
    let partial = layer.with_extension("partial");
    for suffix in ["", ".scratch", ".root"] {
        let left = PathBuf::from(format!("{}{suffix}", partial.display()));
        if left.exists() {
            fs::remove_dir_all(&left).map_err(io_failure_maker_for_path("remove", &left))?;
        }
    }
    fill(&partial).map_err(|trouble| ChoreFailure {
        what: format!("the image {} could not be made: {}", layer.display(), trouble.what),
        look: "is Debian's mirror reachable? (apt-get update)".to_owned(),
        ..trouble
    })?;
    fs::rename(&partial, layer).map_err(io_failure_maker_for_path("rename", &partial))
}

/// A number that changes when what an image is made from changes.
fn content_key(parts: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

/// One word for the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
