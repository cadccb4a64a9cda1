//! The stable names of everything that can be wrong with cluster.yaml.

use std::fmt;

use serde::{Serialize, Serializer};

/// What is wrong, for machines. Codes are never reused or renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// There is no such file.
    NotFound,
    /// The path is a directory, a device, or cannot be read.
    Unreadable,
    /// The file is larger than any cluster.yaml is.
    TooLarge,
    /// The file is not text in UTF-8.
    NotUtf8,
    /// The file, or its one document, is empty.
    Empty,
    /// A control character that YAML does not allow.
    ControlCharacter,
    /// Not YAML.
    Syntax,
    /// More than one document.
    Documents,
    /// Nested more deeply than any cluster.yaml is.
    TooDeep,
    /// An anchor or alias.
    Alias,
    /// A tag.
    Tag,
    /// A key that is no plain text.
    Key,
    /// The same key twice in one mapping.
    DuplicateKey,
    /// A key that the file does not have.
    UnknownKey,
    /// A key that must be there.
    MissingKey,
    /// Text where a number belongs, a list where a mapping belongs, and so on.
    WrongType,
    /// A word or number that is not among those allowed.
    WrongValue,
    /// Too few or too many entries.
    Count,
    /// A name that OpenTenBase, a shell or a file system would not keep as it is.
    Name,
    /// A host or address that cannot be one.
    Host,
    /// A path that is not absolute, or not the same for everybody who reads it.
    Path,
    /// A `{placeholder}` that is unknown or in the wrong place.
    Placeholder,
    /// A server that is not declared.
    UnknownServer,
    /// A master on a server where the node has no instance.
    MasterNotInstance,
    /// The same node in two sections.
    DuplicateNode,
    /// Two instances of one node on one server.
    DuplicateInstance,
    /// Two instances on one address and port.
    DuplicateEndpoint,
    /// Two instances in one data directory of one server.
    DuplicateData,
}

impl Code {
    /// Every code, for documentation and tests.
    pub const ALL: [Self; 28] = [
        Self::NotFound,
        Self::Unreadable,
        Self::TooLarge,
        Self::NotUtf8,
        Self::Empty,
        Self::ControlCharacter,
        Self::Syntax,
        Self::Documents,
        Self::TooDeep,
        Self::Alias,
        Self::Tag,
        Self::Key,
        Self::DuplicateKey,
        Self::UnknownKey,
        Self::MissingKey,
        Self::WrongType,
        Self::WrongValue,
        Self::Count,
        Self::Name,
        Self::Host,
        Self::Path,
        Self::Placeholder,
        Self::UnknownServer,
        Self::MasterNotInstance,
        Self::DuplicateNode,
        Self::DuplicateInstance,
        Self::DuplicateEndpoint,
        Self::DuplicateData,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "config.not-found",
            Self::Unreadable => "config.unreadable",
            Self::TooLarge => "config.too-large",
            Self::NotUtf8 => "config.not-utf8",
            Self::Empty => "config.empty",
            Self::ControlCharacter => "config.control-character",
            Self::Syntax => "config.syntax",
            Self::Documents => "config.documents",
            Self::TooDeep => "config.too-deep",
            Self::Alias => "config.alias",
            Self::Tag => "config.tag",
            Self::Key => "config.key",
            Self::DuplicateKey => "config.duplicate-key",
            Self::UnknownKey => "config.unknown-key",
            Self::MissingKey => "config.missing-key",
            Self::WrongType => "config.wrong-type",
            Self::WrongValue => "config.wrong-value",
            Self::Count => "config.count",
            Self::Name => "config.name",
            Self::Host => "config.host",
            Self::Path => "config.path",
            Self::Placeholder => "config.placeholder",
            Self::UnknownServer => "config.unknown-server",
            Self::MasterNotInstance => "config.master-not-instance",
            Self::DuplicateNode => "config.duplicate-node",
            Self::DuplicateInstance => "config.duplicate-instance",
            Self::DuplicateEndpoint => "config.duplicate-endpoint",
            Self::DuplicateData => "config.duplicate-data",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
