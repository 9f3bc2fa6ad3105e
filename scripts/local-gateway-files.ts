import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Document, parseDocument } from 'yaml';
import type { Isolation } from './gateway-isolation.ts';
import { ROOT } from './repository.ts';

/** Where the files of a local gateway are; all below `folder`. */
export interface GatewayFiles {
  readonly folder: string;
  readonly config: string;
  readonly policy: string;
  readonly state: string;
  readonly runs: string;
  /** Where the reports of the example go. */
  readonly reports: string;
  /** Copies of the audit's checkpoints. */
  readonly checkpoints: string;
  /** What the gateway writes to its standard output. */
  readonly log: string;
}

export interface GatewayFilesOptions {
  readonly folder: string;
  readonly python: string;
  readonly isolation: Isolation;
  /** Text of the policy and the configuration, as in examples/gateway. */
  readonly policy: string;
  readonly config: string;
  /** Fields of gateway.yaml, by dotted name. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** Writes the example's files for this machine: its Python, its folders, its ports. Everything else stays as it is written there. */
export function writeGatewayFiles({ folder, python, isolation, ...texts }: GatewayFilesOptions): GatewayFiles {
  const at = (name: string) => join(folder, name);
  const files = {
    folder,
    config: at('gateway.yaml'),
    policy: at('policy.yaml'),
    state: at('state'),
    runs: at('runs'),
    reports: at('reports'),
    checkpoints: at('checkpoints'),
    log: at('gateway.log'),
  };
  mkdirSync(files.state, { mode: 0o700 });
  mkdirSync(files.checkpoints, { mode: 0o700 });
  mkdirSync(files.runs, { mode: 0o711 });
  chmodSync(files.runs, 0o711);
  mkdirSync(files.reports, { mode: 0o755 });
  if (isolation.user) chownSync(files.reports, isolation.user.uid, isolation.user.gid);
  writeFileSync(files.policy, localPolicy(texts.policy, python, isolation, files.reports), { mode: 0o600 });
  writeFileSync(files.config, localConfig(texts.config, { ...settings(files, isolation), ...texts.settings }), {
    mode: 0o600,
  });
  return files;
}

function settings({ state, runs, policy, checkpoints }: Omit<GatewayFiles, 'folder'>, { user }: Isolation) {
  return {
    stateDirectory: state,
    runsDirectory: runs,
    policyFile: policy,
    'audit.exportDirectory': checkpoints,
    isolation: user === undefined ? 'none' : 'users',
  };
}

function localConfig(text: string, fields: Readonly<Record<string, unknown>>): string {
  const document = parseDocument(text);
  for (const [name, value] of Object.entries(fields)) document.setIn(name.split('.'), value);
  return String(document);
}

function localPolicy(text: string, python: string, { user }: Isolation, reports: string): string {
  const document = parseDocument(text);
  for (const role of Object.keys((document.toJS() as { roles: object }).roles)) {
    const field = (...path: string[]) => ['roles', role, ...path];
    if (document.getIn(field('code', 'path')) === '/srv/plumbline/retail')
      document.setIn(field('code', 'path'), resolve(ROOT, 'examples/quickstart'));
    document.setIn(field('code', 'python'), python);
    setOrDelete(document, field('unixUser'), user?.name);
    if (document.hasIn(field('variables', 'ORDERS_OUTPUT')))
      document.setIn(field('variables', 'ORDERS_OUTPUT'), reports);
  }
  return String(document);
}

function setOrDelete(document: Document, path: readonly string[], value: string | undefined): void {
  if (value === undefined) document.deleteIn(path);
  else document.setIn(path, value);
}
