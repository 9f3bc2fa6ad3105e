import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Seen } from './check-gateway.ts';
import type { LocalGateway } from './start-local-gateway.ts';

/** Tries to speak to luigid, and says what came of it. */
const CONNECT = `import socket, sys
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[1])
    print("connected")
except OSError as error:
    print(type(error).__name__)
`;

export async function luigidWithoutCredential({ url }: LocalGateway): Promise<Seen> {
  const answer = await fetch(`${url}/luigid/api/task_list`, {
    method: 'POST',
    body: new URLSearchParams({ data: '{}' }),
  });
  const { code } = (await answer.json()) as { code?: string };
  const what = 'luigid through the gateway, without a credential, is refused';
  return { ok: answer.status === 401, what, saw: `${answer.status} ${code}` };
}

/** Past the gateway, as the user that workers have. */
export async function luigidAsWorker({ luigid, isolation, files }: LocalGateway, python: string): Promise<Seen> {
  const what = "luigid's socket is closed to the user of workers";
  const { user } = isolation;
  if (user === undefined) return { ok: true, isUntried: true, what, saw: `not tried, isolation is ${isolation.words}` };
  const { uid, gid } = user;
  const { stdout } = spawnSync(python, ['-c', CONNECT, luigid.socket ?? ''], {
    uid,
    gid,
    cwd: files.reports,
    encoding: 'utf8',
  });
  return { ok: stdout.trim() === 'PermissionError', what, saw: `${user.name} got ${stdout.trim() || 'no answer'}` };
}

interface Issued {
  readonly subject: string;
  readonly data: { readonly family: string; readonly identity?: string; readonly tokenId: string };
}

/** What the audit says of the tokens that the runs before got. */
export async function identitiesOfTasks({ files }: LocalGateway): Promise<Seen> {
  const folder = join(files.state, 'audit');
  const lines = readdirSync(folder).filter((name) => name.endsWith('.jsonl'));
  const issued = lines.flatMap((name) =>
    readFileSync(join(folder, name), 'utf8')
      .split('\n')
      .filter((line) => line.includes('"dev.plumbline.identity.issued"'))
      .map((line) => JSON.parse(line) as Issued),
  );
  const held = new Map(issued.map(({ data }) => [data.family, data.identity ?? 'nobody']));
  const ids = new Set(issued.map(({ data }) => data.tokenId));
  const named = ['RegionOrders', 'SalesReport'].map((family) => `${family} was ${held.get(family)}`);
  const isApart = held.get('RegionOrders') === 'retail-customers' && held.get('SalesReport') === 'retail-reports';
  return {
    ok: isApart && ids.size === issued.length,
    what: 'two families of one run hold two identities',
    saw: `${named.join(', ')}; ${issued.length} tokens of tasks, none given twice`,
  };
}
