//! Tells "don't change" (absent) from "set to nothing" in stored changes: a change is written as an array of one.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) fn deserialize<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    <[T; 1]>::deserialize(from).map(|[value]| Some(value))
}

#[expect(clippy::ref_option, reason = "serde gives a reference to the field")]
pub(crate) fn serialize<T, S>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error>
where
    T: Serialize,
    S: Serializer,
{
    value.as_ref().map(|inner| [inner]).serialize(to)
}

#[cfg(test)]
mod tests {
    use crate::RepositoryChanges;

    #[test]
    fn absent_and_nothing_stay_apart() {
        for description in [None, Some(None), Some(Some("text".to_owned()))] {
            let changes = RepositoryChanges { description, ..RepositoryChanges::default() };
            let stored = serde_json::to_string(&changes).unwrap();
            assert_eq!(serde_json::from_str::<RepositoryChanges>(&stored).unwrap(), changes);
        }
    }
}
