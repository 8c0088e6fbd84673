//! Which directories a package owns: those that are there for the component alone, so that removing it
//! leaves nothing behind.

use std::{collections::BTreeSet, path::Path};

use super::collect_files::{CollectedContent, CollectedPath};

/// Directories that belong to the system or to many packages; what lies below them may be a component's own.
const SHARED: &str = "
/bin /boot /dev /etc /home /lib /lib64 /media /mnt /opt /proc /root /run /sbin /srv /sys /tmp /usr /var
/etc/apache2 /etc/apt /etc/bash_completion.d /etc/cron.d /etc/cron.daily /etc/cron.hourly /etc/cron.monthly
/etc/cron.weekly /etc/default /etc/httpd /etc/init.d /etc/logrotate.d /etc/modprobe.d /etc/modules-load.d
/etc/nagios /etc/nginx /etc/pam.d /etc/profile.d /etc/rsyslog.d /etc/security /etc/ssh /etc/ssl /etc/sudoers.d
/etc/sysconfig /etc/sysctl.d /etc/systemd /etc/tmpfiles.d /etc/tomcat10 /etc/udev /etc/yum.repos.d
/usr/bin /usr/games /usr/include /usr/lib /usr/lib64 /usr/libexec /usr/local /usr/sbin /usr/share /usr/src
/usr/lib/debug /usr/lib/dracut /usr/lib/firewalld /usr/lib/kernel /usr/lib/locale /usr/lib/modprobe.d
/usr/lib/modules /usr/lib/modules-load.d /usr/lib/nagios /usr/lib/nagios/plugins /usr/lib64/nagios
/usr/lib64/nagios/plugins /usr/lib/python3 /usr/lib/sysctl.d /usr/lib/systemd /usr/lib/systemd/system
/usr/lib/systemd/system-preset /usr/lib/systemd/user /usr/lib/sysusers.d /usr/lib/tmpfiles.d /usr/lib/udev
/usr/lib/udev/rules.d /usr/lib/x86_64-linux-gnu
/usr/share/applications /usr/share/bash-completion /usr/share/bash-completion/completions /usr/share/dbus-1
/usr/share/doc /usr/share/fish /usr/share/fonts /usr/share/icons /usr/share/info /usr/share/java
/usr/share/keyrings /usr/share/licenses /usr/share/locale /usr/share/man /usr/share/metainfo
/usr/share/mime /usr/share/perl5 /usr/share/pixmaps /usr/share/pki /usr/share/polkit-1
/usr/share/tomcat10 /usr/share/webapps /usr/share/zsh /usr/share/zsh/site-functions
/var/backups /var/cache /var/lib /var/local /var/lock /var/log /var/mail /var/opt /var/run /var/spool /var/tmp
/var/lib/nagios /var/lib/tomcat10 /var/log/tomcat10 /var/spool/cron /var/www
";

/// Below these, a directory without another known owner belongs to the package.
const SOFTWARE: [&str; 3] = ["/usr", "/opt", "/srv"];

/// The directories above `items` that the component `name` owns and that are not among them.
///
/// In `/etc` and `/var` a directory may be another package's with an owner and mode of its own, so only those
/// named after the component are taken; others can be named with `directory: true`.
pub(super) fn find_parent_directories_to_own(name: &str, items: &[CollectedPath]) -> Vec<CollectedPath> {
    let shared: BTreeSet<&str> = SHARED.split_whitespace().collect();
    let there: BTreeSet<&str> = items.iter().map(|item| item.path.as_str()).collect();
    let mut found = BTreeSet::new();
    for item in items {
        for parent in Path::new(&item.path).ancestors().skip(1).filter_map(Path::to_str) {
            if parent == "/" || there.contains(parent) || found.contains(parent) {
                continue;
            }
            if owns(name, parent, &shared, items) {
                found.insert(parent.to_owned());
            }
        }
    }
    found
        .into_iter()
        .map(|path| CollectedPath::new_path_owned_by_root(path, CollectedContent::Directory, 0o755))
        .collect()
}

fn owns(name: &str, dir: &str, shared: &BTreeSet<&str>, items: &[CollectedPath]) -> bool {
    if shared.contains(dir) || manual_section(dir) {
        return false;
    }
    let software = SOFTWARE.iter().any(|top| dir.strip_prefix(top).is_some_and(|rest| rest.starts_with('/')));
    let named = dir
        .split('/')
        .any(|part| part == name || part.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')));
    let below_own = items.iter().any(|item| {
        matches!(item.content, CollectedContent::Directory)
            && dir.strip_prefix(item.path.as_str()).is_some_and(|rest| rest.starts_with('/'))
    });
    software || named || below_own
}

/// `/usr/share/man/man1`, `/usr/share/man/fr/man8`, `/usr/share/locale/fr/LC_MESSAGES`, ...
fn manual_section(dir: &str) -> bool {
    ["/usr/share/man/", "/usr/share/locale/", "/usr/share/icons/", "/usr/lib/python3"]
        .iter()
        .any(|top| dir.starts_with(top))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_owns_only_directories_of_its_component() {
        let file = |path: &str| {
            CollectedPath::new_path_owned_by_root(path, CollectedContent::Bytes(Vec::new()), 0o644)
        };
        let items = [
            file("/usr/lib/shop/web/a"),
            file("/usr/lib/acme/tool"),
            file("/usr/lib/systemd/system/shop.service"),
            file("/etc/shop/shop.conf"),
            file("/etc/tomcat10/Catalina/localhost/shop.xml"),
            file("/etc/systemd/system/shop.service.d/a.conf"),
            file("/etc/foreign/x"),
            file("/usr/share/man/man1/shop.1"),
            CollectedPath::new_path_owned_by_root("/var/acme", CollectedContent::Directory, 0o750),
            file("/var/acme/deep/x"),
        ];
        let owned: Vec<String> =
            find_parent_directories_to_own("shop", &items).into_iter().map(|item| item.path).collect();
        assert_eq!(
            owned,
            [
                "/etc/shop",
                "/etc/systemd/system/shop.service.d",
                "/usr/lib/acme",
                "/usr/lib/shop",
                "/usr/lib/shop/web",
                "/var/acme/deep",
            ]
        );
    }
}
