//! The nearest right name to a wrong one, for error messages.

/// No name is longer than a server's: what is longer is not compared.
const MAX_LENGTH: usize = 253;

/// Finds the candidate closest to `wrong`, if one is close enough to be meant.
///
/// Distance is Damerau-Levenshtein (optimal string alignment); a candidate is offered when at most a
/// third of the longer name's characters differ.
pub fn suggest_spelling<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = wrong.chars().take(MAX_LENGTH + 1).count();
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let other = candidate.chars().take(MAX_LENGTH + 1).count();
            let longer = length.max(other);
            let allowed = longer.max(3) / 3;
            // Each character that one has more than the other differs.
            if longer > MAX_LENGTH || length.abs_diff(other) > allowed {
                return None;
            }
            Some((strsim::osa_distance(wrong, candidate), candidate))
                .filter(|(distance, _)| *distance <= allowed)
        })
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::suggest_spelling;

    #[test]
    fn nearest_finds_the_name_with_a_small_typo() {
        let names = ["http_port", "https_port", "banner"];
        assert_eq!(suggest_spelling("htpp_port", names), Some("http_port"));
        assert_eq!(suggest_spelling("banenr", names), Some("banner"));
        assert_eq!(suggest_spelling("colour", names), None);
    }

    #[test]
    fn nearest_compares_long_names_in_full() {
        let long = format!("web-01{}", "x".repeat(237));
        assert_eq!(suggest_spelling(&long, ["web-01"]), None);
        assert_eq!(suggest_spelling(&"w".repeat(243), ["web-01", "db-01"]), None);
        let meant = format!("web-01{}y", "x".repeat(236));
        assert_eq!(suggest_spelling(&long, ["web-01", &meant]), Some(meant.as_str()));
        assert_eq!(suggest_spelling(&"x".repeat(100_000), [&*"x".repeat(100_000)]), None);
    }
}
