//! Timetables by example, and against another reader of expressions.

use uuid::Uuid;

use super::*;
use crate::Timestamp;

fn at(text: &str) -> Timestamp {
    chrono::DateTime::parse_from_rfc3339(text)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
        .to_utc()
        .into()
}

fn fires(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let timetable =
        Timetable::parse(expression, zone).unwrap_or_else(|error| panic!("{expression}: {error}"));
    let fires = timetable.fires_after(at(after), count);
    fires.iter().map(|fire| fire.to_datetime().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)).collect()
}

#[test]
fn expressions_fire_when_cron_would() {
    let after = "2026-11-24T07:19:16.5Z"; // A Tuesday.
    for (expression, expected) in [
        ("* * * * * *", ["2026-11-24T07:19:17Z", "2026-11-24T07:19:18Z"]),
        ("*/20 * * * * *", ["2026-11-24T07:19:20Z", "2026-11-24T07:19:40Z"]),
        ("* * * * *", ["2026-11-24T07:20:00Z", "2026-11-24T07:21:00Z"]),
        ("*/7 * * * *", ["2026-11-24T07:21:00Z", "2026-11-24T07:28:00Z"]),
        ("5,50 7,9 * * *", ["2026-11-24T07:50:00Z", "2026-11-24T09:05:00Z"]),
        ("30 6-22/8 * * *", ["2026-11-24T14:30:00Z", "2026-11-24T22:30:00Z"]),
        ("15 30 3 * * *", ["2026-11-25T03:30:15Z", "2026-11-26T03:30:15Z"]),
        ("0 0 31 * *", ["2026-12-31T00:00:00Z", "2027-01-31T00:00:00Z"]),
        ("0 0 29 2 *", ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]),
        ("0 0 1 JAN,jul *", ["2027-01-01T00:00:00Z", "2027-07-01T00:00:00Z"]),
        ("0 0 * * 0", ["2026-11-29T00:00:00Z", "2026-12-06T00:00:00Z"]),
        ("0 0 * * 7", ["2026-11-29T00:00:00Z", "2026-12-06T00:00:00Z"]),
        ("0 0 * * 1", ["2026-11-30T00:00:00Z", "2026-12-07T00:00:00Z"]),
        ("0 0 * * mon-FRI", ["2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z"]),
        ("0 0 * * sat-sun", ["2026-11-28T00:00:00Z", "2026-11-29T00:00:00Z"]),
        ("0 0 * * 5-7", ["2026-11-27T00:00:00Z", "2026-11-28T00:00:00Z"]),
        // Both days are restricted: either will do.
        ("0 0 27 * 0", ["2026-11-27T00:00:00Z", "2026-11-29T00:00:00Z"]),
        // A star at the beginning restricts nothing: both have to hold.
        ("0 0 */2 * 0", ["2026-11-29T00:00:00Z", "2026-12-13T00:00:00Z"]),
        ("@hourly", ["2026-11-24T08:00:00Z", "2026-11-24T09:00:00Z"]),
        ("@daily", ["2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z"]),
        ("@midnight", ["2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z"]),
        ("@weekly", ["2026-11-29T00:00:00Z", "2026-12-06T00:00:00Z"]),
        ("@Monthly", ["2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"]),
        ("@yearly", ["2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"]),
        (" @annually ", ["2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"]),
    ] {
        assert_eq!(fires(expression, "UTC", after, 2), expected, "{expression}");
    }
    // 2100 is no leap year, and the calendar ends with it.
    assert_eq!(fires("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", 1), Vec::<String>::new());
    // The 29th of February on a Sunday: `*/7` is Sunday alone, and restricts nothing.
    let rare = fires("0 0 29 2 */7", "UTC", "2026-11-24T00:00:00Z", 2);
    assert_eq!(rare, ["2032-02-29T00:00:00Z", "2060-02-29T00:00:00Z"]);
    assert_eq!(fires("0 0 * * *", "UTC", "2026-11-23T23:59:59.999999Z", 1), ["2026-11-24T00:00:00Z"]);
    assert_eq!(fires("0 0 * * *", "UTC", "2026-11-24T00:00:00Z", 1), ["2026-11-25T00:00:00Z"]);
}

#[test]
fn times_left_out_in_spring_fire_once_after_the_gap() {
    for (expression, zone, after, expected) in [
        // Berlin: 02:00 to 03:00 is missing on the 29th of March, at 01:00 UTC.
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00:00Z",
            ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
        ),
        (
            "0 2,3 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00:00Z",
            ["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"],
        ),
        (
            "0,15,30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00:00Z",
            ["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"],
        ),
        (
            "10 1-4 * * *",
            "Europe/Berlin",
            "2026-03-29T00:00:00Z",
            ["2026-03-29T00:10:00Z", "2026-03-29T01:00:00Z"],
        ),
        (
            "10 3 * * *",
            "Europe/Berlin",
            "2026-03-29T00:00:00Z",
            ["2026-03-29T01:10:00Z", "2026-03-30T01:10:00Z"],
        ),
        (
            "0 3 * * *",
            "Europe/Berlin",
            "2026-03-29T01:00:00Z",
            ["2026-03-30T01:00:00Z", "2026-03-31T01:00:00Z"],
        ),
        // New York: 02:00 to 03:00 is missing on the 8th of March, at 07:00 UTC.
        (
            "59 2 * * *",
            "America/New_York",
            "2026-03-07T12:00:00Z",
            ["2026-03-08T07:00:00Z", "2026-03-09T06:59:00Z"],
        ),
        // Lord Howe: half an hour from 02:00 is missing on the 4th of October, at 15:30 UTC the day before.
        (
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T00:00:00Z",
            ["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"],
        ),
        (
            "45 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T00:00:00Z",
            ["2026-10-03T15:45:00Z", "2026-10-04T15:45:00Z"],
        ),
        // Intervals go by the clock as it runs: nothing fires in the gap.
        (
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-03-29T00:30:00Z",
            ["2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"],
        ),
        (
            "30 */2 * * *",
            "Europe/Berlin",
            "2026-03-28T23:00:00Z",
            ["2026-03-28T23:30:00Z", "2026-03-29T02:30:00Z"],
        ),
        (
            "*/15 2 * * *",
            "Europe/Berlin",
            "2026-03-29T00:00:00Z",
            ["2026-03-30T00:00:00Z", "2026-03-30T00:15:00Z"],
        ),
        // Apia had no 30th of December in 2011.
        (
            "0 12 30 12 *",
            "Pacific/Apia",
            "2011-12-01T00:00:00Z",
            ["2011-12-30T10:00:00Z", "2012-12-29T22:00:00Z"],
        ),
    ] {
        assert_eq!(fires(expression, zone, after, 2), expected, "{expression} in {zone}");
    }
}

#[test]
fn times_repeated_in_autumn_fire_at_their_first_occurrence() {
    for (expression, zone, after, expected) in [
        // Berlin: 02:00 to 03:00 comes twice on the 25th of October, from 00:00 and from 01:00 UTC.
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00:00Z",
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
        ),
        (
            "0 2,3 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00:00Z",
            ["2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"],
        ),
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-25T01:10:00Z",
            ["2026-10-26T01:30:00Z", "2026-10-27T01:30:00Z"],
        ),
        // New York: 01:00 to 02:00 comes twice on the 1st of November, from 05:00 and from 06:00 UTC.
        (
            "0 1 * * *",
            "America/New_York",
            "2026-10-31T12:00:00Z",
            ["2026-11-01T05:00:00Z", "2026-11-02T06:00:00Z"],
        ),
        // Lord Howe: 01:30 to 02:00 comes twice on the 5th of April, from 14:30 and from 15:00 UTC the day before.
        (
            "45 1 * * *",
            "Australia/Lord_Howe",
            "2026-04-04T00:00:00Z",
            ["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"],
        ),
        // Intervals go by the clock as it runs: in both hours.
        (
            "30 * * * *",
            "Europe/Berlin",
            "2026-10-25T00:00:00Z",
            ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"],
        ),
        (
            "*/30 2 * * *",
            "Europe/Berlin",
            "2026-10-25T00:10:00Z",
            ["2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z"],
        ),
        (
            "*/20 * * * *",
            "Australia/Lord_Howe",
            "2026-04-04T14:50:00Z",
            ["2026-04-04T15:10:00Z", "2026-04-04T15:30:00Z"],
        ),
    ] {
        assert_eq!(fires(expression, zone, after, 2), expected, "{expression} in {zone}");
    }
}

#[test]
fn a_year_in_a_zone_has_as_many_fires_as_days_and_hours() {
    for zone in ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC", "Asia/Kathmandu"] {
        let count = |expression: &str| {
            let timetable = Timetable::parse(expression, zone).unwrap();
            let (start, end) = (at("2025-12-31T23:59:59Z"), at("2027-01-01T00:00:00Z"));
            let all = std::iter::successors(timetable.next_after(start), |fire| timetable.next_after(*fire));
            let fires: Vec<_> = all.take_while(|fire| *fire < end).collect();
            assert!(fires.is_sorted_by(|one, next| one < next), "{expression} in {zone}");
            fires.len()
        };
        for expression in ["30 1 * * *", "15 2 * * *", "45 2 * * *", "0 12 * * *"] {
            assert_eq!(count(expression), 365, "{expression} in {zone}");
        }
        let half_hours = count("*/30 * * * *");
        assert_eq!(half_hours, 365 * 48, "{zone}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_remedy() {
    for (expression, expected) in [
        (
            "",
            "the expression has 0 fields: write five (minute, hour, day of month, month, day of week), or six with the second in front",
        ),
        (
            "* * * *",
            "the expression has 4 fields: write five (minute, hour, day of month, month, day of week), or six with the second in front",
        ),
        (
            "@reboot",
            "\"@reboot\" is not known: use @hourly, @daily, @midnight, @weekly, @monthly, @yearly or @annually",
        ),
        ("60 * * * *", "the minute \"60\" must be made of *, or of numbers from 0 to 59"),
        ("* 24 * * *", "the hour \"24\" must be made of *, or of numbers from 0 to 23"),
        ("* * 0 * *", "the day of month \"0\" must be made of *, or of numbers from 1 to 31"),
        ("* * * 13 *", "the month \"13\" must be made of *, or of numbers from 1 to 12, or jan to dec"),
        ("* * * * 8", "the day of week \"8\" must be made of *, or of numbers from 0 to 7, or sun to sat"),
        (
            "* * * * funday",
            "the day of week \"funday\" must be made of *, or of numbers from 0 to 7, or sun to sat",
        ),
        ("+5 * * * *", "the minute \"+5\" must be made of *, or of numbers from 0 to 59"),
        ("1,,2 * * * *", "the minute \"\" must be made of *, or of numbers from 0 to 59"),
        ("? * * * *", "the minute \"?\" must be made of *, or of numbers from 0 to 59"),
        ("61 * * * * *", "the second \"61\" must be made of *, or of numbers from 0 to 59"),
        ("*/0 * * * *", "the minute \"*/0\" needs a step between 1 and 59 behind the /"),
        ("*/99 * * * *", "the minute \"*/99\" needs a step between 1 and 59 behind the /"),
        ("*/ * * * *", "the minute \"*/\" needs a step between 1 and 59 behind the /"),
        ("5/10 * * * *", "the minute \"5/10\" has a step without a range: write 5-59/10"),
        ("* 22-2 * * *", "the hour \"22-2\" runs backwards: write 22-23,0-2"),
        ("0 0 30 2 *", "the expression never fires: none of its months has such a day"),
        ("0 0 31 4,6,9,11 *", "the expression never fires: none of its months has such a day"),
    ] {
        assert_eq!(Timetable::parse(expression, "UTC").unwrap_err().to_string(), expected, "{expression}");
    }
    assert_eq!(Timetable::parse(&"1,".repeat(128), "UTC"), Err(ScheduleError::TooLong));
    // Either day will do, so it fires on Mondays.
    assert!(Timetable::parse("0 0 30 2 1", "UTC").is_ok());
    for zone in ["", "Mars/Olympus", "+01:00", "Factory", "../etc/passwd", "posix/UTC"] {
        let error = Timetable::parse("@daily", zone).unwrap_err();
        assert_eq!(error, ScheduleError::UnknownZone(zone.to_owned()));
    }
    assert_eq!(Timetable::parse("@daily", "europe/berlin").unwrap().zone_name(), "Europe/Berlin");
    assert_eq!(Timetable::parse("@daily", "utc").unwrap().zone_name(), "UTC");
}

fn recurrence(expression: &str, jitter_secs: i64, on_missed: MissedPolicy) -> Recurrence {
    let timetable = Timetable::parse(expression, "UTC").unwrap();
    Recurrence { schedule: Uuid::from_u128(7), timetable, jitter_secs, on_missed }
}

#[test]
fn fires_are_run_one_at_a_time_while_they_are_on_time() {
    let first = at("2026-11-24T07:00:00Z");
    for on_missed in [MissedPolicy::Skip, MissedPolicy::RunOnce] {
        let each_second = recurrence("* * * * * *", 0, on_missed);
        assert_eq!(each_second.decide(first, first.plus_seconds(-1)), None);
        for late in [0, 1, ON_TIME_SECS] {
            let decided = each_second.decide(first, first.plus_seconds(late));
            let expected = Decision { run: Some(first), missed: 0, last_fire: first, resume_after: first };
            assert_eq!(decided, Some(expected), "{late} s late");
        }
    }
}

#[test]
fn missed_fires_are_skipped_or_run_as_one() {
    let first = at("2026-11-24T07:00:00Z");
    // Ten minutes and a second later: the tenth minute is on time, those before it are not.
    let now = first.plus_seconds(601);
    let tenth = first.plus_seconds(600);
    let skipped = recurrence("* * * * *", 0, MissedPolicy::Skip).decide(first, now).unwrap();
    assert_eq!(skipped, Decision { run: Some(tenth), missed: 10, last_fire: tenth, resume_after: tenth });
    let once = recurrence("* * * * *", 0, MissedPolicy::RunOnce).decide(first, now).unwrap();
    assert_eq!(once, Decision { run: Some(tenth), missed: 10, last_fire: tenth, resume_after: tenth });

    // An hour after a daily fire nothing is on time.
    let daily = |policy| recurrence("0 7 * * *", 0, policy).decide(first, first.plus_seconds(3_600)).unwrap();
    let none = Decision { run: None, missed: 1, last_fire: first, resume_after: first };
    assert_eq!(daily(MissedPolicy::Skip), none);
    assert_eq!(daily(MissedPolicy::RunOnce), Decision { run: Some(first), missed: 0, ..none });
}

#[test]
fn a_long_outage_is_not_counted_to_its_end() {
    let first = at("2026-11-24T07:00:00Z");
    let now = first.plus_seconds(30 * 86_400);
    let each_second = recurrence("* * * * * *", 0, MissedPolicy::Skip).decide(first, now).unwrap();
    let on_time = now.plus_seconds(1 - ON_TIME_SECS);
    assert_eq!(
        each_second,
        Decision { run: Some(on_time), missed: 1_000, last_fire: on_time, resume_after: on_time }
    );
    // Nothing that has passed comes again.
    let hourly = recurrence("0 * * * *", 0, MissedPolicy::RunOnce);
    let much_later = first.plus_seconds(1_000 * 86_400 + 1_800);
    let decided = hourly.decide(first, much_later).unwrap();
    assert_eq!((decided.run, decided.missed), (Some(first.plus_seconds(999 * 3_600)), 999));
    assert_eq!(hourly.next_after(decided.resume_after).unwrap().0, much_later.plus_seconds(1_800));
}

#[test]
fn jitter_is_the_same_everywhere_and_keeps_the_order() {
    let (minutely, daily) =
        (recurrence("* * * * *", 86_400, MissedPolicy::Skip), recurrence("@daily", 300, MissedPolicy::Skip));
    let fires = minutely.timetable.fires_after(at("2026-11-24T07:00:00Z"), 200);
    let due: Vec<_> = fires.iter().map(|fire| minutely.due_at(*fire)).collect();
    assert!(due.is_sorted_by(|one, next| one < next));
    let delays: std::collections::BTreeSet<_> =
        due.iter().zip(&fires).map(|(due, fire)| due.as_secs() - fire.as_secs()).collect();
    assert!(delays.len() > 40 && *delays.last().unwrap() < 60, "{delays:?}");
    let fire = at("2026-11-25T00:00:00Z");
    assert_eq!(daily.due_at(fire), daily.clone().due_at(fire));
    let other = Recurrence { schedule: Uuid::from_u128(8), ..daily.clone() };
    assert_ne!(daily.due_at(fire), other.due_at(fire));
    assert_eq!(daily.decide(fire, daily.due_at(fire).plus_seconds(-1)), None);
    assert_eq!(daily.decide(fire, daily.due_at(fire)).unwrap().run, Some(fire));
}
