"""A run: the loop, what it goes on from after it broke off, and what it leaves."""
