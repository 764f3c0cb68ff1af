//! Where settings come from, and which one wins: flags, then the environment, then the file.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::{Key, SettingsError, keys};

/// The file in the data folder that is read when no other is named.
const DEFAULT_FILE: &str = "entrepot.toml";
const CONFIG_FLAG: &str = "--config";
const CONFIG_VARIABLE: &str = "ENTREPOT_CONFIG";

/// Where a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// The settings file.
    File(PathBuf),
    /// An environment variable.
    Variable(&'static str),
    /// A flag of the command line.
    Flag(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default"),
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Variable(name) => write!(f, "the environment variable {name}"),
            Self::Flag(name) => write!(f, "the flag {name}"),
        }
    }
}

/// What was given on the command line: the settings by their names, and the settings file.
#[derive(Debug, Default)]
pub struct Flags {
    /// The settings that were given.
    pub values: BTreeMap<&'static str, String>,
    /// `--config`.
    pub config: Option<PathBuf>,
}

/// Reads an environment variable.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// All that was set, by whichever way.
pub(super) struct Layers<'a> {
    flags: Flags,
    environment: Environment<'a>,
    file: Option<(PathBuf, toml::Table)>,
}

impl<'a> Layers<'a> {
    /// Reads the settings file that was asked for, or else the one in the data folder if there is one.
    pub(super) fn read(flags: Flags, environment: Environment<'a>) -> Result<Self, SettingsError> {
        let mut layers = Self { flags, environment, file: None };
        let asked = match layers.flags.config.take() {
            Some(path) => Some((path, Source::Flag(CONFIG_FLAG))),
            None => environment(CONFIG_VARIABLE)
                .filter(|path| !path.is_empty())
                .map(|path| (PathBuf::from(path), Source::Variable(CONFIG_VARIABLE))),
        };
        if let Some((path, from)) = asked {
            let text = std::fs::read_to_string(&path).map_err(|source| SettingsError::Unreadable {
                path: path.clone(),
                from,
                source,
            })?;
            layers.file = Some((path.clone(), parse(&path, &text)?));
            return Ok(layers);
        }
        let (data_dir, from) =
            layers.find(&keys::DATA_DIR)?.unwrap_or((super::DEFAULT_DATA_DIR.to_owned(), Source::Default));
        let path = Path::new(&data_dir).join(DEFAULT_FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let table = parse(&path, &text)?;
                if table.get(keys::DATA_DIR.name).is_some_and(|inside| inside.as_str() != Some(&*data_dir)) {
                    return Err(SettingsError::DataDirInside { path });
                }
                layers.file = Some((path, table));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
                return Err(refuse(&keys::DATA_DIR, from, &format!("\"{}\"", data_dir.escape_debug())));
            }
            // Nobody named the file: it was looked for because of the data folder.
            Err(source) => return Err(SettingsError::Unreadable { path, from, source }),
        }
        Ok(layers)
    }

    /// The text of a setting, and who set it. An empty environment variable counts as none.
    pub(super) fn find(&self, key: &Key) -> Result<Option<(String, Source)>, SettingsError> {
        if let (Some(value), Some(flag)) = (self.flags.values.get(key.name), key.flag) {
            return Ok(Some((value.clone(), Source::Flag(flag))));
        }
        if let Some(value) = (self.environment)(key.variable).filter(|value| !value.is_empty()) {
            let from = Source::Variable(key.variable);
            return match value.into_string() {
                Ok(text) => Ok(Some((text, from))),
                Err(_) => Err(refuse(key, from, "not text in UTF-8")),
            };
        }
        let Some((path, table)) = &self.file else { return Ok(None) };
        let from = Source::File(path.clone());
        match table.get(key.name) {
            None => Ok(None),
            Some(toml::Value::String(text)) => Ok(Some((text.clone(), from))),
            Some(toml::Value::Integer(number)) => Ok(Some((number.to_string(), from))),
            Some(toml::Value::Boolean(value)) => Ok(Some((value.to_string(), from))),
            Some(other) => Err(refuse(key, from, &format!("of the type {}", other.type_str()))),
        }
    }

    /// The file that was read.
    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_ref().map(|(path, _)| path.as_path())
    }
}

/// The error of a setting whose value is `what`.
pub(super) fn refuse(key: &Key, from: Source, what: &str) -> SettingsError {
    SettingsError::Value { name: key.name, from, value: what.to_owned(), allowed: key.allowed }
}

fn parse(path: &Path, text: &str) -> Result<toml::Table, SettingsError> {
    let table: toml::Table = text
        .parse()
        .map_err(|source| SettingsError::Toml { path: path.to_owned(), source: Box::new(source) })?;
    if let Some(name) = table.keys().find(|name| keys::ALL.iter().all(|key| key.name != *name)) {
        let known: Vec<_> = keys::ALL.iter().map(|key| key.name).collect();
        let known = known.join(", ");
        return Err(SettingsError::Unknown { path: path.to_owned(), name: name.clone(), known });
    }
    Ok(table)
}
