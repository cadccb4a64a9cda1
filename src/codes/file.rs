//! What is said of mistakes in cluster.yaml beyond the message, which has their place and what to write there.

use crate::config::Code;

/// Why otb stops at any of them.
pub(super) const WHY: &str = "The file is the one thing that says where masters shall be: otb reads all of it or none of it, and reports every mistake in one run. Nothing was changed.";

texts! { Code,
    "What it is, and what to do.",
    NotFound: "There is no such file.",
        "Name the file with -f/--file or OTB_FILE, go to its directory or below it, or let `otb import` write it from the live cluster.";
    Unreadable: "The path is a directory or a device, or may not be read by this user.",
        "Name a regular file that this user may read.";
    TooLarge: "The file is larger than any cluster.yaml is.",
        "Check what --file names: a cluster of 4096 nodes takes half a megabyte.";
    NotUtf8: "The file is not text in UTF-8.",
        "Save it as UTF-8; the message says which byte is wrong.";
    Empty: "The file, or its one document, is empty.",
        "Let `otb import` write it from the live cluster, or begin with examples/minimal.yaml.";
    ControlCharacter: "There is a control character that YAML does not allow.",
        "Delete it; the message shows it made visible.";
    Syntax: "The file is not YAML.",
        "Look at the marked place and the lines before it: indentation, a tab, an open quote or bracket.";
    Documents: "The file has more than one document.",
        "Leave one; `---` begins a new document.";
    TooDeep: "The file is nested more deeply than any cluster.yaml is.",
        "Look at the marked place for a bracket or an indentation too many.";
    Alias: "The file uses an anchor or an alias.",
        "Write the value out: a reviewer must see what changes on the line that changes.";
    Tag: "The file uses a YAML tag.",
        "Leave the tag out; the key decides what its value is.";
    Key: "A key is not plain text.",
        "Write a word before the colon.";
    DuplicateKey: "The same key stands twice in one mapping.",
        "Delete one of them; the message says where the other one is.";
    UnknownKey: "The file has no such key there.",
        "Write the key that the message names as the nearest; docs/reference/cluster-yaml.md has all of them.";
    MissingKey: "A key that must be there is missing.",
        "Add it; the message shows an example.";
    WrongType: "A value is of the wrong shape: text where a number belongs, a list where a mapping belongs.",
        "Write it as the message shows.";
    WrongValue: "A word or number is not among those allowed.",
        "Write one of those that the message names.";
    Count: "There are too few or too many entries.",
        "A cluster has one GTM, and at least one coordinator, datanode and server.";
    Name: "A name would not be kept as it is by OpenTenBase, a shell or a file system.",
        "Use at most 63 bytes of letters, digits, `_`, `-` and `.`, without a leading `-`.";
    Host: "A host or address cannot be one.",
        "Write a host name or an IP address of at most 63 bytes: OpenTenBase cuts longer ones silently.";
    Path: "A path is not absolute, or not the same for everybody who reads it.",
        "Write it from `/` on, without `~`, `..` or variables.";
    Placeholder: "A `{placeholder}` is unknown or in the wrong place.",
        "Only `{node}` and `{server}` are known, and only in `data`; quote a value that begins with a brace.";
    UnknownServer: "A server is named that the file does not declare.",
        "Write the server that the message names as the nearest, or declare it below `servers`.";
    MasterNotInstance: "A master is declared on a server where the node has no instance.",
        "Name one of the node's instances as its master, or declare an instance there.";
    DuplicateNode: "The same node stands in two sections.",
        "A name is one node: delete or rename one of them.";
    DuplicateInstance: "A node has two instances on one server.",
        "Delete one of them.";
    DuplicateEndpoint: "Two instances would listen on one address and port.",
        "Give one of them another port, or its server another address.";
    DuplicateData: "Two instances would share one data directory of one server.",
        "Give one of them another `data`, or put {node} into the default.";
}
