"""`buckets.py NAME...` creates missing S3 buckets; AWS_* environment variables give the server and the key."""

import sys
import time

import boto3
from botocore.exceptions import ClientError, EndpointConnectionError

PATIENCE = 60.0
"""Seconds to wait until the store answers."""
EXISTS = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")


def main() -> None:
    """Create each bucket that is missing. Raises TimeoutError if no store answers, else the error of the store."""
    client = boto3.client("s3")
    deadline = time.monotonic() + PATIENCE
    for name in sys.argv[1:]:
        while not create(client, name):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no S3 store answers within {PATIENCE:.0f} s")
            time.sleep(1.0)


def create(client: "boto3.client", name: str) -> bool:
    """Return True once the bucket exists, False if no store answers."""
    try:
        client.create_bucket(Bucket=name)
    except EndpointConnectionError:
        return False
    except ClientError as error:
        if error.response["Error"]["Code"] not in EXISTS:
            raise
    return True


if __name__ == "__main__":
    main()
