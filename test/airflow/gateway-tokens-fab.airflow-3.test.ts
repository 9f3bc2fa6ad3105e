import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { eventually } from '../support/eventually.ts';
import { AirflowTrust } from '../support/gateway-airflow.ts';

/** The first user that is made has the id 1. */
const [ADMIN, VIEWER, NOBODY] = ['1', '2', '4711'];

describe('tokens of the gateway at an Airflow 3 with FabAuthManager', function () {
  this.timeout(240_000);
  let trust: AirflowTrust;
  before(async function () {
    this.timeout(600_000);
    trust = await AirflowTrust.start({
      auth: 'fab',
      https: true,
      grants: {
        loader: { airflow: 'warehouse', user: ADMIN },
        reader: { airflow: 'warehouse', user: VIEWER },
        ghost: { airflow: 'warehouse', user: NOBODY },
        raised: { airflow: 'warehouse', user: VIEWER, role: 'admin', sharedBy: 'the role is to be refused' },
      },
      teams: { load: 'loader', read: 'reader', ghost: 'ghost', raised: 'raised' },
    });
  });
  after(() => trust?.close());

  /** As an administrator in Airflow's own pages. */
  const setActive = (user: string, active: boolean) => {
    const database = new DatabaseSync(join(trust.airflow.folder, 'airflow.db'), { timeout: 10_000 });
    database.prepare('UPDATE ab_user SET active = ? WHERE id = ?').run(active ? 1 : 0, Number(user));
    database.close();
  };

  it('leave the built-in log-in and the tasks as they are', async () => {
    const token = await trust.login();
    const { status, run } = await trust.trigger(token);
    assert.deepEqual([status, run['triggering_user_name']], [200, 'ci']);
    await trust.succeeded(token, run['dag_run_id']);
  });

  it('are a user of Airflow’s own database by its id, with the roles that it has there', async () => {
    const answer = await trust.exchange('load');
    const body = (await answer.json()) as { readonly access_token: string; readonly user: string };
    assert.deepEqual([answer.status, body.user, 'role' in body], [200, ADMIN, false]);
    const { status, run } = await trust.trigger(body.access_token);
    assert.deepEqual([status, run['triggering_user_name']], [200, 'ci']);
    await trust.succeeded(body.access_token, run['dag_run_id']);
    const reader = await trust.token('read');
    assert.equal(await trust.status(reader), 200);
    assert.equal((await trust.trigger(reader)).status, 403);
  });

  it('are refused by Airflow for a user that is not there, or not active: that ends tokens that are about', async () => {
    assert.equal(await trust.status(await trust.token('ghost')), 403);
    const token = await trust.token('read');
    assert.equal(await trust.status(token), 200);
    // Airflow keeps a user for [fab] cache_ttl seconds.
    setActive(VIEWER, false);
    await eventually(async () => (await trust.status(token)) === 403, 'the user is not active');
    assert.equal(await trust.status(await trust.token('read')), 403);
    setActive(VIEWER, true);
    await eventually(async () => (await trust.status(token)) === 200, 'the user is active');
  });

  it('have no role of the policy: such a grant is refused, and on record', async () => {
    const answer = await trust.exchange('raised');
    const { code, reason } = (await answer.json()) as { code: string; reason: string };
    assert.deepEqual([answer.status, code, reason], [403, 'airflow-denied', 'grant-unfit']);
    const records = trust.gateway.audit().filter(({ type }) => type === 'dev.plumbline.airflow.refused');
    assert.deepEqual(
      records.map(({ data }) => data['reason']),
      ['grant-unfit'],
    );
  });

  it('are nothing at the execution API of the tasks', async () => {
    const answer = await trust.ask(await trust.token('load'), '/execution/variables/none');
    assert.equal(answer.status, 403);
    assert.match(JSON.stringify(await answer.json()), /Invalid auth token/);
  });

  it('are revoked by a log-out, like Airflow’s own', async () => {
    const token = await trust.token('load');
    assert.equal(await trust.status(token), 200);
    await fetch(`${trust.airflow.url}/api/v2/auth/logout`, {
      redirect: 'manual',
      headers: { authorization: `Bearer ${token}`, cookie: `_token=${token}` },
    });
    assert.notEqual(await trust.status(token), 200);
  });
});
