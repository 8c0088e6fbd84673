//! Markdown of the documentation as HTML: headings that can be linked to, and links between pages as the pages are served.

use std::{collections::BTreeMap, path::Path};

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// A rendered page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RenderedPage {
    /// Its first heading.
    pub(super) title: String,
    /// The whole page as HTML, its first heading included.
    pub(super) html: String,
    /// Its other headings of the second level: identifier and text.
    pub(super) sections: Vec<(String, String)>,
}

/// Renders the page at `path` (`how-to/withdraw.md`). `is_page` says which paths are pages: a link to anything else
/// stays text, because only pages are served.
pub(super) fn render_markdown(path: &str, text: &str, is_page: &dyn Fn(&str) -> bool) -> RenderedPage {
    let mut page = RenderedPage { title: String::new(), html: String::new(), sections: Vec::new() };
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    let mut events: Vec<Event<'_>> = Vec::new();
    let mut heading: Option<(usize, String)> = None;
    let mut is_link_shown = true;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            // HTML in the sources is dropped: the pages use it only for comments to editors.
            Event::Html(_) | Event::InlineHtml(_) => {}
            Event::Start(Tag::Heading { .. }) => {
                heading = Some((events.len(), String::new()));
                events.push(event);
            }
            Event::End(TagEnd::Heading(level)) => {
                if let Some((start, title)) = heading.take() {
                    let id = unique_identifier(&title, &mut used);
                    match level {
                        HeadingLevel::H1 if page.title.is_empty() => page.title.clone_from(&title),
                        HeadingLevel::H2 => page.sections.push((id.clone(), title)),
                        _ => {}
                    }
                    events[start] = Event::Start(Tag::Heading {
                        level,
                        id: Some(CowStr::from(id)),
                        classes: Vec::new(),
                        attrs: Vec::new(),
                    });
                }
                events.push(event);
            }
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                let target = served_link(path, &dest_url, is_page);
                is_link_shown = target.is_some();
                if let Some(target) = target {
                    let dest_url = CowStr::from(target);
                    events.push(Event::Start(Tag::Link { link_type, dest_url, title, id }));
                }
            }
            Event::End(TagEnd::Link) => {
                if is_link_shown {
                    events.push(event);
                }
                is_link_shown = true;
            }
            event => {
                if let (Some((_, title)), Event::Text(text) | Event::Code(text)) = (&mut heading, &event) {
                    title.push_str(text);
                }
                events.push(event);
            }
        }
    }
    html::push_html(&mut page.html, events.into_iter());
    page
}

/// Where a link of the page at `path` leads when it is served; none if nothing is served there.
fn served_link(path: &str, link: &str, is_page: &dyn Fn(&str) -> bool) -> Option<String> {
    if link.starts_with("https://") || link.starts_with("http://") || link.starts_with('#') {
        return Some(link.to_owned());
    }
    let (file, fragment) = match link.split_once('#') {
        Some((file, fragment)) => (file, format!("#{fragment}")),
        None => (link, String::new()),
    };
    let target = target_path(path, file)?;
    is_page(&target).then(|| format!("{}{fragment}", page_address(&target)))
}

/// The path below `docs/` that a relative link of the page at `path` names; none outside.
fn target_path(path: &str, file: &str) -> Option<String> {
    let mut parts: Vec<&str> =
        Path::new(path).parent()?.to_str()?.split('/').filter(|part| !part.is_empty()).collect();
    for part in file.split('/') {
        match part {
            "." => {}
            ".." => _ = parts.pop()?,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The paths below `docs/` that a page links to.
#[cfg(test)]
pub(super) fn links_into_the_documentation(path: &str, text: &str) -> Vec<String> {
    let links = Parser::new_ext(text, Options::ENABLE_TABLES).filter_map(|event| match event {
        Event::Start(Tag::Link { dest_url, .. }) => Some(dest_url.into_string()),
        _ => None,
    });
    let files = links.filter(|link| !link.contains("://") && !link.starts_with('#'));
    files.filter_map(|link| target_path(path, link.split('#').next()?)).collect()
}

/// Where the page at a path is served: `/docs/how-to/withdraw`.
pub(super) fn page_address(path: &str) -> String {
    match path.strip_suffix(".md").unwrap_or(path) {
        "index" => "/docs".to_owned(),
        page => format!("/docs/{page}"),
    }
}

/// An identifier as GitHub makes it of a heading, so that links to sections work in both places.
fn unique_identifier(title: &str, used: &mut BTreeMap<String, usize>) -> String {
    let identifier: String = title
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        })
        .collect();
    let count = used.entry(identifier.clone()).or_default();
    *count += 1;
    match *count {
        1 => identifier,
        count => format!("{identifier}-{}", count - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(text: &str) -> RenderedPage {
        render_markdown("how-to/a.md", text, &|path| ["index.md", "reference/b.md"].contains(&path))
    }

    #[test]
    fn links_lead_to_served_pages_and_stay_text_elsewhere() {
        let page = render(
            "[b](../reference/b.md#x) [i](../index.md) [code](../../ARCHITECTURE.md) [up](../../../x)",
        );
        assert_eq!(
            page.html,
            "<p><a href=\"/docs/reference/b#x\">b</a> <a href=\"/docs\">i</a> code up</p>\n"
        );
    }

    #[test]
    fn headings_have_identifiers_and_title_and_sections_are_known() {
        let page = render("# The `a` page\n\n<!-- note -->\n\n## One, two\n\n### Deep\n\n## One two\n");
        assert_eq!(page.title, "The a page");
        let sections =
            [("one-two".to_owned(), "One, two".to_owned()), ("one-two-1".to_owned(), "One two".to_owned())];
        assert_eq!(page.sections, sections);
        assert!(page.html.contains("<h2 id=\"one-two-1\">One two</h2>"), "{}", page.html);
        assert!(!page.html.contains("note"), "{}", page.html);
    }
}
