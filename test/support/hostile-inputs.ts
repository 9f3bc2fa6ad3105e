import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { ServiceConnection } from '#core/connection.ts';
import { PlumblineError } from '#core/errors.ts';
import { MappingSyntaxError, parseMapping } from '#steps/mapping.ts';
import { readInputs } from '#steps/run-luigi/inputs.ts';
import { hostileText } from './arbitrary-run.ts';
import { recordingHost } from './recording-host.ts';

const CONNECTION: ServiceConnection = {
  id: '3f2a7c1e-1111-4222-8333-944445555666',
  url: 'https://management.azure.com/',
  scheme: 'WorkloadIdentityFederation',
  parameter: () => undefined,
  data: () => undefined,
};
const YAML_PIECES = ['a', 'b: ', ': ', '- ', '? ', '\n', '\n  ', '[', ']', '{', '}', ', ', '&x ', '*x', '*y', '<<: *x'];
const MORE_PIECES = [
  '!!binary ',
  '!!set ',
  '!!float ',
  '!!null ',
  '!x ',
  '"',
  "'",
  '|\n  ',
  '>-\n  ',
  '---\n',
  '...\n',
];
const VALUES = [
  '1',
  '1e999',
  '.nan',
  '.inf',
  '0x1f',
  '12345678901234567890',
  '~',
  'true',
  '2026-11-20',
  '=',
  '#',
  '%Y',
];
const yamlText = fc
  .array(fc.oneof(fc.constantFrom(...YAML_PIECES, ...MORE_PIECES, ...VALUES), hostileText), { maxLength: 14 })
  .map((pieces) => pieces.join(''));
const deep = fc
  .tuple(fc.constantFrom('[', '{"a":', '- ', 'a:\n'), fc.integer({ min: 1, max: 3_000 }))
  .map(([piece, depth]) => `a: ${piece.repeat(depth)}`);
const laughs = fc.integer({ min: 1, max: 12 }).map((depth) => {
  const levels = Array.from({ length: depth }, (_, i) => `l${i + 1}: &l${i + 1} [*l${i},*l${i},*l${i},*l${i},*l${i}]`);
  return ['l0: &l0 [x]', ...levels].join('\n');
});

/** A multi-line input as people mistype it and as somebody hostile writes it. */
export const hostileMapping: fc.Arbitrary<string> = fc.oneof(
  { weight: 20, arbitrary: yamlText },
  { weight: 4, arbitrary: fc.json() },
  {
    weight: 4,
    arbitrary: fc.array(fc.tuple(hostileText, hostileText), { maxLength: 5 }).map((all) => all.map(joined).join('\n')),
  },
  { weight: 1, arbitrary: deep },
  { weight: 1, arbitrary: laughs },
);

function joined([key, value]: [string, string]): string {
  return `${key}=${value}`;
}

/** Either a map of what JSON can say, or an error that says which line and no value. */
export async function checkMapping(text: string): Promise<void> {
  try {
    const map = await parseMapping(text);
    const values = Object.fromEntries(map);
    assert.deepEqual(JSON.parse(JSON.stringify(values)), values);
  } catch (error) {
    if (!(error instanceof MappingSyntaxError)) throw error;
  }
}

const input = (...good: string[]) =>
  fc.option(fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...good) }, { weight: 1, arbitrary: hostileText }), {
    nil: undefined,
  });

/** Values for each input of `RunLuigi@1`, right ones among them. */
export const hostileInputs = fc.record({
  module: input('sales.daily', 'größe.tabelle'),
  task: input('Daily', 'sales.Daily'),
  parameters: fc.oneof(hostileMapping, input('day: 2026-11-20', 'a-b=1\na_b=2', '__proto__: 1', 'constructor: 1')),
  secrets: fc.oneof(hostileMapping, input('A: b', 'files.A: b', 'parameters.a: b')),
  keyVault: input('myvault', 'https://myvault.vault.azure.net'),
  taskIdentity: input('none', 'connection', '__proto__'),
  python: input('python3'),
  virtualEnv: input('.venv'),
  workingDirectory: input('.', '/', '/etc/passwd/x', 'x'.repeat(5_000), 'a\0b', '/nobody/x'),
  scheduler: input('local', 'http://luigid:8082', 'http://a:b@c', 'ftp://x'),
  workers: input('1', '512', '0', '1e3', '٣', '-0'),
  timeout: input('90s', '30m', '31d', '0s', '9'.repeat(400)),
  onExistingRun: input('adopt', 'fail', 'new'),
  lineage: input('run', 'file', 'none'),
});

type Inputs = typeof hostileInputs extends fc.Arbitrary<infer Values> ? Values : never;

/** Either inputs that the rest can trust, or one error that names what is wrong. */
export async function checkInputs(given: Inputs, isConnected: boolean): Promise<void> {
  const inputs = Object.fromEntries(Object.entries(given).filter((entry): entry is [string, string] => !!entry[1]));
  const connections = isConnected ? { azureSubscription: CONNECTION } : {};
  try {
    const read = await readInputs(recordingHost({ inputs, connections }));
    assert.doesNotMatch(read.module + read.task, /[\s=/\\\p{Cc}-]/u);
    assert.ok(Number.isSafeInteger(read.workers) && read.workers >= 1 && read.workers <= 512);
    assert.ok(read.timeoutMs === undefined || (read.timeoutMs > 0 && read.timeoutMs <= 30 * 86_400_000));
    assert.equal(new URL(read.scheduler === 'local' ? 'http://x' : read.scheduler).username, '');
    assert.deepEqual(JSON.parse(JSON.stringify(read.parameters)), read.parameters);
    assert.ok(read.secrets.length === 0 || (read.connection !== undefined && read.keyVault !== undefined));
  } catch (error) {
    if (!(error instanceof PlumblineError)) throw error;
    assert.equal(error.code, 'ERR_INPUT_INVALID');
    assert.ok(error.message.length < 100_000, `a message of ${error.message.length} characters`);
  }
}
