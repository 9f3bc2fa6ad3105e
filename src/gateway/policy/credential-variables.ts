/** Variables that a loader, an interpreter, a library or the gateway itself obeys: a token's path never stands in one. */
const RESERVED =
  /^(PATH|HOME|USER|LOGNAME|SHELL|PWD|OLDPWD|IFS|ENV|CDPATH|TERM|LANG|LANGUAGE|TZ|HOSTNAME|HOSTALIASES|LOCPATH|NLSPATH|GCONV_PATH|TMP|TEMP|TMPDIR|KRB5CCNAME|KUBECONFIG|HTTP_PROXY|HTTPS_PROXY|ALL_PROXY|NO_PROXY|FTP_PROXY|EDITOR|PAGER|VISUAL|DISPLAY|IDENTITY_.*|MSI_.*|LC_.*|LD_.*|DYLD_.*|MALLOC_.*|GLIBC_.*|RES_.*|BASH.*|PYTHON.*|PIP_.*|VIRTUAL_ENV.*|CONDA_.*|LUIGI_.*|PLUMBLINE_.*|AZURE_.*|ARM_.*|AWS_.*|BOTO_.*|GOOGLE_.*|GCLOUD_.*|GCE_.*|CLOUDSDK_.*|SSL_.*|SSLKEYLOGFILE|REQUESTS_.*|CURL_.*|OPENSSL_.*|NODE_.*|JAVA_.*|JDK_.*|PERL.*|RUBY.*|GIT_.*|SSH_.*|XDG_.*|_)$/i;

/** Variables from which an SDK takes credentials before, or instead of, the file with a task's token. */
const CREDENTIAL =
  /^(AZURE_(CLIENT_[A-Z_]+|TENANT_ID|USERNAME|PASSWORD|FEDERATED_TOKEN(_FILE)?|AUTHORITY_HOST)|AWS_(ACCESS_KEY(_ID)?|SECRET_(ACCESS_)?KEY|SESSION_TOKEN|SECURITY_TOKEN|(DEFAULT_)?PROFILE|ROLE_ARN|ROLE_SESSION_NAME|WEB_IDENTITY_TOKEN_FILE|SHARED_CREDENTIALS_FILE|CONFIG_FILE|CREDENTIAL_[A-Z_]+|CONTAINER_[A-Z_]+|BEARER_TOKEN[A-Z_]*)|BOTO_CONFIG|GOOGLE_(APPLICATION_CREDENTIALS|OAUTH_ACCESS_TOKEN|CREDENTIALS|GHA_CREDS_PATH|EXTERNAL_ACCOUNT_[A-Z_]+)|CLOUDSDK_(AUTH_[A-Z_]+|CONFIG|ACTIVE_CONFIG_NAME))$/;

/** Whether a name must not be the variable of a token's file. */
export function isReservedVariable(name: string): boolean {
  return RESERVED.test(name);
}

/** Whether a role that has task identities must not set a variable itself: it would win over the tasks' tokens. */
export function isCredentialVariable(name: string): boolean {
  return CREDENTIAL.test(name);
}
