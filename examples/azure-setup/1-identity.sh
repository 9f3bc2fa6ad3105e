#!/usr/bin/env bash
# The identity that the pipeline runs as: an application without a secret, or a user-assigned managed identity.
#
#   APP_NAME=retail-data-platform ./1-identity.sh
#   IDENTITY_NAME=retail-data-platform RESOURCE_GROUP=data ./1-identity.sh
#
# Prints CLIENT_ID, OBJECT_ID and TENANT_ID for the scripts that follow. Running it again changes nothing.
# Needs: az, signed in; for an application the right to register one, for a managed identity Contributor on the group.
set -euo pipefail

tenant_id=$(az account show --query tenantId --output tsv)

if [[ -n "${IDENTITY_NAME:-}" ]]; then
  : "${RESOURCE_GROUP:?is missing: the resource group of the managed identity}"
  # `create` gives an identity that exists as it is.
  az identity create --name "$IDENTITY_NAME" --resource-group "$RESOURCE_GROUP" --output none
  query=(az identity show --name "$IDENTITY_NAME" --resource-group "$RESOURCE_GROUP" --output tsv)
  client_id=$("${query[@]}" --query clientId)
  object_id=$("${query[@]}" --query principalId)
else
  : "${APP_NAME:?is missing: the name of the application, or set IDENTITY_NAME for a managed identity}"
  filter="displayName eq '${APP_NAME//\'/\'\'}'"
  count=$(az ad app list --filter "$filter" --query 'length(@)' --output tsv)
  case $count in
    0) client_id=$(az ad app create --display-name "$APP_NAME" --sign-in-audience AzureADMyOrg --query appId --output tsv) ;;
    1) client_id=$(az ad app list --filter "$filter" --query '[0].appId' --output tsv) ;;
    *) echo "There are $count applications called '$APP_NAME'. Give it a name of its own." >&2; exit 1 ;;
  esac
  object_id=$(az ad sp list --filter "appId eq '$client_id'" --query '[0].id' --output tsv)
  if [[ -z "$object_id" ]]; then
    object_id=$(az ad sp create --id "$client_id" --query id --output tsv)
  fi
  stored=$(az ad app show --id "$client_id" --query 'length([passwordCredentials, keyCredentials][])' --output tsv)
  if [[ "$stored" != 0 ]]; then
    echo "The application '$APP_NAME' has $stored stored credentials. Remove them once nothing else uses them." >&2
  fi
fi

printf 'export CLIENT_ID=%s\nexport OBJECT_ID=%s\nexport TENANT_ID=%s\n' "$client_id" "$object_id" "$tenant_id"
