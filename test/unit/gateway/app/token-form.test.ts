import assert from 'node:assert/strict';
import fc from 'fast-check';
import { PlumblineError } from '#core/errors.ts';
import { GRANT_TYPE, readTokenForm, type TokenForm, WORKER_TOKEN_TYPE } from '#gateway/app/token-form.ts';

const GOOD = {
  grant_type: GRANT_TYPE,
  subject_token: 'plw_x',
  subject_token_type: WORKER_TOKEN_TYPE,
  task_family: 'sales.Load',
  task_id: 'sales.Load_a_1',
};
const form = (fields: Readonly<Record<string, string>>) => Buffer.from(new URLSearchParams(fields).toString());
const isMalformed = (thrown: unknown) =>
  thrown instanceof PlumblineError &&
  thrown.code === 'ERR_IDENTITY_REJECTED' &&
  thrown.details['reason'] === 'malformed';
const read = (body: Uint8Array): TokenForm | undefined => {
  try {
    return readTokenForm(body);
  } catch (thrown) {
    assert.ok(isMalformed(thrown), String(thrown));
    return undefined;
  }
};

describe('the form of an exchange', () => {
  it('is read with its task and, when it names one, its audience', () => {
    const expected = { subjectToken: 'plw_x', family: 'sales.Load', taskId: 'sales.Load_a_1' };
    assert.deepEqual(readTokenForm(form(GOOD)), { ...expected, audience: undefined });
    const more = { ...GOOD, audience: 'api://a b', task_family: 'Größe' };
    assert.deepEqual(readTokenForm(form(more)), { ...expected, family: 'Größe', audience: 'api://a b' });
  });

  it('is refused when two readers could read it in two ways, or when a field is missing, unknown or out of bounds', () => {
    const good = form(GOOD).toString();
    const bodies = [
      '',
      '&',
      good.slice(0, -1).replace('task_id=', 'task_id'),
      `${good}&`,
      `&${good}`,
      `${good}&&audience=a`,
      `${good}&task_id=sales.Load_b_1`,
      `${good}&audience=a&audience=a`,
      `${good}&scope=all`,
      `${good}&client_id=x`,
      `${good}&actor_token=x`,
      `${good}&resource=x`,
      `${good}&audience=`,
      `${good}&=x`,
      `${good}&Audience=x`,
      `${good}&audience%3Dx`,
      `${good}&%61udience=x`,
      `${good};audience=x`,
      `${good}&audience=%zz`,
      `${good}&audience=%ff`,
      `${good}&audience=%c0%80`,
      `${good}&audience=%ed%a0%80`,
      `${good}&audience=a%00b`,
      `${good}&audience=a%0ab`,
      `${good}&audience=a%0d%0ab`,
      `${good}&audience=%20a`,
      `${good}&audience=a++b`,
      `${good}&audience=a%e2%80%ae`,
      `${good}&audience=${'a'.repeat(601)}`,
      `${good}&audience=ä`,
      `${good}&audience=a\n`,
      `${good} `,
      good.replace('task_family=sales.Load', `task_family=${'a'.repeat(256)}`),
      ...Object.keys(GOOD).map((name) =>
        form(Object.fromEntries(Object.entries(GOOD).filter(([one]) => one !== name))).toString(),
      ),
      form({ ...GOOD, grant_type: 'client_credentials' }).toString(),
      form({ ...GOOD, subject_token_type: 'urn:ietf:params:oauth:token-type:jwt' }).toString(),
      JSON.stringify(GOOD),
      '{}',
    ];
    for (const body of bodies) assert.equal(read(Buffer.from(body)), undefined, body);
    assert.equal(read(Buffer.concat([form(GOOD), Buffer.from([0])])), undefined);
    assert.equal(read(Buffer.from('﻿') /* a byte order mark */), undefined);
  });

  it('never says what it was sent', () => {
    const secret = 'plw_very-secret-thing';
    for (const body of [
      `${secret}=x`,
      `subject_token=${secret}`,
      `task_id=${secret}&task_id=${secret}`,
      `audience=%zz${secret}`,
    ])
      assert.throws(
        () => readTokenForm(Buffer.from(body)),
        (thrown) => isMalformed(thrown) && !String((thrown as Error).message).includes(secret),
      );
  });

  it('whatever is sent is refused in a known way, or is what every reader reads in it', () =>
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc
            .tuple(fc.record({ family: fc.string({ unit: 'binary' }), id: fc.string({ unit: 'binary' }) }), fc.string())
            .map(([{ family, id }, tail]) =>
              Buffer.concat([form({ ...GOOD, task_family: family, task_id: id }), Buffer.from(tail)]),
            ),
        ),
        (body) => {
          const known = read(body);
          if (known === undefined) return;
          const others = new URLSearchParams(Buffer.from(body).toString());
          assert.deepEqual([...others.keys()].sort(), [...new Set(others.keys())].sort());
          assert.deepEqual([known.family, known.taskId], [others.get('task_family'), others.get('task_id')]);
        },
      ),
    ));
});
