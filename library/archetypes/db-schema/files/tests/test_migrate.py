"""Runs the real program on a SQLite file and, where PostgreSQL is installed, on a private cluster."""

import glob
import os
import pwd
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(HERE, "..", "src", "migrate")
MIGRATIONS = os.path.join(HERE, "..", "migrations")


class Contract:
    """What holds for both engines."""

    engine = None

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        os.chmod(self.folder, 0o755)
        self.migrations = os.path.join(self.folder, "migrations")
        shutil.copytree(MIGRATIONS, self.migrations)
        self.config = os.path.join(self.folder, "test.conf")
        with open(self.config, "w") as file:
            file.write(f"[database]\nengine = {self.engine}\n{self.settings()}\n")

    def tearDown(self):
        shutil.rmtree(self.folder)

    def migrate(self, *arguments, status=0):
        done = subprocess.run(
            [sys.executable, PROGRAM, "--config", self.config, "--migrations", self.migrations, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
        )
        self.assertEqual(done.returncode, status, done.stdout)
        return done.stdout

    def add(self, name, sql, phase="expand"):
        with open(os.path.join(self.migrations, name), "w") as file:
            file.write(f"-- phase: {phase}\n{sql}")

    def test_all_are_applied_once_and_check_knows(self):
        self.assertIn("2 to apply, the first is 001_", self.migrate("--check", status=1))
        self.assertEqual(self.migrate().count("applied "), 2)
        self.assertIn("nothing to apply", self.migrate("--check"))
        self.assertIn("nothing to apply", self.migrate())
        self.query("INSERT INTO item (id, name, price_cents) VALUES (1, 'Cup', 250)")
        self.assertEqual(self.query("SELECT name, price_cents FROM item"), "Cup|250")
        self.assertNotEqual(self.query("SELECT changed_at FROM item"), "")

    def test_a_failing_migration_leaves_nothing_and_keeps_what_was_before(self):
        self.add("003_half.sql", "CREATE TABLE half (id INTEGER);\nINSERT INTO nowhere VALUES (1);\n")
        self.assertIn("003_half.sql failed, and nothing of it was kept", self.migrate(status=1))
        self.assertEqual(self.query("SELECT count(*) FROM schema_migrations"), "2")
        self.add("003_half.sql", "CREATE TABLE half (id INTEGER);\n")
        self.assertIn("applied 003_half.sql", self.migrate())

    def test_a_changed_migration_and_a_second_of_one_number_are_refused(self):
        self.migrate()
        with open(os.path.join(self.migrations, "001_items.sql"), "a") as file:
            file.write("-- edited\n")
        self.assertIn("001_items.sql was changed after it was applied", self.migrate(status=1))
        self.add("001_other.sql", "SELECT 1;\n")
        self.assertIn("have the same number", self.migrate(status=1))

    def test_a_database_newer_than_the_package_is_left_alone(self):
        self.migrate()
        for path in glob.glob(os.path.join(self.migrations, "002_*")):
            os.unlink(path)
        self.assertIn("newer than these migrations: it also has 002", self.migrate("--check"))

    def test_transactions_of_their_own_are_refused(self):
        for sql in self.own_transactions:
            with self.subTest(sql):
                self.add("003_own.sql", f"CREATE TABLE half (id INTEGER);\n{sql}\n")
                self.assertIn("003_own.sql failed, and nothing of it was kept: it begins or ends a transaction",
                              self.migrate(status=1))
        self.add("003_own.sql", "CREATE TABLE half (id INTEGER);\nSAVEPOINT here;\nROLLBACK TO SAVEPOINT here;\n")
        self.assertIn("applied 003_own.sql", self.migrate())

    def test_a_migration_says_its_phase(self):
        for text, wrong in [("SELECT 1;\n", True), ("-- phase: both\n", True), ("SELECT 1; -- phase: expand\n", True),
                            ("-- What it is for.\n\n--phase:contract\nSELECT 1;\n", False)]:
            with self.subTest(text):
                with open(os.path.join(self.migrations, "003_phase.sql"), "w") as file:
                    file.write(text)
                said = self.migrate("--check", status=1)
                self.assertEqual("003_phase.sql does not say its phase" in said, wrong, said)

    def test_a_release_before_a_contract_is_not_allowed_until_that_is_reverted(self):
        self.migrate("--release", "1.0.0")
        self.assertIn("nothing to apply", self.migrate("--release", "1.0.0", "--check"))
        self.assertIn("release 1.1.0 is to be remembered", self.migrate("--release", "1.1.0", "--check", status=1))
        self.add("003_wide.sql", "CREATE TABLE wide (id INTEGER);\n")
        self.migrate("--release", "1.1.0")
        self.migrate("--allows-release", "1.0.0")
        self.add("004_narrow.sql", "DROP TABLE wide;\n", "contract")
        self.migrate("--release", "2.0.0~rc1")
        for release in ["1.1.0", "1.0.0", "0.9.0"]:
            said = self.migrate("--allows-release", release, status=1)
            self.assertIn(f"migration 004_narrow of 2.0.0~rc1 is of the phase contract, and {release} may not work after it", said)
            self.assertIn("no .down.sql", said)
        self.migrate("--allows-release", "2.0.0~rc1")
        self.assertIn("nothing was reverted: 004_narrow.sql has no .down.sql", self.migrate("--revert-to", "003", status=1))
        self.add("004_narrow.down.sql", "CREATE TABLE wide (id INTEGER);\n")
        self.assertIn("--revert-to 003", self.migrate("--allows-release", "1.1.0", status=1))
        self.assertIn("reverted 004_narrow.sql", self.migrate("--revert-to", "003"))
        self.migrate("--allows-release", "1.1.0")
        self.assertEqual(self.query("SELECT count(*) FROM wide"), "0")
        self.assertIn("nothing to revert", self.migrate("--revert-to", "003"))
        self.assertIn("applied 004_narrow.sql", self.migrate())

    def test_a_failing_reversal_keeps_the_migration(self):
        self.add("003_wide.sql", "CREATE TABLE wide (id INTEGER);\n")
        self.migrate()
        self.add("003_wide.down.sql", "DROP TABLE wide;\nDROP TABLE nowhere;\n")
        self.assertIn("003_wide.down.sql failed, and nothing of it was kept", self.migrate("--revert-to", "002", status=1))
        self.assertEqual(self.query("SELECT count(*) FROM wide"), "0")
        self.assertIn("nothing to apply", self.migrate("--check"))
        self.add("003_other.down.sql", "SELECT 1;\n")
        os.unlink(os.path.join(self.migrations, "003_wide.down.sql"))
        self.assertIn("003_other.down.sql takes back no migration", self.migrate("--check", status=1))

    def test_triggers_and_functions_keep_their_begin_and_end(self):
        self.add("003_trigger.sql", self.trigger)
        self.assertIn("applied 003_trigger.sql", self.migrate())
        self.query("INSERT INTO item (id, name, price_cents) VALUES (1, ' Cup; ', 250)")
        self.assertEqual(self.query("SELECT name FROM item"), "Cup;")


class SqliteTest(Contract, unittest.TestCase):
    engine = "sqlite"
    own_transactions = ["BEGIN;", "commit;", "END TRANSACTION;", "SELECT 1; COMMIT;", "-- it's\nROLLBACK;", "COMMIT"]
    trigger = """-- Two statements in one line; and it's no matter what a comment says: COMMIT;
SELECT 'a; b'; SELECT 'COMMIT;';
CREATE TRIGGER item_trimmed AFTER INSERT ON item
BEGIN
    UPDATE item SET name = CASE WHEN new.name = '' THEN 'nothing' ELSE trim(new.name) END
    WHERE id = new.id;
END;
"""

    def settings(self):
        return f"database = {self.folder}/test.db"

    def query(self, sql):
        database = sqlite3.connect(f"{self.folder}/test.db")
        rows = database.execute(sql).fetchall()
        database.commit()
        database.close()
        return "\n".join("|".join(map(str, row)) for row in rows)


def postgresql():
    """The newest installed PostgreSQL's folder of programs."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb") + glob.glob("/usr/pgsql-*/bin/initdb"))
    initdb = found[-1] if found else shutil.which("initdb")
    return os.path.dirname(initdb) if initdb and shutil.which("psql") else None


class PostgresqlTest(Contract, unittest.TestCase):
    engine = "postgresql"
    own_transactions = [
        "BEGIN;", "commit work;", "END;", "SELECT 1; COMMIT;", "SELECT E'it\\'s'; ROLLBACK;", "START TRANSACTION;",
        "/* a /* nested */ comment */ END TRANSACTION;", "SELECT $$it's$$; COMMIT;", "COMMIT",
    ]
    trigger = """-- It's no matter what a comment says: COMMIT;
/* BEGIN; /* nested */ COMMIT; */
SELECT 'a; b'; SELECT 'COMMIT;', E'it\\'s; END;', 1 AS "END; it's";
CREATE FUNCTION item_trimmed() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    new.name := trim(new.name);
    RETURN new;
END;
$body$;
CREATE TRIGGER item_trimmed BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION item_trimmed();
DO $$ BEGIN PERFORM 1;
END; $$;
"""

    def test_a_function_in_the_words_of_sql_itself_is_migrated(self):
        if int(self.query("SHOW server_version_num", "postgres")) < 140000:
            raise unittest.SkipTest("PostgreSQL is older than 14")
        self.add("003_cheap.sql", """CREATE FUNCTION cheap(price BIGINT) RETURNS TEXT
BEGIN ATOMIC
    SELECT 1;
    SELECT CASE WHEN price < 100 THEN 'cheap' ELSE 'dear' END;
END;
""")
        self.assertIn("applied 003_cheap.sql", self.migrate())
        self.assertEqual(self.query("SELECT cheap(99)"), "cheap")

    def test_an_error_names_the_line_of_the_file(self):
        self.add("003_wrong.sql", "SELECT 1;\n\nSELECT nonsense;\n")
        self.assertIn("line 4: ERROR", self.migrate(status=1))

    def test_a_migration_that_ends_in_copied_lines_is_applied(self):
        for number, (end, text) in enumerate([("\\.\n", "cup\t1"), ("\\.", "it's \\\\ a pot\t2"), ("\\.\n\n", "\\N\t3")], 3):
            table = f"copied_{number}"
            self.add(f"00{number}_copied.sql",
                     f"CREATE TABLE {table} (name TEXT, id INTEGER);\nCOPY {table} (name, id) FROM STDIN;\n{text}\n{end}")
            self.assertIn(f"applied 00{number}_copied.sql", self.migrate())
            self.assertEqual(self.query(f"SELECT count(*) FROM {table}"), "1")
        self.assertIn("nothing to apply", self.migrate("--check"))

    def test_copied_lines_without_an_end_are_refused(self):
        self.add("003_copied.sql", "CREATE TABLE copied (name TEXT);\nCOPY copied FROM stdin;\ncup\n")
        self.assertIn("003_copied.sql failed, and nothing of it was kept: the lines after COPY ... FROM STDIN have no end",
                      self.migrate(status=1))
        self.assertEqual(self.query("SELECT count(*) FROM schema_migrations"), "2")

    def test_commands_of_psql_itself_are_refused(self):
        marker = os.path.join(self.folder, "marker")
        for sql in [f"\\! touch {marker}", f"SELECT 1 \\g | touch {marker}", "\\i /etc/passwd", "\\copy item from '/etc/passwd'",
                    f"SELECT 1;\n  \\o |touch {marker}", "\\if false", "CREATE TABLE a (b TEXT);\nCOPY a FROM STDIN;\n\\.\n\\q",
                    "SELECT '\\d' AS \"\\d\" \\gset"]:
            with self.subTest(sql):
                self.add("003_psql.sql", f"CREATE TABLE half (id INTEGER);\n{sql}\n")
                self.assertIn("003_psql.sql failed, and nothing of it was kept: it has a command of psql", self.migrate(status=1))
        self.assertFalse(os.path.exists(marker))
        self.add("003_psql.sql", "SELECT '\\d', E'\\\\', \"\\d\".a FROM (SELECT 1 AS a) AS \"\\d\"; -- \\d\n/* \\! */ SELECT $$\\!$$;\n")
        self.assertIn("applied 003_psql.sql", self.migrate())

    cluster = None

    @classmethod
    def setUpClass(cls):
        programs = postgresql()
        if programs is None:
            print("skipped: PostgreSQL is not installed")
            raise unittest.SkipTest("PostgreSQL is not installed")
        cls.cluster = tempfile.mkdtemp()
        cls.programs = programs
        cls.prefix = []
        if os.getuid() == 0:
            # PostgreSQL refuses to run as root.
            account = pwd.getpwnam("nobody")
            os.chown(cls.cluster, account.pw_uid, account.pw_gid)
            cls.prefix = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
        cls.run_postgres("initdb", "--username=tester", "--auth=trust", "--no-sync", f"{cls.cluster}/data")
        options = f"-k {cls.cluster} -c listen_addresses= -c fsync=off"
        cls.run_postgres("pg_ctl", "-w", "-D", f"{cls.cluster}/data", "-l", f"{cls.cluster}/log", "-o", options, "start")

    @classmethod
    def tearDownClass(cls):
        if cls.cluster:
            cls.run_postgres("pg_ctl", "-w", "-D", f"{cls.cluster}/data", "-m", "immediate", "stop")
            shutil.rmtree(cls.cluster)

    @classmethod
    def run_postgres(cls, program, *arguments):
        subprocess.run(
            [*cls.prefix, os.path.join(cls.programs, program), *arguments],
            cwd=cls.cluster, check=True, stdout=subprocess.DEVNULL, env=dict(os.environ, LC_ALL="C"),
        )

    def settings(self):
        self.query("DROP DATABASE IF EXISTS test", "postgres")
        self.query("CREATE DATABASE test", "postgres")
        return f"database = test\nhost = {self.cluster}\nusername = tester"

    def query(self, sql, database="test"):
        command = ["psql", "-X", "-q", "-t", "-A", "-h", self.cluster, "-U", "tester", "-d", database, "-c", sql]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


if __name__ == "__main__":
    unittest.main()
