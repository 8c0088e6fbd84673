//! What the archetypes generate, as generated, on a real host. The web-service has the service checks.

use super::{Check, test_environment::TestEnvironment};
use crate::chore_failure::ChoreFailure;

pub(super) const ARCHETYPE_STORY_CHECKS: &[Check] = &[
    ("a processing runs on its schedule and keeps its state", processing),
    ("a schema's migrations reach SQLite, each once", schema_on_sqlite),
    ("a host goes back across a migration that expands the schema", rollback_across_expand),
    (
        "a migration that contracts the schema keeps the host from going back, and is named",
        rollback_across_contract,
    ),
    ("the same migrations reach PostgreSQL, and keep what is in it", schema_on_postgresql),
    ("a monitoring plugin answers by exit code and with performance data", plugin),
    ("a configuration of the system reaches the service it is for", os_config),
    ("a webapp is served by Tomcat, and a new value reaches it", webapp),
    ("what the archetypes brought leaves again", departure),
];

fn processing(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    test.write_and_import_web_role("stock: \">=0\"", "stock: {schedule: \"*:*:0/2\"}")?;
    test.run_restore_on_web_01()?;
    let totals = |lines: u32| {
        format!(
            "for tenth in $(seq 100); do grep -q '\"lines\": {lines},' /var/lib/stock/state.json && exit 0; sleep 0.1; done; \
             cat /var/lib/stock/state.json; journalctl -u stock --no-pager | tail -20; exit 1"
        )
    };
    let look = "journalctl -u stock on web-01";
    test.run_any_exit_on_web_01("printf 'a\\nb\\n' > /tmp/one && mv /tmp/one /var/lib/stock/inbox/")?
        .expect_exit_code(0, look)?;
    test.run_any_exit_on_web_01(&totals(2))?.expect_exit_code(0, look)?;
    test.run_any_exit_on_web_01("printf 'c\\n' > /tmp/two && mv /tmp/two /var/lib/stock/inbox/")?
        .expect_exit_code(0, look)?;
    test.run_any_exit_on_web_01(&totals(3))?.expect_exit_code(0, look)?;
    test.run_any_exit_on_web_01("stat -c %U /var/lib/stock/state.json")?
        .expect_text_in_output("stock")
        .map(drop)
}

fn schema_on_sqlite(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    test.write_and_import_web_role("ledger: \">=0\"", "ledger: {engine: sqlite}")?;
    test.run_restore_on_web_01()?;
    let database = "sqlite3 /var/lib/ledger/ledger.db";
    test.run_any_exit_on_web_01(&format!(
        "{database} \"INSERT INTO item (id, name, price_cents) VALUES (1, 'Pen', 150)\""
    ))?;
    test.run_restore_on_web_01()?;
    test.run_any_exit_on_web_01("punch plan")?.expect_exit_code(0, "the changes above")?;
    // A column of the second migration, and the row that was there.
    test.run_any_exit_on_web_01(&format!("{database} 'SELECT name, changed_at IS NOT NULL FROM item'"))?
        .expect_text_in_output("Pen|1")
        .map(drop)
}

/// Publishes the next version of the schema, with one more migration; its health check succeeds if `health` does.
fn publish_ledger(
    test: &TestEnvironment,
    version: &str,
    migration: (&str, &str),
    health: &str,
) -> Result<(), ChoreFailure> {
    let (name, sql) = migration;
    let typed = format!(
        "sed -i 's/^version: .*/version: {version}/' ledger/component.yaml && printf '%s\\n' '{sql}' > ledger/migrations/{name} && \
         sed -i '/^health:/,$d' ledger/deploy/manifest.yaml && printf 'health:\\n  - command: [{health}]\\n    within: 1\\n' >> ledger/deploy/manifest.yaml && \
         punch package ledger --out ledgers --key alice.key && punch publish ledgers/*{version}*.rpm --channel prod"
    );
    test.developer_shell().run_line_expecting_success(&typed)?;
    test.write_and_import_web_role(&format!("ledger: \"{version}\""), "ledger: {engine: sqlite}").map(drop)
}

/// The columns of the table of items on the host.
fn ledger_columns(test: &TestEnvironment) -> Result<String, ChoreFailure> {
    let typed = "sqlite3 /var/lib/ledger/ledger.db \"SELECT group_concat(name) FROM pragma_table_info('item')\"; \
                 rpm -q --qf '%{VERSION}' ledger";
    Ok(test.run_any_exit_on_web_01(typed)?.expect_exit_code(0, "the output above")?.out.trim().to_owned())
}

fn expect_ledger(test: &TestEnvironment, expected: &str) -> Result<(), ChoreFailure> {
    let columns = ledger_columns(test)?;
    match columns == expected {
        true => Ok(()),
        false => Err(ChoreFailure::new(
            format!("the table and the package are `{columns}`, not `{expected}`"),
            "`punch history` on web-01",
        )),
    }
}

fn rollback_across_expand(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    let wide = "id,name,price_cents,changed_at,note\n";
    let note = ("003_note.sql", "-- phase: expand\nALTER TABLE item ADD COLUMN note TEXT;");
    publish_ledger(test, "0.2.0", note, "/bin/false")?;
    // By itself after a run that failed, and because somebody asks for it.
    test.run_any_exit_on_web_01("punch restore")?.expect_exit_code(4, "the output above")?;
    expect_ledger(test, &format!("{wide}0.1.0"))?;
    publish_ledger(test, "0.2.1", note, "/bin/true")?;
    test.run_restore_on_web_01()?;
    expect_ledger(test, &format!("{wide}0.2.1"))?;
    test.run_any_exit_on_web_01("punch rollback")?.expect_exit_code(4, "the output above")?;
    expect_ledger(test, &format!("{wide}0.1.0"))?;
    test.run_any_exit_on_web_01("punch restore --retry")?.expect_exit_code(0, "the output above")?;
    expect_ledger(test, &format!("{wide}0.2.1"))
}

fn rollback_across_contract(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    let narrow = "id,name,price_cents,changed_at\n";
    let no_note = ("004_no_note.sql", "-- phase: contract\nALTER TABLE item DROP COLUMN note;");
    let refused = "downgrade of ledger";
    let named =
        "migration 004_no_note of 0.3.0-1 is of the phase contract, and 0.2.1-1 may not work after it";
    publish_ledger(test, "0.3.0", no_note, "/bin/false")?;
    test.run_any_exit_on_web_01("punch restore")?
        .expect_exit_code(5, "the output above")?
        .expect_text_in_output(refused)?
        .expect_text_in_output(named)?;
    expect_ledger(test, &format!("{narrow}0.3.0"))?;
    let spare = ("005_spare.sql", "-- phase: expand\nCREATE TABLE spare (id INTEGER);");
    publish_ledger(test, "0.3.1", spare, "/bin/true")?;
    test.run_restore_on_web_01()?;
    let answer = test.run_any_exit_on_web_01("punch rollback")?.expect_exit_code(3, "the output above")?;
    answer.expect_text_in_output(refused)?.expect_text_in_output(named)?;
    expect_ledger(test, &format!("{narrow}0.3.1"))?;
    // The generation that stayed is not given up.
    test.run_any_exit_on_web_01("punch restore")?
        .expect_exit_code(0, "the output above")?
        .expect_text_in_output("unchanged")
        .map(drop)
}

fn schema_on_postgresql(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    let look = "journalctl -u postgresql@15-main on web-01";
    test
        .run_any_exit_on_web_01("DEBIAN_FRONTEND=noninteractive apt-get -q -y install postgresql > /tmp/apt.log 2>&1 || { tail -20 /tmp/apt.log; exit 1; }")?
        .expect_exit_code(0, look)?;
    let ask = "runuser -u postgres -- psql -qtA";
    // By its input: the journal keeps the command line of runuser, which logs whom it becomes.
    let role = "CREATE ROLE ledger LOGIN PASSWORD \\047correct horse\\047;";
    test.run_any_exit_on_web_01(&format!(
        "printf '{role}\\nCREATE DATABASE ledger OWNER ledger;\\n' | {ask} -v ON_ERROR_STOP=1"
    ))?
    .expect_exit_code(0, look)?;
    test.write_and_import_web_role(
        "ledger: \">=0\"",
        "ledger: {engine: postgresql, database: ledger, db_host: 127.0.0.1, password: correct horse}",
    )?;
    test.run_restore_on_web_01()?;
    test.run_any_exit_on_web_01(&format!(
        "{ask} -d ledger -c \"INSERT INTO item (id, name, price_cents) VALUES (1, 'Pen', 150)\""
    ))?
    .expect_exit_code(0, look)?;
    test.run_restore_on_web_01()?;
    test.run_any_exit_on_web_01("punch plan")?.expect_exit_code(0, "the changes above")?;
    test.run_any_exit_on_web_01(&format!(
        "{ask} -d ledger -c 'SELECT name, changed_at IS NOT NULL FROM item'"
    ))?
    .expect_text_in_output("Pen|t")?;
    // The password is in one file, for those who need it, and in no report.
    test.run_any_exit_on_web_01("stat -c %a:%U:%G /etc/ledger/ledger.conf")?
        .expect_text_in_output("640:root:ledger")?;
    let found = test.run_any_exit_on_web_01(
        "punch history --json; punch explain ledger.password; grep -rl 'correct horse' /var/log /var/lib/geppetto/punch",
    )?;
    // The last good node file has it, for root's eyes only.
    let node = "/var/lib/geppetto/punch/node.yaml";
    test.run_any_exit_on_web_01(&format!("stat -c %a:%U {node}"))?.expect_text_in_output("600:root")?;
    let files = found.out.lines().filter(|line| line.starts_with("/var/") && *line != node);
    match files.count() > 0 || found.stdout_and_stderr_text().contains("correct horse") {
        true => Err(ChoreFailure {
            what: "the database's password is told".to_owned(),
            command: Some(found.typed.clone()),
            output: found.stdout_and_stderr_text(),
            look: "the output above".to_owned(),
        }),
        false => Ok(()),
    }
}

fn plugin(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    test.write_and_import_web_role(
        "queue: \">=0\"",
        "queue: {path: /srv/queue, warning: \"1\", critical: \"2\"}",
    )?;
    test.run_any_exit_on_web_01("mkdir -p /srv/queue && chmod 755 /srv/queue")?;
    test.run_restore_on_web_01()?;
    let ask = "runuser -u nobody -- /usr/lib/nagios/plugins/check_queue -p /srv/queue -w 1 -c 2";
    test.run_any_exit_on_web_01(ask)?
        .expect_exit_code(0, "the output above")?
        .expect_text_in_output("OK")?
        .expect_text_in_output("|")?;
    test.run_any_exit_on_web_01("touch /srv/queue/1 /srv/queue/2")?;
    test.run_any_exit_on_web_01(ask)?
        .expect_exit_code(1, "the output above")?
        .expect_text_in_output("WARNING")?;
    test.run_any_exit_on_web_01("touch /srv/queue/3")?;
    test.run_any_exit_on_web_01(ask)?
        .expect_exit_code(2, "the output above")?
        .expect_text_in_output("CRITICAL")?;
    test.run_any_exit_on_web_01(
        "runuser -u nobody -- /usr/lib/nagios/plugins/check_queue -p /srv/none -w 1 -c 2",
    )?
    .expect_exit_code(3, "the output above")?
    .expect_text_in_output("UNKNOWN")
    .map(drop)
}

fn os_config(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    let started = "systemctl show -p ActiveEnterTimestampMonotonic systemd-journald";
    let before = test.run_any_exit_on_web_01(started)?.out;
    test.write_and_import_web_role("journal: \">=0\"", "journal: {max_use: 77M}")?;
    test.run_restore_on_web_01()?;
    test.run_any_exit_on_web_01("systemd-analyze cat-config systemd/journald.conf")?
        .expect_text_in_output("SystemMaxUse=77M")?;
    if test.run_any_exit_on_web_01(started)?.out == before {
        return Err(ChoreFailure::new("systemd-journald was not restarted", "`punch history` on web-01"));
    }
    test.run_any_exit_on_web_01("systemctl is-active systemd-journald")?
        .expect_exit_code(0, "the output above")?;
    // Nobody describes the service any more, and it must forget all the same.
    let before = test.run_any_exit_on_web_01(started)?.out;
    test.write_and_import_web_role("", "")?;
    test.run_restore_on_web_01()?;
    test.run_any_exit_on_web_01("ls /etc/systemd/journald.conf.d/journal.conf")?
        .expect_exit_code(2, "the file is still there")?;
    match test.run_any_exit_on_web_01(started)?.out == before {
        true => Err(ChoreFailure::new(
            "systemd-journald still runs with the settings that left",
            "`punch history` on web-01",
        )),
        false => Ok(()),
    }
}

fn webapp(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    test.write_and_import_web_role("portal: \">=0\"", "portal: {banner: Hello}")?;
    test.run_restore_on_web_01()?;
    test.wait_for_http_text_of_web_01(8080, "/portal/", "Hello")?;
    test.write_and_import_web_role("portal: \">=0\"", "portal: {banner: \"Bonjour & <tout le monde>\"}")?;
    test.run_restore_on_web_01()?;
    test.wait_for_http_text_of_web_01(8080, "/portal/", "Bonjour &amp; &lt;tout le monde&gt;")
}

fn departure(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    test.write_and_import_web_role("", "")?;
    test.run_restore_on_web_01()?;
    let left = test
        .run_any_exit_on_web_01("rpm -qa --qf '%{NAME}\\n' | grep -E 'stock|ledger|queue|journal|portal'")?
        .out;
    if !left.trim().is_empty() {
        return Err(ChoreFailure::new(
            format!("these packages are left:\n{left}"),
            "`punch history` on web-01",
        ));
    }
    test.run_any_exit_on_web_01("ls /etc/tomcat10/Catalina/localhost/portal.xml")?
        .expect_exit_code(2, "the file is still there")?;
    // What a component wrote itself is data, and stays.
    test.run_any_exit_on_web_01("sqlite3 /var/lib/ledger/ledger.db 'SELECT name FROM item'")?
        .expect_text_in_output("Pen")
        .map(drop)
}
