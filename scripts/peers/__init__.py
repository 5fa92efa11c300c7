"""The peers themselves, each run in an environment of its own: what makes goldens and checks a release."""
