//! The page at `/ui/tasks/`: the newest tasks, for operators. It only shows; it has no script, and asks again by
//! itself.

use std::fmt::Write as _;

use poem::http::{StatusCode, header};
use poem::{Request, Response};
use poem_openapi::types::ToJSON as _;
use serde_json::Value;
use storage::ListQuery;

use crate::AppState;
use crate::credentials::{self, Admission};

/// How many tasks are shown.
const SHOWN: u64 = 100;
/// How often the page asks again, in seconds.
const REFRESH: u32 = 5;

const STYLE: &str = "body{font:14px/1.4 system-ui,sans-serif;margin:2em;color:#222}\
                     table{border-collapse:collapse;width:100%}\
                     th,td{text-align:left;vertical-align:top;padding:.3em .8em .3em 0;border-bottom:1px solid #ddd}\
                     small{color:#666;display:block}.completed{color:#176b2c}.failed{color:#a4161a}\
                     .running,.canceling{color:#0b4f8a}.waiting,.canceled{color:#666}";
/// No script, no picture, nothing from elsewhere: only the style above, named by its hash (CSP 3, "hash-source").
fn policy() -> String {
    use base64::Engine as _;
    use sha2::Digest as _;
    let hash = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// The page.
pub(crate) async fn get(state: AppState, request: Request) -> Response {
    if let Admission::Refused(refusal) = credentials::admit(&state, &request).await {
        return refusal;
    }
    let found = state.catalog.list_tasks(&ListQuery { limit: SHOWN, ..ListQuery::default() }).await;
    let (status, body) = match found {
        Ok(found) => {
            // What the API says of a task: the page shows nothing that a client couldn't see.
            let tasks = found.items.into_iter().filter_map(|task| crate::api::tasks::show(task).to_json());
            (StatusCode::OK, table(found.total, tasks))
        }
        Err(error) => {
            tracing::warn!(error = registry::chain(&error), "the tasks could not be listed");
            (StatusCode::SERVICE_UNAVAILABLE, "<p>The tasks cannot be read at the moment.</p>".to_owned())
        }
    };
    Response::builder()
        .status(status)
        .content_type("text/html; charset=utf-8")
        .header(header::CONTENT_SECURITY_POLICY, policy())
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(header::REFERRER_POLICY, "no-referrer")
        .header(header::CACHE_CONTROL, "no-store")
        .body(format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta http-equiv=\"refresh\" content=\"{REFRESH}\"><title>Tasks · Entrepot</title>\
             <style>{STYLE}</style></head>\n<body><h1>Tasks</h1>\n{body}</body></html>\n"
        ))
}

fn table(total: u64, tasks: impl Iterator<Item = Value>) -> String {
    let rows: String = tasks.map(|task| row(&task)).collect();
    format!(
        "<p>{total} in all; the newest first, {SHOWN} at most.</p>\n<table><thead><tr><th>State</th><th>Kind</th>\
         <th>Resources</th><th>Progress</th><th>Started</th><th>Finished</th></tr></thead>\n<tbody>{rows}</tbody>\
         </table>\n"
    )
}

fn row(task: &Value) -> String {
    let state = text(&task["state"]);
    let mut about = format!("<td class=\"{state}\">{state}{}</td>", small(&error(task)));
    let link = format!("<a href=\"{0}\">{1}</a>", text(&task["pulp_href"]), text(&task["name"]));
    let log = format!("<a href=\"{}logs/\">log</a>", text(&task["pulp_href"]));
    let _ = write!(about, "<td>{link}<small>{log}</small></td>");
    let waits = text(&task["waiting_for"]["description"]);
    let _ = write!(about, "<td>{}{}</td>", texts(&task["reserved_resources_record"]), small(&waits));
    let reports: Vec<String> =
        (task["progress_reports"].as_array().into_iter().flatten()).map(report).collect();
    let _ = write!(about, "<td>{}</td>", reports.join("<br>"));
    for moment in ["started_at", "finished_at"] {
        let _ = write!(about, "<td>{}</td>", text(&task[moment]));
    }
    format!("<tr>{about}</tr>\n")
}

fn report(report: &Value) -> String {
    let total = report["total"].as_i64().map(|total| format!(" of {total}")).unwrap_or_default();
    let done = report["done"].as_i64().unwrap_or_default();
    format!("{}: {done}{total} {}", text(&report["message"]), text(&report["suffix"]))
}

fn error(task: &Value) -> String {
    text(&task["error"]["description"])
}

/// `escaped` on a line of its own, unless there is none.
fn small(escaped: &str) -> String {
    if escaped.is_empty() { String::new() } else { format!("<small>{escaped}</small>") }
}

fn texts(value: &Value) -> String {
    match value {
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join("<br>"),
        other => text(other),
    }
}

/// A text or number, escaped; nothing for null.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => escape(text),
        other => escape(&other.to_string()),
    }
}

/// For text and for attributes in double quotes (WHATWG HTML, "Escaping a string").
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whatever_a_task_says_stays_text() {
        let evil = "<script>alert('x')</script>&\"";
        let task = json!({
            "pulp_href": "/pulp/api/v3/tasks/1/", "name": evil, "state": "failed",
            "error": {"description": evil}, "reserved_resources_record": [evil, "b"], "waiting_for": {"description": evil},
            "progress_reports": [{"message": evil, "done": 3, "total": 5, "suffix": null}],
            "started_at": "2026-11-24T07:19:16.170022Z", "finished_at": null,
        });
        let row = row(&task);
        assert!(!row.contains("<script") && !row.contains("'x'"), "{row}");
        let safe = "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;";
        assert_eq!(
            row,
            format!(
                "<tr><td class=\"failed\">failed<small>{safe}</small></td>\
                 <td><a href=\"/pulp/api/v3/tasks/1/\">{safe}</a>\
                 <small><a href=\"/pulp/api/v3/tasks/1/logs/\">log</a></small></td>\
                 <td>{safe}<br>b<small>{safe}</small></td><td>{safe}: 3 of 5 </td>\
                 <td>2026-11-24T07:19:16.170022Z</td><td></td></tr>\n"
            )
        );
    }

    #[test]
    fn what_is_not_there_is_left_out() {
        let row = row(&json!({"state": "waiting", "name": "x", "pulp_href": "/t/"}));
        assert!(!row.contains("null") && !row.contains("<small></small>"), "{row}");
    }
}
