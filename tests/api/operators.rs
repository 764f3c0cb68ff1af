//! The page of tasks.

use serde_json::json;

use crate::harness::{Database, Entrepot, on_both_databases};

on_both_databases!(operators_see_tasks_on_a_page);

async fn operators_see_tasks_on_a_page(database: Database) {
    let entrepot = Entrepot::start(database);
    assert_eq!(entrepot.anonymous().get("/ui/tasks/").status, 401);
    entrepot.create_distribution(&json!({"name": "early", "base_path": "early"}));
    let shown = entrepot.admin().get("/ui/tasks/");
    assert_eq!((shown.status, shown.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = shown.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    let page = shown.text();
    assert!(
        page.contains("<p>1 in all;") && page.contains("pulpcore.app.tasks.base.general_create"),
        "{page}"
    );
    assert!(page.contains("<td class=\"completed\">completed</td>") && !page.contains("<script"), "{page}");
}
