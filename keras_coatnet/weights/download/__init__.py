"""From a row of the manifest to a checked file in the cache, whatever the network does meanwhile."""
