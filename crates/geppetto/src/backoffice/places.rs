//! The document of one place, with secrets masked where required.

use model::{format::estate, wire};

use super::{BackOffice, BackOfficeError};

impl BackOffice {
    /// The file of an object in the newest revision; `folder` is that of its kind (`roles/`).
    pub async fn place_document(
        &self,
        what: &'static str,
        folder: &str,
        name: &str,
        unmasked: bool,
    ) -> Result<wire::PlaceDocument, BackOfficeError> {
        let state = self.current_estate().await?;
        let path = format!("{folder}{name}.yaml");
        let Some(text) = state.documents.get(&path) else {
            let named = |path: &'_ str| -> Option<String> {
                Some(path.strip_prefix(folder)?.strip_suffix(".yaml")?.to_owned())
            };
            let names: Vec<String> = state.documents.keys().filter_map(|path| named(path)).collect();
            let names = names.iter().map(String::as_str);
            return Err(BackOfficeError::unknown(
                what,
                name,
                names,
                "`geppetto export DIR` writes all there are",
            ));
        };
        let document = if unmasked {
            text.clone()
        } else {
            let alone = [(path.clone(), text.clone())].into();
            let mut masked = estate::read(&alone)
                .map_err(|_| BackOfficeError::Broken(format!("{path} cannot be read back")))?;
            self.secret_parameters().await?.mask_estate(&mut masked);
            estate::write(&masked).remove(&path).unwrap_or_default()
        };
        Ok(wire::PlaceDocument { path, revision: state.revision, document })
    }
}
