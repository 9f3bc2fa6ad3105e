// npm run bench [-- NAME…] [--json] [--short]: every figure as a ratio to a peer measured in the same run.
import { parseArgs } from 'node:util';
import { airflow } from './airflow.ts';
import { endOfRun } from './end-of-run.ts';
import type { Figure } from './figure.ts';
import { followedRun } from './followed-run.ts';
import { gateway } from './gateway.ts';
import { luigidProxy } from './luigid-proxy.ts';
import { startUp } from './start-up.ts';
import { taskTokens } from './task-tokens.ts';
import { tokenVerification } from './token-verification.ts';

const BENCHES = {
  'start-up': startUp,
  'end-of-run': endOfRun,
  'followed-run': followedRun,
  gateway,
  'luigid-proxy': luigidProxy,
  'task-tokens': taskTokens,
  'token-verification': tokenVerification,
  // Twelve minutes.
  airflow,
} as const;

const FLAGS = { json: { type: 'boolean' }, short: { type: 'boolean', default: false } } as const;
const { values, positionals } = parseArgs({ options: FLAGS, allowPositionals: true });
const unknown = positionals.filter((name) => !Object.hasOwn(BENCHES, name));
if (unknown.length > 0) {
  console.error(`There is no bench ${unknown.join(', ')}; there are ${Object.keys(BENCHES).join(', ')}.`);
  process.exit(64);
}
for (const [name, bench] of Object.entries(BENCHES)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  for (const one of await bench({ short: values.short }))
    console.log(values.json ? JSON.stringify(one) : sentence(one));
}

function sentence({ bench, metric, ours, peer, ratio, unit }: Figure): string {
  return `${bench}: ${metric}: ${ours} ${unit}, peer ${peer} ${unit}, ratio ${ratio}`;
}
