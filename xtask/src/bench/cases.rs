//! What is compared, and what has to be there for it.

use std::fs;

use super::{Case, results::ResultTarget};
use crate::{
    chore_failure::{ChoreFailure, io_failure_maker_for_path},
    control_plane::ControlPlaneProcess,
    scripted_developer::{self, DeveloperWorkspace},
};

/// How many packages the repositories of the comparison with createrepo_c hold.
const PACKAGES: [usize; 2] = [200, 5000];

/// The case that tells how long it takes to start at all.
pub(super) const START_UP_CASE_NAME: &str = "start";

/// The peer takes at least our CPU time.
const NO_SLOWER: ResultTarget = ResultTarget::Ratio(1.0);

/// The cases, and what must keep running while they do.
pub(super) struct PreparedBenchCases {
    pub(super) cases: Vec<Case>,
    pub(super) control_plane: ControlPlaneProcess,
}

/// Makes the folders all commands work on.
pub(super) fn set_up_control_plane_and_cases(
    developer: &DeveloperWorkspace,
) -> Result<PreparedBenchCases, ChoreFailure> {
    let channels: String = PACKAGES.iter().map(|packages| format!(" --channel channel-{packages}")).collect();
    developer.terminal.run_line_expecting_success(&format!("geppetto init --data data{channels}"))?;
    let control_plane =
        scripted_developer::start_control_plane_on_free_port(&developer.terminal, "127.0.0.1")?;
    scripted_developer::log_in_and_create_trusted_developer_key(&developer.terminal, &control_plane)?;
    let mut cases = vec![packaging(developer)?];
    for packages in PACKAGES {
        cases.push(publishing(developer, packages)?);
    }
    cases.extend([unchanged_apply(developer)?, start_up()]);
    Ok(PreparedBenchCases { cases, control_plane })
}

/// `punch package` beside `rpmbuild`: the same 20 MB of files.
fn packaging(developer: &DeveloperWorkspace) -> Result<Case, ChoreFailure> {
    let terminal = &developer.terminal;
    let component = "format: geppetto/component/1\nname: bulk\nversion: 1.0.0\nkind: processing\n\
                     summary: Files to measure packaging with\nlicense: Apache-2.0\n\
                     files:\n  - source: data\n    path: /usr/share/bulk/\n";
    write(developer, "bulk/component.yaml", component)?;
    // The same bytes each time, half of them compressible.
    terminal.run_line_expecting_success(
        "mkdir -p bulk/data && python3 -c \"\nimport random\nr = random.Random(1)\n\
         for i in range(20):\n    open(f'bulk/data/{i}.bin', 'wb').write(r.randbytes(1 << 19) + b'geppetto' * (1 << 16))\n\"",
    )?;
    let spec = format!(
        "Name: bulk\nVersion: 1.0.0\nRelease: 1\nSummary: Files to measure packaging with\nLicense: Apache-2.0\n\
         BuildArch: noarch\n%define _binary_payload w3.zstdio\n%description\nFiles.\n%install\n\
         mkdir -p %{{buildroot}}/usr/share/bulk\ncp {}/bulk/data/* %{{buildroot}}/usr/share/bulk/\n\
         %files\n/usr/share/bulk\n",
        developer.folder.display()
    );
    write(developer, "bulk.spec", &spec)?;
    Ok(Case {
        name: "package-20mb".to_owned(),
        what: "package 20 MB in 20 files".to_owned(),
        ours: "punch package bulk --out dist-bulk".to_owned(),
        peer: (
            "rpmbuild -bb",
            "rpmbuild -bb --quiet --define \"_topdir $PWD/rpmbuild\" bulk.spec > rpmbuild.log 2>&1"
                .to_owned(),
        ),
        peer_version: "rpmbuild --version",
        before: "rm -rf dist-bulk rpmbuild".to_owned(),
        asks_control_plane: false,
        target: NO_SLOWER,
    })
}

/// `punch publish` of one more component beside `createrepo_c --update`, in a repository that holds many.
///
/// Ours is the whole way: checked, sent, its signature verified, flushed to the disk, the metadata signed. The
/// peer's is the metadata alone, unsigned and not flushed.
fn publishing(developer: &DeveloperWorkspace, packages: usize) -> Result<Case, ChoreFailure> {
    let terminal = &developer.terminal;
    let name = format!("small{packages}");
    let component = |version: usize| {
        format!(
            "format: geppetto/component/1\nname: {name}\nversion: 1.0.{version}\nkind: os-config\n\
             summary: A file to measure publishing with\nlicense: Apache-2.0\n"
        )
    };
    let manifest = format!(
        "format: geppetto/manifest/1\nresources:\n  - file: /etc/{name}\n    content: \"small\\n\"\n"
    );
    write(developer, &format!("{name}/deploy/manifest.yaml"), &manifest)?;
    for version in 0..packages / 2 {
        write(developer, &format!("{name}/component.yaml"), &component(version))?;
        terminal
            .run_line_expecting_success(&format!("punch package {name} --out many-{name} --key alice.key"))?;
    }
    let channel = format!("channel-{packages}");
    terminal.run_line_expecting_success(&format!("punch publish many-{name}/*.rpm --channel {channel}"))?;
    // The peer's repository: the same packages.
    terminal
        .run_line_expecting_success(&format!("mkdir peer-{name} && cp many-{name}/*.rpm peer-{name}/"))?;
    if terminal.run_line_to_any_exit("command -v createrepo_c")?.code == 0 {
        terminal.run_line_expecting_success(&format!("createrepo_c --quiet peer-{name}"))?;
    }
    // Every run publishes a version that is not there yet.
    let next = format!(
        "echo $(( $(cat next 2> /dev/null || echo 10000) + 1 )) > next && rm -rf one && \
         sed \"s/^version: .*/version: 1.0.$(cat next)/\" -i {name}/component.yaml && \
         punch package {name} --out one --key alice.key > /dev/null && cp one/*.rpm peer-{name}/"
    );
    Ok(Case {
        name: format!("publish-{packages}"),
        what: format!("publish one component beside {packages} packages"),
        ours: format!("punch publish one/*.rpm --channel {channel}"),
        peer: ("createrepo_c --update", format!("createrepo_c --quiet --update peer-{name}")),
        peer_version: "createrepo_c --version",
        before: next,
        asks_control_plane: true,
        target: NO_SLOWER,
    })
}

/// `punch apply` that has nothing to do beside `puppet apply` that has nothing to do: the same 50 files.
fn unchanged_apply(developer: &DeveloperWorkspace) -> Result<Case, ChoreFailure> {
    let terminal = &developer.terminal;
    let root = developer.folder.join("root");
    let mut manifest = "format: geppetto/manifest/1\nresources:\n  - directory: /etc/files\n".to_owned();
    let mut puppet = format!("file {{ '{0}/puppet': ensure => directory }}\n", developer.folder.display());
    for number in 0..50 {
        manifest.push_str(&format!(
            "  - file: /etc/files/{number}\n    mode: \"0644\"\n    content: \"file {number}\\n\"\n"
        ));
        puppet.push_str(&format!(
            "file {{ '{}/puppet/{number}': ensure => file, mode => '0644', content => \"file {number}\\n\" }}\n",
            developer.folder.display()
        ));
    }
    let component = "format: geppetto/component/1\nname: files\nversion: 1.0.0\nkind: os-config\n\
                     summary: Files to measure a run without changes with\nlicense: Apache-2.0\n";
    write(developer, "files/component.yaml", component)?;
    write(developer, "files/deploy/manifest.yaml", &manifest)?;
    write(developer, "files.pp", &puppet)?;
    write(developer, "node.yaml", "format: geppetto/node/1\ncomponents: {files: {version: 1.0.0}}\n")?;
    terminal.run_line_expecting_success("punch package files --out dist-files --key alice.key")?;
    let ours = format!("punch apply node.yaml --repository dist-files --root {}", root.display());
    terminal.run_line_expecting_success(&ours)?;
    Ok(Case {
        name: "apply-unchanged".to_owned(),
        what: "apply 50 files that are right already".to_owned(),
        ours,
        peer: ("puppet apply", "puppet apply files.pp > puppet.log 2>&1".to_owned()),
        peer_version: "puppet --version",
        before: String::new(),
        asks_control_plane: false,
        target: NO_SLOWER,
    })
}

/// How long it takes to start at all.
fn start_up() -> Case {
    Case {
        name: START_UP_CASE_NAME.to_owned(),
        what: "start and print the version".to_owned(),
        ours: "punch --version".to_owned(),
        peer: ("puppet --version", "puppet --version".to_owned()),
        peer_version: "puppet --version",
        before: String::new(),
        asks_control_plane: false,
        target: NO_SLOWER,
    }
}

fn write(developer: &DeveloperWorkspace, path: &str, text: &str) -> Result<(), ChoreFailure> {
    let file = developer.folder.join(path);
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(io_failure_maker_for_path("create", folder))?;
    }
    fs::write(&file, text).map_err(io_failure_maker_for_path("write", &file))
}
