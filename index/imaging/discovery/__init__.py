"""Which files on disk are images, what belongs to them, and what changed since the last scan."""
