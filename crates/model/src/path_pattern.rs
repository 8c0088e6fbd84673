//! Patterns of paths: `*`, `?` and `**`, matched part by part. Components use them to name files.

/// Whether `source` is a pattern rather than a path.
pub fn has_wildcard(source: &str) -> bool {
    source.contains(['*', '?'])
}

/// The folder before the first part that has a wildcard, and the parts after it.
pub fn split_path_at_first_wildcard(source: &str) -> (String, Vec<&str>) {
    let parts: Vec<&str> = source.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let at = parts.iter().position(|part| has_wildcard(part)).unwrap_or(parts.len());
    (parts[..at].join("/"), parts[at..].to_vec())
}

/// Whether the parts of a path match the parts of a pattern; `**` stands for any number of parts.
pub fn pattern_matches_path(pattern: &[&str], path: &[&str]) -> bool {
    // Row by row over the pattern, so that many `**` cost no more than their number times the path.
    let mut reach = vec![false; path.len() + 1];
    reach[0] = true;
    for part in pattern {
        let mut next = vec![false; path.len() + 1];
        for at in 0..=path.len() {
            if *part == "**" {
                next[at] = reach[at] || (at > 0 && next[at - 1]);
            } else if at > 0 {
                next[at] = reach[at - 1] && matches_part(part, path[at - 1]);
            }
        }
        reach = next;
    }
    reach[path.len()]
}

/// Whether one of `declared`, which are paths and patterns, is `path` or a folder above it.
pub fn any_pattern_covers_path(declared: &[String], path: &str) -> bool {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    declared.iter().any(|declared| {
        let mut pattern: Vec<&str> = declared.trim_matches('/').split('/').collect();
        pattern_matches_path(&pattern, &parts) || {
            pattern.push("**");
            pattern_matches_path(&pattern, &parts)
        }
    })
}

fn matches_part(pattern: &str, name: &str) -> bool {
    // As shells do, a wildcard does not see hidden files.
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let mut reach = vec![false; name.len() + 1];
    reach[0] = true;
    for sign in pattern {
        let mut next = vec![false; name.len() + 1];
        for at in 0..=name.len() {
            next[at] = match sign {
                '*' => reach[at] || (at > 0 && next[at - 1]),
                '?' => at > 0 && reach[at - 1],
                letter => at > 0 && reach[at - 1] && name[at - 1] == letter,
            };
        }
        reach = next;
    }
    reach[name.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stay_in_their_part_and_double_stars_do_not() {
        for (pattern, path, expected) in [
            ("*.sql", "001_a.sql", true),
            ("*.sql", "sub/001_a.sql", false),
            ("**/*.sql", "sub/deep/001_a.sql", true),
            ("**/*.sql", "001_a.sql", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*", ".hidden", false),
            (".*", ".hidden", true),
            ("**", "a/b", true),
            ("**/x/**", "a/x", true),
            ("*a*a*a*a*a*b", &"a".repeat(200), false),
        ] {
            let pattern: Vec<&str> = pattern.split('/').collect();
            let parts: Vec<&str> = path.split('/').collect();
            assert_eq!(pattern_matches_path(&pattern, &parts), expected, "{pattern:?} {path}");
        }
        assert_eq!(
            split_path_at_first_wildcard("./migrations//v?/*.sql"),
            ("migrations".to_owned(), vec!["v?", "*.sql"])
        );
    }

    #[test]
    fn declared_path_covers_itself_and_what_is_below_it() {
        let declared = ["/usr/bin/shop".to_owned(), "/usr/share/man/*/shop*.gz".to_owned()];
        for (path, expected) in [
            ("/usr/bin/shop", true),
            ("/usr/bin/shop/x", true),
            ("/usr/bin/shopping", false),
            ("/usr/bin", false),
            ("/usr/share/man/man1/shop-run.1.gz", true),
            ("/usr/share/man/man1/other.1.gz", false),
        ] {
            assert_eq!(any_pattern_covers_path(&declared, path), expected, "{path}");
        }
    }
}
