//! Templates: minijinja, strict about what is undefined, bounded in work.
