"""Parts of the page written as scripts, as A1111 has them; loaded by path after all other scripts."""
