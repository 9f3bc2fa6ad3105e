#!/usr/bin/env bash
# Lets the identity trust the service connection, and nothing else: issuer and subject exactly as the connection shows them.
#
#   CLIENT_ID=… ISSUER=… SUBJECT=… CONNECTION=data-platform ./3-federated-credential.sh
#   IDENTITY_NAME=… RESOURCE_GROUP=… ISSUER=… SUBJECT=… CONNECTION=data-platform ./3-federated-credential.sh
#
# AUDIENCE defaults to the public cloud's api://AzureADTokenExchange. Running it again changes nothing.
# Needs: az, signed in; owner of the application, or Contributor on the managed identity.
set -euo pipefail

: "${ISSUER:?is missing: run 2-service-connection.sh first}"
: "${SUBJECT:?is missing: run 2-service-connection.sh first}"
: "${CONNECTION:?is missing: the name of the service connection}"
audience=${AUDIENCE:-api://AzureADTokenExchange}
name=azure-pipelines-$(printf %s "$CONNECTION" | tr -c 'A-Za-z0-9_-' '-')

if [[ -n "${IDENTITY_NAME:-}" ]]; then
  : "${RESOURCE_GROUP:?is missing: the resource group of the managed identity}"
  on=(--identity-name "$IDENTITY_NAME" --resource-group "$RESOURCE_GROUP")
  existing=$(az identity federated-credential list "${on[@]}" --query "[].[issuer, subject]" --output tsv)
else
  : "${CLIENT_ID:?is missing: run 1-identity.sh first}"
  existing=$(az ad app federated-credential list --id "$CLIENT_ID" --query "[].[issuer, subject]" --output tsv)
fi

if grep --quiet --fixed-strings --line-regexp -- "$ISSUER"$'\t'"$SUBJECT" <<< "$existing"; then
  echo "The identity trusts this connection already."
  exit 0
fi

if [[ -n "${IDENTITY_NAME:-}" ]]; then
  az identity federated-credential create --name "$name" "${on[@]}" \
    --issuer "$ISSUER" --subject "$SUBJECT" --audiences "$audience" --output none
else
  file=$(mktemp)
  trap 'rm -f "$file"' EXIT
  NAME=$name ISSUER=$ISSUER SUBJECT=$SUBJECT AUDIENCE=$audience python3 - > "$file" <<'PYTHON'
import json, os

env = os.environ
print(json.dumps({
    "name": env["NAME"],
    "issuer": env["ISSUER"],
    "subject": env["SUBJECT"],
    "audiences": [env["AUDIENCE"]],
    "description": "Azure Pipelines service connection",
}))
PYTHON
  az ad app federated-credential create --id "$CLIENT_ID" --parameters "@$file" --output none
fi
echo "The identity trusts $SUBJECT of $ISSUER."
