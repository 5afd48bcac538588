"""Support code of the tests: small corpora, encoders, servers and projects."""
