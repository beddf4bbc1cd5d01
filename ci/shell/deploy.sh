#!/bin/sh
# Deploys the project in this directory with the image of kamal-op. The token comes
# from whatever runs this, in OP_SERVICE_ACCOUNT_TOKEN.
set -eu
: "${OP_SERVICE_ACCOUNT_TOKEN?is not set: it comes from the CI system secrets}"

export KAMAL_OP_SSH_KEY=op://MyApp/Server
export KAMAL_OP_SECRETS='
  KAMAL_REGISTRY_PASSWORD=op://MyApp/Production/KAMAL_REGISTRY_PASSWORD
  RAILS_MASTER_KEY=op://MyApp/Production/RAILS_MASTER_KEY
  DATABASE_PASSWORD=op://MyApp/Production/DATABASE_PASSWORD
  CHATKIT_PK=op://MyApp/Production/CHATKIT_PK
  MAILGUN_INGRESS_SIGNING_KEY=op://MyApp/Production/MAILGUN_INGRESS_SIGNING_KEY
'

exec docker run --rm --init \
  --volume "$PWD:$PWD" --workdir "$PWD" \
  --volume /var/run/docker.sock:/var/run/docker.sock \
  --env CI --env OP_SERVICE_ACCOUNT_TOKEN --env KAMAL_OP_SSH_KEY --env KAMAL_OP_SECRETS \
  ghcr.io/kamal-op/kamal-op:1 deploy
