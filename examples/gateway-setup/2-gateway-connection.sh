#!/usr/bin/env bash
# The service connection to the gateway: type Plumbline gateway, workload identity federation. Nothing secret is stored in it.
#
#   ORGANIZATION=https://dev.azure.com/contoso PROJECT=Retail CONNECTION=retail-gateway GATEWAY_URL=https://plumbline.example.com \
#   CLIENT_ID=… TENANT_ID=… AUDIENCE_URI=… ./2-gateway-connection.sh
#
# CLIENT_ID and TENANT_ID are those of ../azure-setup/1-identity.sh: who the pipeline is. AUDIENCE_URI is printed by
# 1-gateway-application.sh. Prints ISSUER and SUBJECT for ../azure-setup/3-federated-credential.sh. Running it again changes nothing.
# Needs: az with the extension azure-devops, signed in; the extension Plumbline installed in the organisation; Administrator or
# Creator of service connections in the project.
set -euo pipefail

: "${ORGANIZATION:?is missing: the address of the organisation}"
: "${PROJECT:?is missing: the name of the project}"
: "${CONNECTION:?is missing: the name of the service connection}"
: "${GATEWAY_URL:?is missing: the address of the gateway, https://…}"
: "${CLIENT_ID:?is missing: run ../azure-setup/1-identity.sh first}"
: "${TENANT_ID:?is missing: run ../azure-setup/1-identity.sh first}"
: "${AUDIENCE_URI:?is missing: run 1-gateway-application.sh first}"

if [[ "$GATEWAY_URL" != https://* ]]; then
  echo "GATEWAY_URL must begin with https://: tokens go there." >&2
  exit 1
fi

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
  export PROJECT_ID
  PROJECT_ID=$(az devops project show --organization "$ORGANIZATION" --project "$PROJECT" --query id --output tsv)
  export CONNECTION CLIENT_ID TENANT_ID PROJECT GATEWAY_URL AUDIENCE_URI
  # Python writes the JSON so that no name can break it; az brings a Python, this takes the one in PATH.
  python3 - > "$file" <<'PYTHON'
import json, os

env = os.environ
print(json.dumps({
    "name": env["CONNECTION"],
    "type": "plumbline-gateway",
    "url": env["GATEWAY_URL"],
    "data": {"audience": env["AUDIENCE_URI"]},
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
  echo "The connection '$CONNECTION' exists already with scheme '$scheme' and client '$client'. Choose another name." >&2
  exit 1
fi

printf 'export ISSUER=%q\nexport SUBJECT=%q\n' \
  "$(show authorization.parameters.workloadIdentityFederationIssuer)" \
  "$(show authorization.parameters.workloadIdentityFederationSubject)"
