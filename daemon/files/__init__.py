"""Changes on disk that lose nothing: where files may be changed, single steps, the trash."""
