//! A copy of the whole database at one moment, for a backup, and what makes a database of it again.
//!
//! SQLite copies itself (`VACUUM INTO`, <https://sqlite.org/lang_vacuum.html#vacuuminto>); for PostgreSQL its own
//! `pg_dump` and `pg_restore` do it. Their password is in their environment, never in their arguments.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    process::{Command, Stdio},
    str::FromStr as _,
};

use sqlx::{ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions};

use super::{DatabaseLocation, DatabasePool, DatabaseUrl, Store, StoreError, query_error};

impl Store {
    /// Writes the database as it is at one moment into the new file `to`, which only its owner can read; gives the newest
    /// revision, which was read just before.
    pub(crate) async fn write_database_snapshot(&self, to: &Path) -> Result<u64, StoreError> {
        let revision = self.read_current_revision_number().await?;
        let doing = "copying the database";
        let in_file = |why: std::io::Error| query_error(doing)(sqlx::Error::Io(why));
        // Both write into a file that is there and empty, and keep its mode.
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(in_file)?;
        if let DatabaseLocation::Url(url) = &self.location {
            run_client_program(dump_command(url, to)?).await?;
        } else if let DatabasePool::Sqlite(pool) = &self.pool {
            let mut connection = pool.acquire().await.map_err(query_error(doing))?;
            sqlx::query("VACUUM INTO $1")
                .bind(to.to_string_lossy())
                .execute(&mut *connection)
                .await
                .map_err(query_error(doing))?;
        }
        File::open(to).and_then(|file| file.sync_all()).map_err(in_file)?;
        Ok(revision)
    }
}

/// Makes sure that a dump can be restored into the database at `url`: that it answers, is empty, and that `pg_restore` is
/// installed.
pub(crate) async fn check_postgres_database_can_be_filled(url: &DatabaseUrl) -> Result<(), StoreError> {
    let open = |source| StoreError::Open { database: url.to_string(), source };
    let options = PgConnectOptions::from_str(url.text_with_password()).map_err(open)?;
    let mut connection = PgConnection::connect_with(&options).await.map_err(open)?;
    let doing = "looking whether the database is empty";
    let (tables,): (i64,) = sqlx::query_as(
        "SELECT COUNT(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
    )
    .fetch_one(&mut connection)
    .await
    .map_err(query_error(doing))?;
    connection.close().await.map_err(query_error(doing))?;
    if tables > 0 {
        return Err(StoreError::NotEmpty(url.to_string()));
    }
    let mut version = Command::new("pg_restore");
    version.arg("--version");
    run_client_program(version).await
}

/// Fills an empty database of PostgreSQL from a dump; whole or not at all.
pub(crate) async fn restore_postgres_dump_into_empty_database(
    url: &DatabaseUrl,
    dump: &Path,
) -> Result<(), StoreError> {
    run_client_program(restore_command(url, dump)?).await
}

fn dump_command(url: &DatabaseUrl, to: &Path) -> Result<Command, StoreError> {
    let mut dump = client_program("pg_dump", url)?;
    dump.args(["--format=custom", "--file"]).arg(to);
    Ok(dump)
}

fn restore_command(url: &DatabaseUrl, dump: &Path) -> Result<Command, StoreError> {
    let options = connect_options(url)?;
    let mut restore = client_program("pg_restore", url)?;
    restore.args(["--single-transaction", "--exit-on-error", "--dbname"]);
    restore.arg(options.get_database().unwrap_or(options.get_username())).arg(dump);
    Ok(restore)
}

fn connect_options(url: &DatabaseUrl) -> Result<PgConnectOptions, StoreError> {
    PgConnectOptions::from_str(url.text_with_password())
        .map_err(|source| StoreError::Open { database: url.to_string(), source })
}

/// A program of PostgreSQL that will connect to the database at `url`, and asks nobody for a password.
fn client_program(program: &str, url: &DatabaseUrl) -> Result<Command, StoreError> {
    let options = connect_options(url)?;
    let mut command = Command::new(program);
    command.args(["--no-password", "--no-owner", "--no-privileges"]);
    command.env("PGPORT", options.get_port().to_string()).env("PGUSER", options.get_username());
    match options.get_socket() {
        Some(folder) => command.env("PGHOST", folder),
        None => command.env("PGHOST", options.get_host()),
    };
    command.env("PGDATABASE", options.get_database().unwrap_or(options.get_username()));
    let parsed = options.to_url_lossy();
    if let Some(password) = parsed.password() {
        let decoded = percent_encoding::percent_decode_str(password).decode_utf8_lossy().into_owned();
        command.env("PGPASSWORD", decoded);
    }
    for (key, value) in parsed.query_pairs() {
        if let "sslmode" | "sslrootcert" | "sslcert" | "sslkey" = &*key {
            command.env(format!("PG{}", key.to_uppercase()), &*value);
        }
    }
    Ok(command)
}

/// Runs it to its end.
async fn run_client_program(mut command: Command) -> Result<(), StoreError> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let ended = tokio::task::spawn_blocking(move || command.output()).await;
    let why = match ended {
        Ok(Ok(output)) if output.status.success() => return Ok(()),
        Ok(Ok(output)) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            "it is not installed; it comes with PostgreSQL's client programs (`apt-get install postgresql-client`, \
             `dnf install postgresql`)"
                .to_owned()
        }
        Ok(Err(error)) => format!("it could not be started: {error}"),
        Err(error) => error.to_string(),
    };
    Err(StoreError::ClientProgram { program, why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_programs_get_the_password_in_their_environment_and_never_in_their_arguments() {
        let url: DatabaseUrl =
            "postgres://ann:p%40ss%3A%2B1@db.example.org:5433/estate?sslmode=require".parse().unwrap();
        let file = Path::new("/backup/geppetto.pgdump");
        for command in [dump_command(&url, file).unwrap(), restore_command(&url, file).unwrap()] {
            let of = |name: &str| {
                let found = command.get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value);
                found.map(|value| value.to_str().unwrap().to_owned())
            };
            assert_eq!(of("PGPASSWORD").as_deref(), Some("p@ss:+1"));
            assert_eq!(of("PGHOST").as_deref(), Some("db.example.org"));
            assert_eq!((of("PGPORT").as_deref(), of("PGUSER").as_deref()), (Some("5433"), Some("ann")));
            let of_database = (of("PGDATABASE"), of("PGSSLMODE"));
            assert_eq!(of_database, (Some("estate".to_owned()), Some("require".to_owned())));
            let arguments: Vec<&str> =
                command.get_args().map(|argument| argument.to_str().unwrap()).collect();
            assert!(arguments.contains(&"/backup/geppetto.pgdump"), "{arguments:?}");
            assert!(arguments.contains(&"--no-password"), "{arguments:?}");
            let shows_password = |argument: &&str| argument.contains("p@ss") || argument.contains("p%40ss");
            assert!(!arguments.iter().any(shows_password), "{arguments:?}");
        }
    }
}
