import assert from 'node:assert/strict';
import fc from 'fast-check';
import { organizationAddress, organizationUrl } from '#azure-devops/organization-url.ts';
import type { JsonValue } from '#core/json.ts';
import { neutralise } from '#core/neutralise.ts';
import { holdsContext, pipelineContext } from '#gateway/dispatch/pipeline-context.ts';
import { fullRef, parameterTexts, pipelineFingerprint } from '#gateway/dispatch/pipeline-run-request.ts';
import { DAG, requestOf } from '../../../support/gateway/dispatch-world.ts';

const ID = '01930000-0000-7000-8000-000000000001';
const hostile = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '$(System.AccessToken)',
    '${{ x }}',
    '##vso[task.complete]',
    '#\u200b#vso[x]',
    '$[x]',
    '\u202e',
    '"}\n',
  ),
);

describe('a name of an organization', () => {
  it('is one for each, in whatever form', () => {
    const names = [
      'fabrikam',
      'Fabrikam',
      'https://dev.azure.com/fabrikam',
      'https://DEV.azure.com/Fabrikam/',
      'https://fabrikam.visualstudio.com',
    ];
    assert.deepEqual([...new Set(names.map(organizationUrl))], ['https://dev.azure.com/fabrikam']);
    assert.equal(organizationAddress('https://Fabrikam.visualstudio.com/')?.base, 'https://fabrikam.visualstudio.com');
  });

  it('is none at another host, with anything more or less', () => {
    const others = [
      '',
      'a b',
      '-a',
      'a-',
      'x'.repeat(51),
      'http://dev.azure.com/fabrikam',
      'https://dev.azure.com',
      'https://dev.azure.com/',
      'https://dev.azure.com/a/b',
      'https://user@dev.azure.com/fabrikam',
      'https://dev.azure.com:8443/fabrikam',
      'https://dev.azure.com/fabrikam?x',
      'https://dev.azure.com/fabrikam#x',
      'https://dev.azure.com.evil.example/fabrikam',
      'https://evil.example/dev.azure.com/fabrikam',
      'https://visualstudio.com',
      'https://a.b.visualstudio.com',
      'https://evilvisualstudio.com',
      'https://dev.azure.com/%66abrikam',
      'https://dev.azure.com\\@evil.example/fabrikam',
      'dev.azure.com/fabrikam',
    ];
    assert.deepEqual(
      others.filter((text) => organizationAddress(text) !== undefined),
      [],
    );
  });

  it('leads to a host of Azure DevOps, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.webUrl(), hostile, fc.domain()), (text) => {
        const { base = 'https://dev.azure.com/x' } = organizationAddress(text) ?? {};
        const { protocol, hostname, username, port } = new URL(base);
        assert.deepEqual([protocol, username, port], ['https:', '', '']);
        assert.ok(hostname === 'dev.azure.com' || /^[a-z0-9-]+\.visualstudio\.com$/.test(hostname));
      }),
    );
  });
});

describe('a ref', () => {
  it('is a branch, unless it is given in full', () => {
    assert.equal(fullRef('main'), 'refs/heads/main');
    assert.equal(fullRef('release/1.0'), 'refs/heads/release/1.0');
    for (const ref of ['refs/heads/x', 'refs/tags/v1', 'refs/pull/7/merge']) assert.equal(fullRef(ref), ref);
  });

  it('is none with what git does not take, or what means more than text', () => {
    const others = [
      '',
      'a b',
      'a..b',
      'a~1',
      'a^',
      'a:b',
      'a?',
      'a*',
      'a[',
      'a\\b',
      'a@{0}',
      'a/',
      'a.',
      'a//b',
      'a/.b',
      'a.lock',
      'a\u0000',
      'a\n',
      'a\u202eb',
      '##vso[x]',
      '$(x)',
      '${{x}}',
      'refs/notes/x',
      'refs/heads/',
      'refs/remotes/origin/x',
      'x'.repeat(256),
    ];
    assert.deepEqual(
      others.filter((ref) => takes(() => fullRef(ref))),
      [],
    );
  });
});

describe('template parameters', () => {
  it('are texts as they are, and everything else as JSON', () => {
    const given = { a: 'x\ny', b: 1.5, c: false, d: ['x'], e: { f: null } };
    assert.deepEqual(parameterTexts(given), { a: 'x\ny', b: '1.5', c: 'false', d: '["x"]', e: '{"f":null}' });
  });

  it('are refused that are null, too long, or more than text to a pipeline', () => {
    const others: JsonValue[] = [
      null,
      'x'.repeat(16_385),
      '$(System.AccessToken)',
      'a${{ variables.x }}',
      '$[x]',
      '##vso[task.setvariable]',
      ['##[error]'],
      { x: '$(y)' },
      '\u0000',
      '\u001b[31m',
      '#\u200b#vso[x]',
      '$\u200b(x)',
      // As the pipeline reads them, where the parameter is an object.
      '"\\u0024(System.AccessToken)"',
      '["\\x24(x)"]',
      '{"a":"\\U00000024\\x7b{ x }}"}',
      '"$\\\n  (x)"',
      '"#\\u0023vso[x]"',
      '"#\\0#vso[x]"',
    ];
    assert.deepEqual(
      others.filter((value) => takes(() => parameterTexts({ value }))),
      [],
    );
    const many = Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`p${i}`, 'x'.repeat(16_000)]));
    assert.throws(() => parameterTexts(many), /65536/);
    for (const value of ['$5', 'a#b', '100 ${x}', '# #', 'C:\\x24', '"\\u20ac (5)"', '\\U99999999'])
      assert.deepEqual(parameterTexts({ value }), { value });
  });

  it('hold no syntax that an agent or a pipeline would act on, whatever is taken', () => {
    fc.assert(
      fc.property(hostile, (value) => {
        if (!takes(() => parameterTexts({ value }))) return;
        const { value: text = '' } = parameterTexts({ value });
        assert.equal(neutralise(text), text);
        assert.doesNotMatch(text, /\$[([]|\$\{\{/);
      }),
    );
  });
});

describe('the context of a pipeline', () => {
  it('is JSON of one line with what was given, in which nothing is syntax', () => {
    fc.assert(
      fc.property(hostile, hostile, (name, claim) => {
        const parent = { runId: ID, namespace: 'n', name };
        const text = pipelineContext(
          ID,
          DAG,
          requestOf({ lineage: { parent, root: parent }, claimed: { dagId: claim } }),
        );
        assert.deepEqual(JSON.parse(text), {
          v: 1,
          sharedId: ID,
          parent: JSON.parse(JSON.stringify(parent)),
          root: JSON.parse(JSON.stringify(parent)),
          caller: { dagId: JSON.parse(JSON.stringify(claim)), issuer: DAG.issuer, subject: DAG.subject },
        });
        assert.doesNotMatch(text, /[$#\n\r]|\p{Cc}|\p{Cf}/u);
        assert.ok(holdsContext(text, ID));
      }),
    );
  });

  it('cannot claim to be somebody else, and is told from others', () => {
    const text = pipelineContext(ID, DAG, requestOf({ claimed: { issuer: 'other', subject: 'other' } }));
    assert.deepEqual(JSON.parse(text).caller, { issuer: DAG.issuer, subject: DAG.subject });
    for (const other of [undefined, 1, ID, `"${ID}"`, `{"sharedId":"x","caller":"${ID}"}`, `[{"sharedId":"${ID}"}]`])
      assert.equal(holdsContext(other, ID), false);
  });
});

describe('what is queued', () => {
  it('is the same whatever is told beside it, and another with another value', () => {
    const same = [requestOf(), requestOf({ claimed: {} }), requestOf({ project: 'DEMO' })];
    assert.equal(new Set(same.map(pipelineFingerprint)).size, 1);
    const others = [
      requestOf(),
      requestOf({ ref: 'refs/heads/x' }),
      requestOf({ templateParameters: { table: 1 } }),
      requestOf({ pipeline: 1 }),
    ];
    assert.equal(new Set(others.map(pipelineFingerprint)).size, 4);
  });
});

function takes(work: () => unknown): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}
