"""The kinds of network layers, one file each: what a file's tensors add to a layer's weight (generation.md §1.6 of the reference)."""
