//! Texts of people that mean the same as what is stored: read once, and then known by their digests.
//!
//! What is stored is written anew from what a text means, without its comments and in one order. So a file of a folder
//! that is imported again and again differs from what is stored, though nothing in it has changed.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use model::format::estate::EstateYamlByPath;
use sha2::{Digest, Sha256};

/// The digests of submitted texts, each with that of the stored text it means, by path.
#[derive(Debug, Default)]
pub(super) struct SubmittedTextDigests(Mutex<HashMap<String, TextPair>>);

/// The digests of a submitted and of a stored text.
#[derive(Debug, PartialEq, Eq)]
struct TextPair {
    submitted: [u8; 32],
    stored: [u8; 32],
}

impl TextPair {
    fn new(submitted: &str, stored: &str) -> Self {
        Self { submitted: Sha256::digest(submitted).into(), stored: Sha256::digest(stored).into() }
    }
}

impl SubmittedTextDigests {
    /// The documents, with the stored text in place of each that is known to mean the same.
    pub(super) fn replace_equivalent_by_stored_texts(
        &self,
        documents: &EstateYamlByPath,
        stored: &EstateYamlByPath,
    ) -> EstateYamlByPath {
        let known = self.known();
        let texts = documents.iter().map(|(path, text)| {
            let pair = known.get(path).zip(stored.get(path));
            let same = pair.filter(|(pair, stored)| text != *stored && **pair == TextPair::new(text, stored));
            (path.clone(), same.map_or(text, |(_, stored)| stored).clone())
        });
        texts.collect()
    }

    /// Remembers which documents mean what is stored, and which mean what would be stored after them.
    pub(super) fn remember_texts_equivalent_to_stored(
        &self,
        documents: &EstateYamlByPath,
        stored: &EstateYamlByPath,
        next: &EstateYamlByPath,
    ) {
        let mut known = self.known();
        known.retain(|path, _| stored.contains_key(path));
        for (path, text) in documents {
            if let Some(means) = next.get(path).filter(|means| *means != text) {
                known.insert(path.clone(), TextPair::new(text, means));
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, TextPair>> {
        // Each pair is true by itself, also when the last user panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(text: &str) -> EstateYamlByPath {
        EstateYamlByPath::from([("roles/web.yaml".to_owned(), text.to_owned())])
    }

    #[test]
    fn known_text_is_replaced_as_long_as_the_stored_one_is_the_same() {
        let texts = SubmittedTextDigests::default();
        let (written, stored) = (documents("a: 1 # one"), documents("a: 1"));
        assert_eq!(
            texts.replace_equivalent_by_stored_texts(&written, &stored),
            written,
            "it is not known yet"
        );
        texts.remember_texts_equivalent_to_stored(&written, &documents("before"), &stored);
        assert_eq!(texts.replace_equivalent_by_stored_texts(&written, &stored), stored);
        let other = documents("a: 2");
        assert_eq!(
            texts.replace_equivalent_by_stored_texts(&written, &other),
            written,
            "what is stored has changed"
        );
        assert_eq!(texts.replace_equivalent_by_stored_texts(&other, &stored), other, "it is another text");
        texts.remember_texts_equivalent_to_stored(
            &EstateYamlByPath::new(),
            &EstateYamlByPath::new(),
            &EstateYamlByPath::new(),
        );
        assert_eq!(texts.replace_equivalent_by_stored_texts(&written, &stored), written, "the place is gone");
    }
}
