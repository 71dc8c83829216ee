"""Which picture of several was made from which: what files and pixels show, and how sure that is."""
