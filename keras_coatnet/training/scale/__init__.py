"""One run on many devices and in many processes: what is cut, who reads what, who writes."""
