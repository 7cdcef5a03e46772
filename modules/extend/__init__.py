"""Extensions: finding, ordering, loading and containing scripts, and running their hooks."""
