//! `/docs`: the documentation of this very version, from the binary.

use std::sync::OnceLock;

use askama::Template;
use axum::{
    Router,
    extract::{Path, Request},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use rust_embed::RustEmbed;

use super::markdown::{self, RenderedPage};

/// The files of `docs/`.
#[derive(RustEmbed)]
#[folder = "../../docs"]
#[include = "*.md"]
#[include = "reference/*.json"]
#[exclude = "checklists/*"]
struct DocumentationFiles;

const STYLE: &str = include_str!("../../assets/documentation.css");

/// The kinds of pages, in the order of the list, and what each is for.
const KINDS: [(&str, &str); 4] = [
    ("tutorial", "Tutorial"),
    ("how-to", "How to"),
    ("reference", "Reference"),
    ("explanation", "Explanation"),
];

/// The folders that pages link to as a whole, each with its title and what is said before the list of its files.
const LISTED_FOLDERS: [(&str, &str, &str); 2] = [
    ("decisions", "Decisions", "What was decided, and why."),
    ("reference/schemas", "Schemas", "The JSON Schema of each file that people write, for editors."),
];

/// No script, nothing from elsewhere, in no frame.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A rendered page and where it is served.
struct DocumentationPage {
    /// `how-to/withdraw.md`.
    path: String,
    /// `/docs/how-to/withdraw`.
    address: String,
    content: RenderedPage,
}

/// A heading of the list and the pages below it.
struct PageGroup<'a> {
    name: &'a str,
    pages: Vec<&'a DocumentationPage>,
}

/// The whole page. `body` is HTML that we made of our own Markdown.
#[derive(Template)]
#[template(path = "documentation.html")]
struct DocumentationTemplate<'a> {
    title: &'a str,
    address: &'a str,
    body: &'a str,
    sections: &'a [(String, String)],
    groups: Vec<PageGroup<'a>>,
    version: &'static str,
}

/// The routes of `/docs`, which anybody may read.
pub(crate) fn documentation_routes() -> Router {
    Router::new()
        .route("/docs", get(async || page_response("index")))
        .route("/docs/", get(async || page_response("index")))
        .route(
            "/docs/{*page}",
            get(async |Path(page): Path<String>| match page.as_str() {
                "style.css" => ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response(),
                page => page_response(page),
            }),
        )
        .layer(middleware::from_fn(add_security_headers))
}

async fn add_security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The page or file at an address below `/docs/`.
fn page_response(name: &str) -> Response {
    if let Some(file) = DocumentationFiles::get(name).filter(|_| name.ends_with(".json")) {
        return ([(header::CONTENT_TYPE, "application/json")], file.data.into_owned()).into_response();
    }
    // Links from the sources name the files.
    let path = format!("{}.md", name.trim_end_matches('/').trim_end_matches(".md"));
    let Some(page) = all_pages().iter().find(|page| page.path == path) else {
        let body = "<h1>There is no such page</h1>\n<p>The list on this page has all there are.</p>\n";
        let text = render_in_frame("There is no such page", "", body, &[]);
        return (StatusCode::NOT_FOUND, Html(text)).into_response();
    };
    let text =
        render_in_frame(&page.content.title, &page.address, &page.content.html, &page.content.sections);
    Html(text).into_response()
}

fn render_in_frame(title: &str, address: &str, body: &str, sections: &[(String, String)]) -> String {
    let page = DocumentationTemplate {
        title,
        address,
        body,
        sections,
        groups: page_groups(),
        version: env!("CARGO_PKG_VERSION"),
    };
    // It writes into a text and reads nothing that can fail.
    page.render().unwrap_or_default()
}

/// Every page, rendered once.
fn all_pages() -> &'static [DocumentationPage] {
    static PAGES: OnceLock<Vec<DocumentationPage>> = OnceLock::new();
    PAGES.get_or_init(|| {
        let mut paths: Vec<String> = DocumentationFiles::iter().map(|path| path.into_owned()).collect();
        // In the order in which the index names them; what it does not name comes last.
        let index =
            DocumentationFiles::get("index.md").map(|file| file.data.into_owned()).unwrap_or_default();
        let index = String::from_utf8_lossy(&index).into_owned();
        let place = |path: &str| match path {
            "index.md" => 0,
            path => index.find(&format!("({path})")).unwrap_or(usize::MAX),
        };
        paths.sort_by_cached_key(|path| (place(path), path.clone()));
        let is_served = |path: &str| {
            DocumentationFiles::get(path).is_some()
                || LISTED_FOLDERS.iter().any(|(folder, ..)| *folder == path)
        };
        let page = |path: String, text: &str| {
            let content = markdown::render_markdown(&path, text, &is_served);
            DocumentationPage { address: markdown::page_address(&path), path, content }
        };
        let lists = LISTED_FOLDERS.map(|(folder, title, about)| {
            page(format!("{folder}.md"), &folder_list_text(&paths, folder, title, about))
        });
        let written = paths.iter().filter(|path| path.ends_with(".md")).filter_map(|path| {
            let file = DocumentationFiles::get(path)?;
            Some(page(path.clone(), &String::from_utf8_lossy(&file.data)))
        });
        written.chain(lists).collect()
    })
}

/// The list of the files of a folder, as the text of a page beside that folder.
fn folder_list_text(paths: &[String], folder: &str, title: &str, about: &str) -> String {
    let mut text = format!("# {title}\n\n{about}\n\n");
    let name = folder.rsplit('/').next().unwrap_or(folder);
    for path in paths {
        let Some(file) = path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')) else { continue };
        let heading = DocumentationFiles::get(path).and_then(|file| {
            let text = String::from_utf8_lossy(&file.data).into_owned();
            text.lines().next().and_then(|line| line.strip_prefix("# ")).map(str::to_owned)
        });
        text.push_str(&format!("- [{}]({name}/{file})\n", heading.unwrap_or_else(|| file.to_owned())));
    }
    text
}

/// The list of all pages, by their kind; those of none come first.
fn page_groups() -> Vec<PageGroup<'static>> {
    let of_kind = |kind: &str| all_pages().iter().filter(move |page| page.path.starts_with(kind)).collect();
    let top = all_pages().iter().filter(|page| !page.path.contains('/')).collect();
    std::iter::once(PageGroup { name: "Geppetto", pages: top })
        .chain(KINDS.iter().map(|(folder, name)| PageGroup { name, pages: of_kind(&format!("{folder}/")) }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_of_a_page_into_the_documentation_is_served() {
        for page in all_pages() {
            let Some(file) = DocumentationFiles::get(&page.path) else { continue };
            let text = String::from_utf8_lossy(&file.data).into_owned();
            for link in markdown::links_into_the_documentation(&page.path, &text) {
                let is_page = all_pages()
                    .iter()
                    .any(|page| page.path.trim_end_matches(".md") == link.trim_end_matches(".md"));
                let is_file = DocumentationFiles::get(&link).is_some();
                assert!(is_page || is_file, "{} links to {link}, which is not served", page.path);
                let address = markdown::page_address(&link);
                assert!(page.content.html.contains(&format!("href=\"{address}")), "{}: {link}", page.path);
            }
        }
    }

    #[test]
    fn cells_of_tables_wrap_on_narrow_screens() {
        let (_, narrow) = STYLE.split_once("@media (max-width: 760px)").unwrap();
        let (narrow, _) = narrow.split_once("@media").unwrap();
        assert!(narrow.contains("table { display: table;"), "{narrow}");
        assert!(narrow.contains("th, td, td code { overflow-wrap: anywhere;"), "{narrow}");
    }
}
