//! Hosts with users, groups, services, jobs, commands and packages of the system: punch is killed at any instant, and after
//! the next run they are like hosts that were made in a single run.

use std::{collections::BTreeSet, fs};

use super::{Check, test_environment::TestEnvironment};
use crate::{
    chore_failure::{ChoreFailure, io_failure_maker_for_path},
    generated_inventory::sequence::SeededNumberSequence,
};

pub(super) const HISTORY_STORY_CHECKS: &[Check] = &[
    ("a host is made in each state in a single run, and has nothing of it afterwards", made_in_single_runs),
    ("a run that fails puts back accounts, services and packages that were there before punch", put_back),
    ("whatever was killed at any instant, the next run leaves a host that was made in a single run", killed),
    (
        "whenever the whole host was killed, the next run leaves one that was made in a single run",
        killed_whole,
    ),
];

/// What the host has, by the version of the component; none is a host without it.
const STATES: [Option<&str>; 4] = [None, Some("1.0.0"), Some("1.1.0"), Some("2.0.0")];

/// How many runs are killed.
const KILLS: u64 = 24;
/// How many runs are killed with the whole host.
const KILLS_OF_WHOLE_HOST: u64 = 8;

/// Makes two versions of a package of the system, from which apt-get installs the older one.
const VISITOR_PACKAGES: &str = r#"mkdir -p /srv/debs && cd /srv/debs && for version in 1.0 2.0; do
  mkdir -p build/DEBIAN && printf 'Package: visitor-tools
Version: %s
Architecture: all
Maintainer: A <a@example.org>
Description: tools
' $version > build/DEBIAN/control
  dpkg-deb --build build visitor-tools_$version.deb > /dev/null
  { cat build/DEBIAN/control; echo "Filename: ./visitor-tools_$version.deb"; stat -c 'Size: %s' visitor-tools_$version.deb; echo "SHA256: $(sha256sum visitor-tools_$version.deb | cut -d' ' -f1)"; echo; }
done > Packages && rm -r build && mkdir -p /etc/apt/sources.list.d && echo 'deb [trusted=yes] file:/srv/debs ./' > /etc/apt/sources.list.d/visitor.list &&
apt-get -q update > /tmp/apt.log 2>&1 && apt-get -q -y install visitor-tools=1.0 >> /tmp/apt.log 2>&1 || { cat /tmp/apt.log; exit 1; }"#;

const FINGERPRINT: &str = include_str!("host_fingerprint.py");

/// The payload's unit and what the manifest says, by version.
const VERSIONS: [(&str, &str); 4] = [
    (
        "1.0.0",
        "
  - {group: sundry, system: true}
  - {user: sundry, system: true, group: sundry, home: /var/lib/sundry, shell: /usr/sbin/nologin}
  - {package: libjpeg62-turbo}
  - {directory: /var/lib/sundry, owner: sundry, group: sundry, mode: \"0750\"}
  - {file: /etc/sundry.conf, content: \"one\\n\", group: sundry, mode: \"0640\", notify: [service:sundry]}
  - {exec: sundry-data, command: [/usr/bin/install, -m, \"0600\", /dev/null, /var/lib/sundry/data], creates: /var/lib/sundry/data, user: sundry, require: [directory:/var/lib/sundry], reversible: true}
  - {cron: sundry, schedule: \"@daily\", user: sundry, command: /usr/bin/sundry}
  - {service: sundry, enabled: true, running: true}
",
    ),
    (
        "1.1.0",
        "
  - {group: sundry, system: true}
  - {group: sundry-readers, system: true}
  - {user: sundry, system: true, group: sundry, groups: [sundry-readers], home: /var/lib/sundry, shell: /bin/sh, comment: Sundry}
  - {user: sundry-extra, system: true, group: sundry-readers, home: /nonexistent, shell: /usr/sbin/nologin}
  - {package: libpng16-16}
  - {directory: /var/lib/sundry, owner: sundry, group: sundry-readers, mode: \"0750\"}
  - {file: /var/lib/sundry/extra, content: \"x\\n\", owner: sundry, group: sundry}
  - {file: /etc/sundry.conf, content: \"two\\n\", notify: [service:sundry]}
  - {service: sundry, enabled: true, running: true}
  - {service: sundry-extra, enabled: true, running: true}
",
    ),
    (
        "2.0.0",
        "
  - {user: sundry-extra, system: true, home: /nonexistent, shell: /usr/sbin/nologin}
  - {package: libjpeg62-turbo}
  - {package: libpng16-16}
  - {directory: /etc/sundry.conf}
  - {file: /etc/sundry.conf/main, content: \"three\\n\", owner: sundry-extra, mode: \"0600\"}
  - {symlink: /etc/sundry.link, target: sundry.conf/main}
  - {service: sundry, enabled: false, running: true}
",
    ),
    // What was there before punch is changed, and then something fails.
    (
        "9.0.0",
        "
  - {group: visitors, gid: 4242}
  - {user: visitor, shell: /usr/sbin/nologin, comment: Changed, groups: [], home: /srv/visitor}
  - {service: cron, enabled: false, running: false}
  - {package: visitor-tools, version: \"2.0\"}
  - {exec: sundry-fails, command: [/bin/false], creates: /nowhere, reversible: true, require: [service:cron, package:visitor-tools]}
",
    ),
];

fn publish_versions(test: &TestEnvironment) -> Result<(), ChoreFailure> {
    let folder = test.developer.folder.join("sundry");
    for (version, resources) in VERSIONS {
        let unit = |name: &str| {
            format!(
                "[Unit]\nDescription={name} {version}\n[Service]\nExecStart=/usr/bin/sundry\n[Install]\nWantedBy=multi-user.target\n"
            )
        };
        let mut files = String::new();
        for (number, (path, content)) in [
            ("/usr/bin/sundry", format!("#!/bin/sh\n# {version}\nexec sleep infinity\n")),
            ("/usr/lib/systemd/system/sundry.service", unit("sundry")),
            ("/usr/lib/systemd/system/sundry-extra.service", unit("sundry-extra")),
        ]
        .into_iter()
        .enumerate()
        {
            write(&folder.join(format!("files/{number}")), &content)?;
            let mode = if number == 0 { "0755" } else { "0644" };
            files += &format!("  - {{source: files/{number}, path: {path}, mode: \"{mode}\"}}\n");
        }
        write(
            &folder.join("component.yaml"),
            &format!(
                "format: geppetto/component/1\nname: sundry\nversion: {version}\nkind: processing\nsummary: Has a history\n\
                 license: Apache-2.0\nfiles:\n{files}"
            ),
        )?;
        write(
            &folder.join("deploy/manifest.yaml"),
            &format!("format: geppetto/manifest/1\nresources:{resources}"),
        )?;
        test.developer_shell()
            .run_line_expecting_success("punch package sundry --out sundries --key alice.key")?;
    }
    test.developer_shell().run_line_expecting_success("punch publish sundries/*.rpm --channel prod").map(drop)
}

fn write(path: &std::path::Path, text: &str) -> Result<(), ChoreFailure> {
    let failed = io_failure_maker_for_path("write", path);
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).and_then(|()| fs::write(path, text)).map_err(failed)
}

/// Says what the host shall have.
fn want(test: &TestEnvironment, state: usize) -> Result<(), ChoreFailure> {
    let components = STATES[state].map_or(String::new(), |version| format!("sundry: \"{version}\""));
    test.write_and_import_web_role(&components, "").map(drop)
}

fn restore(test: &TestEnvironment) -> Result<(), ChoreFailure> {
    let restored = test.run_any_exit_on_web_01("punch restore --max-removals 50")?;
    restored.expect_exit_code(0, "`punch history` on web-01").map(drop)
}

fn fingerprint(test: &TestEnvironment) -> Result<BTreeSet<String>, ChoreFailure> {
    let shell = test.host.root_command_shell().without_echo();
    let seen = shell.run_line_expecting_success(&format!("python3 - <<'PYTHON'\n{FINGERPRINT}\nPYTHON"))?;
    Ok(seen.out.lines().map(str::to_owned).collect())
}

/// What is different; the file in which a clean host's fingerprint is kept has its state's number.
fn expect_like(test: &TestEnvironment, state: usize, title: &str) -> Result<(), ChoreFailure> {
    expect_same(&fingerprint(test)?, &clean_fingerprint(test, state)?, title)
}

fn expect_same(now: &BTreeSet<String>, clean: &BTreeSet<String>, title: &str) -> Result<(), ChoreFailure> {
    let lines: Vec<String> = now
        .difference(clean)
        .map(|line| format!("+ {line}"))
        .chain(clean.difference(now).map(|line| format!("- {line}")))
        .collect();
    match lines.is_empty() {
        true => Ok(()),
        false => Err(ChoreFailure {
            what: format!("the host has traces of its history: {title}"),
            command: None,
            output: lines.join("\n"),
            look: "`punch history` on web-01".to_owned(),
        }),
    }
}

fn clean_fingerprint(test: &TestEnvironment, state: usize) -> Result<BTreeSet<String>, ChoreFailure> {
    let path = test.developer.folder.join(format!("clean-{state}"));
    let text = fs::read_to_string(&path).map_err(io_failure_maker_for_path("read", &path))?;
    Ok(text.lines().map(str::to_owned).collect())
}

fn made_in_single_runs(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    publish_versions(test)?;
    want(test, 0)?;
    restore(test)?;
    for (state, version) in STATES.iter().enumerate() {
        want(test, state)?;
        restore(test)?;
        let lines: Vec<String> = fingerprint(test)?.into_iter().collect();
        write(&test.developer.folder.join(format!("clean-{state}")), &lines.join("\n"))?;
        want(test, 0)?;
        restore(test)?;
        remove_data_of_earlier_states(test, 0)?;
        expect_like(test, 0, &format!("{version:?} came and left"))?;
    }
    Ok(())
}

fn put_back(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    test.run_any_exit_on_web_01(
        "groupadd visitors && useradd --create-home --shell /bin/sh --comment Visitor --groups visitors,adm visitor",
    )?
    .expect_exit_code(0, "the output above")?;
    test.run_any_exit_on_web_01(VISITOR_PACKAGES)?.expect_exit_code(0, "the output above")?;
    want(test, 1)?;
    restore(test)?;
    let before = fingerprint(test)?;
    let look = "systemctl is-enabled cron; systemctl is-active cron; getent group visitors; id visitor; dpkg-query --show visitor-tools";
    let accounts = test.run_any_exit_on_web_01(look)?.out;
    test.write_and_import_web_role("sundry: \"9.0.0\"", "")?;
    test.run_any_exit_on_web_01("punch restore --max-removals 50")?
        .expect_exit_code(4, "the output above")?
        .expect_text_in_output("FAILED: `/bin/false` failed")?;
    test.run_any_exit_on_web_01(look)?.expect_text_in_output(&accounts)?;
    expect_same(&fingerprint(test)?, &before, "a run failed that had changed accounts and a service")?;
    want(test, 0)?;
    restore(test)?;
    remove_data_of_earlier_states(test, 0)?;
    test.run_any_exit_on_web_01(
        "userdel --remove visitor && groupdel visitors && dpkg --purge visitor-tools && rm -r /srv/debs /etc/apt/sources.list.d/visitor.list && { rmdir /etc/apt/sources.list.d; apt-get -q update; }",
    )?;
    expect_like(test, 0, "the visitor left")
}

/// What a component wrote itself is data, and stays with its folder; a host made in a single run never had it.
fn remove_data_of_earlier_states(test: &TestEnvironment, state: usize) -> Result<(), ChoreFailure> {
    if matches!(STATES[state], None | Some("2.0.0")) {
        test.run_any_exit_on_web_01("rm -rf /var/lib/sundry")?;
    }
    Ok(())
}

fn killed(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    for_each_kill(test, KILLS, "kills of a booted host", |test, milliseconds, numbers| {
        // Alone, or with all that it runs.
        let whom = if numbers.next_below(2) == 0 { "$punch" } else { "-$punch" };
        let typed = format!(
            "setsid punch restore --max-removals 50 > /tmp/killed.log 2>&1 & punch=$!; sleep {}; kill -9 -- {whom}; wait $punch",
            seconds(milliseconds)
        );
        test.run_any_exit_on_web_01(&typed).map(drop)
    })
}

fn killed_whole(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    for_each_kill(test, KILLS_OF_WHOLE_HOST, "kills of a whole host", |test, milliseconds, _| {
        let typed = format!(
            "setsid punch restore --max-removals 50 > /dev/null 2>&1 < /dev/null & sleep {}",
            seconds(milliseconds)
        );
        test.run_any_exit_on_web_01(&typed)?;
        test.kill_web_01_whole_and_boot_again()
    })
}

fn seconds(milliseconds: usize) -> String {
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}

/// Begins a run from one state to another `kills` times, has it killed after some milliseconds, and runs again.
fn for_each_kill(
    test: &mut TestEnvironment,
    kills: u64,
    seed: &str,
    begin_and_kill: impl Fn(&mut TestEnvironment, usize, &mut SeededNumberSequence) -> Result<(), ChoreFailure>,
) -> Result<(), ChoreFailure> {
    let mut numbers = SeededNumberSequence::from_text(seed);
    let count = STATES.len();
    let mut failures = Vec::new();
    let mut from = 0;
    want(test, from)?;
    restore(test)?;
    remove_data_of_earlier_states(test, from)?;
    for kill in 1..=kills {
        let to = (from + 1 + numbers.next_below(count - 1)) % count;
        want(test, to)?;
        let milliseconds = numbers.next_below(2500);
        begin_and_kill(test, milliseconds, &mut numbers)?;
        let title = format!("kill {kill}, after {milliseconds} ms of {:?} -> {:?}", STATES[from], STATES[to]);
        // What a killed punch began may still be at work.
        test.run_any_exit_on_web_01(
            "for second in $(seq 60); do punch restore --max-removals 50 > /tmp/restore.log 2>&1; code=$?; [ $code = 3 ] || break; sleep 1; done; cat /tmp/restore.log; exit $code",
        )?
        .expect_exit_code(0, &title)?;
        remove_data_of_earlier_states(test, to)?;
        if let Err(failure) = expect_like(test, to, &title) {
            failures.push(format!("{}\n{}", failure.what, failure.output));
        }
        from = to;
    }
    match failures.is_empty() {
        true => Ok(()),
        false => Err(ChoreFailure {
            what: format!("{} of {kills} killed runs left traces", failures.len()),
            command: None,
            output: failures.join("\n"),
            look: "`punch history` on web-01".to_owned(),
        }),
    }
}
