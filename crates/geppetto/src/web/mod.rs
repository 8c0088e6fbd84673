//! Pages for people, one file a page, rendered on the server. They need no script and load nothing from elsewhere.

mod documentation;
mod markdown;

pub(crate) use documentation::documentation_routes;
