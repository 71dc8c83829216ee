"""What lives: threads, processes, the clock, files moved. The only folder that knows all parts."""
