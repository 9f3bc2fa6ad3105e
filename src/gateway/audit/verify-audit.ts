import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PlumblineError } from '#core/errors.ts';
import { systemReason } from './audit-unavailable.ts';
import type { AuditVerification, VerifyAuditSettings } from './audit-verification.ts';
import { ChainCheck, type MetRecord } from './chain-check.ts';
import { CheckpointCheck } from './checkpoint-check.ts';
import { CHECKPOINTS_FOLDER } from './checkpoint-files.ts';
import { FindingList } from './finding-list.ts';
import { KnownCheckpoints } from './known-checkpoints.ts';
import { type LogFile, listLogFiles } from './log-files.ts';
import { type LogLine, logLines } from './log-lines.ts';
import { LOCK_FILE } from './log-lock.ts';
import { parseVerifierKey, type VerifierKey } from './signed-note.ts';
import { verificationLimits } from './verification-limits.ts';

/**
 * Reads the whole log and its checkpoints and says what is wrong with them. It needs no lock and can be done while the gateway
 * writes, or on a copy. Memory is bounded by the number of checkpoints.
 *
 * @throws {PlumblineError} `ERR_AUDIT_UNAVAILABLE` when the log cannot be read at all; `ERR_INPUT_INVALID` for a key that is none
 */
export async function verifyAudit(settings: VerifyAuditSettings): Promise<AuditVerification> {
  const keys = verifierKeys(settings.publicKeys);
  try {
    return await verify(settings, keys);
  } catch (thrown) {
    settings.signal?.throwIfAborted();
    const failed = `The audit log in ${settings.directory} cannot be verified: ${systemReason(thrown)}`;
    throw new PlumblineError('ERR_AUDIT_UNAVAILABLE', failed, { cause: thrown, remedy: READABLE });
  }
}

const READABLE = "Give the folder audit of a gateway's state directory, or a copy of it, that this user may read.";

async function verify(settings: VerifyAuditSettings, keys: readonly VerifierKey[]): Promise<AuditVerification> {
  const { directory, retainedFrom = 1, signal } = settings;
  const findings = new FindingList();
  const known = new KnownCheckpoints(keys, findings);
  // Before the log: what is written meanwhile is then in the log already.
  if (keys.length > 0) await readCheckpoints(settings, known);
  const { files, foreign } = await listLogFiles(directory);
  checkForeign(foreign, findings);
  const vouched = new CheckpointCheck(known, findings, retainedFrom);
  const chain: ChainCheck = new ChainCheck(findings, retainedFrom, (met) => {
    vouched.met(met);
    chain.torn.accountedBy(met.record, met.place);
  });
  for (const file of files) await readFile(directory, file, file === files.at(-1), chain, findings, signal);
  chain.torn.end();
  if (!chain.last) findings.error('missing', `There is no record in ${directory}`);
  vouched.end(chain.last?.sequence ?? retainedFrom - 1, await known.readLate(directory));
  return resultOf({ files: files.length, keys, findings, chain, known, vouched });
}

async function readCheckpoints({ directory, checkpoints = [] }: VerifyAuditSettings, known: KnownCheckpoints) {
  await known.readLocal(directory);
  for (const place of checkpoints) await known.readExported(place);
}

/** SQLite puts a journal beside its file. */
const OWN_NAMES: ReadonlySet<string> = new Set([LOCK_FILE, `${LOCK_FILE}-journal`, CHECKPOINTS_FOLDER]);

function checkForeign(foreign: readonly string[], findings: FindingList): void {
  for (const name of foreign) {
    if (OWN_NAMES.has(name)) continue;
    findings.warning('file-name', `${name} does not belong to the log`, { file: name });
  }
}

async function readFile(
  directory: string,
  file: LogFile,
  isLast: boolean,
  chain: ChainCheck,
  findings: FindingList,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { name } = file;
  const before = chain.records;
  let number = 0;
  let named: MetRecord | undefined;
  const path = join(directory, name);
  for await (const lines of isLast ? settledLines(path, signal) : logLines(path, 0, signal)) {
    for (const line of lines) {
      number += 1;
      chain.line(line, name, number);
      if (!named && chain.records > before) named = checkName(file, chain, findings);
    }
  }
  chain.torn.endOfFile();
  if (number === 0 && !isLast) findings.warning('file-name', `${name} is empty`, { file: name });
}

/** The lines of the file that is being written: a last one that seems torn gets a moment to be finished. */
async function* settledLines(path: string, signal: AbortSignal | undefined): AsyncGenerator<LogLine[]> {
  let unfinished: number | undefined;
  for await (const lines of logLines(path, 0, signal)) {
    const last = lines.at(-1);
    if (last?.whole !== false || last.tooLong) yield lines;
    else {
      yield lines.slice(0, -1);
      unfinished = last.offset;
    }
  }
  if (unfinished === undefined) return;
  await sleep(250, undefined, { signal });
  yield* logLines(path, unfinished, signal);
}

function checkName(
  { name, firstSequence, at }: LogFile,
  chain: ChainCheck,
  findings: FindingList,
): MetRecord | undefined {
  const met = chain.met;
  if (!met || (met.sequence === firstSequence && Date.parse(met.record.time) === at)) return met;
  const message = `${name} begins with record ${met.sequence} of ${met.record.time}, which is not what its name says`;
  findings.error('file-name', message, { file: name, sequence: met.sequence });
  return met;
}

interface Verified {
  readonly files: number;
  readonly keys: readonly VerifierKey[];
  readonly findings: FindingList;
  readonly chain: ChainCheck;
  readonly known: KnownCheckpoints;
  readonly vouched: CheckpointCheck;
}

function resultOf(verified: Verified): AuditVerification {
  const { files, findings, chain, known, vouched } = verified;
  const verdict = verdictOf(verified);
  const { first, last, records, bytes } = chain;
  return {
    verdict,
    findings: findings.kept,
    omittedFindings: findings.omitted,
    files,
    records,
    bytes,
    firstSequence: first?.sequence,
    lastSequence: last?.sequence,
    lastHash: last?.hash,
    from: first?.record.time,
    to: last?.record.time,
    checkpoints: {
      local: known.local,
      exported: known.exported,
      covers: vouched.covers,
      exportedCovers: vouched.exportedCovers,
    },
    limits: verificationLimits({ ...verified, last: last?.sequence ?? 0 }),
  };
}

function verdictOf({ findings, vouched }: Verified): AuditVerification['verdict'] {
  if (findings.errors > 0) return 'damaged';
  return vouched.covers === undefined ? 'unproven' : 'intact';
}

function verifierKeys(texts: readonly string[]): VerifierKey[] {
  try {
    return texts.map(parseVerifierKey);
  } catch (cause) {
    throw new PlumblineError('ERR_INPUT_INVALID', `The audit log is not verified: ${(cause as Error).message}`, {
      cause,
      remedy: 'Give the lines of audit-signing.pub, which lies beside the signing key of the gateway.',
    });
  }
}
