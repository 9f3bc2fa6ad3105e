#!/usr/bin/env bash
# The gateway as a resource in Entra ID: an application without credentials, for which pipelines ask a token.
#
#   GATEWAY_APP=plumbline-gateway ./1-gateway-application.sh
#
# Prints GATEWAY_CLIENT_ID and AUDIENCE_URI for what follows. Running it again changes nothing.
# Needs: az, signed in; the right to register applications.
set -euo pipefail

: "${GATEWAY_APP:?is missing: the name of the application, for example plumbline-gateway}"

filter="displayName eq '${GATEWAY_APP//\'/\'\'}'"
count=$(az ad app list --filter "$filter" --query 'length(@)' --output tsv)
case $count in
  0) client_id=$(az ad app create --display-name "$GATEWAY_APP" --sign-in-audience AzureADMyOrg --query appId --output tsv) ;;
  1) client_id=$(az ad app list --filter "$filter" --query '[0].appId' --output tsv) ;;
  *) echo "There are $count applications called '$GATEWAY_APP'. Give it a name of its own." >&2; exit 1 ;;
esac

# A tenant may forbid names of one's own here; the client id is always allowed.
uri="api://$client_id"
object_id=$(az ad app show --id "$client_id" --query id --output tsv)
version=$(az ad app show --id "$client_id" --query api.requestedAccessTokenVersion --output tsv)
uris=$(az ad app show --id "$client_id" --query "length(identifierUris[?@=='$uri'])" --output tsv)
if [[ "$uris" == 0 ]]; then
  az ad app update --id "$client_id" --identifier-uris "$uri" --output none
fi
if [[ "$version" != 2 ]]; then
  # Version 2: the issuer is https://login.microsoftonline.com/<tenant>/v2.0 and `aud` the client id.
  az rest --method PATCH --uri "https://graph.microsoft.com/v1.0/applications/$object_id" \
    --headers 'Content-Type=application/json' --body '{"api": {"requestedAccessTokenVersion": 2}}' --output none
fi
# Without a service principal nobody in the tenant can get a token for it.
principal=$(az ad sp list --filter "appId eq '$client_id'" --query '[0].id' --output tsv)
if [[ -z "$principal" ]]; then
  az ad sp create --id "$client_id" --output none
fi

printf 'export GATEWAY_CLIENT_ID=%s\nexport AUDIENCE_URI=%s\n' "$client_id" "$uri"
