//! The cookie that keeps a person logged in.

use axum::http::{HeaderMap, HeaderValue, header};

/// Its name over TLS: browsers take it from this very host only, and send it over TLS only (RFC 6265bis, 4.1.3).
const SECURE_NAME: &str = "__Host-geppetto-session";
/// Its name on a plain connection, which is one of this machine.
const PLAIN_NAME: &str = "geppetto-session";

/// The secret in the cookie of a request.
pub(super) fn session_secret_of_request(headers: &HeaderMap, tls: bool) -> Option<&str> {
    let name = if tls { SECURE_NAME } else { PLAIN_NAME };
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, secret)| secret)
}

/// The header that gives a browser a session: until it is closed or the session ends here.
pub(super) fn set_session_cookie(secret: &str, tls: bool) -> Option<HeaderValue> {
    let (name, secure) = if tls { (SECURE_NAME, "; Secure") } else { (PLAIN_NAME, "") };
    HeaderValue::from_str(&format!("{name}={secret}; Path=/; HttpOnly; SameSite=Lax{secure}")).ok()
}

/// The header that takes the session from a browser.
pub(super) fn clear_session_cookie(tls: bool) -> HeaderValue {
    match tls {
        true => HeaderValue::from_static(
            "__Host-geppetto-session=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0",
        ),
        false => HeaderValue::from_static("geppetto-session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_is_found_among_other_cookies_and_only_by_its_own_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("theme=dark; geppetto-session=gpw_a_b"));
        headers.append(header::COOKIE, HeaderValue::from_static("__Host-geppetto-session=gpw_c_d"));
        assert_eq!(session_secret_of_request(&headers, false), Some("gpw_a_b"));
        assert_eq!(session_secret_of_request(&headers, true), Some("gpw_c_d"));
        assert_eq!(session_secret_of_request(&HeaderMap::new(), true), None);
    }

    #[test]
    fn cookie_is_kept_from_scripts_and_from_plain_connections() {
        let set = set_session_cookie("gpw_a_b", true).unwrap();
        let set = set.to_str().unwrap();
        for part in ["__Host-", "HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
            assert!(set.contains(part), "{set}");
        }
        assert!(!set_session_cookie("gpw_a_b", false).unwrap().to_str().unwrap().contains("Secure"));
        assert_eq!(set_session_cookie("a\nb", true), None);
    }
}
