#!/usr/bin/env bash
# The service connection: Azure Resource Manager with workload identity federation. Nothing secret is stored in it.
#
#   ORGANIZATION=https://dev.azure.com/contoso PROJECT=Retail CONNECTION=data-platform \
#   CLIENT_ID=… TENANT_ID=… ./2-service-connection.sh
#
# Prints ISSUER and SUBJECT for 3-federated-credential.sh. Running it again changes nothing. It refuses to go on with a
# connection of that name that is something else.
# Needs: az with the extension azure-devops, signed in; Administrator or Creator of service connections in the project.
set -euo pipefail

: "${ORGANIZATION:?is missing: the address of the organisation}"
: "${PROJECT:?is missing: the name of the project}"
: "${CONNECTION:?is missing: the name of the service connection}"
: "${CLIENT_ID:?is missing: run 1-identity.sh first}"
: "${TENANT_ID:?is missing: run 1-identity.sh first}"

where=(--organization "$ORGANIZATION" --project "$PROJECT")
# The name stands in a JMESPath raw string literal.
wanted=${CONNECTION//\\/\\\\}
wanted=${wanted//\'/\\\'}

# show FIELD: a field of the connection, empty when there is no connection.
show() {
  az devops service-endpoint list "${where[@]}" --query "[?name=='$wanted'] | [0].$1" --output tsv
}

if [[ -z "$(show id)" ]]; then
  file=$(mktemp)
  trap 'rm -f "$file"' EXIT
  export SUBSCRIPTION_ID SUBSCRIPTION_NAME CLOUD MANAGEMENT_URL PROJECT_ID
  SUBSCRIPTION_ID=$(az account show --query id --output tsv)
  SUBSCRIPTION_NAME=$(az account show --query name --output tsv)
  # AzureCloud, AzureUSGovernment or AzureChinaCloud: what `az cloud set` chose.
  CLOUD=$(az cloud show --query name --output tsv)
  MANAGEMENT_URL=$(az cloud show --query endpoints.resourceManager --output tsv)
  PROJECT_ID=$(az devops project show --organization "$ORGANIZATION" --project "$PROJECT" --query id --output tsv)
  export CONNECTION CLIENT_ID TENANT_ID PROJECT
  # Python writes the JSON so that no name can break it; az brings a Python, this takes the one in PATH.
  python3 - > "$file" <<'PYTHON'
import json, os

env = os.environ
print(json.dumps({
    "name": env["CONNECTION"],
    "type": "AzureRM",
    "url": env["MANAGEMENT_URL"],
    "data": {
        "subscriptionId": env["SUBSCRIPTION_ID"],
        "subscriptionName": env["SUBSCRIPTION_NAME"],
        "environment": env["CLOUD"],
        "scopeLevel": "Subscription",
        "creationMode": "Manual",
    },
    "authorization": {
        "scheme": "WorkloadIdentityFederation",
        "parameters": {"tenantid": env["TENANT_ID"], "serviceprincipalid": env["CLIENT_ID"]},
    },
    "isShared": False,
    "isReady": True,
    "serviceEndpointProjectReferences": [
        {"name": env["CONNECTION"], "projectReference": {"id": env["PROJECT_ID"], "name": env["PROJECT"]}}
    ],
}))
PYTHON
  az devops service-endpoint create "${where[@]}" --service-endpoint-configuration "$file" --output none
fi

scheme=$(show authorization.scheme)
client=$(show authorization.parameters.serviceprincipalid)
if [[ "$scheme" != WorkloadIdentityFederation || "$client" != "$CLIENT_ID" ]]; then
  echo "The connection '$CONNECTION' exists already with scheme '$scheme' and client '$client'." >&2
  echo "Convert it in Project settings > Service connections, or choose another name." >&2
  exit 1
fi

printf 'export ISSUER=%q\nexport SUBJECT=%q\n' \
  "$(show authorization.parameters.workloadIdentityFederationIssuer)" \
  "$(show authorization.parameters.workloadIdentityFederationSubject)"
