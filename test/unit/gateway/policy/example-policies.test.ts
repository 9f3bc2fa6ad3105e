import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { lintPolicy } from '#gateway/policy/lint-policy.ts';
import { exampleProblems, testPolicy } from '#gateway/policy/test-policy.ts';
import { loaded, NOW } from '../../../support/sample-policy.ts';

const FOLDER = new URL('../../../../examples/gateway/', import.meta.url);
const names = readdirSync(FOLDER).filter((name) => /^policy.*\.yaml$/.test(name));

describe('policies in examples/gateway', () => {
  it('are there', () => assert.ok(names.length >= 2));

  for (const name of names)
    it(`${name} can be used, does what its examples say, and opens nothing by mistake`, () => {
      const policy = loaded(readFileSync(new URL(name, FOLDER), 'utf8'));
      assert.deepEqual(exampleProblems(policy), []);
      assert.ok(testPolicy(policy).length >= 4);
      const grave = lintPolicy(policy, NOW).filter(({ severity }) => severity === 'high');
      assert.deepEqual(
        grave.map(({ line, message }) => `${line}: ${message}`),
        [],
      );
    });
});

type Fields = Readonly<Record<string, unknown>>;

describe('docs/gateway/policy.md', () => {
  const page = readFileSync(new URL('../../../../docs/gateway/policy.md', import.meta.url), 'utf8');
  const blocks = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text = '']) => text);
  const sources = new URL('../../../../src/gateway/policy/', import.meta.url);

  it('shows identities, viewers and calls that bring nothing that can be used and do what their examples say', () => {
    const blockWith = (words: string) => parse(blocks.find((text) => text.includes(words)) ?? '');
    const [whole, tokens, people] = ['apiVersion:', 'identities:', 'viewers:'].map(blockWith);
    const calls = blockWith('issuer: anonymous');
    const role: Fields = { ...whole.roles.sales, ...tokens.roles.sales, tasks: ['Load*'], namespaces: ['sales', ''] };
    const bindings = [...whole.bindings, ...calls];
    const policy = loaded(JSON.stringify({ ...whole, ...tokens, ...people, roles: { sales: role }, bindings }));
    assert.deepEqual(exampleProblems(policy), []);
    assert.equal(testPolicy(policy).length, 6);
  });

  it('tells every rule of `policy check`', () => {
    const files = readdirSync(sources).filter((name) => name.startsWith('lint-'));
    const text = files.map((name) => readFileSync(new URL(name, sources), 'utf8')).join('');
    const rules = new Set([...text.matchAll(/rule: '([a-z-]+)'/g)].map(([, rule]) => rule));
    const table = page.slice(page.indexOf('## What `policy check` finds'));
    const told = new Set(
      [...table.matchAll(/^\| (`[a-z-]+`(?:, `[a-z-]+`)*) \|/gm)].flatMap(([, names = '']) =>
        names.replaceAll('`', '').split(', '),
      ),
    );
    assert.deepEqual([...told].sort(), [...rules].sort());
  });

  it('tells every field of what a policy says, and every reason of a task', () => {
    const { $defs } = JSON.parse(readFileSync(new URL('gateway-policy.schema.json', sources), 'utf8'));
    const fields = [
      'Role',
      'AirflowGrant',
      'PipelineGrant',
      'Identity',
      'FamilyIdentity',
      'Binding',
      'Viewer',
      'Example',
      'Deny',
    ].flatMap((name) => Object.keys($defs[name].properties));
    const clouds = ['azure', 'aws', 'google'].flatMap((cloud) =>
      Object.keys($defs.Identity.properties[cloud].properties),
    );
    const reasons = ['task-identity', 'run-denied', 'family-name', 'no-task-identities', 'binding-family', 'family'];
    for (const word of [...fields, ...clouds, ...reasons].filter((name) => name !== 'description' && name !== 'title'))
      assert.ok(page.includes(`\`${word}\``) || page.includes(`\`${word}:`), word);
  });
});
