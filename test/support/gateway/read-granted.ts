import { PlumblineError } from '#core/errors.ts';
import { vaultSecrets } from '#gateway/secrets/vault-secrets.ts';
import { createHttp } from '#http/http.ts';
import { type MachineIdentitySettings, machineIdentity } from '#identity/machine-identity.ts';

/**
 * Reads one secret of the vault myvault as the machine, and prints its value or the error. A process of its own, because the
 * SDK remembers for a whole process where managed identities come from:
 * `node read-granted.ts KIND CLIENT SECRET CA-FILE PROXY-URL`.
 */
const [kind, clientId, secret = '', caFile = '', url = ''] = process.argv.slice(2);
const http = createHttp({ skipVerification: false, caFile, proxy: { url, bypass: [] } });
const identity = machineIdentity({ kind: kind as MachineIdentitySettings['kind'], clientId }, { http, mask: () => {} });
const grant = { vault: 'myvault', secret, target: 'file', name: 'S' } as const;
try {
  const [read] = await vaultSecrets({ identity, http }).read([grant], new AbortController().signal);
  process.stdout.write(`${read?.vault} ${read?.version} ${read?.value.reveal()}`);
} catch (thrown) {
  if (!(thrown instanceof PlumblineError)) throw thrown;
  process.stdout.write(`${thrown.code}: ${thrown.message}`);
}
