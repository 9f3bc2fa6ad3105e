import assert from 'node:assert/strict';
import type { JsonValue } from '#core/json.ts';
import type { AuditReport, AuditReportFilter } from '#gateway/audit/audit-report.ts';
import { renderWouldRefuse } from '#gateway/audit/render-audit-report.ts';
import { reportAudit } from '#gateway/audit/report-audit.ts';
import { auditReport } from '../../../../src/cli/commands/audit-report.ts';
import { runCommand } from '../../../../src/cli/run-command.ts';
import { AuditPlace, SAMPLE_TIME } from '../../../support/audit-sample.ts';
import { RecordingTerminal } from '../../cli/recording-terminal.ts';

const MINUTE = 60_000;
const CALLER = { issuer: 'gitlab', subject: 'project_path:sales/etl' };
const RUN = '01a3c9de-0000-7000-8000-000000000001';
const REPORTED = { mode: 'report', allowed: true, wouldAllow: false, binding: 'sales', role: 'etl', caller: CALLER };
const WITHOUT = { mode: 'report', allowed: true, binding: 'cron', address: '10.0.0.7', reason: 'no-credential' };

type Record = readonly [type: string, data: { readonly [name: string]: JsonValue }, subject?: string];

describe('what enforcement would refuse', () => {
  let place: AuditPlace;
  beforeEach(() => {
    place = new AuditPlace();
  });
  afterEach(() => place.remove());

  /** Appends the records a minute apart. */
  function record(...records: readonly Record[]): Promise<unknown> {
    return place.write(async (log) => {
      for (const [type, data, subject] of records) {
        await log.append({ type: `dev.plumbline.${type}`, data, subject });
        place.clock.advance(MINUTE);
      }
    });
  }

  function report(filters: AuditReportFilter = {}, from = 0): Promise<AuditReport> {
    return reportAudit({ directory: place.directory, from, to: SAMPLE_TIME * 2, filters });
  }

  it('is put together from runs, registrations, tokens and calls that passed by a report', async () => {
    const reasons = [{ reason: 'parameter', rule: 'sales', field: 'parameter date' }, { reason: 'workers' }];
    await record(
      ['run.create.intent', { ...REPORTED, module: 'sales.daily', task: 'Load', reasons }, RUN],
      ['luigid.worker.registered', { ...REPORTED, module: 'sales.daily', task: 'Load', reasons }, 'other'],
      ['identity.rejected', { ...REPORTED, family: 'sales.Load', reason: 'family', worker: `${RUN}.1` }, RUN],
      ['luigid.refused', { ...WITHOUT, method: 'add_task', namespace: 'sales', worker: 'cron-host', count: 1 }],
      ['luigid.refused', { ...WITHOUT, method: 'add_task', namespace: 'sales', worker: 'cron-host', count: 41 }],
    );
    const { wouldRefuse } = await report();
    const rows = wouldRefuse.map((row) =>
      Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined)),
    );
    const at = (minutes: number) => ({ first: SAMPLE_TIME + minutes * MINUTE, last: SAMPLE_TIME + minutes * MINUTE });
    const who = { binding: 'sales', role: 'etl', ...CALLER };
    const both = 'parameter parameter date, workers';
    assert.deepEqual(rows, [
      {
        what: 'luigid',
        binding: 'cron',
        address: '10.0.0.7',
        worker: 'cron-host',
        call: 'add_task',
        namespace: 'sales',
        reason: 'no-credential',
        first: SAMPLE_TIME + 3 * MINUTE,
        last: SAMPLE_TIME + 4 * MINUTE,
        count: 42,
      },
      { what: 'run', ...who, call: 'sales.daily.Load', reason: both, ...at(0), count: 1 },
      { what: 'worker', ...who, call: 'sales.daily.Load', reason: both, ...at(1), count: 1 },
      { what: 'task', ...who, call: 'sales.Load', reason: 'family', ...at(2), count: 1 },
    ]);
  });

  it('tells of a pipeline that was queued because its binding reports, once for all its requests', async () => {
    const { role: _, ...queued } = REPORTED;
    const asked = { organization: 'fabrikam', project: 'Sales', pipeline: 12, ref: 'refs/heads/main', caller: CALLER };
    const reasons = [{ reason: 'parameter', rule: 'sales', field: 'parameter day' }];
    await record(
      ['dispatch.queue.intent', { ...queued, ...asked, attempt: 1, reasons }, RUN],
      ['dispatch.queue.intent', { ...asked, attempt: 2 }, RUN],
      ['dispatch.queue.intent', { ...queued, ...asked, wouldAllow: true, attempt: 1 }, 'other'],
    );
    const { wouldRefuse } = await report();
    assert.deepEqual(
      wouldRefuse.map(({ what, binding, subject, call, reason, count }) => [
        what,
        binding,
        subject,
        call,
        reason,
        count,
      ]),
      [['pipeline', 'sales', CALLER.subject, 'fabrikam/Sales/12 refs/heads/main', 'parameter parameter day', 1]],
    );
  });

  it('counts a run once that is decided on twice', async () => {
    await record(['run.create.intent', REPORTED, RUN], ['run.start.intent', { ...REPORTED, attempt: 1 }, RUN]);
    const { wouldRefuse } = await report();
    assert.deepEqual(
      wouldRefuse.map(({ count }) => count),
      [1],
    );
  });

  it('holds neither what enforcement allows nor what was refused', async () => {
    await record(
      ['run.create.intent', { ...REPORTED, wouldAllow: true }, RUN],
      ['run.denied', { ...REPORTED, allowed: false }, RUN],
      ['identity.rejected', { ...REPORTED, mode: 'enforce', allowed: false, reason: 'family' }, RUN],
      ['luigid.refused', { ...WITHOUT, allowed: false, mode: 'enforce', method: 'add_task' }],
      ['luigid.worker.registered', { ...REPORTED, wouldAllow: true }, RUN],
    );
    assert.deepEqual((await report()).wouldRefuse, []);
    assert.equal(renderWouldRefuse(await report()), 'Enforcement would refuse nothing of this.\n');
  });

  it('tells one host and user, not one process after the other; no id of a worker of the gateway', async () => {
    const worker = (salt: number, user = 'etl') =>
      `Worker(salt=${salt}, workers=1, host=cron7, username=${user}, pid=${salt})`;
    const call = (id: string): Record => ['luigid.refused', { ...WITHOUT, method: 'get_work', worker: id }];
    await record(call(worker(1)), call(worker(22)), call(worker(3, 'root')), call(`${RUN}.2`), call(`${RUN}.0:sub`));
    const { wouldRefuse } = await report();
    assert.deepEqual(
      wouldRefuse.map(({ worker, count }) => [worker, count]),
      [
        ['etl@cron7', 2],
        [undefined, 2],
        ['root@cron7', 1],
      ],
    );
  });

  it('holds what was counted only because there was too much of it', async () => {
    await record(['luigid.refused', { reason: 'others', of: 'no-credential', allowed: true, count: 900 }]);
    const [row] = (await report()).wouldRefuse;
    assert.deepEqual([row?.reason, row?.count], ['others no-credential', 900]);
  });

  it('is of the period and of the filters', async () => {
    await record(
      ['run.create.intent', REPORTED, RUN],
      ['luigid.refused', { ...WITHOUT, method: 'ping' }],
      ['luigid.refused', { ...WITHOUT, method: 'get_work' }],
    );
    const calls = async (...args: Parameters<typeof report>) =>
      (await report(...args)).wouldRefuse.map(({ what, call }) => call ?? what);
    assert.deepEqual(await calls({}, SAMPLE_TIME + 2 * MINUTE), ['get_work']);
    assert.deepEqual(await calls({ binding: 'cron' }), ['ping', 'get_work']);
    assert.deepEqual(await calls({ role: 'etl', subject: CALLER.subject }), ['run']);
    assert.deepEqual(await calls({ decision: 'reported' }), ['run', 'ping', 'get_work']);
    assert.deepEqual(await calls({ decision: 'allowed' }), []);
    assert.deepEqual(await calls({ run: RUN }), []);
  });

  it('is alone with --would-refuse, and the status says whether there is anything', async () => {
    await record(['luigid.refused', { ...WITHOUT, method: 'ping', worker: 'cron-host' }]);
    const ask = async (...args: string[]) => {
      const terminal = new RecordingTerminal();
      const status = await runCommand([auditReport], ['audit', 'report', place.directory, ...args], terminal);
      return { status, output: terminal.output };
    };
    const { status, output } = await ask('--would-refuse');
    assert.equal(status, 2);
    assert.match(output, /^What enforcement would refuse:\n\nCOUNT +WHAT +BINDING/);
    assert.match(output, /^1 +luigid +cron +cron-host 10\.0\.0\.7 +ping +no-credential +2026-11-21T12:00:00Z/m);
    assert.equal((await ask('--would-refuse', '--to', '2026-11-20')).status, 0);
    const whole = await ask();
    assert.equal(whole.status, 0);
    assert.match(whole.output, /What enforcement would refuse:/);
    const json = JSON.parse((await ask('--would-refuse', '--json')).output);
    assert.equal(json.wouldRefuse[0].first, '2026-11-21T12:00:00.000Z');
  });
});
