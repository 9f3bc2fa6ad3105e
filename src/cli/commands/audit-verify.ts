import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { AuditFinding, AuditVerification } from '#gateway/audit/audit-verification.ts';
import type { Arguments } from '../arguments.ts';
import { type Command, JSON_OPTION } from '../command.ts';
import { EXIT } from '../exit-status.ts';
import { printable } from '../printable.ts';
import type { Terminal } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

export const auditVerify: Command = {
  name: 'audit verify',
  summary: 'Reads a whole audit log and says whether a record was changed, moved, removed or cut off.',
  takes: ['DIR'],
  options: {
    'public-key': {
      value: 'FILE',
      help: 'verifier keys, kept where the gateway cannot write; default: those beside the log, which prove less',
      repeated: true,
    },
    checkpoints: { value: 'DIR', help: 'exported checkpoints; a folder or a file', repeated: true },
    'retained-from': { value: 'SEQUENCE', help: 'first record that has to be there, after older files were archived' },
    json: JSON_OPTION,
  },
  async run(given, terminal) {
    const { verifyAudit } = await import('#gateway/audit/verify-audit.ts');
    const directory = given.required('DIR');
    const keys = await publicKeys(directory, given, terminal);
    const verification = await verifyAudit({
      directory,
      publicKeys: keys.lines,
      checkpoints: given.all('checkpoints'),
      retainedFrom: sequence(given.optional('retained-from')),
    });
    const ok = verification.verdict === 'intact';
    if (given.flag('json')) terminal.out(JSON.stringify({ ok, ...verification, keys: keys.files }));
    else tell(directory, verification, keys, terminal);
    return ok ? EXIT.done : EXIT.refused;
  },
};

interface Keys {
  readonly files: readonly string[];
  readonly lines: readonly string[];
  /** They lie beside the log: whoever can write it anew has them too. */
  readonly besideLog: boolean;
}

async function publicKeys(directory: string, given: Arguments, terminal: Terminal): Promise<Keys> {
  const { PUBLIC_KEYS_FILE, verifierKeyLines } = await import('#gateway/audit/audit-keys.ts');
  const named = given.all('public-key');
  const own = join(directory, '../keys', PUBLIC_KEYS_FILE);
  const besideLog = named.length === 0 && existsSync(own);
  const files = besideLog ? [own] : named;
  return { files, lines: files.flatMap((file) => verifierKeyLines(terminal.read(file))), besideLog };
}

function sequence(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new UsageError('--retained-from is a number from 1.');
  return Number(text);
}

function tell(directory: string, verification: AuditVerification, keys: Keys, terminal: Terminal): void {
  const { verdict, findings, omittedFindings, records, files, firstSequence, lastSequence, lastHash } = verification;
  for (const finding of findings) terminal.out(findingLine(finding, terminal));
  if (omittedFindings > 0) terminal.out(`and ${omittedFindings} more`);
  const colour = verdict === 'intact' ? 'green' : verdict === 'damaged' ? 'red' : 'yellow';
  const range = firstSequence === undefined ? '' : `, ${firstSequence} to ${lastSequence}`;
  terminal.out(
    `${printable(directory)}: ${terminal.paint(colour, verdict)}, ${records} records${range}, in ${files} files`,
  );
  if (lastHash !== undefined) terminal.out(`last record sha256:${lastHash}, ${verification.to}`);
  const { local, exported, covers, exportedCovers } = verification.checkpoints;
  terminal.out(`checkpoints: ${upTo(local, covers)} beside the log, ${upTo(exported, exportedCovers)} exported`);
  const limits = keys.besideLog ? [...verification.limits, BESIDE] : verification.limits;
  for (const limit of limits) terminal.out(terminal.paint('dim', `  ${printable(limit)}`));
}

function upTo(count: number, record: number | undefined): string {
  return record === undefined ? String(count) : `${count} up to record ${record}`;
}

const BESIDE =
  'The public key was read beside the log: give --public-key a copy that the machine of the gateway cannot write.';

function findingLine({ severity, kind, message, file, line }: AuditFinding, terminal: Terminal): string {
  const place = file === undefined ? '' : `${printable(file)}${line === undefined ? '' : `:${line}`}: `;
  return `${terminal.paint(severity === 'error' ? 'red' : 'yellow', severity)}: ${place}${printable(message)} (${kind})`;
}
