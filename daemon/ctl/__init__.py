"""The command line, with a daemon and without one."""
