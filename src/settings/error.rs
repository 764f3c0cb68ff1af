//! Why the settings cannot be used.

use std::path::PathBuf;

use thiserror::Error;

use super::Source;

/// Why the settings cannot be used. Each text names the setting, where it came from, and what is allowed.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// A value cannot be used.
    #[error("the setting {name} (from {from}) is {value}, but it must be {allowed}")]
    Value {
        /// The setting.
        name: &'static str,
        /// Where it came from.
        from: Source,
        /// What it is, quoted; a secret is not shown.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// The file was asked for, but cannot be read.
    #[error("the settings file {} (from {from}) cannot be read", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Where its name came from.
        from: Source,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("the settings file {} is not valid TOML", .path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// The file sets something that doesn't exist.
    #[error("the settings file {} has the unknown setting {name}; known are {known}", .path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The name in the file.
        name: String,
        /// The names that could be meant.
        known: String,
    },
    /// The file was found in the data folder, and names another data folder.
    #[error(
        "the settings file {} was found in the data folder, but sets data_dir to another one: \
         remove the setting, or name the file by --config or ENTREPOT_CONFIG",
        .path.display()
    )]
    DataDirInside {
        /// The file.
        path: PathBuf,
    },
}
