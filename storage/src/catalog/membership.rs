//! Which content a version holds: arithmetic on the intervals of `repository_content`.

use sea_orm::sea_query::{Condition, Expr, ExprTrait};

use crate::entity::repository_content::{Column, Entity};

/// What the `kind` columns of content say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Kind {
    Blob = 1,
    Manifest = 2,
    Tag = 3,
}

impl Kind {
    pub(crate) const fn number(self) -> i32 {
        self as i32
    }
}

/// Rows whose interval covers version `number`.
pub(crate) fn present_at(number: i64) -> Condition {
    Condition::all().add(Expr::col((Entity, Column::VersionAdded)).lte(number)).add(
        Condition::any()
            .add(Expr::col((Entity, Column::VersionRemoved)).is_null())
            .add(Expr::col((Entity, Column::VersionRemoved)).gt(number)),
    )
}
