//! Reads the text of an XML file in the encoding it names.

use encoding_rs::{Encoding, UTF_8};

/// How much of a file is searched for the encoding; the XML declaration is its first line.
const DECLARATION: usize = 256;

/// Decodes `bytes` by their byte order mark, else by the XML declaration, else as UTF-8; the mark is left out.
pub(super) fn decode_xml_bytes(bytes: &[u8]) -> Result<String, String> {
    let encoding = match declared_encoding(bytes) {
        None => UTF_8,
        Some(label) => Encoding::for_label(label.as_bytes()).ok_or_else(|| {
            format!("its first line names the encoding `{label}`, which is not known; save it as UTF-8")
        })?,
    };
    match encoding.decode(bytes) {
        (text, _, false) => Ok(text.into_owned()),
        (_, used, true) => Err(format!(
            "it is not text in the encoding {}; save it as UTF-8, or name its encoding in the first line",
            used.name()
        )),
    }
}

/// The value of `encoding` in `<?xml version="1.0" encoding="ISO-8859-1"?>`.
fn declared_encoding(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let start: String = bytes.iter().take(DECLARATION).map(|byte| char::from(*byte)).collect();
    let (declaration, _) = start.strip_prefix("<?xml")?.split_once("?>")?;
    let value = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| "\"'".contains(*c))?;
    let label = value[1..].split_once(quote)?.0;
    label.chars().all(|c| c.is_ascii_graphic()).then(|| label.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_in_the_encoding_its_declaration_names() {
        for (bytes, text) in [
            (&b"<?xml version='1.0' encoding='ISO-8859-1'?><a>Caf\xe9</a>"[..], "Caf\u{e9}"),
            (b"<?xml version=\"1.0\" encoding = \"windows-1252\"?><a>5 \x80</a>", "5 \u{20ac}"),
            (b"<?xml version=\"1.0\" encoding=\"US-ASCII\"?><a>plain</a>", "plain"),
            (b"\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"UTF-8\"?><a>Caf\xc3\xa9</a>", "Caf\u{e9}"),
            (b"\xff\xfe<\0a\0/\0>\0", "<a/>"),
            (b"<a>Caf\xc3\xa9</a>", "Caf\u{e9}"),
        ] {
            let decoded = decode_xml_bytes(bytes).unwrap();
            assert!(decoded.contains(text) && decoded.starts_with('<'), "{decoded:?}");
        }
    }

    #[test]
    fn unknown_encoding_and_text_of_another_one_are_errors() {
        let error = decode_xml_bytes(b"<?xml version=\"1.0\" encoding=\"KLINGON\"?><a/>").unwrap_err();
        assert!(error.contains("names the encoding `KLINGON`, which is not known"), "{error}");
        let error = decode_xml_bytes(b"<a>Caf\xe9</a>").unwrap_err();
        assert!(error.contains("it is not text in the encoding UTF-8"), "{error}");
    }
}
