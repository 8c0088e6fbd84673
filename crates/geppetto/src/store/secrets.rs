//! Which parameters were ever declared secret: what the repository forgets is remembered here.

use std::collections::BTreeSet;

use super::{Store, StoreError, query_error};

impl Store {
    /// All parameters that were ever a secret, by component.
    pub async fn secret_parameters(&self) -> Result<BTreeSet<(String, String)>, StoreError> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT component, parameter FROM secret_parameters")
                .fetch_all(&self.pool)
                .await
                .map_err(query_error("reading which parameters are secret"))?;
        Ok(rows.into_iter().collect())
    }

    /// Remembers that these parameters are secret, for ever.
    ///
    /// Not in the audit log: the publication that declares them is.
    pub async fn remember_secret(&self, parameters: &[(String, String)]) -> Result<(), StoreError> {
        let doing = "remembering which parameters are secret";
        let mut transaction = self.begin(doing).await?;
        for (component, parameter) in parameters {
            sqlx::query(
                "INSERT INTO secret_parameters (component, parameter) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            )
            .bind(component)
            .bind(parameter)
            .execute(&mut *transaction)
            .await
            .map_err(query_error(doing))?;
        }
        transaction.commit().await.map_err(query_error(doing))
    }
}
