import type { AuditLog } from '../audit/audit-log.ts';
import { redactCredentials } from '../audit/redaction-guard.ts';
import type { Caller } from '../auth/caller.ts';
import type { BundleStore } from '../code/bundle-store.ts';
import type { LoadedPolicy } from '../policy/loaded-policy.ts';
import { bundlePermission } from './bundle-permission.ts';
import type { Bundles, StoredBundle } from './bundles.ts';
import { callerFacts } from './caller-facts.ts';
import { Problem } from './problem.ts';

export interface RoleBundlesOptions {
  readonly store: BundleStore;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly policy: () => LoadedPolicy;
  readonly now: () => number;
}

type Upload = Parameters<Bundles['store']>[1];

/** Uploads that the policy permits, each on record before and after. */
export function roleBundles({ store, audit, policy, now }: RoleBundlesOptions): Bundles {
  return { permit, store: put };

  async function permit(caller: Caller, role: string): Promise<{ readonly maxBytes: number }> {
    const current = policy();
    try {
      return bundlePermission(current, caller, role, now());
    } catch (error) {
      const data = {
        caller: callerFacts(caller),
        role: redactCredentials(role),
        reason: 'bundle',
        policy: current.sha256,
      };
      await audit.append({ type: 'dev.plumbline.run.denied', data });
      throw error;
    }
  }

  async function put(caller: Caller, upload: Upload): Promise<StoredBundle & { readonly created: boolean }> {
    const { sha256, role, maxBytes, bytes } = upload;
    const code = { kind: 'bundle', digest: `sha256:${sha256}` };
    const record = (result: string) =>
      audit.append({
        type: 'dev.plumbline.bundle.stored',
        subject: sha256,
        data: { caller: callerFacts(caller), role, code, result },
      });
    await record('begun');
    const { size, created } = await store.put({ scope: caller.scope, sha256 }, capped(bytes, maxBytes), maxBytes);
    await record(created ? 'stored' : 'known');
    return { sha256, size, created };
  }
}

/** The store's own cap knows no status. */
async function* capped(bytes: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const part of bytes) {
    size += part.length;
    if (size > maxBytes) throw new Problem('body-too-large', `A bundle of this role has at most ${maxBytes} bytes`);
    yield part;
  }
  if (size === 0) throw new Problem('bundle-invalid', 'The bundle has no bytes');
}
