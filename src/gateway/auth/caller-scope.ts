import { hash } from 'node:crypto';
import type { Caller } from './caller.ts';

/**
 * Whose keys, runs and adoptions are whose: SHA-256 over issuer, subject and project, hexadecimal. The project is the run
 * facts' when there are some, and then their issuer counts too: two pipelines of one service connection are strangers when
 * they are of two projects.
 */
export function callerScope({ iss, subject, signed, runFacts }: Omit<Caller, 'scope'>): string {
  const project = runFacts?.signed.project ?? signed.project ?? null;
  return hash('sha256', JSON.stringify([iss, subject, project, runFacts?.iss ?? null]));
}
