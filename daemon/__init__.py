"""The service: threads, processes, the scheduler, changes on disk. The only package that imports all others."""
