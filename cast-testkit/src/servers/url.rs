//! The parts of a server's URL: `scheme://user:password@address/path?parameters`.

use std::ops::Range;

/// Where the address stands.
fn address_range(url: &str) -> Range<usize> {
    let start = url.find("://").map_or(0, |at| at + "://".len());
    let end = url[start..]
        .find(['/', '?'])
        .map_or(url.len(), |at| start + at);
    let user = url[start..end].rfind('@').map_or(0, |at| at + 1);
    start + user..end
}

/// The address, or the addresses.
pub(super) fn address(url: &str) -> &str {
    &url[address_range(url)]
}

/// The URL with another address.
pub(super) fn with_address(url: &str, address: &str) -> String {
    let Range { start, end } = address_range(url);
    format!("{}{address}{}", &url[..start], &url[end..])
}

/// The URL with another path, which is a database, or a topic.
pub(super) fn with_path(url: &str, path: &str) -> String {
    let (place, rest) = url.split_at(address_range(url).end);
    let parameters = rest.find('?').map_or("", |at| &rest[at..]);
    format!("{place}/{path}{parameters}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_replaced_without_the_others() {
        let cases = [
            ("p://h/a", "h", "p://x/a", "p://h/b"),
            ("p://h", "h", "p://x", "p://h/b"),
            ("p://h:1,i:2/a", "h:1,i:2", "p://x/a", "p://h:1,i:2/b"),
            (
                "p://u:p@h:1/a?s=/t",
                "h:1",
                "p://u:p@x/a?s=/t",
                "p://u:p@h:1/b?s=/t",
            ),
            ("p://h?s=/t@u", "h", "p://x?s=/t@u", "p://h/b?s=/t@u"),
        ];
        for (url, expected, at_x, at_b) in cases {
            assert_eq!(address(url), expected);
            assert_eq!(with_address(url, "x"), at_x);
            assert_eq!(with_path(url, "b"), at_b);
        }
    }
}
