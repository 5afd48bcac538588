"""Owns `buckets.py NAME...`: make S3 buckets that are missing, where and with what key the AWS_* environment says."""

import sys
import time

import boto3
from botocore.exceptions import ClientError, EndpointConnectionError

PATIENCE = 60.0
"""Seconds the store has to answer."""
HAVE = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")


def main() -> None:
    """Make each bucket; again, it changes nothing. Raises what the store says once the patience is over."""
    client = boto3.client("s3")
    deadline = time.monotonic() + PATIENCE
    for name in sys.argv[1:]:
        while not made(client, name):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no S3 store answers within {PATIENCE:.0f} s")
            time.sleep(1.0)


def made(client: "boto3.client", name: str) -> bool:
    """Tell whether the bucket is there now; False where nobody answers."""
    try:
        client.create_bucket(Bucket=name)
    except EndpointConnectionError:
        return False
    except ClientError as error:
        if error.response["Error"]["Code"] not in HAVE:
            raise
    return True


if __name__ == "__main__":
    main()
