"""How fast models and files are, beside each other on one machine."""
