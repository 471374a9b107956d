"""The program's version, the one place the packaging reads it from too."""

VERSION = "0.1.0"
