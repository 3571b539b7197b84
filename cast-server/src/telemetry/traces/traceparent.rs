//! The header that names the trace of a request: W3C's Trace Context.

use cast_core::domain::TraceContext;
use http::HeaderMap;

/// The header.
const HEADER: &str = "traceparent";

/// The flag of a trace that is recorded.
const SAMPLED: u8 = 1;

/// The caller's context; `None` if there is no header, more than one, or one that is not well formed: to
/// the callers, all of these are the same.
pub(super) fn of(headers: &HeaderMap) -> Option<TraceContext> {
    let mut given = headers.get_all(HEADER).iter();
    let only = given.next()?;
    match given.next() {
        None => parse(only.as_bytes()),
        Some(_) => None,
    }
}

/// Whether the caller records the trace.
pub(super) const fn is_sampled(trace: &TraceContext) -> bool {
    let [.., flags] = trace.as_bytes();
    *flags & SAMPLED != 0
}

/// Reads `version-trace-span-flags` in hex digits. A later version may have more fields behind another
/// dash, version 0 may not.
fn parse(text: &[u8]) -> Option<TraceContext> {
    const LEN: usize = 55;
    let (known, more) = text.split_at_checked(LEN)?;
    let mut version = [0];
    hex(&known[..2], &mut version)?;
    let is_allowed = match version[0] {
        0 => more.is_empty(),
        // The standard forbids it.
        0xFF => false,
        _ => matches!(more, [] | [b'-', ..]),
    };
    let has_dashes = [2, 35, 52].iter().all(|at| known[*at] == b'-');
    if !is_allowed || !has_dashes {
        return None;
    }
    let mut bytes = [0; TraceContext::LEN];
    hex(&known[3..35], &mut bytes[..16])?;
    hex(&known[36..52], &mut bytes[16..24])?;
    hex(&known[53..55], &mut bytes[24..])?;
    TraceContext::from_bytes(bytes)
}

/// Reads two digits a byte. The standard has no capital ones.
fn hex(text: &[u8], bytes: &mut [u8]) -> Option<()> {
    let has_capitals = text.iter().any(u8::is_ascii_uppercase);
    (!has_capitals && hex::decode_to_slice(text, bytes).is_ok()).then_some(())
}

#[cfg(test)]
mod tests {
    use cast_testkit::Seed;
    use http::HeaderValue;

    use super::*;

    const WELL_FORMED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn write(trace: &TraceContext) -> String {
        let [ids @ .., flags] = trace.as_bytes();
        let (trace, span) = ids.split_at(16);
        let (mut trace_id, mut span_id) = ([0; 16], [0; 8]);
        trace_id.copy_from_slice(trace);
        span_id.copy_from_slice(span);
        let (trace, span) = (u128::from_be_bytes(trace_id), u64::from_be_bytes(span_id));
        format!("00-{trace:032x}-{span:016x}-{flags:02x}")
    }

    #[test]
    fn a_context_is_read_as_it_was_written() {
        let trace = parse(WELL_FORMED.as_bytes()).expect("it is well formed");
        assert_eq!(write(&trace), WELL_FORMED);
        assert!(is_sampled(&trace));
        let unsampled = WELL_FORMED.replace("-01", "-02");
        assert!(!is_sampled(&parse(unsampled.as_bytes()).unwrap()));
    }

    #[test]
    fn a_later_version_may_say_more_and_ours_may_not() {
        let of = |version: &str, more: &str| {
            let text = format!("{version}{}{more}", &WELL_FORMED[2..]);
            parse(text.as_bytes()).map(|trace| write(&trace))
        };
        for (version, more) in [("00", ""), ("01", ""), ("cc", "-more"), ("fe", "-")] {
            assert_eq!(of(version, more).as_deref(), Some(WELL_FORMED), "{version}");
        }
        for (version, more) in [("00", "-more"), ("01", "more"), ("ff", ""), ("0A", "")] {
            assert_eq!(of(version, more), None, "{version} {more}");
        }
    }

    #[test]
    fn what_is_no_context_is_none() {
        for text in [
            "",
            "00",
            &WELL_FORMED[..54],
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn two_headers_are_as_good_as_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(of(&headers), None);
        headers.append(HEADER, HeaderValue::from_static(WELL_FORMED));
        assert!(of(&headers).is_some());
        headers.append(HEADER, HeaderValue::from_static(WELL_FORMED));
        assert_eq!(of(&headers), None);
    }

    #[test]
    fn any_bytes_are_a_context_that_is_written_like_them_or_none() {
        let entropy = Seed::from_env_or_random().entropy();
        for _ in 0..20_000 {
            let mut text = format!("{WELL_FORMED}-more").into_bytes();
            text.truncate(50 + entropy.index(11));
            for _ in 0..entropy.below(4) {
                let at = entropy.index(text.len());
                let near = b"0019afAF-g \xFF";
                text[at] = near[entropy.index(near.len())];
            }
            if let Some(trace) = parse(&text) {
                // A later version is read as ours, and what it adds is left out.
                assert_eq!(write(&trace).as_bytes()[2..], text[2..55]);
                assert!(text.len() == 55 || text[..2] != *b"00");
            }
        }
    }
}
