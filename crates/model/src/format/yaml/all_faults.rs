//! Reads on after a fault, without the entry it is about, so that one reading reports all faults of a file.

use super::{
    FormatError, KeyFault, VersionedYamlFormat, find_syntax_error,
    left_out_entry::{LeftOutEntry, blank_out, find_entry},
    other_format, parse_yaml_or_fault, wrong_format,
};
use crate::suggest_spelling;

/// Reading stops after this many faults: the file is probably of another format.
const MAX_FAULTS: usize = 20;

/// Each fault costs another reading, so only the first one of a larger file is looked for.
const MAX_BYTES_TO_READ_AGAIN: usize = 256 * 1024;

/// A document read in spite of its faults.
#[derive(Debug)]
pub struct DocumentWithFaults<T> {
    /// What could be read, without the entries that are wrong. `None` where the rest is no such document.
    pub document: Option<T>,
    /// What is wrong; empty for a document without faults.
    pub errors: Vec<FormatError>,
    /// The keys of the outermost map that `document` lacks or has a placeholder for, because they are wrong.
    pub left_out_keys: Vec<String>,
}

impl<T> DocumentWithFaults<T> {
    /// Whether a message that `key` is missing would be about a key that is there, but wrong or misspelt.
    pub fn is_left_out(&self, key: &str) -> bool {
        is_one_of(key, self.left_out_keys.iter().map(String::as_str))
    }
}

/// Reads one document that names its format, and reports all faults that it has.
pub fn parse_versioned_yaml_with_all_faults<T: VersionedYamlFormat>(
    file: &str,
    text: &str,
) -> DocumentWithFaults<T> {
    let mut reading = Reading { file, rest: text.to_owned(), left_out: Vec::new(), errors: Vec::new() };
    let document = reading.read_on::<T>(text);
    let outermost = reading.left_out.into_iter().filter(LeftOutEntry::is_outermost);
    DocumentWithFaults {
        document,
        errors: reading.errors,
        left_out_keys: outermost.filter_map(|entry| entry.key).collect(),
    }
}

struct Reading<'a> {
    file: &'a str,
    /// The text with spaces in place of what is wrong.
    rest: String,
    left_out: Vec<LeftOutEntry>,
    errors: Vec<FormatError>,
}

impl Reading<'_> {
    fn read_on<T: VersionedYamlFormat>(&mut self, text: &str) -> Option<T> {
        // Entries that hold others left out are left out in their turn, so that faults do not bound the steps.
        for _ in 0..3 * MAX_FAULTS {
            let fault = match parse_yaml_or_fault::<T>(self.file, &self.rest, T::KEYS_WITHOUT_SECRETS) {
                Ok(document) if document.format() == T::FORMAT => return Some(document),
                Ok(document) => {
                    self.errors.push(other_format(self.file, 1, document.format(), T::FORMAT));
                    return None;
                }
                Err(fault) => fault,
            };
            if self.left_out.is_empty() {
                if let Some(other) = wrong_format(self.file, text, T::FORMAT) {
                    self.errors = vec![other];
                    return None;
                }
                if fault.entry.is_none() {
                    self.errors.push(fault.error);
                    return None;
                }
                // Broken YAML may be the reason for every other fault.
                if let Some(broken) = find_syntax_error(self.file, text, T::KEYS_WITHOUT_SECRETS) {
                    self.errors.push(broken.error);
                    return None;
                }
            }
            // Whatever else is wrong now comes of what was left out.
            let meant = fault.entry?;
            let (line, column) = (fault.error.line, fault.error.column);
            let place = line.zip(column);
            let entry = place.and_then(|(line, column)| find_entry(&self.rest, line, column, meant));
            let is_reported = match (&entry, &fault.key) {
                (None, Some(KeyFault::Missing(key))) => {
                    let outermost = self.left_out.iter().filter(|inner| inner.is_outermost());
                    !is_one_of(key, outermost.filter_map(|inner| inner.key.as_deref()))
                }
                (Some(entry), Some(KeyFault::Missing(key))) => {
                    let inside = self.left_out.iter().filter(|inner| entry.contains(inner));
                    !is_one_of(key, inside.filter_map(|inner| inner.key.as_deref()))
                }
                // What is left of a value is wrong because of what was left out of it.
                (Some(entry), _) => !self.left_out.iter().any(|inner| entry.contains(inner)),
                (None, _) => true,
            };
            let placeholder = match (&entry, &fault.key) {
                (None, Some(KeyFault::Missing(key))) => placeholder_line::<T>(key),
                _ => None,
            };
            if is_reported {
                self.errors.push(fault.error);
            }
            if self.errors.len() >= MAX_FAULTS || text.len() > MAX_BYTES_TO_READ_AGAIN {
                return None;
            }
            let rest = match (entry, placeholder) {
                (Some(entry), _) => {
                    let rest = blank_out(&self.rest, &entry);
                    self.left_out.push(entry);
                    rest
                }
                (None, Some((key, line))) => {
                    let start = self.rest.lines().count();
                    self.left_out.push(LeftOutEntry::new_outermost(key, start));
                    format!("{}\n{line}\n", self.rest.trim_end_matches('\n'))
                }
                (None, None) => return None,
            };
            if rest == self.rest || find_syntax_error(self.file, &rest, &[]).is_some() {
                return None;
            }
            self.rest = rest;
        }
        None
    }
}

/// A line that stands for a key that is missing.
fn placeholder_line<T: VersionedYamlFormat>(key: &str) -> Option<(&'static str, String)> {
    let (key, value) = T::PLACEHOLDERS_OF_REQUIRED_KEYS.iter().find(|(required, _)| *required == key)?;
    Some((key, format!("{key}: {value}")))
}

/// Whether one of `keys` is `key`, or was probably meant to be.
fn is_one_of<'k>(key: &str, mut keys: impl Iterator<Item = &'k str> + Clone) -> bool {
    keys.clone().any(|other| other == key) || suggest_spelling(key, keys.by_ref()).is_some()
}
