//! Which parameters were ever declared secret: what the repository forgets is remembered here.

use std::collections::BTreeSet;

use super::{Store, StoreError};

impl Store {
    /// All parameters that were ever a secret, by component.
    pub(crate) async fn read_ever_secret_parameters(&self) -> Result<BTreeSet<(String, String)>, StoreError> {
        let doing = "reading which parameters are secret";
        let mut connection = self.connection(doing).await?;
        let rows: Vec<(String, String)> =
            fetch_all!(connection, doing, "SELECT component, parameter FROM secret_parameters")?;
        Ok(rows.into_iter().collect())
    }

    /// Remembers that these parameters are secret, for ever.
    ///
    /// Not in the audit log: the publication that declares them is.
    pub(crate) async fn insert_secret_parameters(
        &self,
        parameters: &[(String, String)],
    ) -> Result<(), StoreError> {
        let doing = "remembering which parameters are secret";
        let mut transaction = self.begin(doing).await?;
        for (component, parameter) in parameters {
            execute!(
                transaction,
                doing,
                "INSERT INTO secret_parameters (component, parameter) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                component,
                parameter,
            )?;
        }
        transaction.commit_and_announce_events(doing).await
    }
}
