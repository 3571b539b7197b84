//! Latencies, drawn as text.

use hdrhistogram::Histogram;

/// How wide the longest bar is.
const WIDTH: usize = 40;

/// A bar for each class of latencies; the classes end at 1, 2 and 5 times each power of ten.
pub(super) fn bars(latencies_us: &Histogram<u64>) -> Vec<String> {
    let classes = classes(latencies_us);
    let all: u64 = classes.iter().map(|(_, count)| count).sum();
    let most = classes.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let bars = classes.into_iter().map(|(end_us, count)| {
        let (bar, share) = (bar(count, most), percent(count, all));
        format!("≤ {:<7}{bar:<WIDTH$} {share:>6.2} %", time(end_us))
    });
    bars.collect()
}

/// The classes from the first to the last with a latency in it: its end, and how many are in it.
fn classes(latencies_us: &Histogram<u64>) -> Vec<(u64, u64)> {
    let mut ends = (0..).flat_map(|power| [1, 2, 5].map(|it| it * 10_u64.pow(power)));
    let mut end = ends.next().unwrap_or(1);
    let mut classes: Vec<(u64, u64)> = Vec::new();
    for value in latencies_us.iter_recorded() {
        while value.value_iterated_to() > end {
            end = ends.next().unwrap_or(u64::MAX);
            if !classes.is_empty() {
                classes.push((end, 0));
            }
        }
        match classes.last_mut() {
            Some((_, count)) => *count += value.count_at_value(),
            None => classes.push((end, value.count_at_value())),
        }
    }
    classes
}

/// A bar in eighths of a character; something is always drawn for something.
fn bar(count: u64, most: u64) -> String {
    const PARTS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = (count * 8 * WIDTH as u64).div_ceil(most.max(1));
    let (full, part) = (eighths / 8, eighths % 8);
    let full = "█".repeat(usize::try_from(full).unwrap_or(WIDTH));
    let part = part.checked_sub(1).and_then(|at| usize::try_from(at).ok());
    full + &part.map(|at| PARTS[at].to_string()).unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "a share to be shown")]
fn percent(count: u64, all: u64) -> f64 {
    100.0 * count as f64 / all.max(1) as f64
}

fn time(us: u64) -> String {
    match us {
        ..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{} ms", us / 1_000),
        _ => format!("{} s", us / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values_us: &[u64]) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, 1_000_000_000, 3).unwrap();
        for value in values_us {
            histogram.record(*value).unwrap();
        }
        histogram
    }

    #[test]
    fn latencies_are_counted_in_classes_without_a_gap() {
        assert_eq!(classes(&histogram(&[])), []);
        let histogram = histogram(&[150, 200, 201, 1_001, 1_500]);
        let expected = [(200, 2), (500, 1), (1_000, 0), (2_000, 2)];
        assert_eq!(classes(&histogram), expected);
    }

    #[test]
    fn the_longest_bar_has_the_full_width_and_a_small_share_is_seen() {
        let mut values = vec![3_000; 1_000];
        values.push(40_000_000);
        let bars = bars(&histogram(&values));
        let first = bars.first().unwrap();
        assert!(first.starts_with("≤ 5 ms   ████"), "{first}");
        assert_eq!(first.matches('█').count(), WIDTH);
        assert!(first.ends_with(" 99.90 %"), "{first}");
        let last = bars.last().unwrap();
        assert!(last.starts_with("≤ 50 s   ▏ "), "{last}");
        assert!(last.ends_with("  0.10 %"), "{last}");
    }
}
