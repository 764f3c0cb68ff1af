//! Compiles list requests to SQL. Nothing is filtered or sorted in memory.

use sea_orm::sea_query::{Condition, Expr, ExprTrait, Func, LikeExpr, Query, SimpleExpr, Value};
use sea_orm::{
    DatabaseConnection, DbBackend, DbErr, EntityTrait, FromQueryResult, JoinType, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, RelationDef, RuntimeErr, Select,
};

use super::membership;
use crate::entity::content;
use crate::error::{Result, StorageError};
use registry::query::{Filter, FilterValue, LabelTerm, ListQuery, Op, Page};

/// What a field of the API is in the database.
pub(crate) enum Field {
    /// A column whose values compare as they are.
    Plain(Expr),
    /// A column of another table, which is joined only to order by it.
    Joined(Box<Joined>),
    /// A JSON column of labels.
    Labels(Expr),
    /// The id of a piece of content, which has labels elsewhere.
    ContentLabels(Expr),
    /// The id of a piece of content, which versions hold.
    Membership(Expr),
    /// What holds or does not; no column of its own.
    Flag(fn(DbBackend) -> Expr),
    /// A condition that only this list knows how to build; it can't be sorted by.
    Special(fn(Op, &FilterValue) -> Option<Condition>),
}

/// A column of another table.
pub(crate) struct Joined {
    pub(crate) column: Expr,
    pub(crate) relation: RelationDef,
    /// What holds of every row that is joined. It lets the database begin with the other table, in its order.
    pub(crate) given: Expr,
}

/// `pulp_type`, of whatever there is only one type of.
pub(crate) fn only_type() -> Field {
    Field::Plain(Expr::cust("'container.container'"))
}

/// The names by which a list can be filtered and sorted.
pub(crate) type Fields = fn(&str) -> Option<Field>;

/// Runs `select` as `query` asks. `created` and `id` break ties: newest first.
pub(crate) async fn fetch<E>(
    connection: &DatabaseConnection,
    select: Select<E>,
    query: &ListQuery,
    fields: Fields,
    ties: [Expr; 2],
) -> Result<Page<E::Model>>
where
    E: EntityTrait,
    E::Model: FromQueryResult + Sized + Send + Sync,
{
    let backend = connection.get_database_backend();
    let mut select = select;
    if let Some(mut filter) = query.filter.clone() {
        membership::resolve_versions(connection, &mut filter).await?;
        select = select.filter(compile(&filter, fields, backend)?);
    }
    let total = match select.clone().count(connection).await {
        Err(error) if refuses_regex(&error) => return Err(bad_regex(query)),
        total => total?,
    };
    let (mut ordered, mut joined) = (select, false);
    for key in &query.order {
        let column = match fields(key.field) {
            Some(Field::Plain(column)) => column,
            Some(Field::Joined(other)) => {
                if !std::mem::replace(&mut joined, true) {
                    ordered = ordered.join(JoinType::InnerJoin, other.relation).filter(other.given);
                }
                other.column
            }
            _ => return Err(StorageError::invalid(key.field, "this list cannot be ordered by it")),
        };
        ordered =
            ordered.order_by(column, if key.descending { sea_orm::Order::Desc } else { sea_orm::Order::Asc });
    }
    for tie in ties {
        ordered = ordered.order_by(tie, sea_orm::Order::Desc);
    }
    let items = if query.limit == 0 {
        Vec::new()
    } else {
        ordered.limit(query.limit).offset(query.offset).all(connection).await?
    };
    Ok(Page { total, items })
}

const BAD_REGEX: &str = "Must be a regex pattern that the database, PostgreSQL, supports.";

/// Whether PostgreSQL, whose regular expressions are not those of SQLite and the API, refuses one of them: its SQLSTATE
/// is then `invalid_regular_expression`.
fn refuses_regex(error: &DbErr) -> bool {
    let (DbErr::Query(RuntimeErr::SqlxError(error)) | DbErr::Exec(RuntimeErr::SqlxError(error))) = error
    else {
        return false;
    };
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "2201B")
}

/// Names the first regular expression of the query: the database doesn't tell which one it refuses.
fn bad_regex(query: &ListQuery) -> StorageError {
    let mut open: Vec<&Filter> = query.filter.iter().collect();
    while let Some(filter) = open.pop() {
        match filter {
            Filter::All(parts) | Filter::Any(parts) => open.extend(parts.iter().rev()),
            Filter::Not(inner) => open.push(inner),
            Filter::Field { field, op: op @ (Op::Regex | Op::IRegex), .. } => {
                let parameter = match (*field, op) {
                    ("name", Op::Regex) => "name__regex",
                    ("name", _) => "name__iregex",
                    (field, _) => field,
                };
                return StorageError::invalid(parameter, BAD_REGEX);
            }
            Filter::Field { .. } => {}
        }
    }
    StorageError::invalid("q", BAD_REGEX)
}

fn compile(filter: &Filter, fields: Fields, backend: DbBackend) -> Result<Condition> {
    Ok(match filter {
        Filter::All(parts) => join(Condition::all(), parts, fields, backend)?,
        Filter::Any(parts) => join(Condition::any(), parts, fields, backend)?,
        Filter::Not(inner) => Condition::all().not().add(compile(inner, fields, backend)?),
        Filter::Field { field, op, value } => {
            let unsupported =
                || StorageError::invalid(field, "this list cannot be filtered by it in that way");
            match fields(field).ok_or_else(unsupported)? {
                Field::Plain(column) => plain(column, *op, value, backend).ok_or_else(unsupported)?,
                Field::Labels(column) => match (op, value) {
                    (Op::LabelSelect, FilterValue::Labels(terms)) => labels(&column, terms, backend),
                    _ => return Err(unsupported()),
                },
                Field::ContentLabels(id) => match (op, value) {
                    (Op::LabelSelect, FilterValue::Labels(terms)) => content_labels(&id, terms, backend),
                    _ => return Err(unsupported()),
                },
                Field::Joined(..) => return Err(unsupported()),
                Field::Membership(id) => membership::condition(&id, *op, value).ok_or_else(unsupported)?,
                Field::Flag(build) => match (op, value) {
                    (Op::Eq, FilterValue::Bool(true)) => Condition::all().add(build(backend)),
                    (Op::Eq, FilterValue::Bool(false)) => Condition::all().not().add(build(backend)),
                    _ => return Err(unsupported()),
                },
                Field::Special(build) => build(*op, value).ok_or_else(unsupported)?,
            }
        }
    })
}

fn join(start: Condition, parts: &[Filter], fields: Fields, backend: DbBackend) -> Result<Condition> {
    parts.iter().try_fold(start, |condition, part| Ok(condition.add(compile(part, fields, backend)?)))
}

/// A comparison of a column with a value; `None` where the two don't fit.
fn plain(column: Expr, op: Op, value: &FilterValue, backend: DbBackend) -> Option<Condition> {
    let condition = match (op, scalar(value), several(value), value) {
        (Op::Eq, Some(value), ..) => column.eq(value),
        // SQL's <> is not true of NULL, but an absent value does differ.
        (Op::Ne, Some(value), ..) => column.clone().ne(value).or(column.is_null()),
        (Op::Lt, Some(value), ..) => column.lt(value),
        (Op::Lte, Some(value), ..) => column.lte(value),
        (Op::Gt, Some(value), ..) => column.gt(value),
        (Op::Gte, Some(value), ..) => column.gte(value),
        (Op::In, _, Some(values), _) => column.is_in(values),
        (Op::Range, _, Some(values), _) => {
            let [from, to] = <[Value; 2]>::try_from(values).ok()?;
            column.between(from, to)
        }
        (Op::IsNull, .., FilterValue::Bool(true)) => column.is_null(),
        (Op::IsNull, .., FilterValue::Bool(false)) => column.is_not_null(),
        (.., FilterValue::Text(text)) => text_match(column, op, text, backend)?,
        _ => return None,
    };
    Some(Condition::all().add(condition))
}

fn text_match(column: Expr, op: Op, text: &str, backend: DbBackend) -> Option<SimpleExpr> {
    let lower = |expr: Expr| Expr::expr(Func::lower(expr));
    Some(match op {
        // SQLite's LIKE ignores case, so case-sensitive matches use functions that both databases have.
        Op::Contains => position(column, text, backend).gt(0),
        Op::StartsWith => position(column, text, backend).eq(1),
        Op::IContains => {
            lower(column).like(LikeExpr::new(format!("%{}%", escape_like(&text.to_lowercase()))).escape('\\'))
        }
        Op::IStartsWith => {
            lower(column).like(LikeExpr::new(format!("{}%", escape_like(&text.to_lowercase()))).escape('\\'))
        }
        Op::IExact => lower(column).eq(text.to_lowercase()),
        Op::Regex => regex(column, text.to_owned(), backend),
        Op::IRegex => regex(column, format!("(?i){text}"), backend),
        _ => return None,
    })
}

/// Where `text` stands in `column`, from 1; 0 when it doesn't.
fn position(column: Expr, text: &str, backend: DbBackend) -> Expr {
    let call = if backend == DbBackend::Postgres { "strpos($1, $2)" } else { "instr(?, ?)" };
    Expr::cust_with_exprs(call, [column, Expr::val(text)])
}

fn regex(column: Expr, pattern: String, backend: DbBackend) -> SimpleExpr {
    let call = if backend == DbBackend::Postgres { "$1 ~ $2" } else { "? REGEXP ?" };
    Expr::cust_with_exprs(call, [column, Expr::val(pattern)])
}

fn escape_like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

fn labels(column: &Expr, terms: &[LabelTerm], backend: DbBackend) -> Condition {
    // `->>` takes a key as text on PostgreSQL and on SQLite alike.
    let template = if backend == DbBackend::Postgres { "$1 ->> $2" } else { "? ->> ?" };
    let value = |key: &str| Expr::cust_with_exprs(template, [column.clone(), Expr::val(key)]);
    terms.iter().fold(Condition::all(), |condition, term| {
        condition.add(match term {
            LabelTerm::Equals(key, wanted) => value(key).eq(wanted.as_str()),
            LabelTerm::NotEquals(key, other) => value(key).ne(other.as_str()),
            LabelTerm::Contains(key, part) => Expr::expr(Func::lower(value(key)))
                .like(LikeExpr::new(format!("%{}%", escape_like(&part.to_lowercase()))).escape('\\')),
            LabelTerm::Has(key) => value(key).is_not_null(),
            LabelTerm::HasNot(key) => value(key).is_null(),
        })
    })
}

/// Looks at content that has labels at all, which little has, rather than at the labels of all content.
fn content_labels(id: &Expr, terms: &[LabelTerm], backend: DbBackend) -> Condition {
    let having = |term: LabelTerm| {
        Query::select()
            .column(content::Column::Id)
            .from(content::Entity)
            .and_where(Expr::cust("labels <> '{}'"))
            .cond_where(labels(&Expr::col((content::Entity, content::Column::Labels)), &[term], backend))
            .take()
    };
    terms.iter().fold(Condition::all(), |condition, term| {
        condition.add(match term {
            LabelTerm::HasNot(key) => id.clone().not_in_subquery(having(LabelTerm::Has(key.clone()))),
            term => id.clone().in_subquery(having(term.clone())),
        })
    })
}

fn scalar(value: &FilterValue) -> Option<Value> {
    Some(match value {
        FilterValue::Text(text) => text.clone().into(),
        FilterValue::Int(number) => (*number).into(),
        FilterValue::Bool(flag) => (*flag).into(),
        FilterValue::Time(time) => time.as_micros().into(),
        FilterValue::Id(id) => (*id).into(),
        _ => return None,
    })
}

fn several(value: &FilterValue) -> Option<Vec<Value>> {
    Some(match value {
        FilterValue::Texts(texts) => texts.iter().map(|text| text.clone().into()).collect(),
        FilterValue::Ints(numbers) => numbers.iter().map(|number| (*number).into()).collect(),
        FilterValue::Times(times) => times.iter().map(|time| time.as_micros().into()).collect(),
        FilterValue::Ids(ids) => ids.iter().map(|id| (*id).into()).collect(),
        _ => return None,
    })
}
