"""A cache of its own and a server for the tests that download."""

from fetching import home as home
from fetching import server as server
