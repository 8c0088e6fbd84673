//! Pages for people, rendered on the server. They need no script and load nothing from elsewhere; one script of ours keeps
//! what is on them current.
//!
//! `pages` has one file a page; the files beside it are what pages share: the frame around each, who is logged in,
//! forms, refusals, and how times and states are written. A page asks the back-office as the person who looks at it.

mod documentation;
mod form;
mod frame;
mod markdown;
mod page_error;
mod page_state;
mod pages;
mod security_headers;
mod session_cookie;
mod time_text;
mod visitor;

pub(crate) use documentation::documentation_routes;
pub(crate) use page_error::no_such_page_response;
pub(crate) use page_state::PageState;
pub(crate) use pages::{event_routes, page_routes};
