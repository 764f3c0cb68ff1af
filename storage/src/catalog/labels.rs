//! Labels, stored as JSON objects.

use crate::Labels;
use crate::error::{Result, StorageError};

pub(crate) fn to_json(labels: &Labels) -> serde_json::Value {
    labels
        .iter()
        .map(|(key, value)| (key.clone(), value.clone().into()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

pub(crate) fn from_json(json: serde_json::Value) -> Result<Labels> {
    read("labels", json)
}

/// Reads a stored JSON document; what can't be read was never written by us.
pub(crate) fn read<T: serde::de::DeserializeOwned>(what: &'static str, json: serde_json::Value) -> Result<T> {
    serde_json::from_value(json).map_err(|error| StorageError::corrupt(what, error))
}

/// Writes a document as JSON.
pub(crate) fn write<T: serde::Serialize>(value: &T) -> serde_json::Value {
    serde_json::to_value(value).expect("our own types have text keys and finite numbers")
}
