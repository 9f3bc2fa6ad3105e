import type { FieldPath } from '../config/yaml-source.ts';
import type { Complain } from './check-document.ts';
import { compileIdentity } from './compile-identity.ts';
import { isReservedVariable } from './credential-variables.ts';
import type { IdentityEntry, PolicyDocument } from './policy-document.ts';

/** `plumbline:task` is the subject of tasks that have no identity. */
const KEPT_NAME = 'task';

export function checkIdentities({ identities = {} }: PolicyDocument, complain: Complain): void {
  for (const [name, entry] of Object.entries(identities)) {
    const path = ['identities', name];
    if (name === KEPT_NAME) complain(path, 'is a name that the gateway keeps for tasks without an identity');
    checkTargets(name, entry, path, complain);
    checkVariables(entry, path, complain);
  }
}

/** A task asks for a token by its audience, so that an audience is one target and no other. */
function checkTargets(name: string, entry: IdentityEntry, path: FieldPath, complain: Complain): void {
  const { targets } = compileIdentity(name, entry);
  if (targets.length === 0) complain(path, 'needs one of azure, aws, google and files');
  const seen = new Set<string>();
  for (const { kind, audience } of targets) {
    const field = kind === 'file' ? 'files' : kind;
    if (seen.has(audience)) complain([...path, field], 'has an audience that another part of this identity has too');
    seen.add(audience);
  }
}

function checkVariables({ files = [] }: IdentityEntry, path: FieldPath, complain: Complain): void {
  const seen = new Set<string>();
  for (const [i, { variable }] of files.entries()) {
    const at = [...path, 'files', i, 'variable'];
    if (isReservedVariable(variable)) complain(at, 'is a variable that means something else to the worker');
    if (seen.has(variable)) complain(at, 'is the variable of another file too');
    seen.add(variable);
  }
}
