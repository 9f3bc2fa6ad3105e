import { join } from 'node:path';
import { Secret } from '#core/secret.ts';
import { loadAuditKeys } from '#gateway/audit/audit-keys.ts';
import { openAuditLog } from '#gateway/audit/open-audit-log.ts';
import { localLauncher } from '#gateway/launch/local-launcher.ts';
import { RunService } from '#gateway/runs/run-service.ts';
import { Store } from '#gateway/store/store.ts';
import { luigiPython } from '../luigi-scenario.ts';
import { callerOf, FakePolicy, roleOf, specificationOf } from './runs-fixture.ts';

/**
 * A process with store, audit log, launcher and runs in the folder it is given, and nothing else:
 * `fork(runs-process.ts, [FOLDER, WORKER PATH])`. It takes `{ create: KEY, task }` and `{ cancel: ID }` as messages.
 */
const [folder = '', workerPath = ''] = process.argv.slice(2);
const grant = { vault: 'v', secret: 's', target: 'environment', name: 'FROM_VAULT' } as const;
const role = roleOf('etl', { secrets: [grant], attempts: 2 });
const policy = new FakePolicy(role);
const store = await Store.open(join(folder, 'store.sqlite'));
const keys = await loadAuditKeys({ directory: join(folder, 'keys') });
const audit = await openAuditLog({ directory: join(folder, 'audit'), keys, checkpoint: { everyRecords: 5 } });
const launcher = await localLauncher({
  runsDirectory: join(folder, 'runs'),
  workerPath,
  isolation: 'none',
  log: { info: () => {}, warn: () => {} },
  limits: { graceMs: 500 },
});
const runs = await RunService.start({
  store,
  launcher,
  audit,
  policy: () => policy,
  code: {
    prepare: async () => ({
      python: { path: luigiPython(), version: '3.13.0', luigiVersion: '3.8.1' },
      workingDirectory: folder,
      modulePath: [folder],
      facts: { kind: 'installed' },
    }),
  },
  secrets: {
    read: async () => [
      { grant, vault: 'https://v.vault.azure.net', version: '1', value: new Secret('from the vault') },
    ],
  },
  limits: { runs: 4, queued: 1_000 },
  scheduler: 'local',
  log: (message, facts) => console.error(message, facts),
});

interface Command {
  readonly create?: string;
  readonly task?: string;
  readonly cancel?: string;
}

process.on('message', async ({ create, task = 'Root', cancel }: Command) => {
  if (create !== undefined) {
    const specification = specificationOf({ module: 'kill_points', task, parameters: { key: create } });
    const { run } = await runs.create(callerOf(), create, specification);
    process.send?.({ created: run.id, key: create });
  }
  if (cancel !== undefined) {
    const { answer } = await runs.cancel(callerOf(), cancel, 'cancelled');
    process.send?.({ cancelled: cancel, answer });
  }
});
process.send?.({ ready: true });
