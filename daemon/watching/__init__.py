"""What changes on disk: watches and polling within limits, lost roots, files that come to rest."""
