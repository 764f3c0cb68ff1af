//! Pushes: upload sessions, which blob was pushed to which repository, and what manifests refer to.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::prelude::Uuid;
use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseBackend, JsonValue, Statement};

use crate::columns::{flag, id, index, number, primary_id, reference, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut is_push = flag("is_push");
        is_push.default(false);
        add_column(manager, "repository", is_push).await?;
        for column in ["subject", "artifact_type"] {
            add_column(manager, "manifest", text_null(column)).await?;
        }
        manager.create_index(index("manifest_subject_idx", "manifest", &["subject", "digest"])).await?;
        let repository = |table| {
            reference("repository_fkey", (table, "repository_id"), "repository", ForeignKeyAction::Cascade)
        };
        manager
            .create_table(
                Table::create()
                    .table("blob_upload")
                    .col(primary_id("id"))
                    .col(id("repository_id"))
                    .col(number("created"))
                    .col(number("updated"))
                    .foreign_key(&mut repository("blob_upload"))
                    .to_owned(),
            )
            .await?;
        manager.create_index(index("blob_upload_updated_idx", "blob_upload", &["updated"])).await?;
        manager.create_index(index("blob_upload_repository_idx", "blob_upload", &["repository_id"])).await?;
        manager
            .create_table(
                Table::create()
                    .table("pushed_blob")
                    .col(id("repository_id"))
                    .col(id("blob_id"))
                    .col(number("pushed"))
                    .primary_key(Index::create().col("repository_id").col("blob_id"))
                    .foreign_key(&mut repository("pushed_blob"))
                    .foreign_key(&mut reference(
                        "pushed_blob_blob_fkey",
                        ("pushed_blob", "blob_id"),
                        "blob",
                        ForeignKeyAction::Cascade,
                    ))
                    .to_owned(),
            )
            .await?;
        manager.create_index(index("pushed_blob_blob_idx", "pushed_blob", &["blob_id"])).await?;
        manager.create_index(index("pushed_blob_pushed_idx", "pushed_blob", &["pushed"])).await?;
        find_subjects(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["pushed_blob", "blob_upload"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        manager.drop_index(Index::drop().name("manifest_subject_idx").table("manifest").to_owned()).await?;
        for (table, column) in
            [("manifest", "artifact_type"), ("manifest", "subject"), ("repository", "is_push")]
        {
            manager.alter_table(Table::alter().table(table).drop_column(column).to_owned()).await?;
        }
        Ok(())
    }
}

async fn add_column(
    manager: &SchemaManager<'_>,
    table: &'static str,
    column: ColumnDef,
) -> Result<(), DbErr> {
    manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await
}

/// Reads from the manifests that are there what they refer to.
async fn find_subjects(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let backend = connection.get_database_backend();
    let mentions = match backend {
        DatabaseBackend::Postgres => r#"position('"subject"'::bytea IN body) > 0"#,
        _ => r#"instr(body, CAST('"subject"' AS BLOB)) > 0"#,
    };
    let sql = format!("SELECT id FROM manifest WHERE {mentions}");
    for row in connection.query_all_raw(Statement::from_string(backend, sql)).await? {
        let id: Uuid = row.try_get("", "id")?;
        let select = Query::select().column("body").from("manifest").and_where(Expr::col("id").eq(id)).take();
        let Some(found) = connection.query_one(&select).await? else { continue };
        let body: Vec<u8> = found.try_get("", "body")?;
        let document = String::from_utf8(body).ok().and_then(|text| text.parse::<JsonValue>().ok());
        let Some(document) = document else { continue };
        let Some(subject) = document["subject"]["digest"].as_str() else { continue };
        let own = document["artifactType"].as_str().filter(|text| !text.is_empty());
        let artifact_type = own.or_else(|| document["config"]["mediaType"].as_str()).map(essence);
        let update = Query::update()
            .table("manifest")
            .value("subject", subject)
            .value("artifact_type", artifact_type)
            .and_where(Expr::col("id").eq(id))
            .take();
        connection.execute(&update).await?;
    }
    Ok(())
}

/// A media type without parameters, in lower case.
fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
