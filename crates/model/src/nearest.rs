//! The nearest right name to a wrong one, for error messages.

/// No name is longer than a server's: what is longer is not compared.
const MAX_LENGTH: usize = 253;

/// Finds the candidate closest to `wrong`, if one is close enough to be meant.
///
/// Distance is Damerau-Levenshtein (optimal string alignment); a candidate is offered when at most a
/// third of the longer name's characters differ.
pub fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong: Vec<char> = wrong.chars().take(MAX_LENGTH + 1).collect();
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let meant: Vec<char> = candidate.chars().take(MAX_LENGTH + 1).collect();
            let longer = wrong.len().max(meant.len());
            let allowed = longer.max(3) / 3;
            // Each character that one has more than the other differs.
            if longer > MAX_LENGTH || wrong.len().abs_diff(meant.len()) > allowed {
                return None;
            }
            Some((distance(&wrong, &meant), candidate)).filter(|(distance, _)| *distance <= allowed)
        })
        .min()
        .map(|(_, candidate)| candidate)
}

fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let swap = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + swap);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_finger_finds_the_name_that_was_meant() {
        let names = ["http_port", "https_port", "banner"];
        assert_eq!(nearest("htpp_port", names), Some("http_port"));
        assert_eq!(nearest("banenr", names), Some("banner"));
        assert_eq!(nearest("colour", names), None);
    }

    #[test]
    fn a_long_wrong_name_is_compared_whole() {
        let long = format!("web-01{}", "x".repeat(237));
        assert_eq!(nearest(&long, ["web-01"]), None);
        assert_eq!(nearest(&"w".repeat(243), ["web-01", "db-01"]), None);
        let meant = format!("web-01{}y", "x".repeat(236));
        assert_eq!(nearest(&long, ["web-01", &meant]), Some(meant.as_str()));
        assert_eq!(nearest(&"x".repeat(100_000), [&*"x".repeat(100_000)]), None);
    }
}
