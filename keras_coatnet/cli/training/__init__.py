"""What `keras-coatnet train` asks of its arguments, and what it shows meanwhile."""
