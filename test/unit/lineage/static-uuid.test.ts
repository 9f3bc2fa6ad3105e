import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { staticUuid } from '#lineage/static-uuid.ts';

/** The same rule in another way: the id as one number, as OpenLineage's Python client writes it. */
function asOneNumber(ms: number, text: string): string {
  const node = BigInt(`0x${createHash('sha1').update(text).digest('hex')}`) >> 84n;
  const withVersion = (((BigInt(ms) << 80n) | node) & ~(0xf000n << 64n)) | (7n << 76n);
  const hex = ((withVersion & ~(0xc000n << 48n)) | (0x8000n << 48n)).toString(16).padStart(32, '0');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

describe('staticUuid', () => {
  // Run ids in the tests of Airflow's OpenLineage provider.
  const airflow: readonly [string, string, string][] = [
    ['2024-11-11T00:00:00Z', 'default.dag_id.0', '01931885-2800-799d-8041-88a263ffa0d8'],
    ['2017-01-01T00:00:00Z', 'default.test_dag_id.0', '01595753-6400-71fe-a08c-aaed126ab6fb'],
    ['2017-01-01T00:00:00Z', 'default.test_dag_id.spark_submit_job.1.-1', '01595753-6400-710b-8a12-9e978335a56d'],
    ['2024-11-11T00:00:00+00:00', 'default.dag_id.task_id.1.1', '01931885-2800-7be7-aa8d-aaa15c337267'],
  ];
  for (const [instant, data, expected] of airflow) {
    it(`gives Airflow's id of ${data}`, () => assert.equal(staticUuid(instant, data), expected));
  }

  it('is the same in every offset', () => {
    assert.equal(staticUuid('2024-11-11T05:30:00+05:30', 'x'), staticUuid('2024-11-11T00:00:00Z', 'x'));
  });

  it('counts microseconds, and none are the same as zero', () => {
    assert.equal(staticUuid('2024-11-11T00:00:00.000000Z', 'x'), staticUuid('2024-11-11T00:00:00Z', 'x'));
    assert.notEqual(staticUuid('2024-11-11T00:00:00.000001Z', 'x'), staticUuid('2024-11-11T00:00:00Z', 'x'));
  });

  it('follows the rule for any instant and any data', () => {
    // Beyond the year 2255 a float no longer holds every microsecond, in Python neither.
    const since1970 = fc.date({ min: new Date(0), max: new Date('2255-01-01'), noInvalidDate: true });
    fc.assert(
      fc.property(since1970, fc.nat(999), fc.string({ unit: 'grapheme' }), (date, micros, data) => {
        const iso = date.toISOString().replace('Z', String(micros).padStart(3, '0'));
        const total = date.getTime() * 1000 + micros;
        const text = total % 1_000_000 === 0 ? iso.slice(0, 19) : iso;
        const expected = asOneNumber(Math.trunc((total / 1e6) * 1000), `${text}+00:00${data}`);
        assert.equal(staticUuid(`${iso}Z`, data), expected);
      }),
    );
  });

  it('refuses what is no instant', () => {
    for (const instant of ['', '2024-11-11', '2024-11-11T00:00:00', '1969-12-31T23:59:59Z', 'yesterday']) {
      assert.throws(() => staticUuid(instant, 'x'), TypeError, instant);
    }
  });
});
