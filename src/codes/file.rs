//! What is said of mistakes in cluster.yaml beyond the message, which has their place and what to write there.

use crate::config::Code;

/// Why otb stops at any of them.
pub(super) const WHY: &str = "Only this file says on which server each master must be. So otb accepts the whole \
    file or nothing, and reports all mistakes in one run. Nothing was changed.";

texts! { Code,
    "Returns what the mistake is, and what to do.",
    NotFound: "The file does not exist.",
        "Name the file with -f/--file or OTB_FILE, change to its directory or a directory below it, or create it \
            with `otb import` from the live cluster.";
    Unreadable: "The path is a directory or a device, or this user may not read it.",
        "Name a regular file that this user may read.";
    TooLarge: "The file is too large for a cluster.yaml.",
        "Check the path in --file. The file of a cluster with 4096 nodes has half a megabyte.";
    NotUtf8: "The file is not UTF-8 text.",
        "Save it as UTF-8. The message shows the wrong byte.";
    Empty: "The file, or its only document, is empty.",
        "Create it with `otb import` from the live cluster, or start with examples/minimal.yaml.";
    ControlCharacter: "The file contains a control character that YAML does not allow.",
        "Delete the character. The message shows it in a visible form.";
    Syntax: "The file is not YAML.",
        "Look at the marked place and at the lines before it: indentation, a tab, an open quote or bracket.";
    Documents: "The file has more than one document.",
        "Keep one document. `---` begins a new one.";
    TooDeep: "The file is nested too deeply for a cluster.yaml.",
        "Look at the marked place for an extra bracket or indentation.";
    Alias: "The file uses an anchor or an alias.",
        "Write the value in full. A reviewer must see each change on the changed line.";
    Tag: "The file uses a YAML tag.",
        "Remove the tag. The key decides the type of its value.";
    Key: "A key is not plain text.",
        "Write a word before the colon.";
    DuplicateKey: "The same key appears twice in one mapping.",
        "Delete one of them. The message shows the other one.";
    UnknownKey: "The key does not exist at this place.",
        "Write the most similar key, which the message names. docs/reference/cluster-yaml.md lists all keys.";
    MissingKey: "A required key is missing.",
        "Add it. The message shows an example.";
    WrongType: "A value has the wrong type: text instead of a number, or a list instead of a mapping.",
        "Write it as the message shows.";
    WrongValue: "A word or number is not allowed here.",
        "Write one of the values that the message names.";
    Count: "A list has too few or too many entries.",
        "A cluster has one GTM, and at least one coordinator, datanode and server.";
    Name: "OpenTenBase, a shell or a file system would change this name.",
        "Use at most 63 bytes of letters, digits, `_`, `-` and `.`, without a leading `-`.";
    Host: "The text is not a host name or an address.",
        "Write a host name or an IP address of at most 63 bytes. OpenTenBase cuts longer ones without a message.";
    Path: "A path is not absolute, or it depends on the user who reads it.",
        "Write it from `/` on, without `~`, `..` or variables.";
    Placeholder: "A `{placeholder}` is unknown or at the wrong place.",
        "Only `{node}` and `{server}` are known, and only in `data`. Put quotes around a value that begins with a \
            brace.";
    UnknownServer: "The file names a server that it does not declare.",
        "Write the most similar server, which the message names, or declare it under `servers`.";
    MasterNotInstance: "A master is declared on a server where the node has no instance.",
        "Name one of the node's instances as its master, or declare an instance there.";
    DuplicateNode: "The same node is in two sections.",
        "Each name is one node: delete or rename one of them.";
    DuplicateInstance: "A node has two instances on one server.",
        "Delete one of them.";
    DuplicateEndpoint: "Two instances would use the same address and port.",
        "Give one of them another port, or its server another address.";
    DuplicateData: "Two instances would share one data directory on one server.",
        "Give one of them another `data`, or put {node} into the default value of `data`.";
}
