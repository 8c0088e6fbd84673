//! Epochs: which node files are newer than all that were made before a recovery.

use super::{Store, StoreError, TimeAndActor, audit, signed};

impl Store {
    /// The epoch of the node files made from now on: 1 until the database is recovered from a backup.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Begins an epoch that is higher than the last one: from then on each host that has followed a node file of it refuses
    /// those of lower ones. Takes effect when the database is opened the next time.
    pub(crate) async fn begin_epoch_at_next_open(
        &self,
        epoch: u64,
        detail: &str,
        context: &TimeAndActor<'_>,
    ) -> Result<(), StoreError> {
        let doing = "beginning an epoch";
        let mut transaction = self.begin(doing).await?;
        let changed = execute!(
            transaction,
            doing,
            "UPDATE control_plane SET epoch = $1 WHERE epoch < $1",
            signed(epoch)
        )?;
        if changed == 0 {
            return Err(StoreError::Corrupt(format!("an epoch that is not before {epoch}")));
        }
        audit::insert_audit_entry(&mut transaction, context, "recover", &format!("epoch {epoch}"), detail)
            .await?;
        transaction.commit_and_announce_events(doing).await
    }
}
