"""The Prefect flow `cgdmer`: order, retries, concurrency and history around `dvc repro`; it computes nothing itself."""
