#!/bin/sh
# in_clone.sh COMMAND...: run a command in this machine's own clone, with the shared S3 bucket as its default DVC remote.
# The first start creates the clone. Keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; no file stores them.
set -eu
: "${CGDMER_REPOSITORY:?the git address of the project}"
: "${CGDMER_DVC_URL:?the shared DVC remote, as s3://bucket/folder}"
: "${CGDMER_PROJECT:?the folder of this clone}"
: "${CGDMER_DVC_REMOTE:=shared}"
export CGDMER_PROJECT CGDMER_DVC_REMOTE
mkdir -p "$CGDMER_PROJECT/.cgdmer"
( # Pods may share a volume, so one start at a time creates and configures the clone.
  flock 9
  if [ ! -d "$CGDMER_PROJECT/.git" ]; then
    new="$CGDMER_PROJECT/.cgdmer/clone"
    rm -rf "$new"
    git clone --quiet --no-checkout "$CGDMER_REPOSITORY" "$new"
    if ! git --git-dir="$new/.git" --work-tree="$CGDMER_PROJECT" checkout --quiet --force "${CGDMER_REF:-HEAD}" --; then
      echo "CGDMER_REF=$CGDMER_REF is no branch, tag or commit of $CGDMER_REPOSITORY" >&2
      exit 2
    fi
    mv "$new/.git" "$CGDMER_PROJECT/.git" # the last step: after a kill there is no .git, so the next start clones again
    rmdir "$new"
  fi
  cd "$CGDMER_PROJECT"
  # While an experiment starts, DVC keeps changes such as new results in a commit, and refuses one without an author.
  git config user.name >/dev/null || git config user.name cgdmer
  git config user.email >/dev/null || git config user.email cgdmer@localhost
  dvc remote add --quiet --local --force --default "$CGDMER_DVC_REMOTE" "$CGDMER_DVC_URL"
  if [ -n "${AWS_ENDPOINT_URL:-}" ]; then
    dvc remote modify --quiet --local "$CGDMER_DVC_REMOTE" endpointurl "$AWS_ENDPOINT_URL"
  fi
) 9>"$CGDMER_PROJECT/.cgdmer/in_clone.lock"
cd "$CGDMER_PROJECT"
export PYTHONPATH="$CGDMER_PROJECT${PYTHONPATH:+:$PYTHONPATH}"
exec "$@"
