//! `geppetto backup`: copies everything a control plane needs into a new folder, with checksums.

use std::path::PathBuf;

use super::{GeppettoCommandContext, storage_args::DatabaseAndRepositoryArgs};
use crate::{backoffice, backup, command_error::GeppettoCommandError, output};

/// Copy everything a control plane needs into a new folder, also while it serves
///
/// Database, keys, packages and channels, as they are at one moment; publications wait for that moment. SHA256SUMS in
/// the folder covers every file: `sha256sum -c SHA256SUMS` checks it anywhere. Who has the backup has the keys in it, and
/// with them every secret and every server: keep it as you keep the data folder. A database of PostgreSQL is copied by
/// `pg_dump`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  geppetto backup --data /var/lib/geppetto-data --out /backup/geppetto-$(date +%F)"
)]
pub(crate) struct BackupArgs {
    /// The folder to make; it must not exist
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    storage: DatabaseAndRepositoryArgs,
}

impl BackupArgs {
    /// Runs the command.
    pub(crate) async fn run_backup_command(
        self,
        context: &GeppettoCommandContext,
    ) -> Result<(), GeppettoCommandError> {
        let data = self.storage.locate_and_check_data_folder(context, "backup")?;
        data.require_used_before()?;
        context.interruption.set_interruption_message(format!(
            "no backup was made, and nothing was left in place of {}",
            self.out.display()
        ));
        let store = backoffice::open_used_store_without_migrating(&data).await?;
        let made =
            backup::create_backup(&data, &store, context.clock.now_us(), &self.out, &context.interruption)
                .await;
        store.close().await;
        let (files, bytes) = made?;
        let note = format!(
            "{} holds the backup: {files} files, {:.1} MiB; `geppetto recover --from {} --dry-run` reads and checks it",
            self.out.display(),
            bytes as f64 / (1024.0 * 1024.0),
            self.out.display(),
        );
        let result = serde_json::json!({"backup": self.out, "files": files, "bytes": bytes});
        output::print_result(context.json, &result, &note);
        Ok(())
    }
}
