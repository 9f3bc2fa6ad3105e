import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ProcessWatch } from '../../scripts/process-watch.ts';
import { ROOT } from '../../scripts/repository.ts';
import { eventually } from '../support/eventually.ts';

const WATCHED = `
import { spawn } from 'node:child_process';
import { ProcessWatch } from ${JSON.stringify(join(ROOT, 'scripts/process-watch.ts'))};
const watch = new ProcessWatch();
const start = () => spawn('sh', ['-c', 'sleep 100 & echo $!; wait'], { detached: true, stdio: ['ignore', 'inherit', 'ignore'] });
const [kept, gone] = [start(), start()];
for (const { pid } of [kept, gone]) watch.leads(pid);
watch.isGone(gone.pid);
console.log('lead', kept.pid, gone.pid);
setInterval(() => {}, 1000);
`;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('the watch over process groups', () => {
  it('kills all of them when the process that started them is killed, and no other', async () => {
    const parent = spawn(process.execPath, ['--input-type=module', '-e', WATCHED], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const children: number[] = [];
    let leads: number[] = [];
    for await (const line of createInterface(parent.stdout)) {
      if (line.startsWith('lead')) leads = line.split(' ').slice(1).map(Number);
      else children.push(Number(line));
      if (leads.length === 2 && children.length === 2) break;
    }
    const [kept = 0, gone = 0] = leads;
    try {
      assert.equal(children.filter(isAlive).length, 2);
      parent.kill('SIGKILL');
      await eventually(() => !isAlive(kept), 'the watched group is gone');
      await eventually(() => children.filter(isAlive).length === 1, 'with everything in it');
      assert.ok(isAlive(gone), 'what was taken off the list is left alone');
    } finally {
      process.kill(-gone, 'SIGKILL');
    }
  });

  it('kills what is left when it is closed', async () => {
    const watch = new ProcessWatch();
    const child = spawn('sleep', ['100'], { detached: true, stdio: 'ignore' });
    const exit = once(child, 'exit');
    watch.leads(child.pid ?? 0);
    watch.close();
    assert.deepEqual(await exit, [null, 'SIGKILL']);
  });
});
