//! How the words of a manifest are described: kinds and their fields. The table of a kind is in the kind's file.

/// A field: its name, what it holds, what it is for.
pub(crate) type FieldSchema = (&'static str, FieldValueShape, &'static str);

/// A kind of resource or health check.
pub(crate) struct ResourceOrHealthCheckKindSchema {
    /// The word a declaration starts with.
    pub(crate) word: &'static str,
    /// What follows that word.
    pub(crate) subject: (FieldValueShape, &'static str),
    /// Its own fields.
    pub(crate) fields: &'static [FieldSchema],
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
