"""What runs every day: features and scores of new recordings, and the comparison of incoming recordings."""
