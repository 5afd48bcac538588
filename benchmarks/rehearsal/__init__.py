"""A rehearsal at size: simulated corpora in PhysioNet's mirror layout, and the paper profile's pipeline, measured."""
