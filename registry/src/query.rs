//! What a list can ask for. The server parses it from a query string, the catalog compiles it to SQL.

use uuid::Uuid;

use crate::Timestamp;
use crate::href::VersionName;

/// A condition over the rows of a list.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Every one holds.
    All(Vec<Filter>),
    /// At least one holds.
    Any(Vec<Filter>),
    /// It doesn't hold.
    Not(Box<Filter>),
    /// A field compares to a value.
    Field {
        /// The field's name in the API.
        field: &'static str,
        /// How it compares.
        op: Op,
        /// To what.
        value: FilterValue,
    },
}

/// How a field compares to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// One of several.
    In,
    /// Between two, both included.
    Range,
    /// Has the text within.
    Contains,
    /// Has the text within, whatever the case.
    IContains,
    /// Equal, whatever the case.
    IExact,
    /// Begins with the text.
    StartsWith,
    /// Begins with the text, whatever the case.
    IStartsWith,
    /// Matches the regular expression.
    Regex,
    /// Matches the regular expression, whatever the case.
    IRegex,
    /// Absent (`true`) or present (`false`).
    IsNull,
    /// Labels fulfil every term.
    LabelSelect,
    /// Content of a version.
    VersionPresent,
    /// Content that a version added.
    VersionAdded,
    /// Content that a version removed.
    VersionRemoved,
    /// Content of the second of two versions that the first has not.
    AddedBetween,
    /// Content of the first of two versions that the second has not.
    RemovedBetween,
    /// Content that no version has, older than a moment.
    OrphanedSince,
    /// Content that something has now.
    Holds,
    /// Content that any version of something has.
    HasHeld,
}

/// What a field is compared to.
#[derive(Debug, Clone, PartialEq)]
pub enum FilterValue {
    /// Text.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
    /// A number.
    Int(i64),
    /// Several numbers.
    Ints(Vec<i64>),
    /// Yes or no.
    Bool(bool),
    /// A moment.
    Time(Timestamp),
    /// Several moments.
    Times(Vec<Timestamp>),
    /// An id.
    Id(Uuid),
    /// Several ids.
    Ids(Vec<Uuid>),
    /// Versions of repositories.
    Versions(Vec<VersionName>),
    /// Terms on labels.
    Labels(Vec<LabelTerm>),
}

/// One term of `pulp_label_select`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelTerm {
    /// `key=value`
    Equals(String, String),
    /// `key!=value`: the key is there with another value.
    NotEquals(String, String),
    /// `key~text`: the value has the text within, whatever the case.
    Contains(String, String),
    /// `key`
    Has(String),
    /// `!key`
    HasNot(String),
}

/// One key to sort by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderBy {
    /// The field's name in the API.
    pub field: &'static str,
    /// Largest first.
    pub descending: bool,
}

/// A whole list request. Rows that sort alike are ordered newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct ListQuery {
    /// Which rows.
    pub filter: Option<Filter>,
    /// In which order.
    pub order: Vec<OrderBy>,
    /// How many at most.
    pub limit: u64,
    /// How many to leave out first.
    pub offset: u64,
}

impl Default for ListQuery {
    fn default() -> Self {
        Self { filter: None, order: Vec::new(), limit: 100, offset: 0 }
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// How many rows match in all.
    pub total: u64,
    /// Those that were asked for.
    pub items: Vec<T>,
}

impl<T> Page<T> {
    /// Converts every item.
    pub fn try_map<U, E>(self, convert: impl FnMut(T) -> Result<U, E>) -> Result<Page<U>, E> {
        Ok(Page { total: self.total, items: self.items.into_iter().map(convert).collect::<Result<_, _>>()? })
    }
}
