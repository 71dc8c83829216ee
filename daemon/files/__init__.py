"""Changes on disk that lose no file: where files may be changed, the single steps, the trash."""
