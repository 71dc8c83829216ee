"""Who is told what happened, when and in which words."""
