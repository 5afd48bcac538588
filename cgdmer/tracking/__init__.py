"""MLflow: live training curves, the run of each pipeline state, and the model registry."""
