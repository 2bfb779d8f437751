"""What a command works on: a server, or a repository on this machine, behind one protocol."""
