import assert from 'node:assert/strict';
import { SecretMasker } from '#local-pipeline/secret-masker.ts';
import { environmentName, VariableStore } from '#local-pipeline/variable-store.ts';

function store(values: Readonly<Record<string, string>> = {}): { variables: VariableStore; masker: SecretMasker } {
  const masker = new SecretMasker();
  const variables = new VariableStore(masker);
  for (const [name, value] of Object.entries(values)) variables.set(name, value);
  return { variables, masker };
}

describe('variables', () => {
  it('names have no case, the last spelling stays', () => {
    const { variables } = store({ Name: '1', NAME: '2' });
    assert.equal(variables.get('name'), '2');
    assert.deepEqual(
      variables.list().map(({ name }) => name),
      ['NAME'],
    );
  });

  it('macros are replaced once; an unknown one stays', () => {
    const { variables } = store({ a: '$(b)', b: 'x' });
    assert.equal(variables.expand('$(a)/$(nope)/$(B)'), '$(b)/$(nope)/x');
  });

  it('variables inside variables are expanded before a step', () => {
    const { variables } = store({ a: '$(b)-$(c)', b: '$(c)', c: 'x' });
    variables.expandAll();
    assert.equal(variables.get('a'), 'x-x');
  });

  it('a cycle ends and changes nothing', () => {
    const { variables } = store({ a: '$(b)', b: '$(a)', self: '-$(self)-' });
    variables.expandAll();
    assert.equal(variables.get('self'), '-$(self)-');
    assert.ok(variables.get('a')?.includes('$('));
  });

  it('a variable that holds a secret becomes one', () => {
    const { variables, masker } = store({ url: 'https://$(key)/x' });
    variables.set('key', 'hunter2', { secret: true });
    variables.expandAll();
    assert.equal(variables.list().find(({ name }) => name === 'url')?.secret, true);
    assert.equal(masker.mask('https://hunter2/x'), '***');
  });

  it('once secret or read-only, always so', () => {
    const { variables, masker } = store();
    variables.set('a', 'one-secret', { secret: true, readOnly: true });
    variables.set('A', 'two-secret');
    assert.equal(variables.isReadOnly('a'), true);
    assert.equal(masker.mask('two-secret'), '***');
  });

  it('a scope puts back what was there before', () => {
    const { variables } = store({ a: '1' });
    const restore = variables.setForScope({ a: '2', b: '3' });
    assert.equal(variables.expand('$(a)$(b)'), '23');
    restore();
    assert.equal(variables.expand('$(a)$(b)'), '1$(b)');
  });

  const names: readonly (readonly [string, boolean, string])[] = [
    ['Agent.TempDirectory', false, 'AGENT_TEMPDIRECTORY'],
    ['my var', false, 'MY_VAR'],
    ['My.Var', true, 'My_Var'],
    ['a-b', false, 'A-B'],
  ];
  for (const [name, preserve, expected] of names)
    it(`${name} is ${expected} in the environment`, () => assert.equal(environmentName(name, preserve), expected));
});
