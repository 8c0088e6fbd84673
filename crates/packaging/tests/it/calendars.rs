//! `schedule.calendar` takes what systemd takes, and nothing else.

use std::process::Command;

use model::format::component::parse_component_yaml;

use crate::skip::has_tool;

/// Expressions that systemd takes: its manual's examples, and what is at the edges of its rules.
const VALID: &[&str] = &[
    "Sat,Thu,Mon..Wed,Sat..Sun",
    "Mon,Sun 12-*-* 2,1:23",
    "Wed *-1",
    "Wed..Wed,Wed *-1",
    "Wed, 17:48",
    "Wed..Sat,Tue 12-10-15 1:2:3",
    "*-*-7 0:0:0",
    "10-15",
    "monday *-12-* 17:00",
    "Mon,Fri *-*-3,1,2 *:30:45",
    "12,14,13,12:20,10,30",
    "12..14:10,20,30",
    "mon,fri *-1/2-1,3 *:30:45",
    "03-05 08:05:40",
    "08:05:40",
    "05:40",
    "Sat,Sun 12-05 08:05:40",
    "Sat,Sun 08:05:40",
    "2003-03-05 05:40",
    "05:40:23.4200004/3.1700005",
    "2003-02..04-05",
    "2003-03-05 05:40 UTC",
    "2003-03-05",
    "hourly",
    "daily",
    "daily UTC",
    "monthly",
    "weekly",
    "weekly Pacific/Auckland",
    "yearly",
    "annually",
    "quarterly",
    "semiannually",
    "minutely",
    "HOURLY",
    "*:2/3",
    "*:0/5",
    "*:*",
    "*-*",
    "*:10..10",
    "*-*-* *:*:*",
    "*-*-* *:*:0/15",
    "*-02~03",
    "Mon *-05~07/1",
    "*~1",
    "*-*~1 23:00",
    "Mon-Fri 09:00",
    "THURSDAY 1:2",
    "70-1-1",
    "2199-12-31",
    "1970-01-01",
    "0..23/2:00",
    "*-*-1..31/2",
    "*:0..59",
    "*:0/59",
    "*:*:59.5",
    "@1700000000",
    "Mon  *-*-*   04:30",
    "*-*-* 04:30 Europe/Berlin",
    "04:30 CET",
    "Mon,",
    "daily utc",
    "*:10..11/60",
    "*:*:5..7",
    "*:*:5..5.5/0.5",
    "*~3/2",
    "2024/2-*-*",
    "4..24/30:00",
];

/// Expressions that systemd refuses.
const INVALID: &[&str] = &[
    "",
    "*/5 * * * *",
    "5 4 * * *",
    "*:*/5",
    "*/2:00",
    "24:00",
    "04:60",
    "04:30:60",
    "4",
    "*",
    "04",
    "4:30pm",
    "Mo *-*-* 04:30",
    "Montag 04:30",
    "Mon Tue 04:30",
    "Mon,,Tue",
    "Mon..",
    "Mon.Tue",
    "Fri..Mon",
    "every day",
    "dailyy",
    "@daily",
    "@",
    "daily 04:30",
    "daily Nowhere/Nope/",
    "*-13-01",
    "1..31/15-1",
    "*-0-1",
    "*-*-32",
    "*-*-0",
    "*~29",
    "1969-12-31",
    "2200-01-01",
    "*:0/0",
    "*:0/60",
    "*:0/90",
    "*:30/40",
    "*:10..5",
    "*:1,",
    "*:,1",
    "*:1;2",
    "04:30,",
    "04:30:",
    "04:30:00:00",
    "2024-*-*-*",
    "*-*-* 04:30 04:30",
    "*-*-*04:30",
    "*-*-*T04:30",
    "*:1.5",
    "-1:00",
    "*:*:5..5",
    "*:*:5..5.5",
    "*:*:59.9999999",
    "*~3/3",
    "04:30  UTC",
    "UTC",
    "04:30 Mon",
    "04 :30",
    "0x4:30",
    "*-2~1~3",
    "2~3-1",
    "99999999999999999999:00",
];

/// What packaging says about a component with this calendar.
fn accepted(calendar: &str) -> Result<(), String> {
    let text = format!(
        "format: geppetto/component/1\nname: job\nversion: 1.0\nkind: processing\nsummary: S\nschedule:\n  command: [/bin/true]\n  user: job\n  calendar: {}\n",
        serde_json::to_string(calendar).unwrap()
    );
    parse_component_yaml("component.yaml", &text).map(|_| ()).map_err(|errors| errors[0].to_string())
}

#[test]
fn calendar_of_systemd_is_accepted_and_another_is_an_error_with_its_line() {
    for calendar in VALID {
        assert_eq!(accepted(calendar), Ok(()), "{calendar}");
    }
    for calendar in INVALID {
        let error = accepted(calendar).expect_err(calendar);
        let start =
            format!("component.yaml:9: `schedule.calendar` is `{calendar}`, which systemd does not take: ");
        assert!(error.starts_with(&start), "{error}");
    }
}

#[test]
fn systemd_itself_accepts_and_refuses_the_same_calendars() {
    if !has_tool("systemd-analyze") {
        return;
    }
    let takes = |calendar: &str| {
        // systemd-analyze takes no empty text after `calendar`, but then it says so.
        Command::new("systemd-analyze").args(["calendar", "--", calendar]).output().unwrap().status.success()
    };
    for calendar in VALID {
        assert!(takes(calendar), "systemd refuses `{calendar}`");
    }
    for calendar in INVALID {
        assert!(!takes(calendar), "systemd takes `{calendar}`");
    }
}
