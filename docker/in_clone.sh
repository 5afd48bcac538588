#!/bin/sh
# in_clone.sh COMMAND...: run a command in this machine's own clone, with the shared S3 bucket as its default DVC remote.
# The first start creates the clone. Keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; no file stores them.
set -eu
: "${CGDMER_REPOSITORY:?the git address of the project}"
: "${CGDMER_DVC_URL:?the shared DVC remote, as s3://bucket/folder}"
: "${CGDMER_PROJECT:?the folder of this clone}"
: "${CGDMER_DVC_REMOTE:=shared}"
export CGDMER_PROJECT CGDMER_DVC_REMOTE
if [ ! -d "$CGDMER_PROJECT/.git" ]; then
  git clone --quiet --no-checkout "$CGDMER_REPOSITORY" "$CGDMER_PROJECT"
  if ! git -C "$CGDMER_PROJECT" checkout --quiet "${CGDMER_REF:-HEAD}" --; then
    rm -rf "$CGDMER_PROJECT/.git" # so that the next start clones again
    echo "CGDMER_REF=$CGDMER_REF is no branch, tag or commit of $CGDMER_REPOSITORY" >&2
    exit 2
  fi
fi
cd "$CGDMER_PROJECT"
dvc remote add --quiet --local --force --default "$CGDMER_DVC_REMOTE" "$CGDMER_DVC_URL"
if [ -n "${AWS_ENDPOINT_URL:-}" ]; then
  dvc remote modify --quiet --local "$CGDMER_DVC_REMOTE" endpointurl "$AWS_ENDPOINT_URL"
fi
export PYTHONPATH="$CGDMER_PROJECT${PYTHONPATH:+:$PYTHONPATH}"
exec "$@"
