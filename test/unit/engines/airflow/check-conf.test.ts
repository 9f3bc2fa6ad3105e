import assert from 'node:assert/strict';
import fc from 'fast-check';
import { PlumblineError } from '#core/errors.ts';
import type { JsonValue } from '#core/json.ts';
import { checkConf } from '#engines/airflow/check-conf.ts';
import { failure } from '../../../support/plumbline-failure.ts';

type Schema = Readonly<Record<string, JsonValue>>;
const PLACE = { dagId: 'orders', api: { url: 'http://airflow' } as never };

const check = (
  params: Readonly<Record<string, { value?: JsonValue; schema: Schema }>>,
  conf: Readonly<Record<string, JsonValue>>,
) =>
  checkConf(
    PLACE,
    { params: new Map(Object.entries(params).map(([name, { value = null, schema }]) => [name, { value, schema }])) },
    conf,
  );

/** Schema, value, and what Param of Airflow 2.11.2 says of it; 3.3.2 says the same but where a row tells. */
const ROWS: readonly [schema: Schema, value: JsonValue, isValid: boolean][] = [
  [{ type: 'integer' }, 3, true],
  [{ type: 'integer' }, 3.0, true],
  [{ type: 'integer' }, '3', false],
  [{ type: 'integer' }, true, false],
  [{ type: 'number', exclusiveMinimum: 0 }, 0, false],
  [{ type: ['null', 'string'] }, null, true],
  [{ type: 'string' }, null, false],
  [{ type: 'string', minLength: 2, maxLength: 2 }, '🙂🙂', true],
  [{ type: 'string', pattern: '^a' }, 'ba', false],
  [{ type: 'string', pattern: 'a' }, 'ba', true],
  [{ type: 'string', pattern: '\\-' }, 'a-b', true],
  [{ enum: [1, 'x', null] }, null, true],
  [{ enum: [1, 'x', null] }, 2, false],
  [{ const: { a: 1 } }, { a: 1 }, true],
  [{ type: 'array', items: { type: 'integer' }, minItems: 1 }, [], false],
  [{ type: 'array', items: { type: 'integer' } }, [1, 'x'], false],
  [{ type: 'array', prefixItems: [{ type: 'string' }] }, [1], false],
  [{ type: 'object', required: ['a'] }, {}, false],
  [{ type: 'object', additionalProperties: false, properties: { a: {} } }, { b: 1 }, false],
  [{ anyOf: [{ type: 'string' }, { type: 'array' }] }, 7, false],
  [{ format: 'date' }, '2026-02-28', true],
  [{ format: 'date' }, '2026-02-30', false],
  [{ format: 'date' }, '20260228', false],
  [{ format: 'date-time' }, '2026-01-01T00:00:00Z', true],
  [{ format: 'date-time' }, '2026-01-01t00:00:00.123456789+01:00', true],
  [{ format: 'date-time' }, '2026-02-30T00:00:00Z', false],
  [{ format: 'date-time' }, 'tomorrow', false],
  // Airflow 3.3.2 takes any text for a date-time, because it comes without rfc3339-validator. Airflow 2 takes what its ISO 8601 parser reads:
  [{ format: 'date-time' }, '2026-01-01T00:00:00', true],
  [{ format: 'date-time' }, '2026-01-01 00:00:00+00:00', true],
  [{ format: 'time' }, '10:00:00', true],
  [{ format: 'time' }, '10:00:00Z', false],
  [{ format: 'time' }, '10:00', false],
  [{ format: 'email' }, 'a', false],
  [{ format: 'email' }, '@', true],
  [{ format: 'ipv4' }, '1.2.3', false],
  [{ format: 'ipv6' }, '::1', true],
  [{ format: 'uuid' }, '00000000-0000-0000-0000-000000000000', true],
  [{ format: 'uuid' }, 'x', false],
  // Not checked by Airflow 2; Airflow 3.3.2 checks `duration`, which is left to it.
  [{ format: 'uri' }, 'no uri', true],
  [{ format: 'hostname' }, 'a b', true],
  [{ format: 'duration' }, 'x', true],
  [{ format: 'multiline' }, 'x', true],
  [{ format: 'date' }, 20_260_228, true],
  // Keywords of Airflow's own form, and of nobody.
  [{ type: 'string', values_display: { a: 'A' }, section: 'Main', description_md: '*' }, 'a', true],
  [{ type: 'string', examples: ['a', 'b'] }, 'c', true],
];

describe('A conf against the params of its DAG', () => {
  for (const [schema, value, isValid] of ROWS) {
    it(`${JSON.stringify(schema)} ${isValid ? 'takes' : 'refuses'} ${JSON.stringify(value)}`, async () => {
      const checked = check({ p: { value: null, schema } }, { p: value });
      if (isValid) await checked;
      else await assert.rejects(checked, failure('ERR_DAG_CONF_INVALID', /\n- p(\/\d+)?: must /));
    });
  }

  it('names each param with what is allowed', async () => {
    const params = {
      region: { schema: { type: 'string', enum: ['north', 'south'] } },
      count: { value: 3, schema: { type: 'integer', maximum: 10 } },
      days: { value: [], schema: { type: 'array', items: { type: 'string', format: 'date' } } },
    };
    await assert.rejects(check(params, { count: 99, days: ['2026-01-01', 'x'] }), (error: PlumblineError) => {
      assert.deepEqual(error.message.split('\n').slice(1), [
        '- region: must be given, it has no default',
        '- count: must be <= 10',
        '- days/1: must match format "date"',
      ]);
      return true;
    });
    await assert.rejects(
      check(params, { region: 'west' }),
      failure('ERR_DAG_CONF_INVALID', /region: must be one of \["north","south"\]/),
    );
  });

  it('demands what has no default, and only that', async () => {
    await assert.rejects(
      check({ p: { schema: { type: 'string' } } }, {}),
      failure('ERR_DAG_CONF_INVALID', /p: must be given/),
    );
    await check({ p: { schema: { type: ['null', 'string'] } } }, {});
    await check({ p: { schema: {} } }, {});
    await check({ p: { value: 'x', schema: { type: 'string' } } }, {});
    // Airflow does not look at a default before a run has it.
    await check({ p: { value: 'x', schema: { type: 'integer' } } }, {});
  });

  it('lets further keys pass, but not those that are ours', async () => {
    await check({}, { anything: 1 });
    for (const key of ['plumbline', 'openlineage'])
      await assert.rejects(
        check({}, { [key]: {} }),
        failure('ERR_DAG_CONF_INVALID', new RegExp(`${key}: is set by Plumbline`)),
      );
  });

  it('leaves a schema that only Python understands to Airflow', async () => {
    for (const schema of [
      { pattern: '(?P<year>\\d{4})' },
      { pattern: '(' },
      { $ref: 'https://example.com/x.json' },
      { type: 'text' },
      { properties: 7 },
    ])
      await check({ p: { schema: schema as Schema } }, { p: 'x' });
  });

  it('never quotes what was given, however it is wrong', async () => {
    const secret = fc.string({ minLength: 12, maxLength: 40 }).map((text) => `s3cr3t-${text}`);
    const value = secret.chain((text) =>
      fc.constantFrom<JsonValue>(text, [text], { [text]: text }, { a: { [text]: [text] } }, [[text]], { known: text }),
    );
    const schema = fc.constantFrom<Schema>(
      { type: 'integer' },
      { enum: ['a'] },
      { const: 'a' },
      { type: 'string', maxLength: 3 },
      { type: 'string', pattern: '^\\d$' },
      { format: 'uuid', type: 'string' },
      { type: 'array', items: { type: 'integer' } },
      { type: 'array', items: { type: 'array', items: { type: 'integer' } }, uniqueItems: true },
      { type: 'object', additionalProperties: false },
      { type: 'object', additionalProperties: { type: 'integer' } },
      { type: 'object', propertyNames: { maxLength: 2 } },
      { type: 'object', patternProperties: { '.': { type: 'boolean' } } },
      { type: 'object', properties: { known: { type: 'integer' } }, required: ['other'], unevaluatedProperties: false },
      { not: {} },
    );
    await fc.assert(
      fc.asyncProperty(schema, value, async (one, given) => {
        try {
          await check({ p: { schema: one } }, { p: given });
        } catch (thrown) {
          assert.ok(thrown instanceof PlumblineError);
          assert.doesNotMatch(JSON.stringify([thrown.message, thrown.remedy, thrown.details]), /s3cr3t/);
        }
      }),
    );
  });
});
