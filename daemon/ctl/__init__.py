"""The commands of comparimg-ctl, with a daemon and without one."""
