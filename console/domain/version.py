"""The program's version; a test keeps it equal to the packaging's."""

VERSION = "0.1.0"
