//! What can go wrong while code is generated: each error names the file and what to do.

use std::path::PathBuf;

/// A generation that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file is not JSON, or not JSON of the kind that was expected.
    #[error("{file}: {source}")]
    Json {
        /// Name of the file.
        file: String,
        /// What the parser says.
        source: serde_json::Error,
    },
    /// A part of a file cannot be turned into a type.
    #[error("{file}#{pointer}: {problem}")]
    Unsupported {
        /// Name of the file.
        file: String,
        /// JSON pointer to the part.
        pointer: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// Two things would get the same Rust name.
    #[error("`{name}` is made from {first} and from {second}; rename one of them")]
    Collision {
        /// The Rust name.
        name: String,
        /// One source.
        first: String,
        /// The other source.
        second: String,
    },
    /// Files that do not fit together.
    #[error("{file}: {problem}")]
    Folder {
        /// Name of the file or folder.
        file: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// What is to be derived is no path of a trait.
    #[error("{0:?} is not the path of a trait")]
    Derive(String),
    /// `OUT_DIR` is not set.
    #[error("OUT_DIR is not set: call this from a build script")]
    NotABuildScript,
}
