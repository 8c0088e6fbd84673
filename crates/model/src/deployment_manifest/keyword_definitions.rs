//! How the keywords of a manifest are described, with their fields. The table of a kind is in the kind's file.

/// A field: its name, what it holds, what it is for.
pub(crate) type FieldDefinition = (&'static str, FieldValueShape, &'static str);

/// A keyword that the declaration of a resource or health check starts with, and its fields; a kind may have several.
pub(crate) struct DeclarationKeywordDefinition {
    /// The word a declaration starts with.
    pub(crate) word: &'static str,
    /// What follows that word.
    pub(crate) subject: (FieldValueShape, &'static str),
    /// Its own fields.
    pub(crate) fields: &'static [FieldDefinition],
    /// Those of them that must be there.
    pub(crate) required: &'static [&'static str],
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldValueShape {
    /// A text, or what is written like one.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number, 0 or more.
    Number,
    /// Octal digits in quotes.
    Mode,
    /// A list of texts.
    Texts,
    /// Program and arguments.
    Command,
    /// A map from names to texts.
    Map,
    /// A list of anything.
    List,
}
