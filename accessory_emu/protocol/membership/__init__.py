"""Who may do what in a home, as a log that only grows."""
