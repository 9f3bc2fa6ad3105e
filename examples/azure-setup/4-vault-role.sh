#!/usr/bin/env bash
# Lets the identity read secrets: the role "Key Vault Secrets User" on single secrets, or on the whole vault.
#
#   VAULT=contoso-retail OBJECT_ID=… ./4-vault-role.sh customer-pseudonym-key report-signing-key
#   VAULT=contoso-retail OBJECT_ID=… ./4-vault-role.sh --whole-vault
#
# Running it again changes nothing. A role needs up to ten minutes to take effect.
# Needs: az, signed in; Owner, User Access Administrator or Key Vault Data Access Administrator on the vault.
set -euo pipefail

: "${VAULT:?is missing: the name of the vault}"
: "${OBJECT_ID:?is missing: run 1-identity.sh first}"
[[ $# -gt 0 ]] || { echo "Name the secrets, or give --whole-vault." >&2; exit 64; }

vault_id=$(az keyvault show --name "$VAULT" --query id --output tsv)
if [[ "$(az keyvault show --name "$VAULT" --query properties.enableRbacAuthorization --output tsv)" != true ]]; then
  echo "The vault '$VAULT' uses access policies; a role has no effect there." >&2
  echo "Either: az keyvault update --name $VAULT --enable-rbac-authorization true (policies end to work: check who uses them)" >&2
  echo "or:     az keyvault set-policy --name $VAULT --object-id $OBJECT_ID --secret-permissions get" >&2
  exit 1
fi

assign() {
  local scope=$1
  local found
  found=$(az role assignment list --assignee "$OBJECT_ID" --role 'Key Vault Secrets User' --scope "$scope" \
    --query 'length(@)' --output tsv)
  if [[ "$found" != 0 ]]; then
    echo "There already: $scope"
    return
  fi
  az role assignment create --assignee-object-id "$OBJECT_ID" --assignee-principal-type ServicePrincipal \
    --role 'Key Vault Secrets User' --scope "$scope" --output none
  echo "Granted: $scope"
}

for secret in "$@"; do
  case $secret in
    --whole-vault) assign "$vault_id" ;;
    *[!0-9A-Za-z-]* | '') echo "'$secret' is not the name of a secret." >&2; exit 64 ;;
    *) assign "$vault_id/secrets/$secret" ;;
  esac
done
