"""`configsvc exec`: a program with its configuration, kept up with what changes."""
