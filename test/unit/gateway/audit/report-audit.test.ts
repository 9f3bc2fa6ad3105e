import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { JsonValue } from '#core/json.ts';
import type { AuditLog } from '#gateway/audit/audit-log.ts';
import type { AuditReport, AuditReportRow } from '#gateway/audit/audit-report.ts';
import { renderAuditReport } from '#gateway/audit/render-audit-report.ts';
import { reportAudit } from '#gateway/audit/report-audit.ts';
import { AuditPlace, SAMPLE_TIME } from '../../../support/audit-sample.ts';

const CALLER = {
  issuer: 'azure',
  subject: 'p://org/project/pipeline',
  signed: { project: 'prj', pipeline: '42', run: '7', ref: 'refs/heads/main', actor: 'someone' },
};
const POLICY = 'ab'.repeat(32);
const MINUTE = 60_000;

type Data = Record<string, JsonValue>;

/** The records of one run as the gateway writes them, a minute apart. */
async function appendRun(log: AuditLog, place: AuditPlace, run: string, wouldAllow = true): Promise<void> {
  const secret = { vault: 'kv', name: 'db' };
  const steps: readonly (readonly [string, Data])[] = [
    [
      'run.create.intent',
      { caller: CALLER, key: 'k', role: 'etl', module: 'a.b', task: 'T', policy: POLICY, binding: 'main', wouldAllow },
    ],
    ['run.create.outcome', { result: 'ok', claimed: { stage: 'deploy' } }],
    ['secrets.read.intent', { secrets: [secret] }],
    ['secrets.read.outcome', { secrets: [{ ...secret, version: '3' }] }],
    [
      'run.start.intent',
      {
        attempt: 1,
        unixUser: 'etl',
        isolation: 'user',
        code: { digest: 'sha256:cd', commit: 'c0', commitProof: 'signed' },
      },
    ],
    ['run.cancel.intent', { caller: { issuer: 'entra', subject: 'somebody' } }],
    ['run.end', { state: 'succeeded', outputs: [{ namespace: 'file', name: '/data/out' }] }],
  ];
  for (const [type, data] of steps) {
    await log.append({ type: `dev.plumbline.${type}`, subject: run, data });
    place.clock.advance(MINUTE);
  }
}

describe('reportAudit', () => {
  let place: AuditPlace;
  before(async () => {
    place = new AuditPlace();
    await place.write(async (log) => {
      await appendRun(log, place, 'run-1');
      await appendRun(log, place, 'run-2', false);
      const denied = {
        caller: CALLER,
        role: 'admin',
        policy: POLICY,
        allowed: false,
        reasons: [{ reason: 'no-binding', field: 'claim ref' }],
      };
      await log.append({ type: 'dev.plumbline.run.denied', subject: 'run-3', data: denied });
      await log.append({ type: 'dev.plumbline.token.refused', data: { errorCode: 'ERR_TOKEN', reason: 'expired' } });
      await log.append({ type: 'dev.plumbline.policy.loaded', data: { policy: POLICY } });
    });
  });
  after(() => place.remove());

  async function rows(
    filters = {},
    from = SAMPLE_TIME,
    to = SAMPLE_TIME + 100 * MINUTE,
  ): Promise<readonly AuditReportRow[]> {
    return (await reportAudit({ directory: place.directory, from, to, filters })).rows;
  }

  it('answers who asked, who ran, what was touched, and under which policy', async () => {
    const [first] = await rows();
    assert.deepEqual(first, {
      at: SAMPLE_TIME,
      sequence: 1,
      decision: 'allowed',
      run: 'run-1',
      key: 'k',
      issuer: 'azure',
      subject: 'p://org/project/pipeline',
      project: 'prj',
      pipeline: '42',
      pipelineRun: '7',
      ref: 'refs/heads/main',
      actor: 'someone',
      claimed: ['stage=deploy'],
      role: 'etl',
      module: 'a.b',
      task: 'T',
      policy: POLICY,
      binding: 'main',
      reasons: [],
      workerIdentity: undefined,
      unixUser: 'etl',
      isolation: 'user',
      codeDigest: 'sha256:cd',
      commit: 'c0',
      commitProof: 'signed',
      secrets: ['kv/db@3'],
      inputs: [],
      outputs: ['file//data/out'],
      state: 'succeeded',
      endedAt: SAMPLE_TIME + 6 * MINUTE,
      attempts: 1,
      cancelledBy: ['entra somebody'],
    });
  });

  it('has a row for each decision, in order', async () => {
    assert.deepEqual(
      (await rows()).map(({ decision, run, reasons }) => [decision, run, ...reasons]),
      [
        ['allowed', 'run-1'],
        ['reported', 'run-2'],
        ['denied', 'run-3', 'no-binding claim ref'],
        ['refused', undefined, 'expired', 'ERR_TOKEN'],
      ],
    );
  });

  it('is about a period: a run that has a record in it is told from its beginning', async () => {
    const from = SAMPLE_TIME + 6 * MINUTE;
    assert.deepEqual((await rows({}, from)).map(({ run, role }) => [run, role]).slice(0, 2), [
      ['run-1', 'etl'],
      ['run-2', 'etl'],
    ]);
    assert.deepEqual((await rows({}, from + 1)).map(({ run }) => run).slice(0, 1), ['run-2']);
    const [open] = await rows({}, SAMPLE_TIME, SAMPLE_TIME + 3 * MINUTE);
    assert.deepEqual([open?.state, open?.secrets], [undefined, ['kv/db']]);
    assert.deepEqual(await rows({}, 0, SAMPLE_TIME), []);
  });

  for (const [filters, expected] of [
    [{ role: 'admin' }, 1],
    [{ subject: 'p://org/project/pipeline' }, 3],
    [{ secret: 'kv/db' }, 2],
    [{ secret: 'db' }, 2],
    [{ secret: 'b' }, 0],
    [{ dataset: 'file//data/out' }, 2],
    [{ policy: POLICY.slice(0, 8), decision: 'reported' }, 1],
    [{ policy: 'ab' }, 0],
    [{ run: 'run-2', actor: 'someone' }, 1],
    [{ decision: 'refused' }, 1],
  ] as const) {
    it(`filters by ${JSON.stringify(filters)}`, async () => {
      assert.equal((await rows(filters)).length, expected);
    });
  }

  it('does not take a request that began no run for one that goes on', async () => {
    const other = new AuditPlace();
    await other.write(async (log) => {
      await log.append({ type: 'dev.plumbline.run.create.intent', subject: 'run-1', data: { caller: CALLER } });
      await log.append({ type: 'dev.plumbline.run.create.outcome', subject: 'run-1', data: { result: 'exists' } });
    });
    const report = await reportAudit({ directory: other.directory, from: 0, to: SAMPLE_TIME * 2 });
    assert.deepEqual(
      report.rows.map(({ state }) => state),
      ['exists'],
    );
    other.remove();
  });

  it('counts what is left out', async () => {
    const report = await reportAudit({ directory: place.directory, from: 0, to: SAMPLE_TIME * 2, limit: 1 });
    assert.deepEqual([report.rows.length, report.omittedRows, report.unreadable], [1, 3, 0]);
  });

  it('is a table, CSV and JSON', async () => {
    const report = await reportAudit({ directory: place.directory, from: 0, to: SAMPLE_TIME * 2 });
    const table = renderAuditReport(report, 'table');
    assert.match(table, /^TIME +DECISION +WHO +ROLE/);
    assert.match(
      table,
      /2026-11-21T12:00:00Z +allowed +azure someone p:\/\/org.* etl +a\.b\.T +run-1 +succeeded +etl +sha256:cd +abababab main +kv\/db@3/,
    );
    const csv = renderAuditReport(report, 'csv').split('\r\n');
    assert.equal(csv.length, 6);
    assert.match(csv[1] ?? '', /^"2026-11-21T12:00:00\.000Z","1","allowed","run-1","succeeded"/);
    const json = JSON.parse(renderAuditReport(report, 'json'));
    assert.equal(json.rows[0].at, '2026-11-21T12:00:00.000Z');
  });
});

describe('renderAuditReport with hostile text', () => {
  const HOSTILE = [
    '=HYPERLINK("http://evil","x")',
    '+1',
    '-1',
    '@SUM(1)',
    '\t=1',
    '\r=1',
    ' =1',
    '"=1',
    '\uff1d1',
    'a;=1',
    'a\n=1',
    'a,=1',
    '\u200b=1',
    '\x1b[2J',
    '\x9b2J',
    '\u202egnp',
    '##vso[task.setvariable variable=a]b',
    '#\u200b#vso[x]',
    '##[error]x',
    '\u2028',
    '\u2029',
  ];

  function reportOf(text: string): AuditReport {
    const row = { at: 0, sequence: 1, decision: 'denied', attempts: 0, subject: text, task: text, role: text } as const;
    const lists = { claimed: [text], reasons: [text], secrets: [text], inputs: [], outputs: [text], cancelledBy: [] };
    const refusable = { what: 'luigid', subject: text, worker: text, call: text, reason: text } as const;
    const wouldRefuse = [{ ...refusable, first: 0, last: 0, count: 1 }];
    const counts = { omittedRows: 0, omittedWouldRefuse: 0, records: 1, unreadable: 0 };
    return { from: 0, to: 1, rows: [{ ...row, ...lists }], wouldRefuse, ...counts };
  }

  function isHarmless(text: string): void {
    const csv = renderAuditReport(reportOf(text), 'csv');
    for (const rendered of [
      csv,
      renderAuditReport(reportOf(text), 'table'),
      renderAuditReport(reportOf(text), 'json'),
    ]) {
      assert.doesNotMatch(rendered.replaceAll(/\r?\n/g, ''), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      assert.doesNotMatch(rendered, /##vso\[|##\[/i);
    }
    assert.equal(csv.split('\r\n').length, 3);
    assert.doesNotMatch(csv, /(^|,)"[\s\ufffd]*[=+\-@\uff1d\uff0b\uff0d\uff20]/m);
    assert.doesNotMatch(csv, /[;,|][\s\ufffd"]*[=+\-@\uff1d\uff0b\uff0d\uff20]/);
    assert.equal(JSON.parse(renderAuditReport(reportOf(text), 'json')).rows[0].subject, text);
  }

  for (const text of HOSTILE) it(`does nothing with ${JSON.stringify(text)}`, () => isHarmless(text));

  it('does nothing with any text', () => {
    const part = fc.oneof(fc.constantFrom(...HOSTILE, '##', 'vso[', '[', ';', '"', ','), fc.string());
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), (parts) => isHarmless(parts.join(''))),
      { numRuns: 200 },
    );
  });
});
