import { isAbsolute, posix } from 'node:path';
import type { FieldPath } from '../config/yaml-source.ts';
import type { Complain } from './check-document.ts';
import { checkDuration } from './check-times.ts';
import type { RoleEntry } from './policy-document.ts';
import type { SecretGrant } from './role.ts';

const TARGET_NAMES: Readonly<Record<SecretGrant['target'], RegExp>> = {
  environment: /^[A-Za-z_][A-Za-z0-9_]*$/,
  file: /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/,
  parameter: /^[\p{L}_][\p{L}\p{N}_]*$/u,
};

export function checkRole(role: RoleEntry, path: FieldPath, complain: Complain): void {
  if (role.maxRuntime !== undefined) checkDuration(role.maxRuntime, [...path, 'maxRuntime'], complain);
  checkSecrets(role, path, complain);
  checkCode(role, [...path, 'code'], complain);
}

function checkSecrets(
  { secrets = [], parameters = {}, variables = {} }: RoleEntry,
  path: FieldPath,
  complain: Complain,
): void {
  const taken = new Set([
    ...Object.keys(parameters).map((name) => `parameter ${name}`),
    ...Object.keys(variables).map((name) => `environment ${name}`),
  ]);
  for (const [i, { target, name }] of secrets.entries()) {
    const at = [...path, 'secrets', i, 'name'];
    if (!TARGET_NAMES[target].test(name))
      complain(at, `must be the name of a ${target === 'environment' ? 'variable' : target}`);
    if (taken.has(`${target} ${name}`)) complain(at, 'is already set by this role');
    taken.add(`${target} ${name}`);
  }
}

function checkCode({ code }: RoleEntry, path: FieldPath, complain: Complain): void {
  if (code.kind !== 'installed') return;
  const { python, commitFile } = code;
  if (climbs(python)) complain([...path, 'python'], 'must be absolute or lie below `path`');
  if (commitFile !== undefined && climbs(commitFile))
    complain([...path, 'commitFile'], 'must be absolute or lie below `path`');
}

function climbs(path: string): boolean {
  return !isAbsolute(path) && posix.normalize(path).startsWith('..');
}
