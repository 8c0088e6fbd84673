//! `geppetto recover`: makes a control plane of a backup, in an empty place and a new epoch.

use std::path::PathBuf;

use model::utc_time;

use super::{GeppettoCommandContext, storage_args::DatabaseAndRepositoryArgs};
use crate::{
    auth::{Operator, UnscopedPermit},
    backoffice,
    backup::{self, PlannedRecovery},
    command_error::GeppettoCommandError,
    output,
    store::TimeAndActor,
};

/// Make a control plane of a backup, in an empty data folder
///
/// Checks the whole backup before anything is written. The recovered control plane begins a new epoch: servers follow
/// its node files although their generations may be lower than what they had, and refuse every node file from before. What
/// happened after the backup is gone. Start only one control plane of a backup: end the old one for good.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  geppetto recover --from /backup/geppetto-2026-11-30 --data /var/lib/geppetto-data --dry-run\n  \
                  geppetto recover --from /backup/geppetto-2026-11-30 --data /var/lib/geppetto-data"
)]
pub(crate) struct RecoverArgs {
    /// The backup: a folder that `geppetto backup` made
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// Check the backup and where it would go, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    storage: DatabaseAndRepositoryArgs,
}

impl RecoverArgs {
    /// Runs the command.
    pub(crate) async fn run_recover_command(
        self,
        context: &GeppettoCommandContext,
    ) -> Result<(), GeppettoCommandError> {
        let data = self.storage.locate_and_check_data_folder(context, "recover")?;
        let untouched = format!("nothing was recovered, and {} is as it was", data.folder_path().display());
        context.interruption.set_interruption_message(untouched);
        let planned = backup::verify_backup_and_plan_recovery(&self.from, &data).await?;
        let created = utc_time::format_utc(planned.backup_created_us());
        let whole = format!(
            "the backup of {created} is whole: {} files, revision {}",
            planned.file_count(),
            planned.revision()
        );
        let result = |epoch: Option<u64>| {
            serde_json::json!({
                "data": data.folder_path(),
                "backup_created_us": planned.backup_created_us(),
                "files": planned.file_count(),
                "revision": planned.revision(),
                "epoch": epoch,
            })
        };
        if self.dry_run {
            let note =
                format!("{whole}\nnothing was recovered into {} (--dry-run)", data.folder_path().display());
            output::print_result(context.json, &result(None), &note);
            return Ok(());
        }
        if !context.json {
            output::print_note(&whole);
        }
        let now_us = context.clock.now_us();
        let epoch = planned.epoch_to_begin(now_us);
        context.interruption.set_interruption_message(format!(
            "{} is recovered only in part, and no control plane starts from it: empty that folder (and the folder given \
             by --repository, and the database given by --database), then run it again",
            data.folder_path().display()
        ));
        planned.copy_to_empty_destinations(&data).await?;
        let (store, _) = backoffice::open_or_create_store_and_keys(&data).await?;
        let permit: UnscopedPermit<Operator> =
            UnscopedPermit::new_for_local_administrator(nix::unistd::geteuid().as_raw())
                .to_permit_of_lower_level();
        let actor = permit.audit_actor();
        let detail = format!("from the backup of {created}, revision {}", planned.revision());
        let begun = store
            .begin_epoch_at_next_open(epoch, &detail, &TimeAndActor { at_us: now_us, actor: &actor })
            .await;
        store.close().await;
        begun?;
        context.interruption.take_last_step(
            || PlannedRecovery::remove_recovery_mark(&data),
            format!("the control plane in {} is recovered already", data.folder_path().display()),
        )?;
        let note = format!(
            "the control plane in {} is recovered, in epoch {epoch}: start it with `geppetto serve` and the same options\n\
             what happened after {created} is gone: tokens that were revoked since, and keys that were withdrawn, are valid again \
             (`punch token list`, `punch key list`), and servers that joined since must join again (`punch server join-token`)",
            data.folder_path().display()
        );
        output::print_result(context.json, &result(Some(epoch)), &note);
        Ok(())
    }
}
