import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parsePolicy } from '#gateway/policy/parse-policy.ts';
import { binding, document, NOW, permission, policyText, ROLE } from '../../../support/sample-policy.ts';

const only = (claim: string, equals: string) => ({ match: { all: [{ claim, equals }] } });
/** Everything that a policy can say about tasks, people and calls that bring nothing. */
const PARTS = {
  identities: {
    loader: {
      environment: 'production',
      azure: { clientId: '8a1c2e3f-0b4d-4c5e-9f60-7182930a4b5c', tenantId: '8a1c2e3f-0b4d-4c5e-9f60-7182930a4b5c' },
      aws: { roleArn: 'arn:aws:iam::123456789012:role/loader', region: 'eu-west-1' },
      google: {
        provider: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/plumbline',
        serviceAccount: 'loader@retail-1.iam.gserviceaccount.com',
      },
      files: [{ audience: 'vault', variable: 'VAULT_JWT_FILE' }],
    },
  },
  roles: {
    sales: {
      ...ROLE,
      environment: 'production',
      taskIdentities: [{ tasks: ['LoadOrders'], identity: 'loader' }, { tasks: ['Check'] }],
      namespaces: ['sales', ''],
      sharedNamespaces: 'x',
      stockLuigi: true,
    },
  },
  bindings: [
    binding({ taskFamilies: ['LoadOrders'] }),
    binding({
      name: 'old-hosts',
      issuer: 'anonymous',
      mode: 'report',
      ...only('address', '10.1.2.3'),
      examples: { allow: [{ claims: { address: '10.1.2.3' } }], deny: [{ claims: { address: '::1' } }] },
    }),
  ],
  viewers: [
    {
      name: 'team',
      ...only('groups', 'team'),
      roles: 'all',
      access: 'admin',
      examples: { allow: [{ claims: { groups: 'team' } }], deny: [{ claims: { groups: 'x' } }] },
    },
  ],
};
const GOOD = policyText({
  deny: [{ name: 'stop', reason: 'x', match: { all: [{ claim: 'user', equals: 'mallory' }] } }],
});
const WHOLE = policyText(PARTS);
const LINES = GOOD.split('\n');
const SCRAPS = [
  '[',
  ']',
  '{',
  '}',
  ':',
  '- ',
  '&a',
  '*a',
  '!!str ',
  '? ',
  '|',
  '>',
  '"',
  "'",
  '#',
  '%',
  '---',
  '\t',
  '\u0000',
  '\u2028',
  '<<: ',
  '~',
  '.nan',
  '1.10',
  '0x1f',
  '__proto__: 1',
  'constructor',
  '\ud800',
  '**',
  '\\',
  '…',
];

/** Every refusal says where; nothing is thrown. */
function isTold(text: string): boolean {
  const { policy, problems } = parsePolicy(text, 'policy.yaml');
  if (policy !== undefined) return false;
  assert.ok(problems.length > 0);
  const lines = text.split(/\r\n|\r|\n/).length;
  for (const { file, line, column, field, message } of problems) {
    assert.equal(file, 'policy.yaml');
    assert.ok(line >= 1 && line <= lines + 1 && column >= 1, `${line}:${column}`);
    assert.ok(field !== '' && message !== '');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
    assert.doesNotMatch(`${field}${message}`, /[\u0000-\u001f\u007f\u2028]|##vso|##\[/);
  }
  return true;
}

describe('a policy text that was mistyped or is hostile', () => {
  it('is a policy, or told with file, line and field', () => {
    const scraps = fc.array(fc.oneof(fc.constantFrom(...SCRAPS), fc.string({ unit: 'binary', maxLength: 6 })), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(scraps, (parts) => void isTold(parts.join(''))),
      { numRuns: 400 },
    );
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => void isTold(text)),
      { numRuns: 300 },
    );
  });

  it('never allows a stranger, whatever was mistyped', () => {
    for (const good of [GOOD, WHOLE]) {
      const at = fc.nat(good.length);
      const mutation = fc.tuple(at, fc.nat(12), fc.oneof(fc.constantFrom(...SCRAPS), fc.string({ maxLength: 4 })));
      fc.assert(
        fc.property(mutation, ([start, length, text]) => {
          const mutated = good.slice(0, start) + text + good.slice(start + length);
          const { policy } = parsePolicy(mutated, 'policy.yaml');
          if (policy === undefined) return void isTold(mutated);
          // A stranger has nothing in common with the policy but its issuer.
          const stranger = { ...permission().caller, claims: { project_id: 'stranger-0815' } };
          const decision = policy.decide(permission({ caller: stranger }), NOW);
          assert.equal(decision.allowed, false);
          assert.equal(policy.decideTask(decision, 'LoadOrders').allowed, false);
          assert.equal(policy.viewer({ groups: 'stranger-0815' }, NOW), undefined);
          assert.equal(policy.anonymous('192.0.2.99', NOW), undefined);
        }),
        { numRuns: 400 },
      );
    }
  });

  it('is refused when its end is lost', () => {
    // The whole document is one flow map: a lost end is a syntax error and not another policy.
    for (let end = 1; end < LINES.length - 2; end += 1)
      assert.ok(isTold(LINES.slice(0, end).join('\n')), `up to line ${end}`);
  });

  it('is refused when any field has a value of another type', () => {
    const whole = document(PARTS);
    const paths = pathsOf(whole, []);
    for (const path of paths.filter(([, , third]) => third !== 'examples'))
      for (const wrong of [null, { unexpected: [] }, [[]]]) {
        const text = JSON.stringify(replaced(whole, path, wrong));
        assert.ok(isTold(text), `${path.join('.')} as ${JSON.stringify(wrong)}`);
      }
  });

  it('is refused when any map has a key more', () => {
    const whole = document(PARTS);
    const maps = pathsOf(whole, []).filter((path) => isMap(at(whole, path)) && !isFree(path));
    assert.ok(maps.length > 5);
    for (const path of [[], ...maps]) {
      const map = at(whole, path) as object;
      assert.ok(isTold(JSON.stringify(replaced(whole, path, { ...map, Unknown: 1 }))), path.join('.'));
    }
  });
});

type Path = readonly (string | number)[];

/** Maps whose keys are the author's. */
function isFree(path: Path): boolean {
  return path.at(-1) === 'claims';
}

function isMap(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function pathsOf(value: unknown, path: Path): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  const inner = Object.entries(value).flatMap(([key, one]) =>
    pathsOf(one, [...path, Array.isArray(value) ? Number(key) : key]),
  );
  return path.length === 0 ? inner : [path, ...inner];
}

function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((here, step) => (here as Record<string | number, unknown>)[step], value);
}

function replaced(value: unknown, [step, ...rest]: Path, by: unknown): unknown {
  if (step === undefined) return by;
  if (Array.isArray(value)) return value.map((one, i) => (i === step ? replaced(one, rest, by) : one));
  const map = value as Record<string, unknown>;
  return { ...map, [step]: replaced(map[step], rest, by) };
}
