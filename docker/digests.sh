#!/bin/sh
# digests.sh: print the images from outside with their digests, as lines for docker/.env. It asks their registry, through docker.
set -eu
for variable in PYTHON_IMAGE POSTGRES_IMAGE S3_IMAGE; do
  image=$(sed -n "s/^$variable=//p" "$(dirname "$0")/.env.example")
  digest=$(docker buildx imagetools inspect "$image" --format '{{.Manifest.Digest}}')
  case $digest in
    sha256:*) echo "$variable=$image@$digest" ;;
    *) echo "docker gave no digest of $image: $digest" >&2; exit 1 ;;
  esac
done
