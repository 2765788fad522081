//! Points in time, as people write them: `2026-11-21T10:00:00Z`, `2h ago`, or the engine's milliseconds.

use std::str::FromStr;
use std::time::Duration;

use headwater_wal::{Clock, SystemClock, Time};

const FORMS: &str = "a time is a date such as 2026-11-21, 2026-11-21T10:00:00.250Z or 2026-11-21T10:00+02:00 (without a zone: \
                     UTC), or `2h ago` (ms, s, m, h, d, w; 1d12h as well), or `now`, or milliseconds since 1970";

const DAY_MS: u64 = 86_400_000;

/// A point in time; what is said as an age counts from when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct When(pub(crate) Time);

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text.trim(), SystemClock::default().wall()).map(When).ok_or_else(|| FORMS.to_owned())
    }
}

fn parse(text: &str, now: Time) -> Option<Time> {
    if text == "now" {
        return Some(now);
    }
    if let Some(ago) = text.strip_suffix("ago") {
        return Some(now.before(span(ago.trim_end())?));
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Time);
    }
    date(text)
}

fn span(text: &str) -> Option<Duration> {
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, behind) = rest.split_at(digits);
        let unit = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, next) = behind.split_at(unit);
        let ms = match unit.trim() {
            "ms" => 1,
            "s" | "sec" | "second" | "seconds" => 1_000,
            "m" | "min" | "minute" | "minutes" => 60_000,
            "h" | "hour" | "hours" => 3_600_000,
            "d" | "day" | "days" => DAY_MS,
            "w" | "week" | "weeks" => 7 * DAY_MS,
            _ => return None,
        };
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(ms)?)?;
        rest = next;
    }
    (!text.is_empty()).then(|| Duration::from_millis(total))
}

/// RFC 3339, of which everything behind the date may be left out.
fn date(text: &str) -> Option<Time> {
    let (day, clock) = match text.find(['T', 't', ' ']) {
        Some(at) if at + 1 == text.len() => return None,
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, ""),
    };
    let [year, month, day] = numbers(day, '-', [4, 2, 2])?;
    let (clock, ahead_ms) = zone(clock)?;
    let ms = match clock {
        "" => 0,
        clock => of_day(clock)?,
    };
    let days = days(year, month, day)?;
    let utc = (days * DAY_MS + ms).checked_add_signed(-ahead_ms)?;
    Some(Time(utc))
}

/// What stands before the zone, and how far that one is ahead of UTC.
fn zone(clock: &str) -> Option<(&str, i64)> {
    if let Some(utc) = clock.strip_suffix(['Z', 'z']) {
        return (!utc.is_empty()).then_some((utc, 0));
    }
    let Some(at) = clock.find(['+', '-']) else { return Some((clock, 0)) };
    let (clock, zone) = clock.split_at(at);
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let zone = &zone[1..];
    let [hours, minutes] = match zone.len() {
        2 => [numbers::<1>(zone, ':', [2])?[0], 0],
        4 => numbers(&format!("{}:{}", zone.get(..2)?, zone.get(2..)?), ':', [2, 2])?,
        _ => numbers(zone, ':', [2, 2])?,
    };
    let fits = hours < 24 && minutes < 60 && !clock.is_empty();
    fits.then_some((clock, sign * (hours * 3_600_000 + minutes * 60_000) as i64))
}

/// The milliseconds since midnight of `10:00`, `10:00:30` or `10:00:30.25`.
fn of_day(clock: &str) -> Option<u64> {
    let (clock, fraction) = clock.split_once(['.', ',']).unwrap_or((clock, "0"));
    let [hour, minute, second] = match clock.len() {
        5 => {
            let [hour, minute] = numbers(clock, ':', [2, 2])?;
            [hour, minute, 0]
        }
        _ => numbers(clock, ':', [2, 2, 2])?,
    };
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let milli: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    (hour < 24 && minute < 60 && second < 60).then_some(((hour * 60 + minute) * 60 + second) * 1_000 + milli)
}

fn numbers<const N: usize>(text: &str, between: char, lens: [usize; N]) -> Option<[u64; N]> {
    let mut parts = text.split(between);
    let mut found = [0; N];
    for (number, len) in found.iter_mut().zip(lens) {
        let part = parts.next().filter(|part| part.len() == len)?;
        *number = part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())??;
    }
    parts.next().is_none().then_some(found)
}

/// Days since 1970-01-01, in years that begin with March.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let long = match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=long).contains(&day) || year < 1970 {
        return None;
    }
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let before = year * 365 + year / 4 - year / 100 + year / 400;
    Some(before + (153 * month + 2) / 5 + day - 1 - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_795_193_007_042); // 2026-11-20T16:43:27.042Z

    #[test]
    fn times_are_read_in_every_form_that_people_write() {
        for (text, want) in [
            ("2026-11-20T16:43:27.042Z", Some(NOW.0)),
            ("2026-11-20 16:43:27.042", Some(NOW.0)),
            ("2026-11-20T18:43:27.042+02:00", Some(NOW.0)),
            ("2026-11-20T11:13:27.042-0530", Some(NOW.0)),
            ("2026-11-20T17:43:27.0429+01", Some(NOW.0)),
            ("2026-11-20", Some(1_795_132_800_000)),
            ("2026-11-20T00:00Z", Some(1_795_132_800_000)),
            ("1970-01-01", Some(0)),
            ("2000-02-29", Some(951_782_400_000)),
            ("now", Some(NOW.0)),
            ("2h ago", Some(NOW.0 - 7_200_000)),
            ("1d12h ago", Some(NOW.0 - 129_600_000)),
            ("2 days ago", Some(NOW.0 - 172_800_000)),
            ("250ms ago", Some(NOW.0 - 250)),
            ("99999w ago", Some(0)),
            ("42", Some(42)),
            ("18446744073709551615", Some(u64::MAX)),
        ] {
            assert_eq!(parse(text, NOW).map(|time| time.0), want, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "ago",
            "2h",
            "h ago",
            "2x ago",
            "-1",
            "18446744073709551616",
            "2026-02-29",
            "2026-13-01",
            "2026-11-20T",
            "2026-11-20TZ",
            "2026-11-20T24:00",
            "2026-11-20T1:00",
            "1969-12-31",
            "2026-11-20T10:00+2",
            "2026-11-20T10:00:00.",
            "1970-01-01T00:00+01:00",
            "99999999999999999999w ago",
            "2026-11-2é",
            "é2026-11-20",
            "2026-11-20T10:00+é1",
        ] {
            assert!(parse(text, NOW).is_none(), "{text}: {:?}", parse(text, NOW));
        }
        assert!("x".parse::<When>().unwrap_err().contains("2h ago"));
    }
}
