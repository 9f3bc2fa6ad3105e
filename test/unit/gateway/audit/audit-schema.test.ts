import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { AUDIT_SCHEMA } from '#gateway/audit/audit-record.ts';
import { AUDIT_TYPES } from '#gateway/audit/audit-types.ts';
import { ROOT } from '../../../../scripts/repository.ts';
import { sourceFiles } from '../../../architecture/source-files.ts';
import { AuditPlace, appendSamples, sampleEvent } from '../../../support/audit-sample.ts';
import { FailingDisk } from '../../../support/failing-disk.ts';

describe('the schema of audit records', () => {
  const schema = JSON.parse(readFileSync(resolve(ROOT, 'docs/schemas/gateway-audit.schema.json'), 'utf8'));
  const validate = new Ajv2020({ strict: false }).compile(schema);

  it('names every type, and the page does too', () => {
    assert.equal(schema.$id, AUDIT_SCHEMA);
    assert.deepEqual(schema.properties.type.enum, [...AUDIT_TYPES]);
    const page = readFileSync(resolve(ROOT, 'docs/gateway/audit.md'), 'utf8');
    const named = AUDIT_TYPES.map((type) => type.replace('dev.plumbline.', ''));
    assert.deepEqual(
      named.filter((type) => !page.includes(`\`${type}\``)),
      [],
    );
  });

  it('knows every type that the gateway writes', () => {
    const written = sourceFiles(['src/gateway'], /\.ts$/).flatMap(({ text }) => [
      ...text.matchAll(/'(dev\.plumbline(?:\.[a-z]+)+)'/g),
    ]);
    const known: readonly string[] = AUDIT_TYPES;
    assert.deepEqual(
      written.map(([, type]) => type ?? '').filter((type) => !known.includes(type)),
      [],
    );
  });

  it('holds for what is written, also after an outage', async () => {
    const place = new AuditPlace();
    const disk = new FailingDisk();
    await place.write(
      async (log) => {
        await appendSamples(log, 2);
        disk.failing.set('write', 'EIO');
        await assert.rejects(log.append(sampleEvent(3)));
        disk.failing.clear();
        await log.append(sampleEvent(4));
      },
      { disk },
    );
    for (const line of place.lines()) assert.ok(validate(JSON.parse(line)), JSON.stringify(validate.errors));
    assert.equal(validate({ ...JSON.parse(place.lines()[0] ?? ''), data: { token: 'x' } }), false);
    place.remove();
  });
});
