import type { GraphNode, TaskGraph } from '#core/graph.ts';
import type { RunState } from '#core/run.ts';
import { AnswerError, Fields } from '../answer-fields.ts';
import { RUN_STATES } from './gateway-update.ts';

/** What a gateway says of a run, beside its outcome. Everything in it is the gateway's word. */
export interface GatewayRun {
  /** The gateway's own id. */
  readonly id: string;
  readonly key: string;
  readonly state: RunState;
  /** Which attempt of the caller's step asked. */
  readonly attempt: string;
  readonly facts: GatewayRunFacts;
}

/** Under which rules a gateway ran it, for report and summary. */
export interface GatewayRunFacts {
  readonly role: string;
  readonly binding?: string | undefined;
  /** SHA-256 of the policy that decided. */
  readonly policy: string;
  readonly mode: string;
  readonly isolation: string;
  /** Starts of a worker. */
  readonly starts: number;
  readonly code?: GatewayCode | undefined;
  readonly secrets: readonly GatewaySecret[];
}

export interface GatewayCode {
  readonly kind: string;
  readonly digest?: string | undefined;
  readonly version?: string | undefined;
  readonly commit?: string | undefined;
  readonly commitProof?: string | undefined;
}

/** A secret that the gateway read for the run, by name. */
export interface GatewaySecret {
  readonly vault: string;
  readonly name: string;
  readonly version: string;
  readonly target: string;
}

/** A token that is good for one run. */
export interface RunTokenAnswer {
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

export const GATEWAY_RUN_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
/** Visible ASCII of a bounded length: it goes into a header. */
const TOKEN = /^[\x21-\x7e]{16,4096}$/;

export function readRun(value: unknown, where = 'run'): GatewayRun {
  const fields = new Fields(value, where);
  const specification = fields.object('specification');
  return {
    id: fields.matching('id', GATEWAY_RUN_ID),
    key: fields.name('key'),
    state: fields.oneOf('state', RUN_STATES),
    attempt: specification.text('attempt'),
    facts: readFacts(fields, specification),
  };
}

function readFacts(fields: Fields, specification: Fields): GatewayRunFacts {
  const decision = fields.object('decision');
  const code = fields.maybeObject('code');
  return {
    role: specification.name('role'),
    binding: decision.maybeText('binding'),
    policy: decision.text('policy'),
    mode: decision.text('mode'),
    isolation: fields.text('isolation'),
    starts: fields.count('attempt'),
    ...(code && { code: readCode(code) }),
    secrets: fields.objects('secrets').map(readSecret),
  };
}

function readCode(fields: Fields): GatewayCode {
  return {
    kind: fields.text('kind'),
    digest: fields.maybeText('digest'),
    version: fields.maybeText('version'),
    commit: fields.maybeText('commit'),
    commitProof: fields.maybeText('commitProof'),
  };
}

function readSecret(fields: Fields): GatewaySecret {
  return {
    vault: fields.text('vault'),
    name: fields.text('name'),
    version: fields.text('version'),
    target: fields.text('target'),
  };
}

export function readRuns(value: unknown): readonly GatewayRun[] {
  return new Fields(value, 'answer').list('runs').map((run, index) => readRun(run, `runs[${index}]`));
}

/** What an answer to the creation has beside the run; absent when it gives no token. */
export function readCreated(value: unknown): { readonly run: GatewayRun; readonly token: RunTokenAnswer | undefined } {
  const fields = new Fields(value, 'run');
  const token = fields.has('runToken')
    ? { token: fields.matching('runToken', TOKEN), expiresAt: fields.time('runTokenExpiresAt') }
    : undefined;
  return { run: readRun(value), token };
}

export function readRunToken(value: unknown): RunTokenAnswer {
  const fields = new Fields(value, 'answer');
  return { token: fields.matching('token', TOKEN), expiresAt: fields.time('expiresAt') };
}

export function readStopAnswer(value: unknown): 'stopped' | 'requested' {
  return new Fields(value, 'answer').oneOf('answer', ['stopped', 'requested']);
}

/** @throws {AnswerError} also when it is no graph: a root or a dependency that is no node of it */
export function readGraph(value: unknown): TaskGraph {
  const fields = new Fields(value, 'graph');
  const root = fields.name('root');
  const nodes = new Map<string, GraphNode>();
  for (const node of fields.objects('nodes')) {
    const id = node.name('id');
    nodes.set(id, { id, family: node.name('family'), dependsOn: node.names('dependsOn') });
  }
  const ends = [root, ...[...nodes.values()].flatMap(({ dependsOn }) => dependsOn)];
  if (!ends.every((id) => nodes.has(id))) throw new AnswerError('graph.nodes lacks a task that another one names');
  return { root, nodes };
}
