"""The rows of the index: what is written of files, matches, decisions and work, and read back one by one."""
