"""One file a format: from a file to a dictionary of arrays and back."""
